"""Prediction from many files to a folder, by one process or several: streaming, and resumable after any kind of end.

First each file is read, checked and cut into blocks, then each block is answered; one worker does each at a time. A
finished shard is a Parquet file in ``<out>.parts``, see `pipelines.serving.parts`. When all are there, they become the
output folder, which gets its name only when it is whole.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hierarchy.arguments import whole_number
from hierarchy.disk.locks import held
from hierarchy.disk.output import OutputFolder, check_outputs, parquet_content
from hierarchy.disk.paths import local_path
from hierarchy.disk.whole_files import cannot_write
from hierarchy.disk.whole_folders import folder_problem, put_back, remove_left_overs, second_name, whole_folder
from hierarchy.errors import ArtifactError, ConfigError, DataError, combined, need
from hierarchy.text.wording import count
from pipelines.data.reading import find_documents
from pipelines.data.source_files import source_files
from pipelines.data.tables import names_apart, stored_lines
from pipelines.engines.engine import Engine, opened_engine
from pipelines.model.artifact.manifest import PROMISES, listed_files, manifest_key
from pipelines.model.provenance import SameVersions
from pipelines.serving.answers import answer_schema
from pipelines.serving.blocks import Examined, Size, answer_lines, blocks, examine
from pipelines.serving.parts import (
    TABLE,
    check_parts,
    claim_parts,
    is_shard,
    open_parts,
    parts_of,
    remove_parts,
    whole_shards,
    write_content,
)
from pipelines.serving.predict import run_of
from stages.progress import progress
from stages.run_folder import made_folder

if TYPE_CHECKING:
    from pipelines.model.model import Model

TORCH_WEIGHTS = "encoder/model.safetensors"  # of an encoder that torch computes, in a model's folder
SIZE: Size = (8192, 4_000_000)  # of a block: some seconds of work at least, so that handing it out costs nothing
logger = logging.getLogger(f"coarsefine.{__name__}")


class FileRead(NamedTuple):
    """A file as it was read.

    Attributes
    ----------
    place
        Among the files.
    stored
        Where its documents are kept.
    examined
        What is known of them.
    refusal
        Why it cannot be read; then there is nothing else.
    """

    place: int
    stored: Path | None = None
    examined: Examined | None = None
    refusal: DataError | None = None


class Block(NamedTuple):
    """Documents whose answers make a shard.

    Attributes
    ----------
    place
        Of the shard among all.
    file
        What the file of the documents is called in the answers.
    stored
        Where they are kept.
    start
        Where they begin there, in bytes.
    """

    place: int
    file: str
    stored: Path
    start: int


@dataclass(frozen=True)
class FileReading:
    """Makes what reads a file.

    Attributes
    ----------
    folder
        Where documents are kept.
    size
        Of a block.
    options
        As for `find_documents`.
    """

    folder: Path
    size: Size
    options: Mapping[str, Any]

    def __call__(self) -> Callable[[tuple[int, str]], FileRead]:
        """Return what takes the place of a file, and the file."""
        return self._read

    def _read(self, task: tuple[int, str]) -> FileRead:
        place, file = task
        try:
            found = find_documents(file, cache_dir=None, **self.options)
            # Two files with the same content are kept twice: two workers may read them at once.
            stored = stored_lines(replace(found, parts=(*found.parts, place)), self.folder)
            return FileRead(place, stored, examine(stored, self.size, file))
        except DataError as error:
            return FileRead(place, refusal=error)


@dataclass(frozen=True)
class Answering:
    """Makes what answers a block and writes the shard; it loads the model.

    Attributes
    ----------
    model, model_key
        Its folder, and the hash of its manifest.
    parts
        Where shards are written.
    size
        Of a block.
    options
        As for `answers`.
    ids
        Whether documents have ids.
    device
        Torch device; None takes a GPU where there is one.
    """

    model: Path
    model_key: str
    parts: Path
    size: Size
    options: Mapping[str, Any]
    ids: bool
    device: str | None

    def __call__(self) -> Callable[[Block], tuple[int, Path]]:
        """Load the model and return what gives the place of a block and its shard."""
        from pipelines.model.artifact.loading import load_model

        model, _ = load_model(self.model, device=self.device)
        if manifest_key(self.model) != self.model_key:
            raise ArtifactError(f"{self.model} was replaced in the meantime: give the same command again")
        return partial(self._answer, model)

    def _answer(self, model: "Model", block: Block) -> tuple[int, Path]:
        documents = next(blocks(block.stored, self.size, block.start))
        lines = answer_lines(model, documents, self.options, ids=self.ids)
        schema = answer_schema(ids=self.ids, sets=self.options["sets"] is not None, files=True)
        content = parquet_content([{"file": block.file, **line} for line in lines], schema)
        return block.place, write_content(content, self.parts, block.place, ".parquet")


def predict_files(
    model_folder: str | Path,
    sources: Sequence[str | Path],
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
    engine: str = "local",
    processes: int | None = None,
    address: str | None = None,
    strict: bool = False,
) -> int:
    """Answer the documents of files and write the answers to a folder; a stopped run goes on where it was.

    Parameters
    ----------
    model_folder
        As `save_pretrained` wrote it.
    sources
        Files, and folders whose files are all read, see `pipelines.data.source_files.source_files`.
    out
        A folder that is not there, or that an earlier call has made: it is replaced when the new one is whole. Its
        Parquet files hold the documents in the order of the files, and say of each its ``file`` and ``row``.
    text, id_column, split, quoting, delimiter, encoding, top_k, routing, beam, sets, device, restart
        As for `pipelines.serving.predict.predict_file`.
    engine, processes, address
        Who does the work, see `pipelines.engines.engine.opened_engine`. On several machines the model, the files and
        `out` stand in folders that all of them have under the same path.
    strict
        Answer nothing where a file cannot be read.

    Returns
    -------
    int
        How many documents the folder holds.

    Raises
    ------
    DataError
        As for `predict_file`; or some files cannot be read: without `strict` the answers to the others are written
        first.
    BusyError, ArtifactError
        As for `predict_file`.
    ConfigError
        As for `predict_file`, or as for `opened_engine`.
    WorkerError
        Workers were killed again and again.
    """
    top_k = whole_number(top_k, "top_k")
    need("pyarrow", what="a folder of answers is written with pyarrow")
    out, model_folder = local_path(out).absolute(), local_path(model_folder).absolute()
    model_key = manifest_key(model_folder)
    if sets is not None:  # before documents are read
        from pipelines.model.sets import check_sets

        check_sets(sets, promises=PROMISES in listed_files(model_folder))
    files = source_files(sources)
    parts = _checked_parts(out, {"the model": model_folder, **{f"documents[{n}]": s for n, s in enumerate(sources)}})
    ids, options = id_column is not None, {"top_k": top_k, "routing": routing, "beam": beam, "sets": sets}
    reading = FileReading(parts / TABLE, SIZE, {
        "text": text, "label": id_column, "split": split, "quoting": quoting, "delimiter": delimiter,
        "encoding": encoding,
    })  # fmt: skip
    answering = Answering(model_folder, model_key, parts, SIZE, options, ids, device)
    on_gpus = device in (None, "cuda") and TORCH_WEIGHTS in listed_files(model_folder)
    with made_folder(out.parent, out), held(out), opened_engine(engine, processes=processes, address=address) as works:
        remove_left_overs(out)
        fresh = open_parts(parts, restart=restart)
        try:
            read, refused = _read_all(works, files, reading, strict=strict)
            claim_parts(parts, run_of(_key(files, read), model_key, SIZE, {"ids": ids, **options}))
        except (DataError, ConfigError):  # after any other end what was read stays: it may have taken hours
            if fresh:
                remove_parts(parts)
            raise
        shards = _answer_all(works, list(_blocks(files, read)), answering, on_gpus=on_gpus)
        _put_in_place(shards, out)
        remove_parts(parts)
    answered = sum(one.examined.documents for one in read if one.examined)
    if refused:
        told = f"{count(len(refused), 'file')} of {len(files)} not answered, the others are, in {str(out)!r}"
        raise combined(refused, told, "mend what is named below and answer it alone, into another folder")
    return answered


def _checked_parts(out: Path, inputs: Mapping[str, str | Path | None]) -> Path:
    """Return the folder of an output's parts, where both can be written; see `check_outputs`."""
    put_back(out)
    output, parts = OutputFolder("the output", out, replaced=True, tables=True), parts_of(out)
    check_outputs([output], inputs)
    if (problem := folder_problem(out)) is not None:
        raise DataError(problem)
    foreign = [entry.name for entry in (out.iterdir() if out.is_dir() else ()) if not is_shard(entry)]
    if foreign:
        raise DataError(f"{str(out)!r} holds {min(foreign)!r}, which predict has not written: name another folder")
    check_parts(parts)
    check_outputs([output, OutputFolder("the folder of its parts", parts, replaced=True, tables=True)], inputs)
    return parts


