"""Documents for the commands: read and checked, with messages in the words of the command line."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from hierarchy.disk.paths import local_path
from hierarchy.errors import CoarsefineError, DataError, TaxonomyError, combined
from hierarchy.spellings import Pair, merged_pairs
from hierarchy.taxonomy import Taxonomy
from pipelines.config import Config, Data

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

    from pipelines.data.documents import Documents

logger = logging.getLogger(f"coarsefine.{__name__}")

# What a function's caller would write, and what one does on the command line.
IN_CLI_WORDS = {
    "with text=...": "with --set data.text=...",
    "with label=...": "with --set data.label=...",
    "with group=...": "with --set data.group=...",
    "with set_params(augment=...)": "with --set classifier.augment=module:function",
    "with set_params(label_encoder=...)": "with --set classifier.label_encoder=...",
    "with delimiter=...": "with --set data.delimiter=...",
    "with encoding='": "with --set data.encoding='",
    "with move_labels=True": "with --move-labels",
    "with split=...": "with --set data.train_split=... (or valid_split, calibration_split, test_split)",
}


OF_DATA = {
    "is not in the taxonomy": "is no label of the training documents",
    "that the taxonomy lacks": "that the training documents lack",
    "add it to the taxonomy": "give it training documents",
}


@dataclass(frozen=True)
class Source:
    """One of the sources of documents that a config names.

    Parameters
    ----------
    place
        File, folder or name on the hub.
    split
        Which split, where it has several.
    """

    place: str
    split: str | None = None


def read_source(source: Source, data: Data, *, cache: Path | None) -> "Dataset":
    """Read documents with the columns that the config names.

    Parameters
    ----------
    source
        What to read.
    data
        Names the columns.
    cache
        Where the table is written; None leaves it to the `datasets` library.
    """
    from pipelines.data.reading import read_documents

    with in_cli_words():
        return read_documents(
            source.place, **data.reading, label=data.label, group=data.group, split=source.split, cache_dir=cache
        )


def check_all(
    tables: "dict[str, tuple[str, Dataset]]", taxonomy: Taxonomy, *, of_data: bool = False
) -> "dict[str, Documents]":
    """Check several tables, log what is odd about each, and tell all problems of all of them at once.

    Parameters
    ----------
    tables
        Role (train, valid, calibration, test) -> (place, documents).
    taxonomy
        Whose labels they must have.
    of_data
        It was made of the training documents' labels: messages speak of these.
    """
    from pipelines.data.checks import check_table

    checked: dict[str, Documents] = {}
    refused: list[DataError] = []
    for role, (place, documents) in tables.items():
        kept = role in ("calibration", "test")
        try:
            with in_cli_words(OF_DATA if of_data else {}):
                found = check_table(documents, taxonomy, where=place, keep_empty=kept)
        except DataError as error:
            refused.append(error)
            continue
        for line in found.report.lines(taxonomy):
            logger.info("%s: %s", place, line)
        checked[role] = found.documents
    if refused:
        raise combined(refused)
    return checked


def taxonomy_of(documents: "Dataset", place: str, *, merge_spellings: bool) -> Taxonomy:
    """Return the tree that the columns of documents hold; labels without a group stay unplaced.

    Parameters
    ----------
    documents
        With the column ``label`` and, where there is one, ``group``.
    place
        Where they come from, for messages.
    merge_spellings
        Whether labels, and groups, that differ in case, width and white space alone are one. Of groups it is logged;
        of labels `check_all` says it.
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
        with in_cli_words():
            check_table(documents, where=place)
    left: Collection[Pair] = pairs
    if merge_spellings:
        left, _, lines = merged_pairs(pairs)
        for line in lines:
            logger.warning("%s: %s", place, line)
    try:
        return Taxonomy.from_data([label for label, _ in left], [group for _, group in left], merge_spellings=False)
    except TaxonomyError as error:
        raise TaxonomyError(error.problems, place) from None


def training_vectors(
    config: Config, taxonomy: Taxonomy | None, check: Callable[[Taxonomy], None] = lambda _: None
) -> "tuple[Taxonomy, tuple[np.ndarray, list[str]] | None, Sequence[str] | None]":
    """Read what the tree's figures stand on: the training documents as vectors, through the cache of the run folder.

    Parameters
    ----------
    config
        Names the documents (data.train), the encoder and the run folder.
    taxonomy
        Whose labels the documents have; None makes an unplaced tree of the documents' columns.
    check
        Refuses a tree with which nothing can be done, before the vectors are computed.

    Returns
    -------
    tuple
        The taxonomy, (vectors, label ids) and the texts; the last two are None without documents.

    Raises
    ------
    TaxonomyError
        There are neither labels nor documents.
    """
    if config.data.train is None:
        if taxonomy is None:
            raise TaxonomyError("name a file with labels, or documents with --set data.train=FILE")
        check(taxonomy)
        return taxonomy, None, None
    from pipelines.training.groups import document_vectors

    documents = read_source(Source(config.data.train, config.data.train_split), config.data, cache=None)
    if taxonomy is None:
        taxonomy = taxonomy_of(documents, config.data.train, merge_spellings=config.classifier.merge_spellings)
    check(taxonomy)
    train = check_all({"train": (config.data.train, documents)}, taxonomy)["train"]
    vectors = document_vectors(train.texts, config.classifier, config.run_folder)
    return taxonomy, (vectors, list(train.labels)), train.texts


def read_taxonomy(place: str | Path) -> Taxonomy:
    """Read a taxonomy from its file, or from the folder of a model."""
    path = local_path(place)
    if path.is_dir():
        path = path / "taxonomy.yaml"
        if not path.exists():
            raise TaxonomyError(f"the folder {str(place)!r} is no model, it has no taxonomy.yaml: name a taxonomy file")
    if not path.exists():
        raise TaxonomyError(f"there is no taxonomy file {str(path)!r} (paths start at the working directory)")
    return Taxonomy.from_file(path)


@contextmanager
def in_cli_words(other: Mapping[str, str] = MappingProxyType({}), **said: str) -> Iterator[None]:
    """Say options instead of arguments in the messages of errors.

    Parameters
    ----------
    other
        More words -> what is said in their place.
    said
        Argument -> what names it here, where that is not the usual key of the config.
    """
    words = IN_CLI_WORDS | dict(other) | {f"with {argument}=...": f"with {option}" for argument, option in said.items()}
    try:
        yield
    except CoarsefineError as error:
        *problems, hint = (_replaced(text, words) for text in (*error.problems, error.hint))
        raise type(error)(problems, error.where, hint) from None


def _replaced(text: str, words: Mapping[str, str]) -> str:
    for written, said in words.items():
        text = text.replace(written, said)
    return text
