"""Writes the tables of README and docs from the JSON files in benchmarks/results.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is between them is replaced. A test compares.

Example: python benchmarks/tables.py
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from cells import NO_RESULTS, REAL_DATA, RESULTS, SETS, markdown, points, read, spread
from compare_tables import compare, compare_differences, compare_trained
from pretraining_tables import pretraining, pretraining_losses
from reliability import disturbed, fuzzed, killed
from scale_tables import (
    SCALE_RECORDS,
    scale_documents,
    scale_gpus,
    scale_labels,
    scale_limits,
    scale_measured,
)
from speed_tables import capped_negatives, cascade, heads_scale, many_labels, mixed_load, runtimes, scale_out, serving

from hierarchy.text.wording import count

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TABLE = re.compile(r"(?<=<!-- table: )(\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)

SHORT_STEP = 3  # seconds, below which a step is left out of the table of estimates
MANY_NEAR_DUPLICATES = 0.05  # of the test documents: from there on they get a row of figures without them
TREES = ("clinc150", "attack_procedures", "dc_code")


def main() -> None:
    """Rewrite every table of every page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """Return a page's text with each table made anew, and below it which version was measured."""
    return TABLE.sub(lambda found: f"{found[1]} -->\n\n{TABLES[found[1]]()}\n\n{measured(found[1])}\n\n", text)


def measured(table: str) -> str:
    """Say which versions of the project the records of a table were made with, and when."""
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for pattern in RECORDS.get(table, (f"{table}-*.json",))
        for file in RESULTS.glob(pattern)
    ]
    dates: dict[str, list[str]] = {}
    for record in records:
        # Records of the first version do not name it.
        version = record.get("version") or record["versions"].get("coarsefine", "0.1.0")
        dates.setdefault(version, []).append(record["date"])
    if not dates:
        return "Not measured yet."
    spans = (f"{v} ({min(d)}{f' to {max(d)}' if min(d) != max(d) else ''})" for v, d in sorted(dates.items()))
    told = "From figures that were measured" if table in ARITHMETIC else "Measured"
    return f"{told} with version {', '.join(spans)}."


def record_name(arguments: str) -> str:
    """Name the record that `real_data.py` writes when it is called with some arguments."""
    return "real_data-" + re.sub(r"[ =]+(--set )?", "-", arguments)


def real_data() -> str:
    """Accuracy and macro-F1 on each data set beside the linear SVM; without near duplicates where there are many."""
    rows = []
    for arguments, told in REAL_DATA.items():
        if not (RESULTS / f"{record_name(arguments)}.json").exists():
            continue
        figures = read(record_name(arguments))
        rows.append([told, f"`python benchmarks/real_data.py {arguments}`", *_beside_svm(figures)])
        rest = figures.get("without_near_duplicates")  # the figure is newer than records
        if rest and 0 < rest["documents"] < (1 - MANY_NEAR_DUPLICATES) * figures["documents"]["test"]:
            alone = f"the {rest['documents']:,} of {figures['documents']['test']:,} documents without near duplicates"
            rows.append([f"{told}: {alone}", "the same", *_beside_svm(rest)])
    return markdown(("data", "command", "this model", "TF-IDF + linear SVM"), *rows)


def _beside_svm(figures: dict[str, Any]) -> list[str]:
    both = figures["model"], figures["baselines"]["tf-idf + linear svm"]
    return [f"{part['accuracy']:.3f} / {part['macro_f1']:.3f}" for part in both]


def near_duplicates() -> str:
    """How many test documents of each set are near duplicates of others."""
    if not (RESULTS / "near_duplicates.json").exists():
        return NO_RESULTS
    rows = [[name, *(f"{n:,}" for n in counts.values())] for name, counts in read("near_duplicates").items()]
    head = ("data", "test documents", "near duplicates", "of one with the same label", "of one with another label")
    return markdown(head, *rows)


