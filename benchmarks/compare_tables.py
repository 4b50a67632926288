"""The tables of what `compare.py` wrote, for `tables.py`."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from statistics import mean
from typing import Any

import numpy as np
from cells import NO_RESULTS, REAL_DATA, RESULTS, SETS, markdown, points, spread
from paired import ALL, difference, parts_of_test, resampled

METHODS = {
    "joint": "this project, joint",
    "joint_neural": "this project, joint, without n-grams",
    "joint_frozen": "this project, joint, frozen encoder",
    "chained_all": "this project, chained, encoder trained",
    "chained": "this project, chained, frozen encoder",
    "classic": "classic recipe: rows inside each group, hard route",
    "flat": "flat fine-tuning (transformers)",
    "flat_fused": "flat fine-tuning, fused with n-gram rows",
    "label_wise": "label-wise attention BERT (LibMultiLabel)",
    "label_wise_fused": "label-wise attention BERT, fused with n-gram rows",
    "svm": "TF-IDF + LinearSVC",
    "embeddings": "embeddings + logistic regression",
    "hiclass_lcpn_tfidf": "HiClass per node, TF-IDF",
    "hiclass_lcppn_tfidf": "HiClass per parent node, TF-IDF",
    "hiclass_lcpn_embeddings": "HiClass per node, embeddings",
    "hiclass_lcppn_embeddings": "HiClass per parent node, embeddings",
}

Runs = dict[int, dict[str, Any]]  # records by seed


@cache
def compared() -> dict[str, dict[str, Runs]]:
    """Return what `compare.py` wrote: setup in words -> method in words -> seed -> record."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((RESULTS / "compare").glob("*.json"))]
    records = [r for r in records if "test" in r["figures"] and r["settings"]["documents"] is None]
    order = list(METHODS)

    def place(record: dict[str, Any]) -> tuple[Any, ...]:
        settings = record["settings"]
        cuts = settings["layers"] or 0, settings.get("no_attention_dropout", False)  # the option is newer than records
        encoder = settings["encoder"] != "embedded", settings["encoder"], *cuts
        known = SETS.index(settings["dataset"]) if settings["dataset"] in SETS else len(SETS)
        return known, settings["dataset"], *encoder, order.index(settings["method"]), settings["changes"]

    trainings: dict[str, dict[tuple[str, tuple[str, ...]], Runs]] = {}  # setup -> method and changed settings -> runs
    for record in sorted(records, key=place):
        settings, figures = record["settings"], record["figures"]
        drawn = " (drawn at random)" if settings.get("train_documents") else ""  # the option is newer than records
        parts = "{train:,} training{drawn}, {valid:,} validation, {test:,} test documents".format(
            **figures["documents"], drawn=drawn
        )
        groups = f" in {figures['groups']} groups" if figures["groups"] else ", no groups given"
        layers = f"; the encoder's first {settings['layers']} layers" if settings["layers"] else ""
        dropout = "; no dropout on its attention weights" if settings.get("no_attention_dropout") else ""
        encoder = f"; encoder {settings['encoder']}" if settings["encoder"] != "embedded" else ""
        setup = f"**{settings['dataset']}**: {figures['labels']} labels{groups}; {parts}{encoder}{layers}{dropout}"
        training = METHODS[settings["method"]], tuple(settings["changes"])
        trainings.setdefault(setup, {}).setdefault(training, {})[settings["seed"]] = record
    return {setup: _named(of_setup) for setup, of_setup in trainings.items()}


def _named(trainings: dict[tuple[str, tuple[str, ...]], Runs]) -> dict[str, Runs]:
    """Name trainings by their method, and by their changed settings too where a method has several."""
    times = Counter(method for method, _ in trainings)
    return {
        ", ".join([method, *(f"`{change}`" for change in changes if times[method] > 1)]): runs
        for (method, changes), runs in trainings.items()
    }


def _changes(methods: dict[str, Runs]) -> str:
    """Say which settings the methods of a table were given."""
    of_changes: dict[tuple[str, ...], list[str]] = {}
    for method, runs in methods.items():
        changes = next(iter(runs.values()))["settings"]["changes"]
        if changes and "`" not in method:
            of_changes.setdefault(tuple(changes), []).append(method)
    return "".join(
        f"\n\nSettings of {' and '.join(names)}: {', '.join(f'`{change}`' for change in changes)}."
        for changes, names in of_changes.items()
    )


