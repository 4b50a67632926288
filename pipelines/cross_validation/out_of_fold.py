"""Out-of-fold predictions: what models say of documents that they were not trained on, and their file.

`cross_validate` makes them, `label-errors` and `taxonomy build` take them. The file is Parquet, one line a document,
with the columns of `COLUMNS` and, where the documents carry ids, ``id``; docs/file-formats.md describes it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ValidationError
from scipy import sparse

from hierarchy.disk.paths import local_path
from hierarchy.disk.strict_json import parse_json
from hierarchy.errors import DataError
from hierarchy.measuring.probe import Probe
from hierarchy.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "coarsefine/out-of-fold/1"
METADATA = b"coarsefine"
COLUMNS = ("row", "key", "fold", "label", "probability", "labels", "probabilities")
TOP_K = 20  # labels kept of a document
ROUNDING = 1e-3  # of a probability above 1


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold predictions of some documents.

    Attributes
    ----------
    label_ids
        Every label that is given or kept for a document.
    rows
        (documents,) where each stands in its source.
    keys
        (documents,) uint64 hash of each text (`pipelines.data.documents.Documents.keys`).
    folds
        (documents,) in which each was tested; after repeats, in the first.
    targets
        (documents,) place in `label_ids` of the given label.
    own
        (documents,) float32 probability of the given label; NaN where its fold's model had no document of that label.
    probabilities
        (documents, labels) the most probable labels of each document, CSR float32.
    trees
        {label id: group id} of the model of each fold; one for all folds where the tree was given.
    label_names, group_names
        Their names by id, as far as they are known.
    ids
        Id of each document, where they carry one.
    """

    label_ids: tuple[str, ...]
    rows: np.ndarray
    keys: np.ndarray
    folds: np.ndarray
    targets: np.ndarray
    own: np.ndarray
    probabilities: sparse.csr_matrix
    trees: tuple[Mapping[str, str], ...] = ()
    label_names: Mapping[str, str] = field(default_factory=dict)
    group_names: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[str | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def groups_of(self, document: int, *labels: str) -> tuple[str | None, ...]:
        """Group of each label in the tree of the document's fold; None where it is not known."""
        if not self.trees:
            return (None,) * len(labels)
        tree = self.trees[int(self.folds[document]) if len(self.trees) > 1 else 0]
        return tuple(tree.get(label) for label in labels)

    def as_of(self, taxonomy: Taxonomy) -> "OutOfFold":
        """Return the same as a tree is now: with its names, merged labels as their heirs, and none that was retired."""
        now = [taxonomy.heir(label) for label in self.label_ids]
        label_ids = tuple(sorted(set(now).difference(taxonomy.retired)))
        if label_ids == self.label_ids:
            return self.named_by(taxonomy)
        place = {label: i for i, label in enumerate(label_ids)}
        column = np.array([place.get(label, -1) for label in now], dtype=np.int64)
        kept, known = np.flatnonzero(column[self.targets] >= 0), np.flatnonzero(column >= 0)
        if not len(kept):
            raise DataError("all documents of the out-of-fold predictions have labels that were retired")
        ones, shape = np.ones(len(known), np.float32), (len(now), len(label_ids))
        heirs = sparse.csr_matrix((ones, (known, column[known])), shape)
        before, targets, rows = self.probabilities[kept], self.targets[kept], np.arange(len(kept))
        probabilities = sparse.csr_matrix(before @ heirs)
        others = probabilities[rows, column[targets]] - before[rows, targets]  # of labels with the same heir
        trees = [{taxonomy.heir(label): group for label, group in tree.items()} | dict(tree) for tree in self.trees]
        arrays: dict[str, Any] = {name: getattr(self, name)[kept] for name in ("rows", "keys", "folds")}
        return replace(
            self,
            **arrays,
            label_ids=label_ids,
            targets=column[targets],
            own=self.own[kept] + np.asarray(others, dtype=np.float32).reshape(-1),
            probabilities=probabilities,
            trees=tuple(trees),
            ids=None if self.ids is None else tuple(self.ids[document] for document in kept.tolist()),
        ).named_by(taxonomy)

    def named_by(self, taxonomy: Taxonomy) -> "OutOfFold":
        """Return the same with the names that a tree has now."""
        labels = {label.id: label.name for label in taxonomy.all_labels}
        groups = {group.id: group.name for group in taxonomy.groups}
        return replace(self, label_names={**self.label_names, **labels}, group_names={**self.group_names, **groups})

    def probe(self, label_ids: Sequence[str]) -> Probe:
        """Say of the documents what the builder's probe would, for labels in another order.

        Parameters
        ----------
        label_ids
            Ids of all labels that positions in the result speak of; documents of other labels are left out.

        Raises
        ------
        DataError
            No document has one of these labels.
        """
        position = {label: i for i, label in enumerate(label_ids)}
        place = np.array([position.get(label, -1) for label in self.label_ids], dtype=np.int64)
        used = np.flatnonzero(place[self.targets] >= 0)
        if not len(used):
            raise DataError("none of the out-of-fold predictions is about a document of these labels")
        known = np.flatnonzero(place >= 0)
        scores = self.probabilities[used][:, known]
        scores = sparse.csr_matrix(
            (scores.data, place[known][scores.indices], scores.indptr), shape=(len(used), len(label_ids))
        )
        targets = place[self.targets[used]]
        best, kept = _best(scores)
        sums = np.maximum(np.asarray(scores.sum(axis=1)).reshape(-1), 1e-12)
        ones = np.ones(len(used), dtype=np.float32)
        of_label = sparse.csr_matrix((ones, (targets, np.arange(len(used)))), shape=(len(label_ids), len(used)))
        shares = sparse.diags(1 / sums) @ scores
        counts = np.maximum(np.bincount(targets, minlength=len(label_ids)), 1)
        confusion = np.asarray((of_label @ shares).todense(), dtype=np.float32) / counts[:, None].astype(np.float32)
        return Probe(targets, best, kept, confusion)

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        from hierarchy.disk.output import write_parquet

        write_parquet(self.table(), local_path(path))

    def table(self, **more: Any) -> "pa.Table":
        """Return what the file holds; `more` is kept in its metadata, JSON-ready."""
        import pyarrow as pa

        kept = self.probabilities
        documents = np.repeat(np.arange(len(self)), np.diff(kept.indptr))  # (entries,)
        order = np.lexsort((-kept.data, documents))
        offsets, labels = pa.array(kept.indptr, pa.int32()), pa.array(self.label_ids, pa.string())
        columns = {
            "row": self.rows,
            "key": [f"{int(key):016x}" for key in self.keys],
            "fold": self.folds,
            "label": labels.take(pa.array(self.targets)),
            "probability": pa.array(self.own, mask=np.isnan(self.own)),
            "labels": pa.ListArray.from_arrays(offsets, labels.take(pa.array(kept.indices[order]))),
            "probabilities": pa.ListArray.from_arrays(offsets, pa.array(kept.data[order].astype(np.float32))),
            "id": self.ids,
        }
        names = {"labels": dict(self.label_names), "groups": dict(self.group_names)}
        about = {"format": FORMAT, "groups": [dict(tree) for tree in self.trees], "names": names, **more}
        schema = _schema(ids=self.ids is not None)
        return pa.table(columns, schema.with_metadata({METADATA: json.dumps(about, ensure_ascii=False).encode()}))


class _Names(BaseModel):
    labels: dict[str, str]
    groups: dict[str, str]


class _Metadata(BaseModel):
    groups: list[dict[str, str]]
    names: _Names


def read_out_of_fold(path: str | Path) -> OutOfFold:
    """Read the file that `OutOfFold.write` wrote.

    Raises
    ------
    DataError
        There is no such file, or it is none of these.
    """
    return read_with_metadata(path)[0]


def read_with_metadata(path: str | Path) -> tuple[OutOfFold, dict[str, Any]]:
    """Read the file and what else was kept in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = local_path(path)
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r} with out-of-fold predictions: cross-validate writes it")
    try:
        with path.open("rb") as stream:  # pyarrow takes some names for addresses ("s3:x")
            table = pq.ParquetFile(stream, pre_buffer=False).read(use_threads=False)  # see `pipelines.data.arrowfiles`
        table.validate(full=True)
        about = parse_json((table.schema.metadata or {}).get(METADATA, b"{}"))
    except (pa.ArrowException, ValueError, OSError, NotImplementedError) as error:
        raise DataError(f"this is no Parquet file ({error}): name one that cross-validate wrote", str(path)) from None
    wrong = f"these are no out-of-fold predictions of {FORMAT}"
    if problem := _problem(table.column_names, about):
        raise DataError(f"{wrong}: {problem}", str(path))
    try:
        schema = _schema(ids="id" in table.column_names)
        table = table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise DataError(f"{wrong}: a column is of another kind ({error})", str(path)) from None
    if problem := _problem_of_values(table, len(about["groups"])):
        raise DataError(f"{wrong}: {problem}", str(path))
    return _from_table(table, about), about


def _schema(*, ids: bool) -> "pa.Schema":
    import pyarrow as pa

    lists = (pa.list_(pa.string()), pa.list_(pa.float32()))
    kinds = (pa.int64(), pa.string(), pa.int32(), pa.string(), pa.float32(), *lists)  # of `COLUMNS`
    return pa.schema([*zip(COLUMNS, kinds, strict=True), *([("id", pa.string())] if ids else [])])


def _problem(columns: Sequence[str], about: Any) -> str:
    """Say what makes a file none that `OutOfFold.write` wrote; empty where nothing does."""
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        return f"its format is {about.get('format') if isinstance(about, dict) else about!r}"
    if missing := [name for name in COLUMNS if name not in columns]:
        return f"the columns {', '.join(missing)} are missing"
    try:
        _Metadata.model_validate(about)
    except ValidationError as error:
        return f"its metadata are wrong at {'.'.join(map(str, error.errors()[0]['loc']))}"
    return ""


def _problem_of_values(table: "pa.Table", trees: int) -> str:
    import pyarrow.compute as pc

    if not len(table):
        return "it holds no documents"
    inner = {name: table[name].combine_chunks().flatten() for name in ("labels", "probabilities")}
    lengths = [table[name].combine_chunks().value_lengths() for name in inner]
    chances = np.concatenate([table["probability"].drop_null().to_numpy(), inner["probabilities"].to_numpy(False)])
    folds, rows = table["fold"].to_numpy(), table["row"].to_numpy()
    if any(table[name].null_count for name in COLUMNS if name != "probability") or inner["labels"].null_count:
        return "it has empty cells"
    if not lengths[0].equals(lengths[1]):
        return "it does not have one probability for each of its labels"
    if not ((chances >= 0) & (chances <= 1 + ROUNDING)).all():
        return "a probability is none"
    if folds.min() < 0 or (trees > 1 and folds.max() >= trees) or rows.min() < 0:
        return "a row or fold is none"
    if not pc.all(pc.match_substring_regex(table["key"], "^[0-9a-f]{16}$")).as_py():
        return "a key is no 16 hexadecimal digits"
    return ""


def _from_table(table: "pa.Table", about: Mapping[str, Any]) -> OutOfFold:
    lists = table["labels"].combine_chunks()
    names = lists.flatten().to_pylist()
    given = table["label"].to_pylist()
    label_ids = tuple(sorted({*names, *given}))
    place = {label: i for i, label in enumerate(label_ids)}
    indptr = np.concatenate([[0], np.cumsum(lists.value_lengths().to_numpy())])
    indices = np.array([place[name] for name in names], dtype=np.int32)
    data = table["probabilities"].combine_chunks().flatten().to_numpy().copy()  # Arrow's own cannot be sorted
    probabilities = sparse.csr_matrix((data, indices, indptr), shape=(len(table), len(label_ids)))
    probabilities.sort_indices()
    return OutOfFold(
        label_ids=label_ids,
        rows=table["row"].to_numpy(),
        keys=np.array([int(key, 16) for key in table["key"].to_pylist()], dtype=np.uint64),
        folds=table["fold"].to_numpy(),
        targets=np.array([place[label] for label in given], dtype=np.int64),
        own=table["probability"].to_numpy(),  # null gives NaN
        probabilities=probabilities,
        trees=tuple(about["groups"]),
        label_names=about["names"]["labels"],
        group_names=about["names"]["groups"],
        ids=tuple(table["id"].to_pylist()) if "id" in table.column_names else None,
    )


def joined(parts: Sequence[OutOfFold], trees: Sequence[Mapping[str, str]]) -> OutOfFold:
    """Put the documents of several parts together, in the order of their rows.

    Parameters
    ----------
    parts
        With different documents.
    trees
        Of the whole.
    """
    parts = _with_labels_of_all(parts)
    order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("rows", "keys", "folds", "targets", "own")
    }
    return OutOfFold(
        label_ids=parts[0].label_ids,
        **arrays,
        probabilities=sparse.vstack([part.probabilities for part in parts], format="csr")[order],
        trees=tuple(trees),
    )


def averaged(repeats: Sequence[OutOfFold]) -> OutOfFold:
    """Average the probabilities of several predictions of the same documents, whose folds and trees the first gives.

    All labels of all repeats are kept; one that a repeat does not list counts as 0 there. The given label's probability
    is the mean over the repeats whose model knew the label.
    """
    if len(repeats) == 1:
        return repeats[0]
    repeats = _with_labels_of_all(repeats)
    own = np.stack([one.own for one in repeats])  # (repeats, documents)
    known = ~np.isnan(own)
    mean = np.where(known, own, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    total = sum((one.probabilities for one in repeats[1:]), repeats[0].probabilities) / len(repeats)
    return replace(
        repeats[0],
        own=np.where(known.any(axis=0), mean, np.nan).astype(np.float32),
        probabilities=sparse.csr_matrix(total, dtype=np.float32),
    )


def keep_best(scores: np.ndarray, columns: Sequence[int], n_labels: int, k: int = TOP_K) -> sparse.csr_matrix:
    """Keep the k most probable labels of each document.

    Parameters
    ----------
    scores
        (documents, columns) probabilities.
    columns
        Which label each column speaks of.
    n_labels
        How many labels there are.
    k
        Labels kept; one with probability 0 is not.

    Returns
    -------
    scipy.sparse.csr_matrix
        (documents, labels) float32.
    """
    k = min(k, scores.shape[1])
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    data = np.take_along_axis(scores, best, axis=1).astype(np.float32)
    places = (np.repeat(np.arange(len(scores)), k), np.asarray(columns, dtype=np.int64)[best].reshape(-1))
    kept = sparse.csr_matrix((data.reshape(-1), places), shape=(len(scores), n_labels))
    kept.eliminate_zeros()
    kept.sort_indices()
    return kept


def _with_labels_of_all(parts: Sequence[OutOfFold]) -> list[OutOfFold]:
    label_ids = tuple(sorted({label for part in parts for label in part.label_ids}))
    return [_with_labels(part, label_ids) for part in parts]


def _with_labels(part: OutOfFold, label_ids: tuple[str, ...]) -> OutOfFold:
    if part.label_ids == label_ids:
        return part
    place = {label: i for i, label in enumerate(label_ids)}
    new = np.array([place[label] for label in part.label_ids], dtype=np.int64)
    own = part.probabilities
    probabilities = sparse.csr_matrix((own.data, new[own.indices], own.indptr), shape=(len(part), len(label_ids)))
    probabilities.sort_indices()
    return replace(part, label_ids=label_ids, targets=new[part.targets], probabilities=probabilities)


def _best(scores: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Give positions and scores of each document's labels, the best first, (documents, kept) each; 0 fills up."""
    lengths = np.diff(scores.indptr)
    width = max(int(lengths.max()), 1)
    best = np.zeros((scores.shape[0], width), dtype=np.int32)
    kept = np.zeros((scores.shape[0], width), dtype=np.float32)
    documents = np.repeat(np.arange(len(lengths)), lengths)  # (entries,)
    order = np.lexsort((-scores.data, documents))
    ranks = np.arange(len(order)) - np.repeat(scores.indptr[:-1], lengths)
    best[documents, ranks], kept[documents, ranks] = scores.indices[order], scores.data[order]
    # A label twice counts once.
    return np.where(np.arange(width) < lengths[:, None], best, best[:, :1]), kept
