"""Files of documents: a right one reads as it was written, a damaged one is refused or still makes sense."""

import csv
import gzip
import io
import json
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import ACCEPTED, REFUSED, Target, Wrong
from fuzz.mutation import HALVES, mutated, text
from hierarchy.errors import DataError

Row = tuple[str, str]
TABLES = (".csv", ".tsv")
SUFFIXES = (".csv", ".csv", ".tsv", ".jsonl", ".jsonl", ".json", ".parquet", ".arrow")


def _prepare() -> None:
    import datasets  # noqa: F401 - slow to import
    import pyarrow.parquet  # noqa: F401


def _rows(rng: Random) -> list[Row]:
    """Draw texts and labels; the first label is none of those that read as no label."""
    rows = [(text(rng).replace("\ufeff", ""), text(rng).replace("\ufeff", "")[:200]) for _ in range(rng.randint(1, 6))]
    return [*rows, ("a text", "a label")]


def _make(rng: Random) -> dict[str, Any]:
    suffix = rng.choice(SUFFIXES)
    encoding = rng.choice(["utf-8"] * 4 + ["utf-16", "gb18030"]) if suffix not in (".parquet", ".arrow") else "utf-8"
    how = {
        "delimiter": rng.choice([",", ";", "|", "\t"]),
        "ends": rng.choice(["\n", "\r\n"]),
        "ascii": rng.random() < 0.5,
    }
    rows = _rows(rng)
    data = _written(suffix, rows, encoding, how)
    if rng.random() < 0.15 and suffix not in (".parquet", ".arrow"):
        suffix, data = f"{suffix}.gz", gzip.compress(data, mtime=0)
    return {"suffix": suffix, "rows": rows, "encoding": encoding, "delimiter": how["delimiter"], "data": data}


def _written(suffix: str, rows: list[Row], encoding: str, how: dict[str, Any]) -> bytes:
    if suffix in TABLES:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=how["delimiter"], lineterminator=how["ends"], quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
        return stream.getvalue().encode(encoding)
    records = [{"text": content, "label": label} for content, label in rows]
    if suffix == ".json":
        return json.dumps(records, ensure_ascii=how["ascii"]).encode(encoding)
    if suffix == ".jsonl":
        lines = (json.dumps(record, ensure_ascii=how["ascii"]) + how["ends"] for record in records)
        return "".join(lines).encode(encoding)
    return _arrow(suffix, records)


def _arrow(suffix: str, records: list[dict[str, str]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, stream = pa.Table.from_pylist(records), io.BytesIO()
    if suffix == ".parquet":
        pq.write_table(table, stream)
    else:
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
    return stream.getvalue()


def _read(case: dict[str, Any], folder: Path, **how: Any) -> list[Row]:
    from pipelines.data.reading import read_documents

    file = folder / f"documents{case['suffix']}"
    file.write_bytes(case["data"])
    found = read_documents(file, cache_dir=folder / "cache", **how)
    rows = list(zip(found["text"], found["label"], strict=True))
    if any(not isinstance(content, str) for content, _ in rows) or not rows:
        raise Wrong("documents without a text are accepted", rows)
    if any(label is not None and not label.strip() for _, label in rows):
        raise Wrong("an empty label is accepted", rows)
    if found["row"] != sorted(set(found["row"])):
        raise Wrong("the rows are not in order", found["row"])
    return rows


def _check(case: dict[str, Any], folder: Path) -> str:
    """What a right file holds is read to the last character."""
    how = {"quoting": "double", "delimiter": case["delimiter"]} if _is_table(case) else {}
    try:
        found = _read(case, folder, encoding=case["encoding"], **how)
    except DataError as error:
        raise Wrong("a good file is refused", error) from error
    written = [(content, label if label.strip() else None) for content, label in case["rows"]]
    if found != written:
        raise Wrong("a good file reads as something else", (found, written))
    return ACCEPTED


def _is_table(case: dict[str, Any]) -> bool:
    return case["suffix"].startswith(TABLES)


def _make_damaged(rng: Random) -> dict[str, Any]:
    case = _make(rng)
    if case["suffix"].endswith((".jsonl", ".json")) and rng.random() < 0.05:
        case["data"] = json.dumps([{"text": rng.choice(HALVES), "label": "x"}]).encode()
    gz = case["suffix"].endswith(".gz")
    inside = gzip.decompress(case["data"]) if gz and rng.random() < 0.6 else case["data"]
    data = mutated(rng, inside)
    case["data"] = gzip.compress(data, mtime=0) if inside is not case["data"] else data
    return case | {"quoting": rng.choice(["auto", "double", "none"])}


def _check_damaged(case: dict[str, Any], folder: Path) -> str:
    how = {"quoting": case["quoting"], "delimiter": case["delimiter"]} if _is_table(case) else {}
    found = _read(case, folder, encoding=case["encoding"], **how)
    if case["suffix"] == ".jsonl" and not case["data"].lstrip(b" \xef\xbb\xbf\r\n\t").startswith(b"["):
        lines = [line for line in case["data"].decode(case["encoding"], "replace").split("\n") if line.strip()]
        if len(found) > len(lines):
            raise Wrong("there are more documents than lines", len(found))
    return ACCEPTED if found else REFUSED


DOCUMENTS = [
    Target("documents", _make, _check, share=1, in_suite=150, prepare=_prepare),
    Target("damaged-documents", _make_damaged, _check_damaged, share=2, in_suite=400, prepare=_prepare),
]
