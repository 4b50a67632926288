"""Prediction from file to file: streaming, and resumable after any kind of end.

The documents are answered in shards. A finished shard is a file of JSON lines in ``<out>.parts``, see
`pipelines.serving.parts`. When all are there, they become the output file, which gets its name only when it is whole.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hierarchy.arguments import whole_number
from hierarchy.disk.locks import held
from hierarchy.disk.output import SUFFIXES, OutputFile, OutputFolder, check_outputs, write_answers
from hierarchy.disk.paths import local_path
from hierarchy.errors import ArtifactError, ConfigError, need
from pipelines.data.reading import find_documents
from pipelines.data.tables import stored_lines
from pipelines.model.artifact.manifest import PROMISES, listed_files, manifest_key
from pipelines.model.provenance import code_and_libraries
from pipelines.serving.answers import answer_schema
from pipelines.serving.blocks import Size, answer_lines, blocks, examine
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

SHARD_DOCUMENTS = 512  # what a stop may cost
SHARD_CHARACTERS = 4_000_000
STATE_FORMAT = 3
logger = logging.getLogger(f"coarsefine.{__name__}")


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
    if sets is not None:  # before documents are read
        from pipelines.model.sets import check_sets

        check_sets(sets, promises=PROMISES in listed_files(model_folder))
    output, inputs = OutputFile("the output", out, SUFFIXES), {"the documents": source, "the model": model_folder}
    check_outputs([output], inputs)
    parts = parts_of(out)
    check_parts(parts)
    check_outputs([output, OutputFolder("the folder of its parts", parts, replaced=True, tables=True)], inputs)
    options = {"top_k": top_k, "routing": routing, "beam": beam, "sets": sets}
    ids, size = id_column is not None, (SHARD_DOCUMENTS, SHARD_CHARACTERS)
    with held(out):
        fresh = open_parts(parts, restart=restart)
        try:
            found = find_documents(
                source, text=text, label=id_column, split=split, quoting=quoting, delimiter=delimiter,
                encoding=encoding, cache_dir=parts / TABLE,
            )  # fmt: skip
            documents = stored_lines(found, parts / TABLE)
            documents_key, n_documents, cuts = examine(documents, size, str(source))
            n_shards = len(cuts)
            claim_parts(parts, run_of(documents_key, model_key, size, {"ids": ids, **options}))
        except BaseException:
            if fresh:
                remove_parts(parts)
            raise
        shards = {place: file for place, file in whole_shards(parts).items() if place < n_shards}
        if shards:
            logger.info("%d of %d shards are there already", len(shards), n_shards)
        missing = {place for place in range(n_shards) if place not in shards}
        if missing:
            to_do = ((place, block) for place, block in enumerate(blocks(documents, size)) if place in missing)
            try:
                model, _ = load_model(model_folder, device=device)
                if manifest_key(model_folder) != model_key:
                    raise ArtifactError(f"{model_folder} was replaced in the meantime: give the same command again")
                for place, block in progress(to_do, total=len(missing), what="predict", unit="shards"):
                    shards[place] = write_shard(answer_lines(model, block, options, ids=ids), parts, place)
            except (ArtifactError, ConfigError):  # the model cannot be read, or the options do not fit it
                if not shards:
                    remove_parts(parts)
                raise
        columns = partial(answer_schema, ids=ids, sets=sets is not None)
        write_answers((read_shard(shards[place]) for place in range(n_shards)), out, columns)
        remove_parts(parts)
    return n_documents


def run_of(documents_key: str, model_key: str, size: Size, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that shards depend on, for `pipelines.serving.parts.claim_parts`.

    Parameters
    ----------
    documents_key, model_key
        Hashes of the documents and of the model.
    size
        Of the blocks that shards answer.
    options
        That decide what stands in an answer.
    """
    return {
        "format": STATE_FORMAT,
        "shard": list(size),
        "versions": code_and_libraries(),
        "documents": documents_key,
        "model": model_key,
        **options,
    }
