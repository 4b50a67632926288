"""One array for each of many documents, its token ids or its vectors, made once and kept on disk.

The cache is cut into shards of neighbouring documents. A shard's file name is a hash of its texts and of everything
that its arrays depend on, so a stopped run goes on at the first missing shard, and a changed document costs one shard.
Nothing is ever read that was not written whole or does not fit its checksum.
"""

import functools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.lib.format import open_memmap

from hierarchy.errors import DataError
from stages.arrays import Array, check_arrays
from stages.machine import ahead
from stages.progress import progress
from stages.run_folder import (
    LIST,
    cache_key,
    damaged,
    finishing,
    is_finished,
    made_once,
    make_folder,
    texts_digest,
    writing,
)

RUN_FOLDER = "(`run` in a config, `run_dir` in Python)"
SHARD_DOCUMENTS = 1024
SHARD_CHARACTERS = 400_000  # about a hundred thousand tokens: what a crash may cost
OPEN_SHARDS = 64
TOKEN_BYTES = 3  # of a text for each of its tokens, or more: Chinese has 3, scripts with spaces 4 and more

T = TypeVar("T")


class Shard(NamedTuple):
    """Some neighbouring documents.

    Attributes
    ----------
    rows
        The rows of their arrays, document after document, or the file that holds them.
    counts
        (documents,) rows of each document.
    """

    rows: Path | np.ndarray
    counts: np.ndarray


class DocumentArrays:
    """The arrays of documents, in order: those of the cache, or some that were just made.

    Parameters
    ----------
    shards
        The shards, first documents first.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = list(shards)
        self._first = np.cumsum([0, *(len(s.counts) for s in self._shards)])  # first document of each shard
        self._starts = [np.concatenate([[0], np.cumsum(s.counts)]) for s in self._shards]
        self.counts = np.concatenate([np.zeros(0, dtype=np.int64), *(s.counts for s in self._shards)])
        self._open = functools.lru_cache(maxsize=OPEN_SHARDS)(self._load)

    def __reduce__(self) -> Any:  # workers that load batches open the files themselves
        return type(self), (self._shards,)

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, document: int) -> np.ndarray:
        """(rows, ...) of one document."""
        if not 0 <= document < len(self):
            raise IndexError(document)
        shard = int(np.searchsorted(self._first, document, side="right")) - 1
        place = document - self._first[shard]
        start, end = self._starts[shard][place : place + 2]
        return self._open(shard)[start:end]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[document] for document in range(len(self)))

    def by_shard(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each shard, and how many of them each of its documents has."""
        for place, shard in enumerate(self._shards):
            yield self._load(place), shard.counts

    def _load(self, shard: int) -> np.ndarray:
        rows = self._shards[shard].rows
        return rows if isinstance(rows, np.ndarray) else open_memmap(rows, mode="r")