def long_text() -> str:
    """Figures of each reading of `long_text.py`, with the lead of the first over it, by data set and part of it."""
    figure = "accuracy / macro-F1"
    head = ("reading", f"fine label, {figure}", f"its group, {figure}", f"group by the coarse stage alone, {figure}",
            "first − this, fine accuracy", "fine macro-F1")  # fmt: skip
    blocks = []
    for file in sorted(RESULTS.glob("long_text-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        settings, figures = record["settings"], record["figures"]
        if settings["documents"] is not None:
            continue
        changes = "".join(f", `{change}`" for change in settings["set"])
        told = f"**{settings['dataset']}**{changes}; {count(len(settings['seeds']), 'seed')}"
        first = next(iter(figures["readings"]))
        for part in figures["parts"]:
            rows = []
            for reading, of_reading in figures["readings"].items():
                found = of_reading["parts"][part]
                scores = [f"{100 * s['accuracy']:.1f} / {100 * s['macro_f1']:.1f}" for s in found["scores"].values()]
                leads = [points(lead) if reading != first else "" for lead in found["difference"]["fine"].values()]
                rows.append([reading, *scores, *leads])
            blocks.append(f"{told}; {part}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


def document_readers() -> str:
    """Figures of each reader of unit vectors on validation documents, with its paired difference to the project's."""
    blocks = []
    for file in sorted(RESULTS.glob("document_readers-*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        settings, figures = record["settings"], record["figures"]
        if settings["documents"] is not None:
            continue
        rows = []
        for reader, found in figures["readers"].items():
            scores = found["group"]["accuracy"], found["fine"]["accuracy"], found["fine"]["macro_f1"]
            gaps = found["difference"]["group"]["accuracy"], *found["difference"]["fine"].values()
            cells = [f"{100 * score:.1f}" for score in scores]
            cells += [points(gap) if reader != figures["compared_with"] else "" for gap in gaps]
            rows.append([reader, *cells, f"{found['weights'] / 1e6:.2f}", f"{mean(found['seconds']):.0f}"])
        changes = "".join(f", `{change}`" for change in settings["set"])
        told = f"{figures['documents']['valid']:,} validation documents, {count(len(settings['seeds']), 'seed')}"
        head = ("reader", "group accuracy", "fine accuracy", "fine macro-F1", "group accuracy − the project's",
                "fine accuracy", "fine macro-F1", "weights, millions", "processor seconds")  # fmt: skip
        blocks.append(f"**{settings['dataset']}**{changes}; {told}\n\n{markdown(head, *rows)}")
    return "\n\n".join(blocks) or NO_RESULTS


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
        version = record["versions"]["coarsefine"]
        title = f"**{settings['dataset']}, {settings['mode']}**{told}; {count(seeds, 'seed')}, version {version}"
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
    """Drop of the probability where a unit is left out, by how the unit is chosen."""
    rows = []
    for name in SETS:
        if (RESULTS / f"evidence-{name}.json").exists():
            figures = read(f"evidence-{name}")
            for chosen, drop in figures["drop"].items():
                rows.append([f"{name}, {figures['documents']} documents", chosen, points(drop)])
    return markdown(("data", "unit left out", "drop in points (95 % interval)"), *rows) if rows else NO_RESULTS


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


def estimate() -> str:
    """Seconds and memory that were estimated before a training, beside those that it took."""
    if not (RESULTS / "estimate.json").exists():
        return NO_RESULTS
    rows = []
    for case, sides in read("estimate")["cases"].items():
        told, real = sides["estimate"]["seconds"], dict(sides["train"]["seconds"])
        told = {**told, "evaluation": told["evaluation"] + told["baselines"]}
        steps = [(step, told[step], real[step]) for step in real if max(told[step], real[step]) >= SHORT_STEP]
        steps.append(("**together**", sum(told[step] for step in real), sum(real.values())))
        rows += [
            (case if not place else "", step, *(f"{seconds:.0f}" for seconds in both), f"{both[0] / both[1]:.2f}")
            for place, (step, *both) in enumerate(steps)
        ]
        gib = [max(sides[side]["gib"].values()) for side in ("estimate", "train")]
        rows.append(("", "peak memory, GiB", *(f"{one:.2f}" for one in gib), f"{gib[0] / gib[1]:.2f}"))
    return markdown(("case", "step", "estimated", "real", "estimated / real"), *rows)


TABLES: dict[str, Callable[[], str]] = {
    "cross_validation": cross_validation,
    "label_errors": label_errors,
    "evidence": evidence,
    "calibration": calibration,
    "promises": promises,
    "out_of_scope": out_of_scope,
    "real_data": real_data,
    "near_duplicates": near_duplicates,
    "long_text": long_text,
    "document_readers": document_readers,
    "group_trees": group_trees,
    "label_groups": label_groups,
    "ablations": ablations,
    "compare": compare,
    "compare_differences": compare_differences,
    "compare_trained": compare_trained,
    "estimate": estimate,
    "cascade": cascade,
    "fuzz": fuzzed,
    "kills": killed,
    "disturbed": disturbed,
    "serving": serving,
    "mixed_load": mixed_load,
    "runtimes": runtimes,
    "scale_out": scale_out,
    "pretraining": pretraining,
    "pretraining_losses": pretraining_losses,
    "many_labels": many_labels,
    "heads_scale": heads_scale,
    "capped_negatives": capped_negatives,
    "scale_measured": scale_measured,
    "scale_documents": scale_documents,
    "scale_gpus": scale_gpus,
    "scale_limits": scale_limits,
    "scale_labels": scale_labels,
}

ARITHMETIC = ("scale_documents", "scale_gpus", "scale_limits", "scale_labels")
RECORDS: dict[str, tuple[str, ...]] = {  # patterns of the files that a table is made of, where its name does not say
    "calibration": ("trust-*.json",),
    "promises": ("trust-*.json",),
    "out_of_scope": ("trust-*.json",),
    "real_data": tuple(f"{record_name(arguments)}.json" for arguments in REAL_DATA),
    "label_groups": ("label_groups.json",),
    "ablations": ("ablate-*.json",),
    **{
        name: (f"{name}.json",) for name in ("estimate", "near_duplicates", "fuzz", "kills", "disturbed", "many_labels")
    },
    "pretraining_losses": ("pretraining-*.json",),
    **dict.fromkeys(("compare", "compare_differences", "compare_trained"), ("compare/*.json",)),
    **dict.fromkeys(
        ("scale_measured", *ARITHMETIC),
        tuple(f"{name}.json" for name in SCALE_RECORDS),
    ),
}

if __name__ == "__main__":
    main()
