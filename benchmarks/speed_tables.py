"""Tables of speed: the service, a mixed load on it, what computes an encoder, and what many labels cost."""

import json
from collections.abc import Callable
from typing import Any

from cells import NO_RESULTS, RESULTS, markdown

Cell = Callable[[dict[str, Any]], str]


def serving() -> str:
    """Figures of `serving.py`, a column a model."""
    rows: list[tuple[str, Cell]] = [("offline `predict`: CPU ms a document", lambda f: f"{f['offline_cpu_ms']:.2f}")]
    for side in ("several", "single"):
        rows += [
            (f"{_asked(side)}: CPU a document, by offline", lambda f, s=side: f"{f[s]['cpu_by_offline']:.2f}"),
            ("documents a second", lambda f, s=side: f"{f[s]['documents_per_second']:,.0f}"),
            ("p50 / p99 of a request, ms", lambda f, s=side: f"{f[s]['p50_ms']:.0f} / {f[s]['p99_ms']:.0f}"),
        ]
    rows += [
        ("one client, one text a request: p50, ms", lambda f: f"{f['lone']['p50_ms']:.1f}"),
        ("the same answer within the process, ms", lambda f: f"{f['lone']['offline_p50_ms']:.1f}"),
        ("the service's share, ms", lambda f: f"{f['lone']['more_ms']:.1f}"),
    ]
    return _table("serving", rows)


def mixed_load() -> str:
    """Figures of `serving.py --minutes`, a column a model."""
    return _table("mixed_load", [
        ("minutes, clients", lambda f: f"{f['seconds'] / 60:g}, {f['clients']}"),
        ("requests", lambda f: f"{sum(f['requests'].values()):,}"),
        ("of them answered", lambda f: f"{f['statuses'].get('200', 0):,}"),
        ("refused (400, 413, 422)", lambda f: f"{sum(f['statuses'].get(s, 0) for s in ('400', '413', '422')):,}"),
        ("too much at once (429)", lambda f: f"{f['statuses'].get('429', 0)}"),
        ("too late (503)", lambda f: f"{f['statuses'].get('503', 0)}"),
        ("cancelled by the client", lambda f: f"{f['requests']['cancelled']:,}"),
        ("lost, crossed, any other status", lambda f: f"{f['lost']}, {f['crossed']}, {sum(f['unexpected'].values())}"),
        ("largest difference of a probability", lambda f: f"{f['largest_difference']:.2g}, bound {f['bound']:.2g}"),
        ("requests with short texts: p50 / p99, ms", lambda f: f"{f['p50_ms']:.0f} / {f['p99_ms']:.0f}"),
        ("memory, MiB: at the start, second tenth, last tenth, peak",
         lambda f: ", ".join(f"{mib:,.0f}" for mib in f["memory_mib"].values())),
    ])  # fmt: skip


