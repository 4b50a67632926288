"""Writes the tables of README and docs from the JSON files in benchmarks/results.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is between them is replaced. A test compares.

Example: python benchmarks/tables.py
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))  # where a test loads this file by its path, too
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TABLE = re.compile(r"(?<=<!-- table: )(\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

REAL_DATA = {
    "clinc150": "intents, 150 labels",
    "banking77": "banking questions, 77 labels",
    "attack_procedures": "attack techniques, 353 labels",
    "dc_code": "statutes, 553 labels, long",
    "tw_laws --set encoder=none": "laws in Chinese",
}
TREES = ("clinc150", "attack_procedures", "dc_code")
SETS = ("attack_procedures", "dc_code", "clinc150", "banking77", "tw_laws")
METHODS = {
    "joint": "this project, joint",
    "joint_neural": "this project, joint, without n-grams",
    "joint_frozen": "this project, joint, frozen encoder",
    "chained_all": "this project, chained, encoder trained",
    "chained": "this project, chained, frozen encoder",
    "classic": "classic recipe: rows inside each group, hard route",
    "flat": "flat fine-tuning (transformers)",
    "flat_fused": "flat fine-tuning, fused with n-gram rows",
    "svm": "TF-IDF + LinearSVC",
    "embeddings": "embeddings + logistic regression",
    "hiclass_lcpn_tfidf": "HiClass per node, TF-IDF",
    "hiclass_lcppn_tfidf": "HiClass per parent node, TF-IDF",
    "hiclass_lcpn_embeddings": "HiClass per node, embeddings",
    "hiclass_lcppn_embeddings": "HiClass per parent node, embeddings",
}
NO_RESULTS = "*No results yet.*"

Runs = dict[int, dict[str, Any]]  # records by seed


def main() -> None:
    """Rewrite every table of every page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """Return a page's text with each table made anew."""
    return TABLE.sub(lambda found: f"{found[1]} -->\n\n{TABLES[found[1]]()}\n\n", text)


def read(name: str) -> dict[str, Any]:
    """Return the figures of one file in `results`."""
    figures: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["figures"]
    return figures


def markdown(*rows: Sequence[str]) -> str:
    """Return a Markdown table; the first row is its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *lines[1:]])


def real_data() -> str:
    """Accuracy and macro-F1 on each data set beside the linear SVM."""
    rows = []
    for arguments, told in REAL_DATA.items():
        figures = read("real_data-" + re.sub(r"[ =]+(--set )?", "-", arguments))
        both = figures["model"], figures["baselines"]["tf-idf + linear svm"]
        scores = [f"{part['accuracy']:.3f} / {part['macro_f1']:.3f}" for part in both]
        rows.append((told, f"`python benchmarks/real_data.py {arguments}`", *scores))
    return markdown(("data", "command", "this model", "TF-IDF + linear SVM"), *rows)


def group_trees() -> str:
    """Routing recall and end accuracy on each tree, with the built tree's paired difference."""
    rows = []
    for name in TREES:
        figures = read(f"group_trees-{name}")
        for tree, scores in figures["trees"].items():
            cells = [f"{name}, {figures['groups']} groups", tree, f"{scores['smallest']} to {scores['largest']}"]
            for measure in ("recall", "accuracy"):
                cells.append(f"{100 * scores[measure]:.1f}")
                cells.append(points(figures["differences"][tree][measure]) if tree != "built" else "")
            rows.append(cells)
    head = ("data", "groups made by", "sizes", "recall", "built − this", "accuracy", "built − this")
    return markdown(head, *rows)


