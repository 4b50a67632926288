"""Files that `predict` writes: an answer for each document, in its place, in each format."""

import csv
import io
import json
import math
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import ACCEPTED, REFUSED, Target, Wrong, answer_of_cli
from fuzz.mutation import HALVES, text
from fuzz.of_escapes import check_no_formula
from fuzz.subjects import TEXTS, saved
from hierarchy.text.escaping import from_spreadsheet_cell


def _make(rng: Random) -> dict[str, Any]:
    rows = [(rng.choice([text(rng), rng.choice(TEXTS)]), text(rng)) for _ in range(rng.randint(1, 5))]
    if rng.random() < 0.03:
        rows.append((rng.choice(HALVES), "x"))
    return {"rows": rows, "suffix": rng.choice([".jsonl", ".csv", ".parquet"]), "ids": rng.random() < 0.7,
            "sets": rng.choice([None, None, "labels", "tree"])}  # fmt: skip


def _check(case: dict[str, Any], folder: Path) -> str:
    source, out = folder / "documents.jsonl", folder / f"answers{case['suffix']}"
    lines = (json.dumps({"text": content, "number": number}) + "\n" for content, number in case["rows"])
    source.write_text("".join(lines), encoding="utf-8")
    options = [*(["--id", "number"] if case["ids"] else []), *(["--sets", case["sets"]] if case["sets"] else [])]
    arguments = ["predict", str(saved("n-grams")), str(source), "-o", str(out), "--device", "cpu", *options]
    answer, _ = answer_of_cli(arguments)
    if sorted(entry.name for entry in folder.iterdir()) != sorted([source.name, *([out.name] if out.exists() else [])]):
        raise Wrong("predict leaves other files", sorted(entry.name for entry in folder.iterdir()))
    if answer == REFUSED:
        if out.exists():
            raise Wrong("a refused predict leaves an output")
        return answer
    found = _read(out)
    if [int(one["row"]) for one in found] != list(range(1, len(case["rows"]) + 1)):
        raise Wrong("the answers are not one for each document, in order", [one["row"] for one in found])
    if not all(math.isfinite(float(one["probability"])) for one in found):
        raise Wrong("an answer has no finite probability", found)
    _check_ids(case, found)
    return ACCEPTED


def _check_ids(case: dict[str, Any], found: list[dict[str, Any]]) -> None:
    if not case["ids"]:
        return
    for one, (_, number) in zip(found, case["rows"], strict=True):
        said = one["id"] or ""
        said = from_spreadsheet_cell(said) if case["suffix"] == ".csv" else said
        if said != (number if number.strip() else ""):
            raise Wrong(f"an id comes out changed in {case['suffix']}", (number, said))


def _read(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".parquet":
        import pyarrow.parquet as pq

        return list(pq.read_table(out).to_pylist())
    content = out.read_bytes().decode("utf-8")
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in content.split("\n") if line]
    check_no_formula(content)
    csv.field_size_limit(2**31 - 1)
    return list(csv.DictReader(io.StringIO(content, newline="")))


ANSWERS = [Target("answers", _make, _check, share=1, in_suite=25, prepare=lambda: saved("n-grams"))]
