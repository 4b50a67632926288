"""Segment vectors of many documents, computed once and kept on disk.

The cache is cut into shards of neighbouring documents. A shard's file name is a hash of its texts and of everything
that its vectors depend on, so a stopped run goes on at the first missing shard, and a changed document costs one
shard. Nothing is ever read that was not written whole or does not fit its checksum.
"""

import functools
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from hierarchy.errors import DataError
from stages.arrays import Array, check_arrays
from stages.progress import progress
from stages.run_folder import LIST, cache_key, damaged, finishing, is_finished, make_folder, texts_digest, writing

RUN_FOLDER = "(`run` in a config, `run_dir` in Python)"
SHARD_DOCUMENTS = 1024
SHARD_CHARACTERS = 400_000  # about a hundred thousand tokens: what a crash may cost
OPEN_SHARDS = 64
SHARD = {"counts": Array("int64", ("documents",), counts=True), "vectors": Array("float32", ("segments", "hidden"))}

Encode = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]


class Shard(NamedTuple):
    """Some neighbouring documents.

    Attributes
    ----------
    vectors
        (segments, hidden) float32, or their file.
    counts
        (documents,) segments of each document.
    """

    vectors: Path | np.ndarray
    counts: np.ndarray


class SegmentVectors:
    """The segment vectors of documents, in order: those of the cache, or some that were just computed.

    Parameters
    ----------
    shards
        The shards, first documents first.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = list(shards)
        self._first = np.cumsum([0, *(len(s.counts) for s in self._shards)])  # first document of each shard
        self._starts = [np.concatenate([[0], np.cumsum(s.counts)]) for s in self._shards]
        self.counts = np.concatenate([s.counts for s in self._shards])
        self._open = functools.lru_cache(maxsize=OPEN_SHARDS)(self._load)

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, document: int) -> np.ndarray:
        """(segments, hidden) of one document."""
        if not 0 <= document < len(self):
            raise IndexError(document)
        shard = int(np.searchsorted(self._first, document, side="right")) - 1
        place = document - self._first[shard]
        start, end = self._starts[shard][place : place + 2]
        return self._open(shard)[start:end]

    def _load(self, shard: int) -> np.ndarray:
        vectors = self._shards[shard].vectors
        return vectors if isinstance(vectors, np.ndarray) else open_memmap(vectors, mode="r")

    def pooled(self) -> np.ndarray:
        """Pooled vectors of all documents, (documents, 2 x hidden) float32."""
        return np.concatenate([pool_segments(self._load(i), s.counts) for i, s in enumerate(self._shards)])


def pool_segments(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pooled vector of each document: mean and maximum of its segment vectors, each of unit length.

    Parameters
    ----------
    vectors
        (segments, hidden), document after document.
    counts
        (documents,) segments of each document, at least 1.

    Returns
    -------
    numpy.ndarray
        (documents, 2 x hidden) float32.
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])  # first segment of each document
    highest = np.maximum.reduceat(vectors, starts, axis=0)  # (documents, hidden)
    return np.hstack([unit_means(vectors, counts), _unit(highest)])


def unit_means(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of the segment vectors of each document, of unit length, (documents, hidden) float32."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])  # first segment of each document
    return _unit(np.add.reduceat(vectors, starts, axis=0) / counts[:, None])


@dataclass(frozen=True)
class VectorCache:
    """Write side of the cache.

    Attributes
    ----------
    folder
        Where the shards lie; made if missing.
    key
        Everything but the texts that the vectors depend on: weights, settings, dtype, versions.
    hidden
        Dimensions of a vector, for the estimate of the space needed.
    """

    folder: Path
    key: str
    hidden: int

    def vectors(self, texts: Sequence[str], encode: Encode, *, what: str = "segment vectors") -> SegmentVectors:
        """Return the segment vectors of `texts`, encoding the shards that are not there yet.

        Parameters
        ----------
        texts
            Documents; read once, shard by shard.
        encode
            texts -> ((segments, hidden) float32, (documents,) segments of each).
        what
            Name of the work in the progress shown.

        Raises
        ------
        DataError
            The disk has no room for what is missing.
        """
        with writing(self.folder):
            make_folder(self.folder)
        bounds = list(shard_bounds(texts))
        names = [self._name(texts[start:end]) for start, end in bounds]
        shards = [self._read(name, end - start) for name, (start, end) in zip(names, bounds, strict=True)]
        missing = [place for place, shard in enumerate(shards) if shard is None]
        self._check_space(texts[slice(*bounds[i])] for i in missing)
        for i in progress(missing, total=len(missing), what=what, unit="shards"):
            start, end = bounds[i]
            vectors, counts = encode(texts[start:end])
            shards[i] = self._write(names[i], vectors, counts)
        return SegmentVectors([shard for shard in shards if shard is not None])

    def _name(self, texts: Sequence[str]) -> str:
        return cache_key(depends_on=self.key, texts=texts_digest(texts))[:40]

    def _files(self, name: str) -> tuple[Path, Path, Path]:
        """Checksums, vectors and counts of a shard."""
        return tuple(self.folder / f"{name}{end}" for end in (LIST, ".npy", ".counts.npy"))  # type: ignore[return-value]

    def _read(self, name: str, documents: int) -> Shard | None:
        listing, vectors, counts = self._files(name)
        if not is_finished(listing, vectors, counts):
            return None
        try:
            # No np.load: it reads other kinds of files as well.
            arrays = {"counts": np.array(open_memmap(counts, mode="r")), "vectors": open_memmap(vectors, mode="r")}
            found = check_arrays(arrays, SHARD, {"documents": documents, "hidden": self.hidden}, where=name)
        except (OSError, ValueError, EOFError):
            damaged(vectors, "it holds no vectors of these documents")
            return None
        if arrays["counts"].min() < 1 or arrays["counts"].sum() != found["segments"]:
            damaged(counts, "it does not count the segments that are there")
            return None
        return Shard(vectors, arrays["counts"])

    def _write(self, name: str, vectors: np.ndarray, counts: np.ndarray) -> Shard:
        files = self._files(name)
        vectors, counts = vectors.astype(np.float32, copy=False), counts.astype(np.int64, copy=False)
        with finishing(*files) as parts:
            for part, array in zip(parts, (vectors, counts), strict=True):
                with part.open("wb") as file:
                    np.save(file, array, allow_pickle=False)
        return Shard(files[1], counts)

    def _check_space(self, missing: Iterable[Sequence[str]]) -> None:
        # A segment holds some 900 characters of a script with spaces and 220 of Chinese, of 3 bytes each.
        segments = sum(1 + len(text.encode()) // 600 for texts in missing for text in texts)
        needed = segments * self.hidden * 4
        if needed > shutil.disk_usage(self.folder).free:
            free = shutil.disk_usage(self.folder).free
            raise DataError(
                f"no room for the vector cache in {self.folder}: it needs about {needed / 1e6:.1f} MB and "
                f"{free / 1e6:.1f} MB are free: free some space or name a folder on another disk {RUN_FOLDER}; what is "
                "written there already is kept"
            )


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


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, dtype=np.float32)
