"""What the service costs beside offline `predict`, and how long its clients wait.

The service is a process of its own; its clients are threads of this one, which also computes what `predict` does with
the same texts, without reading and writing files. Both sides take turns. With ``--minutes`` it is a mixed load instead,
see `mixed_load.py`.

Example: python benchmarks/serving.py clinc150; python benchmarks/serving.py clinc150 --minutes 10
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import load_data, make_parser, prepare, print_table, write_record
from mixed_load import mixed_load, show_mixed_load
from service_process import Client, ServiceProcess, answers_in, request

if TYPE_CHECKING:
    from pipelines.model.model import Model

CLIENTS, TEXTS = 32, 16  # texts of a request


def main() -> None:
    """Measure one model."""
    parser = make_parser(__doc__, "serving-DATASET")
    parser.add_argument("dataset", help="folder under --data whose test documents are asked for")
    parser.add_argument("--model", type=Path, help="trained model (default: what real_data.py left in the run folder)")
    parser.add_argument("--documents", type=int, default=4_096, help="that each side answers in each repeat")
    parser.add_argument("--lone", type=int, default=200, help="requests of a lone client in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="of mixed load, in place of all else")
    options = parser.parse_args()
    name = options.model.name.removeprefix("model-") if options.model is not None else options.dataset
    prepare(options, f"{'serving' if options.minutes is None else 'mixed_load'}-{name}", run=options.dataset)
    folder = (options.model or options.run / f"model-{options.dataset}").resolve()
    if not folder.exists():
        sys.exit(f"there is no model in {folder}: run real_data.py {options.dataset} first, or name one with --model")
    from pipelines.model.artifact.loading import load_model
    from pipelines.serving.served_model import ENCODERS
    from stages.coarse.exported_encoder import ExportedEncoder

    texts = load_data(options.dataset, options.data, cache=options.run / "documents").test.texts
    texts = [texts[place] for place in np.random.default_rng(0).permutation(len(texts))[: options.documents]]
    model, _ = load_model(folder)
    reader = model.extractor.neural and model.extractor.neural.encoder
    dtype = "bfloat16" if reader is not None and reader.vector_type == np.float16 else "float32"
    encoder = ENCODERS.get(model.settings.encoder, Path(model.settings.encoder).name)
    if isinstance(reader, ExportedEncoder):
        dtype = reader.description.dtype
        encoder = f"{encoder} by {reader.description.runtime} in {dtype}"
    figures: dict[str, Any] = {
        "encoder": encoder,
        "dtype": dtype,
        "labels": len(model.label_ids),
    }
    with ServiceProcess(folder, options.run / "service.txt") as service:
        if options.minutes is None:
            figures |= measured(model, service, texts, repeats=options.repeats, lone=options.lone)
            show(figures)
        else:
            figures |= mixed_load(model, service, texts, seconds=60 * options.minutes, dtype=dtype)
            show_mixed_load(figures)
    write_record(options, figures)


def measured(model: "Model", service: ServiceProcess, texts: list[str], *, repeats: int, lone: int) -> dict[str, Any]:
    """Let many clients ask for all texts, several and one a request, and a lone client for some; return medians.

    Parameters
    ----------
    model
        For offline.
    service
        Which is asked.
    texts
        The documents.
    repeats, lone
        How often, and how many of the documents the lone client asks for.
    """
    loads = {"several": (CLIENTS, TEXTS), "single": (CLIENTS, 1)}
    runs: list[dict[str, Any]] = []
    load(service, texts, clients=CLIENTS, size=TEXTS)  # warms up, and fills the memory of both
    for _ in range(repeats):
        before = time.process_time()
        right = labels(model, texts)
        offline = 1000 * (time.process_time() - before) / len(texts)
        under_load = {}
        for name, (clients, size) in loads.items():
            found, under_load[name] = load(service, texts, clients=clients, size=size)
            under_load[name]["cpu_by_offline"] = under_load[name]["cpu_ms"] / offline
            under_load[name]["other_labels"] = sum(a != b for a, b in zip(found, right, strict=True))
        runs.append({"offline_cpu_ms": offline, **under_load, "lone": alone(model, service, texts[:lone])})
    return {"clients": CLIENTS, "texts": TEXTS, **_medians(runs), "runs": runs}


def load(service: ServiceProcess, texts: list[str], *, clients: int, size: int) -> tuple[list[str], dict[str, float]]:
    """Let clients ask for texts, each one request after the other.

    Parameters
    ----------
    service
        Which is asked.
    texts
        The documents.
    clients, size
        How many ask, and how many texts a request has.

    Returns
    -------
    tuple[list[str], dict[str, float]]
        The labels, and what it took.
    """
    parts = [texts[start : start + size] for start in range(0, len(texts), size)]

    def ask_all(mine: int) -> list[tuple[int, bytes, float]]:
        client, asked = Client(service.port), []
        for place in range(mine, len(parts), clients):
            body = request(parts[place])
            started = time.perf_counter()
            status, answer = client.ask(body)
            asked.append((place, answer, time.perf_counter() - started))
            if status != 200:
                sys.exit(f"{status}: {answer.decode()}")
        client.close()
        return asked

    before, started = service.cpu_seconds, time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        asked = [one for part in pool.map(ask_all, range(clients)) for one in part]
    spent, cpu = time.perf_counter() - started, service.cpu_seconds - before
    asked.sort(key=lambda one: one[0])
    found = [answer["label"] for _, body, _ in asked for answer in answers_in(body)]
    p50, p99 = (1000 * float(np.quantile([seconds for *_, seconds in asked], share)) for share in (0.5, 0.99))
    figures = {"cpu_ms": 1000 * cpu / len(texts), "documents_per_second": len(texts) / spent}
    return found, {**figures, "p50_ms": p50, "p99_ms": p99}


def alone(model: "Model", service: ServiceProcess, texts: list[str]) -> dict[str, float]:
    """Answer one text after the other, in the service and offline in turn.

    Parameters
    ----------
    model
        For offline.
    service
        Which is asked.
    texts
        The documents.
    """
    client, seconds = Client(service.port), []
    for text in texts:
        started = time.perf_counter()
        client.ask(request([text]))
        answered = time.perf_counter()
        labels(model, [text])
        seconds.append((answered - started, time.perf_counter() - answered))
    client.close()
    by_service, offline = 1000 * np.median(seconds, axis=0)
    return {"p50_ms": float(by_service), "offline_p50_ms": float(offline), "more_ms": float(by_service - offline)}


def labels(model: "Model", texts: list[str]) -> list[str]:
    """Return the labels of texts, answered as `predict` does."""
    from pipelines.serving.answers import answers

    return [answer["label"] for answer in answers(model, texts)]


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the runs."""
    first = runs[0]
    return {
        key: _medians([run[key] for run in runs]) if isinstance(first[key], dict) else median(run[key] for run in runs)
        for key in first
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures beside what they are meant to be."""
    several, single, lone = figures["several"], figures["single"], figures["lone"]
    print_table(
        "The service",
        ("what", "figure", "wanted"),
        [
            ("offline, CPU ms a document", f"{figures['offline_cpu_ms']:.3f}", ""),
            (f"{CLIENTS} clients, {TEXTS} texts a request: CPU ms a document", f"{several['cpu_ms']:.3f}", ""),
            ("the same by offline", f"{several['cpu_by_offline']:.2f}", "up to 1.2"),
            ("documents a second", f"{several['documents_per_second']:,.0f}", ""),
            ("p50 / p99 ms", f"{several['p50_ms']:.0f} / {several['p99_ms']:.0f}", ""),
            (f"{CLIENTS} clients, one text a request: CPU by offline", f"{single['cpu_by_offline']:.2f}", ""),
            ("documents a second", f"{single['documents_per_second']:,.0f}", ""),
            ("p50 / p99 ms", f"{single['p50_ms']:.0f} / {single['p99_ms']:.0f}", ""),
            ("a lone request, p50 ms", f"{lone['p50_ms']:.2f}", ""),
            ("more than the answer within the process, ms", f"{lone['more_ms']:.2f}", "up to 4"),
        ],
    )


if __name__ == "__main__":
    main()
