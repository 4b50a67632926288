"""Taxonomy files of every kind: what is read is written and read back as the same tree."""

import json
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import ACCEPTED, Target, Wrong
from fuzz.mutation import mutated
from fuzz.trees import by_hand, taxonomy, tree
from hierarchy import Taxonomy, TaxonomyError
from hierarchy.files.excel import excel_bytes
from hierarchy.files.tables import table_rows
from hierarchy.files.writing import json_text, yaml_text
from hierarchy.text.escaping import csv_row

SHAPES = {
    ".txt": ["A > b > c\nA > b > d\nA > e\n", "1 - A\n2 - A > b\n3 - C\n", "A##b\nA##c##d\n"],
    ".csv": ["Level 1,Level 2\nA,b\n,c\n", "id,parent,name\n1,,A\n2,1,b\n3,2,c\n",
             "path;description\nA > b;c\nA > d;e\n"],
    ".json": ['{"a": "A", "b": "A"}', '{"A": {"b": ["c"]}, "D": ["e"]}', '[{"label": "a", "group": "A", "n": 1}]',
              '{"name": "t", "children": [{"name": "A", "children": ["b", {"name": "c", "id": "9"}]}]}'],
    ".yaml": ["A:\n  b: [c, d]\nE: [f]\n", "a: A\nb: A\nc:\n", "- A > b\n- A > c > d\n"],
}  # fmt: skip
SHORT = "Kitchen: [Kettles, Toasters]\nGarden:\n  - Mowers  # cut\n  - 'Hoses'\n"
LIST = '- Kettles\n- "Lawn mowers"\n- {name: Seeds, description: to sow}\n'


def _make(rng: Random) -> tuple[str, bytes]:
    """Draw a suffix and a file; one in five is as it was written."""
    suffix = rng.choice([".yaml", ".yaml", ".yaml", ".json", ".csv", ".tsv", ".txt", ".xlsx"])
    data = _content(rng, suffix)
    return suffix, mutated(rng, data) if rng.random() < 0.8 else data


def _content(rng: Random, suffix: str) -> bytes:
    if suffix in SHAPES and (suffix == ".txt" or rng.random() < 0.3):
        return rng.choice(SHAPES[suffix]).encode()
    if suffix == ".xlsx":
        return excel_bytes([("label", "group"), ("a", "A"), ("b", "")])
    return _text(rng, suffix).encode()


def _text(rng: Random, suffix: str) -> str:
    data = tree(rng)
    if suffix == ".yaml" and rng.random() < 0.8:
        return rng.choice([by_hand(rng, data), by_hand(rng, data), SHORT, LIST])
    try:
        whole = taxonomy(data)
    except TaxonomyError:
        return {".json": json.dumps({"g": ["a", "b"], "h": [{"name": "c"}]}), ".yaml": SHORT}.get(suffix, "label\na\n")
    if suffix in (".yaml", ".json"):
        return (yaml_text if suffix == ".yaml" else json_text)(whole)
    return "".join(csv_row(row, "," if suffix == ".csv" else "\t") for row in table_rows(whole))


def _check(case: tuple[str, bytes], folder: Path) -> str:
    suffix, data = case
    file = folder / f"taxonomy{suffix}"
    file.write_bytes(data)
    found = Taxonomy.from_file(file)
    if file.read_bytes() != data:
        raise Wrong("reading changed the file")
    _same_again(found, folder)
    return ACCEPTED


def _same_again(found: Taxonomy, folder: Path) -> None:
    found.to_yaml(folder / "again.yaml")
    found.to_json(folder / "again.json")
    for kind in ("yaml", "json"):
        try:
            again = Taxonomy.from_file(folder / f"again.{kind}")
        except TaxonomyError as error:
            raise Wrong(f"what is read cannot be read back from {kind}", error) from error
        if again != found:
            raise Wrong(f"what is read is another tree, read back from {kind}", found)


def _make_tree(rng: Random) -> dict[str, Any]:
    data = tree(rng)
    return data | {"form": rng.randint(0, 2**30)}


def _check_tree(data: dict[str, Any], folder: Path) -> str:
    """A tree that holds is read from each way of writing it."""
    whole = taxonomy(data)
    _same_again(whole, folder)
    file = folder / "hand.yaml"
    file.write_bytes(by_hand(Random(data["form"]), data).encode())  # noqa: S311
    try:
        found = Taxonomy.from_yaml(file)
    except TaxonomyError as error:
        raise Wrong("a good file is refused", error) from error
    if found != whole:
        raise Wrong("a good file reads as another tree", found)
    return ACCEPTED


TAXONOMIES = [
    Target("taxonomy-files", _make, _check, share=2, in_suite=1000),
    Target("taxonomies", _make_tree, _check_tree, share=1, in_suite=400),
]
