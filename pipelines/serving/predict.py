"""Prediction from file to file: streaming, and resumable after any kind of end.

The documents are answered in shards. A finished shard is a file of JSON lines in ``<out>.parts``, see
`pipelines.serving.parts`. When all are there, they become the output file, which gets its name only when it is whole.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hierarchy.arguments import whole_number
from hierarchy.disk.locks import held
from hierarchy.disk.output import SUFFIXES, OutputFile, OutputFolder, check_outputs, write_answers
from hierarchy.disk.paths import local_path
from hierarchy.errors import ArtifactError, ConfigError, need
from hierarchy.text.characters import is_blank
from hierarchy.text.wording import count, some
from pipelines.data.checks import Findings
from pipelines.data.reading import find_documents
from pipelines.data.splits import fingerprint
from pipelines.data.tables import stored_lines
from pipelines.model.artifact.manifest import manifest_key
from pipelines.model.provenance import code_and_libraries
from pipelines.serving.answers import answer_schema, answers
from pipelines.serving.parts import (
    TABLE,
    check_parts,
    claim_parts,
    open_parts,
    parts_of,
    read_shard,
    remove_parts,
    whole_shards,
    write_shard,
)
from stages.progress import progress

if TYPE_CHECKING:
    from pipelines.model.model import Model

SHARD_DOCUMENTS = 512  # what a stop may cost
SHARD_CHARACTERS = 4_000_000
STATE_FORMAT = 3
logger = logging.getLogger(f"coarsefine.{__name__}")


class Document(NamedTuple):
    """A document, where it stands in its source, and what is passed through; None where it carries nothing."""

    text: str
    row: int
    id: str | None


def predict_file(
    model_folder: str | Path,
    source: str | Path,
    out: str | Path,
    *,
    text: str | Sequence[str] = "text",
    id_column: str | None = None,
    split: str | None = None,
    quoting: str = "auto",
    delimiter: str | None = None,
    encoding: str = "utf-8",
    top_k: int = 3,
    routing: str | None = None,
    beam: int | None = None,
    sets: str | None = None,
    device: str | None = None,
    restart: bool = False,
) -> int:
    """Answer the documents of a source and write the answers to a file; a stopped run goes on where it was.

    Parameters
    ----------
    model_folder
        As `save_pretrained` wrote it.
    source, text, split, quoting, delimiter, encoding
        As for `pipelines.data.reading.read_documents`.
    out
        A file that ends in .jsonl, .csv or .parquet; an earlier one is replaced when the new one is whole. In a CSV a
        text that a spreadsheet would compute gets a ``'`` in front, see
        `hierarchy.text.escaping.from_spreadsheet_cell`.
    id_column
        Column that is passed through as ``id``.
    top_k
        Paths listed for each document at most.
    routing, beam
        As in the settings of the model where None.
    sets
        ``labels`` or ``tree`` adds the conformal set of each document.
    device
        Torch device; None takes a GPU where there is one.
    restart
        Throw away what an earlier run has left and begin anew.

    Returns
    -------
    int
        How many documents the file holds.

    Raises
    ------
    DataError
        `out` cannot be written or is what is read, the documents cannot be read, or an earlier run with other
        documents, another model or other options has left its parts.
    BusyError
        Another process is writing `out`.
    ArtifactError
        The model cannot be read, or another one has taken its place since the command began.
    ConfigError
        `top_k` is no whole number, the model's promises were made with another routing, or sets are asked of a model
        without calibration.
    """
    from pipelines.model.artifact.loading import load_model

    top_k = whole_number(top_k, "top_k")
    if Path(out).suffix.lower() == ".parquet":
        need("pyarrow", what="a .parquet file is written with pyarrow")
    out, model_folder = local_path(out), local_path(model_folder)
    model_key = manifest_key(model_folder)
    output, inputs = OutputFile("the output", out, SUFFIXES), {"the documents": source, "the model": model_folder}
    check_outputs([output], inputs)
    parts = parts_of(out)
    check_parts(parts)
    check_outputs([output, OutputFolder("the folder of its parts", parts, replaced=True, tables=True)], inputs)
    options = {"top_k": top_k, "routing": routing, "beam": beam, "sets": sets}
    ids = id_column is not None
    with held(out):
        fresh = open_parts(parts, restart=restart)
        try:
            found = find_documents(
                source, text=text, label=id_column, split=split, quoting=quoting, delimiter=delimiter,
                encoding=encoding, cache_dir=parts / TABLE,
            )  # fmt: skip
            documents = stored_lines(found, parts / TABLE)
            documents_key, n_documents, n_shards = _examine(documents, str(source))
            claim_parts(
                parts,
                {  # all that shards depend on
                    "format": STATE_FORMAT,
                    "shard": [SHARD_DOCUMENTS, SHARD_CHARACTERS],
                    "versions": code_and_libraries(),
                    "documents": documents_key,
                    "model": model_key,
                    "ids": ids,
                    **options,
                },
            )
        except BaseException:
            if fresh:
                remove_parts(parts)
            raise
        shards = {place: file for place, file in whole_shards(parts).items() if place < n_shards}
        if shards:
            logger.info("%d of %d shards are there already", len(shards), n_shards)
        missing = {place for place in range(n_shards) if place not in shards}
        if missing:
            to_do = ((place, block) for place, block in enumerate(_blocks(documents)) if place in missing)
            try:
                model, _ = load_model(model_folder, device=device)
                if manifest_key(model_folder) != model_key:
                    raise ArtifactError(f"{model_folder} was replaced in the meantime: give the same command again")
                for place, block in progress(to_do, total=len(missing), what="predict", unit="shards"):
                    shards[place] = write_shard(_lines(model, block, options, ids=ids), parts, place)
            except (ArtifactError, ConfigError):  # the model cannot be read, or the options do not fit it
                if not shards:
                    remove_parts(parts)
                raise
        columns = partial(answer_schema, ids=ids, sets=sets is not None)
        write_answers((read_shard(shards[place]) for place in range(n_shards)), out, columns)
        remove_parts(parts)
    return n_documents


def _lines(
    model: "Model", documents: Sequence[Document], options: Mapping[str, Any], *, ids: bool
) -> Iterator[dict[str, Any]]:
    """Answer some documents: one line each, in their order."""
    found = answers(model, [document.text for document in documents], **options)
    for one, answer in zip(documents, found, strict=True):
        yield {"row": one.row, **({"id": one.id} if ids else {}), **answer}


def _examine(documents: Path, where: str) -> tuple[str, int, int]:
    """Hash the documents, count them and their shards, and warn about documents without text."""
    empty: Findings[int] = Findings()  # rows
    read = n_shards = 0

    def texts_and_places() -> Iterator[tuple[str, str]]:
        nonlocal read, n_shards
        for block in _blocks(documents):
            n_shards += 1
            read += len(block)
            for one in block:
                if is_blank(one.text):
                    empty.add(one.row)
                yield one.text, json.dumps([one.row, one.id])

    left, right = tee(texts_and_places())
    key = fingerprint((text for text, _ in left), (place for _, place in right))
    if empty.total:
        logger.warning(
            "%s: %s (rows %s); they are not answered (reason: nothing_known)",
            where, count(empty.total, "empty document"), some(empty.first, empty.total),
        )  # fmt: skip
    return key, read, n_shards


def _blocks(documents: Path) -> Iterator[list[Document]]:
    """Cut the documents into shards; the cuts depend on nothing but the documents."""
    block: list[Document] = []
    characters = 0
    for one in _documents(documents):
        if len(block) == SHARD_DOCUMENTS or (block and characters + len(one.text) > SHARD_CHARACTERS):
            yield block
            block, characters = [], 0
        block.append(one)
        characters += len(one.text)
    if block:
        yield block


def _documents(file: Path) -> Iterator[Document]:
    with file.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            document = json.loads(line)
            yield Document(document["text"], document["row"], document.get("label"))