def runtimes() -> str:
    """Figures of `runtimes.py`: a row for each data set and what computes its encoder, best batch of the pipeline."""
    rows = []
    for file in sorted(RESULTS.glob("runtimes-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        figures, flags = record["figures"], record["figures"]["flags"]
        where = f"{record['settings']['dataset']}, {flags[0] if flags else record['machine']['processor']}"
        pipelines = {n: own["encoder"] for n, own in figures["speed"].items() if n not in figures["sides"]}
        plain = max(pipelines, key=lambda n: pipelines[n])
        for name in (*figures["sides"], plain):
            speed, side = figures["speed"][name], figures["sides"].get(name, {})
            rows.append([
                where, name, f"{speed['encoder']:,.0f}", f"{speed['encoder_ratio']:.2f}",
                f"{speed['predict_ratio']:.2f}" if "predict_ratio" in speed else "",
                f"{100 * side['accuracy']:.2f}" if side else "", f"{side['ece']:.4f}" if side else "",
                f"{side['disk_mb']:.0f}" if side else "", f"{side['seconds']:.1f}" if "seconds" in side else "",
                f"{side['memory_mib']:.0f}" if "memory_mib" in side else "",
            ])  # fmt: skip
    head = [
        "data, processor", "computed by", "tokens a second", "by torch float32", "whole `predict`", "accuracy, %",
        "ECE", "MB on disk", "to the first answer, s", "memory, MiB",
    ]  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def cascade() -> str:
    """Tell what a cascade spares and loses, a row a data set."""
    rows = []
    for file in sorted(RESULTS.glob("cascade-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        found, points = record["figures"], record["settings"]["points"]
        rate, test, limits = found["speed"], found["test"], found["limits"]
        rows.append((
            record["settings"]["dataset"],
            f"{points:g}",
            f"{100 * test['answered_by_ngrams']:.1f}",
            " / ".join(f"{rate['documents_per_second'][side]:,.0f}" for side in ("with", "without")),
            f"{rate['times_as_fast']:.2f}",
            f"{100 * test['accuracy']:.2f} / {100 * test['accuracy_without']:.2f}",
            "{:.2f} ({:.2f} to {:.2f})".format(*(100 * share for share in test["lost_share"])),
            f"{100 * limits['above_the_limit']:.1f}",
        ))  # fmt: skip
    head = ("data", "points", "by n-grams, %", "documents a second with / without", "times as fast",
            "accuracy with / without, %", "lost, % (90 % interval)", "halvings above the limit, %")  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def scale_out() -> str:
    """Figures of `scale_out.py`, a row for each data set and who answers its files."""
    rows = []
    for file in sorted(RESULTS.glob("scale_out-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        figures = record["figures"]
        told = f"{record['settings']['dataset']}, {figures['documents']:,} documents in {figures['files']} files"
        by = ["", f"{figures['two_by_one']:.2f} of one process", f"{figures['ray_by_local']:.2f} of two processes"]
        for (side, found), ratio in zip(figures["sides"].items(), by, strict=True):
            rows.append([
                told, side, f"{found['documents_per_second']:,.0f}", ratio, f"{found['seconds']:.0f}",
                f"{found['driver_mib_of_a_tenth']:.0f} / {found['driver_mib']:.0f}",
            ])  # fmt: skip
    head = ["data", "engine", "documents a second", "ratio", "seconds in all", "driver, MiB: a tenth / all"]
    return markdown(head, *rows) if rows else NO_RESULTS


def many_labels() -> str:
    """Figures of `many_labels.py`, a column a number of labels, and the largest by the smallest."""
    file = RESULTS / "many_labels.json"
    if not file.exists():
        return NO_RESULTS
    record = json.loads(file.read_text(encoding="utf-8"))
    figures, ways = record["figures"], {"exhaustive": "exhaustive", "beam": f"`beam: {record['settings']['beam']}`"}
    rows = [
        [
            f"{ways[way]}, {int(batch):,} at once: processor ms a document",
            *(f"{ms:.2f}" for ms in times.values()),
            f"{figures['largest_by_smallest'][way][batch]:.1f}",
        ]
        for way, of in figures["milliseconds_a_document"].items()
        for batch, times in of.items()
    ]
    for key, what in {
        "mb": "model on disk, MB",
        "save": "saving, s",
        "load": "loading, s",
        "load_processor": "of the processor, s",
    }.items():
        rows.append([what, *(f"{found[key]:,.1f}" for found in figures["disk"].values()), ""])
    names = [f"{int(labels):,} labels in {groups:,} groups" for labels, groups in figures["groups"].items()]
    return markdown(["", *names, "largest / smallest"], *rows)


def heads_scale() -> str:
    """Minutes and memory of all rows, by `heads_scale.py`, a column a record."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in RESULTS.glob("heads_scale-*.json")]
    records.sort(key=lambda record: record["settings"]["labels"])
    if not records:
        return NO_RESULTS
    minutes = [record["figures"]["minutes"] for record in records]
    steps = [step for step in minutes[0] if "not counted" not in step]
    rows = [[f"{step}, minutes", *(f"{of[step]:.1f}" for of in minutes)] for step in steps]
    rows.append(["peak memory, GiB", *(f"{r['figures']['peak_memory']['gib']:.1f}" for r in records)])
    documents = (r["figures"]["documents_of_a_problem"]["mean"] for r in records)
    rows.append(["documents that are negatives of a row at most, mean", *(f"{mean:,.0f}" for mean in documents)])
    names = ["{labels:,} labels, {documents:,} documents".format(**record["settings"]) for record in records]
    return markdown(["", *names], *rows)


def capped_negatives() -> str:
    """Figures of `capped_negatives.py`, a row for each kind of negatives."""
    rows = []
    for file in sorted(RESULTS.glob("capped_negatives-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        for one in record["figures"]["kinds"]:
            rows.append([
                record["settings"]["dataset"], one["negatives"], f"{one['documents_of_a_row']:,.0f}",
                f"{one['accuracy']:.1f}", f"{one['macro_f1']:.1f}",
            ])  # fmt: skip
    return (
        markdown(["data", "negatives", "documents of a row", "accuracy, %", "macro-F1, %"], *rows)
        if rows
        else NO_RESULTS
    )


def _asked(side: str) -> str:
    return f"32 clients, {'16 texts' if side == 'several' else 'one text'} a request"


def _table(name: str, rows: list[tuple[str, Cell]]) -> str:
    files = sorted(RESULTS.glob(f"{name}-*.json"))
    if not files:
        return NO_RESULTS
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    head = ["", *(f"{r['settings']['dataset']}, {r['figures']['encoder'] or 'n-grams alone'}" for r in records)]
    return markdown(head, *([what, *(cell(r["figures"]) for r in records)] for what, cell in rows))