def points(difference: dict[str, float]) -> str:
    """Return a paired difference in points with its interval."""
    value, low, high = (f"{100 * difference[key]:+z.1f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})".replace("-", "−")


def label_groups() -> str:
    """Agreement of made groups with human ones, by method."""
    sets = read("label_groups")
    methods = next(iter(sets.values()))["methods"]
    rows = []
    for method in methods:
        scores = [figures["methods"][method] for figures in sets.values()]
        rows.append([method, *(f"{score['ami']:.3f} ({score['ratio']:.1f})" for score in scores)])
    told = [f"{name} ({part['labels']})" + (" *" if part["chose the method"] else "") for name, part in sets.items()]
    return markdown(("method", *told), *rows)


@cache
def compared() -> dict[str, dict[str, Runs]]:
    """Return what `compare.py` wrote: setup in words -> method in words -> seed -> record."""
    records = [json.loads(file.read_text(encoding="utf-8")) for file in sorted((RESULTS / "compare").glob("*.json"))]
    records = [r for r in records if "test" in r["figures"] and r["settings"]["documents"] is None]
    order = list(METHODS)

    def place(record: dict[str, Any]) -> tuple[Any, ...]:
        settings = record["settings"]
        encoder = settings["encoder"] != "embedded", settings["encoder"], settings["layers"] or 0
        known = SETS.index(settings["dataset"]) if settings["dataset"] in SETS else len(SETS)
        return known, settings["dataset"], *encoder, order.index(settings["method"]), settings["changes"]

    trainings: dict[str, dict[tuple[str, tuple[str, ...]], Runs]] = {}  # setup -> method and changed settings -> runs
    for record in sorted(records, key=place):
        settings, figures = record["settings"], record["figures"]
        parts = "{train:,} training, {valid:,} validation, {test:,} test documents".format(**figures["documents"])
        groups = f" in {figures['groups']} groups" if figures["groups"] else ", no groups given"
        layers = f"; the encoder's first {settings['layers']} layers" if settings["layers"] else ""
        encoder = f"; encoder {settings['encoder']}" if settings["encoder"] != "embedded" else ""
        setup = f"**{settings['dataset']}**: {figures['labels']} labels{groups}; {parts}{encoder}{layers}"
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
        long = _long_documents(methods)
        head = ("method", "seeds", "accuracy", "macro-F1", "tail F1", "hierarchical F1", *_long_head(long),
                "training, minutes", "documents/s", "peak, GiB", "machine")  # fmt: skip
        rows = ([method, *_compared_row(runs, long)] for method, runs in methods.items())
        blocks.append(f"{setup}{_changes(methods)}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def _long_documents(methods: dict[str, Runs]) -> list[int]:
    """Return the places of the test documents over 512 tokens, the same in every record of a set."""
    long: list[int] = next(iter(next(iter(methods.values())).values()))["figures"]["long"]
    return long


def _long_head(long: Sequence[int]) -> list[str]:
    return [f"accuracy, {len(long):,} documents over 512 tokens"] if long else []


def _compared_row(runs: Runs, long: Sequence[int]) -> list[str]:
    figures = [record["figures"] for record in runs.values()]
    tests = [part["test"] for part in figures]
    training = [part["training"] for part in figures]
    peak = f"{max(part['gib'] for part in training):.1f}"
    if "gpu_gib" in training[0]:
        peak += f" + {max(part['gpu_gib'] for part in training):.1f} on the GPU"
    machines = {m.get("gpu") or f"{m['cores']} cores" for m in (record["machine"] for record in runs.values())}
    return [
        str(len(runs)) if figures[0]["random"] else "not random",
        *(spread([part[name] for part in tests]) for name in ("accuracy", "macro_f1")),
        spread([part["thirds"]["tail"] for part in tests]),
        spread([part["hierarchical_f1"] for part in tests]),
        *([spread([_share_right(part, long) for part in figures])] if long else []),
        f"{mean(part['seconds'] for part in training) / 60:.1f}",
        f"{mean(part['documents_per_second'] for part in figures):,.0f}",
        peak,
        ", ".join(sorted(machines)),
    ]


def _share_right(figures: dict[str, Any], places: Sequence[int]) -> float:
    return mean(figures["gold"][place] == figures["predicted"][place] for place in places)


def spread(values: Sequence[float | None]) -> str:
    """Return mean and standard deviation in percent; nothing where a figure is not defined."""
    known = [100 * value for value in values if value is not None]
    if not known:
        return ""
    return f"{mean(known):.1f} ± {stdev(known):.1f}" if len(known) > 1 else f"{known[0]:.1f}"


def compare_differences() -> str:
    """Joint training less each other method, paired over seeds and test documents."""
    blocks = []
    for setup, methods in compared().items():
        long = _long_documents(methods)
        rows = list(_difference_rows(methods, long))
        if rows:
            head = ("", "less", "seeds", "accuracy", "macro-F1", *_long_head(long))
            blocks.append(f"{setup}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def _difference_rows(methods: dict[str, Runs], long: Sequence[int]) -> Iterator[list[str]]:
    import numpy as np
    from paired import difference, resampled

    def scored(places: Any) -> dict[str, dict[int, np.ndarray]]:
        return {
            method: {seed: resampled(*(np.array(record["figures"][name])[places] for name in ("gold", "predicted")))
                     for seed, record in runs.items()}
            for method, runs in methods.items()
        }  # fmt: skip

    parts = [scored(slice(None)), *([scored(long)] if long else [])]
    for joint in methods:
        if joint.split(", `")[0] not in (METHODS["joint"], METHODS["joint_neural"]):
            continue
        for other, runs in methods.items():
            cells: list[str] = []
            for part in parts:
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


def ablations() -> str:
    """Figures of each variant of `ablate.py`, with its paired difference to the unchanged model."""
    blocks = []
    for file in sorted(RESULTS.glob("ablate-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        settings, figures = record["settings"], record["figures"]
        if settings["documents"] is not None:
            continue
        frozen = [] if any(change.startswith("trainable=") for change in settings["set"]) else ["trainable=frozen"]
        told = "".join(f", `{change}`" for change in [*frozen, *settings["set"]])
        long = figures["long_documents"]
        rows = []
        for name, variant in figures["variants"].items():
            valid, test, change = variant["valid"], variant["test"], variant["difference"]
            cells = [name, *(f"{100 * part[key]:.1f}" for part in (valid, test) for key in ("accuracy", "macro_f1"))]
            cells.append(spread([test["tail_f1"]]))
            cells += [spread([test["accuracy_long"]])] if long else []
            cells += [points(change[key]) if name != "unchanged" else "" for key in ("accuracy", "macro_f1")]
            rows.append(cells)
        head = ("variant", "valid accuracy", "valid macro-F1", "test accuracy", "test macro-F1", "tail F1",
                *([f"accuracy, {long} documents over 512 tokens"] if long else []),
                "accuracy − unchanged", "macro-F1 − unchanged")  # fmt: skip
        seeds = len(settings["seeds"])
        title = f"**{settings['dataset']}, {settings['mode']}**{told}; {seeds} seed{'s' if seeds > 1 else ''}"
        blocks.append(f"{title}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def trusted() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give name and figures of each data set that `trust.py` has measured."""
    for name in SETS:
        if (RESULTS / f"trust-{name}.json").exists():
            yield name, read(f"trust-{name}")


def calibration() -> str:
    """Calibration error at each level, beside a calibrated model's and that of the neural rows alone."""
    rows = []
    for name, figures in trusted():
        for level, found in figures["calibration"].items():
            alone = found["neural_rows_alone"]
            rows.append([
                name, level, f"{found['documents']:,}", f"{100 * found['accuracy']:.1f}",
                "{:.3f} ({:.3f} to {:.3f})".format(found["ece"], *found["ece_interval"]),
                f"{found['ece_of_a_calibrated_model']:.3f}", f"{found['brier']:.3f}", f"{found['nll']:.3f}",
                f"{alone['ece']:.3f}", f"{alone['nll']:.3f}",
            ])  # fmt: skip
    head = ("data", "level", "documents", "accuracy", "ECE", "a calibrated model's", "Brier", "NLL",
            "neural rows alone: ECE", "NLL")  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def promises() -> str:
    """How often promises broke, and how much was answered."""
    rows = []
    for name, figures in trusted():
        found = figures["promises"]
        means = found["mean"]

        def percent(key: str, means: dict[str, float] = means) -> str:
            return f"{100 * means[key]:.1f}" if key in means else "–"

        margin = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in found["margin_interval"]))
        rows.append([
            name, percent("broken"), f"{percent('fine_answered')} at {percent('fine_precision')}",
            f"{percent('group_answered')} at {percent('group_precision')}", percent("answered"),
            percent("fine_alone_answered"), margin.replace("-", "−"), percent("set_coverage"),
            f"{means['set_size']:.1f}", percent("tree_coverage"), percent("tree_fine"),
        ])  # fmt: skip
    head = ("data", "splits broken, %", "fine answers, % at precision", "group answers, % at precision", "answered, %",
            "fine alone, %", "answered − fine alone", "sets: coverage, %", "mean size", "tree: coverage, %",
            "of them one label, %")  # fmt: skip
    return markdown(head, *rows) if rows else NO_RESULTS


def out_of_scope() -> str:
    """Separation of documents in scope from others."""
    rows = [
        [name, {"valid": "oos_valid", "test": "oos_test"}[part], score, f"{f['auroc']:.4f}",
         f"{100 * f['fpr_at_95_recall']:.1f}"]
        for name, figures in trusted()
        for part, scores in figures.get("out_of_scope", {}).items()
        for score, f in scores.items()
    ]  # fmt: skip
    head = ("data", "documents", "score", "AUROC", "false positives at 95 % recall, %")
    return markdown(head, *rows) if rows else NO_RESULTS


def evidence() -> str:
    """Drop of the probability where a segment is left out, by how the segment is chosen."""
    rows = []
    for name in SETS:
        if (RESULTS / f"evidence-{name}.json").exists():
            figures = read(f"evidence-{name}")
            for chosen, drop in figures["drop"].items():
                rows.append([f"{name}, {figures['documents']} documents", chosen, points(drop)])
    return markdown(("data", "segment left out", "drop in points (95 % interval)"), *rows) if rows else NO_RESULTS


def cross_validation() -> str:
    """Mean and spread over folds on each set, and the corrected t-test against each flat model."""
    rows = []
    for name in SETS:
        if not (RESULTS / f"cross_validation-{name}.json").exists():
            continue
        figures = read(f"cross_validation-{name}")
        for system, scores in figures["systems"].items():
            cells = [name, f"{figures['folds']}", system]
            for figure in ("accuracy", "macro_f1"):
                own = scores[figure]
                lead = own.get("model_minus_it")
                cells.append(f"{own['mean']:.4f} ± {own['standard_deviation']:.4f}")
                cells.append("" if lead is None else f"{100 * lead['difference']:+.2f}, p = {lead['p']:.4f}")
            rows.append(cells)
    head = ("data", "folds", "system", "accuracy", "model minus it, points", "macro-F1", "model minus it, points")
    return markdown(head, *rows) if rows else NO_RESULTS


def label_errors() -> str:
    """Flipped labels that are found."""
    rows = []
    for name in SETS:
        if not (RESULTS / f"label_errors-{name}-train.json").exists():
            continue
        figures = read(f"label_errors-{name}-train")
        for kind, found in figures["flips"].items():
            shares = ("precision", "recall", "recall_at_80%_precision", "right_suggestion")
            rows.append(
                (
                    f"{name}, {kind}",
                    *(f"{found[n]}" for n in ("flipped", "flagged")),
                    *(f"{found[n]:.1%}" for n in shares),
                )
            )
    shares = ("of these flipped", "of the flips named", "found at 80 % precision", "right suggestion")
    return markdown(("data and flips", "flipped", "named", *shares), *rows) if rows else NO_RESULTS


TABLES: dict[str, Callable[[], str]] = {
    "cross_validation": cross_validation,
    "label_errors": label_errors,
    "evidence": evidence,
    "calibration": calibration,
    "promises": promises,
    "out_of_scope": out_of_scope,
    "real_data": real_data,
    "group_trees": group_trees,
    "label_groups": label_groups,
    "ablations": ablations,
    "compare": compare,
    "compare_differences": compare_differences,
}

if __name__ == "__main__":
    main()
