"""Writes the tables of README and docs from the JSON files in benchmarks/results.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is between them is replaced. A test compares.

Example: python benchmarks/tables.py
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
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


TABLES: dict[str, Callable[[], str]] = {
    "real_data": real_data,
    "group_trees": group_trees,
    "label_groups": label_groups,
}

if __name__ == "__main__":
    main()