def compare() -> str:
    """Figures of each method on each data set, mean over the seeds."""
    blocks = []
    for setup, methods in compared().items():
        parts = _parts(methods)
        head = ("method", "seeds", "accuracy", "macro-F1", "tail F1", "hierarchical F1", *_heads(parts),
                "training, minutes", "documents/s", "peak, GiB", "machine")  # fmt: skip
        rows = ([method, *_compared_row(runs, parts)] for method, runs in methods.items())
        blocks.append(f"{setup}{_changes(methods)}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def _parts(methods: dict[str, Runs]) -> dict[str, np.ndarray]:
    """Return the test documents that are counted apart, the same in every record of a set."""
    return parts_of_test(record["figures"] for runs in methods.values() for record in runs.values())


def _heads(parts: Mapping[str, np.ndarray]) -> list[str]:
    return [f"accuracy, {part}" for part in parts]


def _compared_row(runs: Runs, parts: Mapping[str, np.ndarray]) -> list[str]:
    figures = [record["figures"] for record in runs.values()]
    tests = [part["test"] for part in figures]
    training = [part["training"] for part in figures]
    peak = f"{max(part['gib'] for part in training):.1f}"
    if "gpu_gib" in training[0]:
        peak += f" + {max(part['gpu_gib'] for part in training):.1f} on the GPU"
    machines = {_machine(record["machine"]) for record in runs.values()}
    return [
        str(len(runs)) if figures[0]["random"] else "not random",
        *(spread([part[name] for part in tests]) for name in ("accuracy", "macro_f1")),
        spread([part["thirds"]["tail"] for part in tests]),
        spread([part["hierarchical_f1"] for part in tests]),
        *(spread([_share_right(part, places) for part in figures]) for places in parts.values()),
        f"{mean(part['seconds'] for part in training) / 60:.1f}",
        f"{mean(part['documents_per_second'] for part in figures):,.0f}",
        peak,
        ", ".join(sorted(machines)),
    ]


def _machine(machine: dict[str, Any]) -> str:
    threads = machine["omp_num_threads"]  # as the environment had it
    fewer = "" if threads in (None, str(machine["cores"])) else f", {threads} thread{'s' if threads != '1' else ''}"
    return machine.get("gpu") or f"{machine['cores']} cores{fewer}"


def _share_right(figures: dict[str, Any], places: np.ndarray) -> float:
    return mean(figures["gold"][place] == figures["predicted"][place] for place in places)


def compare_differences() -> str:
    """Joint training less each other method, paired over seeds and test documents."""
    blocks = []
    for setup, methods in compared().items():
        parts = _parts(methods)
        rows = list(_difference_rows(methods, parts))
        if rows:
            head = ("", "less", "seeds", "accuracy", "macro-F1", *_heads(parts))
            blocks.append(f"{setup}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def compare_trained() -> str:
    """Joint training beside flat fine-tuning, where each was measured with one choice of settings."""
    joint, *flat = (METHODS[method] for method in ("joint", "flat", "flat_fused"))
    rows = []
    for setup, methods in compared().items():
        if not all(method in methods for method in (joint, *flat)):
            continue
        labels = re.findall("[0-9,]+ labels", setup)[0]  # few documents have fewer
        cuts = re.findall("encoder's first [^;]*|[0-9,]+ training (?=.drawn)", setup)  # layers, documents
        data = re.sub("[0-9,]+ labels", labels, REAL_DATA[setup.split("**")[1]])
        told = "; ".join([data, *(cut.replace("training ", "training documents") for cut in cuts)])
        paired = set.intersection(*(set(methods[method]) for method in (joint, *flat)))  # seeds
        leads = {other: cells for of, other, _, *cells in _difference_rows(methods, {}) if of == joint}
        for method in (joint, *flat):
            tests = [record["figures"]["test"] for seed, record in methods[method].items() if seed in paired]
            scores = [spread([part[figure] for part in tests]) for figure in ("accuracy", "macro_f1")]
            rows.append([told, method, str(len(tests)), *scores, *leads.get(method, ["", ""])])
    lead = "joint − this, points"
    head = ("data", "encoder fully trained", "seeds", "accuracy", lead, "macro-F1", lead)
    return markdown(head, *([*row[:4], row[5], row[4], row[6]] for row in rows)) if rows else NO_RESULTS


def _difference_rows(methods: dict[str, Runs], parts: Mapping[str, np.ndarray]) -> Iterator[list[str]]:
    def scored(places: Any) -> dict[str, dict[int, np.ndarray]]:
        return {
            method: {seed: resampled(*(np.array(record["figures"][name])[places] for name in ("gold", "predicted")))
                     for seed, record in runs.items()}
            for method, runs in methods.items()
        }  # fmt: skip

    of_parts = [scored(places) for places in {ALL: slice(None), **parts}.values()]
    for joint in methods:
        if joint.split(", `")[0] not in (METHODS["joint"], METHODS["joint_neural"]):
            continue
        for other, runs in methods.items():
            cells: list[str] = []
            for part in of_parts:
                a, b = part[joint], part[other]
                if not any(record["figures"]["random"] for record in runs.values()):
                    b = dict.fromkeys(a, next(iter(b.values())))  # one run stands for every seed
                seeds = a.keys() & b.keys()
                if other != joint and seeds:
                    found = difference({s: a[s] for s in seeds}, {s: b[s] for s in seeds})
                    figures = ("accuracy",) if cells else ("accuracy", "macro_f1")
                    cells += [*([] if cells else [str(len(seeds))]), *(points(found[name]) for name in figures)]
            if cells:
                yield [joint, other, *cells]