def _read_all(
    engine: Engine, files: Sequence[str], reading: FileReading, *, strict: bool
) -> tuple[list[FileRead], list[DataError]]:
    """Read all files; return those that can be read, in order, and what is wrong with the others."""
    tasks = ((place, os.path.abspath(file)) for place, file in enumerate(files))  # noqa: PTH100 - a link stays one
    read: list[FileRead] = []
    refused: list[FileRead] = []
    for one in progress(engine.map(SameVersions(reading), tasks), total=len(files), what="read", unit="files"):
        if one.refusal is None:
            read.append(one)
        else:
            logger.warning("%r cannot be read: the reason stands at the end", files[one.place])
            refused.append(one)
    errors = [one.refusal for one in sorted(refused) if one.refusal]
    if errors and (strict or not read):
        raise combined(errors)
    return sorted(read, key=lambda one: one.place), errors


def _key(files: Sequence[str], read: Sequence[FileRead]) -> str:
    """Hash what is answered: the documents of each file, and what it is called."""
    names = names_apart(files)
    whole = hashlib.sha256()
    for one in read:
        whole.update(json.dumps([names[files[one.place]], one.examined and one.examined.key]).encode())
    return whole.hexdigest()


def _blocks(files: Sequence[str], read: Sequence[FileRead]) -> Iterator[Block]:
    names, place = names_apart(files), 0
    for one in read:
        if one.stored is None or one.examined is None:
            continue
        for start in one.examined.cuts:
            yield Block(place, names[files[one.place]], one.stored, start)
            place += 1


def _answer_all(engine: Engine, tasks: Sequence[Block], answering: Answering, *, on_gpus: bool) -> list[Path]:
    """Answer the blocks that have no shard yet; return the shards of all."""
    shards = {place: file for place, file in whole_shards(answering.parts).items() if place < len(tasks)}
    if shards:
        logger.info("%d of %d shards are there already", len(shards), len(tasks))
    missing = [task for task in tasks if task.place not in shards]
    try:
        done = engine.map(SameVersions(answering), missing, on_gpus=on_gpus) if missing else iter(())
        shards.update(progress(done, total=len(missing), what="predict", unit="shards"))
    except (ArtifactError, ConfigError):  # the model cannot be read, or the options do not fit it
        if not shards:
            remove_parts(answering.parts)
        raise
    return list(shards.values())


def _put_in_place(shards: Sequence[Path], out: Path) -> None:
    try:
        with whole_folder(out, lambda: ()) as folder:
            for file in shards:
                second_name(file, folder / file.name)
    except OSError as error:
        raise DataError(f"{cannot_write(out, error)}, and give the same command again") from error
