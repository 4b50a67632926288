"""What the commands read: documents, checked, and taxonomies."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from hierarchy.disk.paths import local_path, path_exists
from hierarchy.errors import DataError, TaxonomyError, combined
from hierarchy.matching import Pair, merged_pairs
from hierarchy.taxonomy import Taxonomy

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

    from pipelines.config import Config, Data
    from pipelines.data.checks import Checked
    from pipelines.data.documents import Documents
    from pipelines.training.encoders import Encoders

T = TypeVar("T")
ROLES = ("train", "valid", "calibration", "test")
OF_CORRECTIONS = ("text", "label")  # columns that the service writes
logger = logging.getLogger(f"coarsefine.{__name__}")

# A file, folder or name on the hub, or several that are read one after the other, and which split of it.
Source: TypeAlias = tuple[str | Sequence[str], str | None]
Cut: TypeAlias = "Callable[[Part], tuple[np.ndarray, np.ndarray]]"  # documents -> places in training and validation


@dataclass(frozen=True)
class Part:
    """Documents for one purpose.

    Parameters
    ----------
    documents
        Checked, with their label ids.
    name
        What they are called in the report.
    """

    documents: "Documents"
    name: str

    @property
    def pair(self) -> "tuple[Documents, Sequence[str]]":
        """As `fit` and others take them."""
        return self.documents, self.documents.labels


def read_taxonomy(place: str | Path, **shape: Any) -> Taxonomy:
    """Read a taxonomy from its file, as `Taxonomy.from_file` does, or from the folder of a model."""
    path = local_path(place)
    if path.is_dir():
        path = path / "taxonomy.yaml"
        if not path.exists():
            raise TaxonomyError(f"the folder {str(place)!r} is no model, it has no taxonomy.yaml: name a taxonomy file")
    if not path.exists():
        raise TaxonomyError(f"there is no taxonomy file {str(path)!r} (paths start at the working directory)")
    return Taxonomy.from_file(path, **shape)


def taxonomy_named(config: "Config", **shape: Any) -> Taxonomy | None:
    """Read the taxonomy that a config names, if it does; see `read_taxonomy`."""
    return None if config.taxonomy is None else read_taxonomy(config.taxonomy, **shape)


def read_table(source: Source, data: "Data", *, cache: Path | None = None, label: str | None = "") -> "Dataset":
    """Read documents with the columns that a config names, or with another label column, or none.

    A file behind the first may hold corrections: where it lacks the columns named, ``text`` and ``label`` are read.

    Parameters
    ----------
    source
        What to read.
    data
        Names the columns.
    cache
        Where the table is written; None takes a folder that goes with this process.
    label
        Column in place of the label's, or None.
    """
    from pipelines.data.reading import read_documents
    from pipelines.data.tables import joined_tables

    places, split = source
    named, group = (data.label, data.group) if label == "" else (label, None)
    options: dict[str, Any] = {**data.reading, "group": group, "split": split, "cache_dir": cache}

    def read(place: str, *, corrects: bool) -> "Dataset":
        try:
            return read_documents(place, **{**options, "label": named})
        except DataError:
            if corrects and label == "" and (data.text, named) != OF_CORRECTIONS:
                with suppress(DataError):
                    return read_documents(place, **{**options, "text": "text", "label": "label"})
            raise

    if isinstance(places, str):
        return read(places, corrects=False)
    first, *more = places
    each: dict[str, Source] = {place: (place, split) for place in (first, *filter(_holds_something, more))}
    return joined_tables(_for_each(each, lambda place: read(place, corrects=place != first)))


def _holds_something(place: str) -> bool:
    """Whether a file behind the first is not empty, as the service makes one before somebody has corrected it."""
    file = local_path(place)
    if path_exists(file) and file.is_file() and not file.stat().st_size:
        logger.warning("%s: the file is empty, so it corrects nothing", place)
        return False
    return True


def where_of(source: Source) -> str:
    """Return what documents are called: their place, or their places."""
    places, _ = source
    return places if isinstance(places, str) else ", ".join(places)


def read_checked(
    sources: Mapping[str, Source], config: "Config", taxonomy: Taxonomy | None, *, cache: Path | None = None
) -> "tuple[Taxonomy, dict[str, Documents]]":
    """Read and check documents, log what is odd about each part, and tell all problems of all of them at once.

    Parameters
    ----------
    sources
        Role (train, valid, calibration, cascade, test) -> what to read.
    config
        Names the columns.
    taxonomy
        Whose labels they must have; None takes the tree of the training documents' columns.
    cache
        As for `read_table`.
    """
    from pipelines.data.checks import check_table

    tables = _for_each(sources, lambda role: read_table(sources[role], config.data, cache=cache))
    tree = _taxonomy_of(tables["train"], where_of(sources["train"]), config) if taxonomy is None else taxonomy

    def check(role: str) -> "Checked":
        keep_empty, of_data = role in ("calibration", "cascade", "test"), taxonomy is None
        return check_table(tables[role], tree, where=where_of(sources[role]), keep_empty=keep_empty, of_data=of_data)

    checked = _for_each(sources, check)
    for role, found in checked.items():
        for line in found.report.lines(tree, training=role == "train"):
            logger.info("%s: %s", where_of(sources[role]), line)
    return tree, {role: found.documents for role, found in checked.items()}


def read_parts(
    config: "Config", taxonomy: Taxonomy | None, cut: Cut, roles: Sequence[str] = ROLES
) -> tuple[Taxonomy, dict[str, Part]]:
    """Read and check all documents that a config names; without a test part, validation stands for it.

    Parameters
    ----------
    config
        Names the documents and the run folder.
    taxonomy
        As for `read_checked`.
    cut
        Cuts the training documents where no validation documents are named; an empty part is left out.
    roles
        Which documents are read.
    """
    sources = sources_of(config, roles)
    taxonomy, checked = read_checked(sources, config, taxonomy, cache=config.run_folder / "documents")
    parts = {}
    for role, documents in checked.items():
        place, split = where_of(sources[role]), sources[role][1]
        parts[role] = Part(documents, place if split is None else f"{place} ({split})")
    if "valid" not in parts:
        whole = checked["train"]
        kept, held_out = cut(parts["train"])
        if len(held_out):
            logger.info("validation: %d of %d training documents", len(held_out), len(whole))
            for role, places in (("train", kept), ("valid", held_out)):
                parts[role] = Part(whole.select(places), f"a part of {where_of(sources['train'])}")
    if "test" in roles and "test" not in parts and "valid" in parts:
        valid = parts["valid"]
        logger.warning("no test documents are named (data.test): figures on validation documents are a little too good")
        parts["test"] = Part(valid.documents, f"validation documents ({valid.name}), used in training too")
    return taxonomy, parts


def sources_of(config: "Config", roles: Sequence[str]) -> dict[str, Source]:
    """Return the sources that a config names for some roles; there must be training documents."""
    if config.data.train is None:
        raise DataError("no training documents are named: set data.train in the config, or --set data.train=FILE")
    named = config.data.model_dump()
    return {role: (named[role], named[f"{role}_split"]) for role in roles if named[role] is not None}


def stratified(config: "Config") -> Cut:
    """Return what cuts a validation part as `fit` would, and refuses where it cannot."""
    from hierarchy.text.wording import count
    from pipelines.data.splits import stratified_split

    def cut(part: Part) -> "tuple[np.ndarray, np.ndarray]":
        labels, seed = part.documents.labels, config.classifier.random_state
        kept, held_out = stratified_split(labels, random_state=seed, keys=part.documents.keys())
        if not len(held_out):
            raise DataError(
                f"no label has 3 documents ({count(len(set(labels)), 'label')} in "
                f"{count(len(labels), 'document')}), so no validation part can be cut: name the right label "
                "column with --label-column (or --set data.label=...), give more documents, or set data.valid",
                part.name,
            )
        return kept, held_out

    return cut


def warn_of_seen_parts(parts: Mapping[str, Part], role: str) -> list[str]:
    """Warn, before the long work, of documents of a role that stand in training or validation; return what was said.

    Validation documents that stand for the test documents are called what they are.
    """
    from pipelines.data.documents import warn_of_repeats

    told: list[str] = []
    if role in parts:
        documents = parts[role].documents
        what = "validation" if "valid" in parts and parts["valid"].documents is documents else role
        for other, where in (("train", "training"), ("valid", "validation")):
            if other in parts and parts[other].documents is not documents:  # where one stands for both, it is told
                told += warn_of_repeats(documents, parts[other].documents, what=f"{what} documents", where=where)
    return told


def training_vectors(
    config: "Config",
    encoders: "Encoders",
    taxonomy: Taxonomy | None,
    check: Callable[[Taxonomy], None] = lambda _: None,
) -> "tuple[Taxonomy, tuple[np.ndarray, list[str]] | None]":
    """Read what the tree's figures stand on: the training documents as vectors, through the cache of the run folder.

    Parameters
    ----------
    config
        Names the documents (data.train) and the run folder.
    encoders
        Of its ``classifier``.
    taxonomy
        Whose labels the documents have; None makes an unplaced tree of the documents' columns.
    check
        Refuses a tree with which nothing can be done, before the vectors are computed.

    Returns
    -------
    tuple
        The taxonomy, and (vectors, label ids), None without documents.

    Raises
    ------
    TaxonomyError
        There are neither labels nor documents.
    """
    if taxonomy is not None:
        check(taxonomy)
        if config.data.train is None:
            return taxonomy, None
    elif config.data.train is None:
        raise TaxonomyError("name a file with labels, or documents with --set data.train=FILE")
    from pipelines.training.groups import document_vectors

    tree, checked = read_checked(sources_of(config, ("train",)), config, taxonomy)
    if taxonomy is None:
        check(tree)
    texts, labels = checked["train"].texts, list(checked["train"].labels)
    return tree, (document_vectors(texts, encoders, config.run_folder), labels)


def _taxonomy_of(documents: "Dataset", place: str, config: "Config") -> Taxonomy:
    """Return the tree that the columns of documents hold; labels without a group stay unplaced.

    Where labels, or groups, that differ in case, width and white space alone are one, it is logged of groups; of labels
    the check says it.
    """
    from pipelines.data.checks import check_table

    pairs: Counter[Pair] = Counter()
    columns = [name for name in ("label", "label_count", "group") if name in documents.column_names]
    for batch in documents.select_columns(columns).iter(1000):
        groups = batch.get("group") or [None] * len(batch["label"])
        for label, labels, group in zip(batch["label"], batch["label_count"], groups, strict=True):
            if label is not None and labels == 1:  # the others are told by the check
                pairs[label, group if group and group.strip() else None] += 1
    if not pairs:
        check_table(documents, where=place)
    left: Collection[Pair] = pairs
    if config.classifier.merge_spellings:
        left, _, lines = merged_pairs(pairs)
        for line in lines:
            logger.warning("%s: %s", place, line)
    try:
        return Taxonomy.from_data([label for label, _ in left], [group for _, group in left], merge_spellings=False)
    except TaxonomyError as error:
        raise TaxonomyError(error.problems, place) from None


def _for_each(sources: Mapping[str, Source], step: "Callable[[str], T]") -> dict[str, T]:
    """Do a step for each role; what is wrong with any is told at once."""
    done: dict[str, T] = {}
    refused = []
    for role, source in sources.items():
        try:
            done[role] = step(role)
        except DataError as error:
            refused.append(DataError(error.problems, error.where or where_of(source), error.hint))
    if refused:
        raise combined(refused)
    return done