@dataclass(frozen=True)
class ShardCache:
    """Write side of the cache.

    Attributes
    ----------
    folder
        Where the shards lie; made if missing.
    key
        Everything but the texts that the arrays depend on: weights, settings, dtype, versions.
    rows
        What the rows of a shard must be like; its first length is called ``rows``.
    sizes
        The other lengths that `rows` names.
    least
        Rows that a document has at least.
    tokens_a_row
        Tokens of a text that a row stands for, for the estimate of the space needed.
    """

    folder: Path
    key: str
    rows: Array
    sizes: dict[str, int]
    least: int
    tokens_a_row: int

    def shards(
        self,
        texts: Sequence[str],
        make: Callable[[T], tuple[np.ndarray, np.ndarray]],
        *,
        read: Callable[[Sequence[str]], T],
        what: str,
    ) -> list[Shard]:
        """Return the shards of `texts`, making those that are not there yet.

        Parameters
        ----------
        texts
            Documents; read once, shard by shard.
        make
            What `read` gives of the texts of a shard -> (rows of them all, document after document; (documents,) rows
            of each).
        read
            The part of the work that a thread does for the next shard meanwhile.
        what
            Name of the work in the progress shown.

        Raises
        ------
        DataError
            The disk has no room for what is missing.
        """
        wanted = self._wanted(texts)
        absent = {one.name for one in wanted if not self._files(one.name)[0].exists()}
        shards = [self._read(one) for one in wanted]
        if None in shards:
            with self._alone():  # another process may have made them meanwhile; what is damaged is told once
                for place, one in enumerate(wanted):
                    if shards[place] is None and one.name in absent:
                        shards[place] = self._read(one)
                missing = [place for place, shard in enumerate(shards) if shard is None]
                self._check_space(texts[wanted[i].documents] for i in missing)
                following = ahead(read(texts[wanted[i].documents]) for i in missing)
                several = len(missing) > 1  # one is no progress
                for i in progress(missing, total=len(missing), what=what, unit="shards") if several else missing:
                    shards[i] = self._write(wanted[i].name, *make(next(following)))
        return [shard for shard in shards if shard is not None]

    def fill(
        self, parts: Sequence[Sequence[str]], work: Callable[[Iterator[Sequence[str]]], Iterable[T]], *, what: str
    ) -> list[T]:
        """Have others make the shards that are not there yet.

        Parameters
        ----------
        parts
            Documents; no shard has some of two parts.
        work
            Takes the texts of each missing shard, and yields something for each that `shard` has made of them, in any
            order; it is not called where none is missing.
        what
            Name of the work in the progress shown.

        Returns
        -------
        list
            What `work` has yielded.

        Raises
        ------
        DataError
            The disk has no room for what is missing.
        """
        wanted = [(texts, one) for texts in parts for one in self._wanted(texts)]
        with self._alone():
            missing = [(texts, one.documents) for texts, one in wanted if self._read(one) is None]
            if not missing:
                return []
            self._check_space(texts[documents] for texts, documents in missing)
            made = work(texts[documents] for texts, documents in missing)
            return list(progress(made, total=len(missing), what=what, unit="shards"))

    def shard(
        self,
        texts: Sequence[str],
        make: Callable[[T], tuple[np.ndarray, np.ndarray]],
        *,
        read: Callable[[Sequence[str]], T],
    ) -> Shard:
        """Return the shard of texts that are those of one, making it where it is missing.

        Several processes may do so at once, for one shard or many: it is written whole. The rest is as for `shards`.
        """
        one = _Wanted(slice(0, len(texts)), self._name(texts))
        return self._read(one) or self._write(one.name, *make(read(texts)))

    def _wanted(self, texts: Sequence[str]) -> "list[_Wanted]":
        with writing(self.folder):
            make_folder(self.folder)
        return [_Wanted(slice(*some), self._name(texts[slice(*some)])) for some in shard_bounds(texts)]

    def _alone(self) -> AbstractContextManager[None]:
        return made_once(self.folder / self.key[:16])

    def _name(self, texts: Sequence[str]) -> str:
        return cache_key(depends_on=self.key, texts=texts_digest(texts))[:40]

    def _files(self, name: str) -> tuple[Path, Path, Path]:
        """Checksums, rows and counts of a shard."""
        return tuple(self.folder / f"{name}{end}" for end in (LIST, ".npy", ".counts.npy"))  # type: ignore[return-value]

    def _read(self, one: "_Wanted") -> Shard | None:
        listing, rows, counts = self._files(one.name)
        if not is_finished(listing, rows, counts):
            return None
        expected = {"counts": Array("int64", ("documents",), counts=True), "rows": self.rows}
        try:
            # No np.load: it reads other kinds of files as well.
            arrays = {"counts": np.array(open_memmap(counts, mode="r")), "rows": open_memmap(rows, mode="r")}
            sizes = {"documents": one.documents.stop - one.documents.start, **self.sizes}
            found = check_arrays(arrays, expected, sizes, where=one.name)
        except (OSError, ValueError, EOFError):
            damaged(rows, "it holds no arrays of these documents")
            return None
        if arrays["counts"].min() < self.least or arrays["counts"].sum() != found["rows"]:
            damaged(counts, "it does not count the rows that are there")
            return None
        return Shard(rows, arrays["counts"])

    def _write(self, name: str, rows: np.ndarray, counts: np.ndarray) -> Shard:
        files = self._files(name)
        rows, counts = rows.astype(self.rows.dtype, copy=False), counts.astype(np.int64, copy=False)
        with finishing(*files) as parts:
            for part, array in zip(parts, (rows, counts), strict=True):
                with part.open("wb") as file:
                    np.save(file, array, allow_pickle=False)
        return Shard(files[1], counts)

    def _check_space(self, missing: Iterable[Sequence[str]]) -> None:
        rows = sum(1 + len(text.encode()) // (TOKEN_BYTES * self.tokens_a_row) for texts in missing for text in texts)
        needed = rows * np.dtype(self.rows.dtype).itemsize * prod(self.sizes[str(name)] for name in self.rows.shape[1:])
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DataError(
                f"no room for what is kept of documents in {self.folder}: it needs about {needed / 1e6:.1f} MB and "
                f"{free / 1e6:.1f} MB are free: free some space or name a folder on another disk {RUN_FOLDER}; what is "
                "written there already is kept"
            )


class _Wanted(NamedTuple):
    """A shard by its documents and by the name of its files."""

    documents: slice
    name: str


def shard_bounds(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of the documents of each shard."""
    start = characters = 0
    for place, text in enumerate(texts):
        full = place - start >= SHARD_DOCUMENTS or characters + len(text) > SHARD_CHARACTERS
        if full and place > start:
            yield start, place
            start, characters = place, 0
        characters += len(text)
    if start < len(texts):
        yield start, len(texts)
