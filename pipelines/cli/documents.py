"""Documents for the commands: read and checked, with messages in the words of the command line."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hierarchy.errors import CoarsefineError, DataError, TaxonomyError
from hierarchy.taxonomy import Taxonomy
from pipelines.config import Config, Data

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset

    from pipelines.data.checks import Checked

logger = logging.getLogger(__name__)

# What a function's caller would write, and what one does on the command line.
IN_CLI_WORDS = {
    "with text=...": "with --set data.text=...",
    "with label=...": "with --set data.label=...",
    "with group=...": "with --set data.group=...",
    "with move_labels=True": "with --move-labels",
    "with split=...": "with --set data.train_split=... (or valid_split, calibration_split, test_split)",
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
            source.place, text=data.text, label=data.label, group=data.group, split=source.split, cache_dir=cache
        )


def check_all(tables: "dict[str, tuple[str, Dataset]]", taxonomy: Taxonomy) -> "dict[str, Checked]":
    """Check several tables, log what is odd about each, and tell all problems of all of them at once.

    Parameters
    ----------
    tables
        Role (train, valid, calibration, test) -> (place, documents).
    taxonomy
        Whose labels they must have.
    """
    from pipelines.data.checks import check_documents

    checked: dict[str, Checked] = {}
    problems: list[str] = []
    with in_cli_words():
        for role, (place, documents) in tables.items():
            kept = role in ("calibration", "test")
            try:
                checked[role] = check_documents(documents, taxonomy, where=place, keep_empty=kept)
            except DataError as error:
                problems += [f"{place}: {problem}" for problem in error.problems]
                continue
            for line in checked[role].report.lines():
                logger.info("%s: %s", place, line)
        if problems:
            raise DataError(problems)
    return checked


def taxonomy_of(documents: "Dataset", place: str) -> Taxonomy:
    """Return the tree that the columns of documents hold; labels without a group stay unplaced.

    Parameters
    ----------
    documents
        With the column ``label`` and, where there is one, ``group``.
    place
        Where they come from, for messages.
    """
    pairs: dict[tuple[str, str | None], None] = {}
    columns = [name for name in ("label", "label_count", "group") if name in documents.column_names]
    for batch in documents.select_columns(columns).iter(1000):
        groups = batch.get("group") or [None] * len(batch["label"])
        for label, labels, group in zip(batch["label"], batch["label_count"], groups, strict=True):
            if label is not None and labels == 1:  # the others are told by the check
                pairs[label, group] = None
    if not pairs:
        raise DataError("no document has one label", place)
    return Taxonomy.from_data([label for label, _ in pairs], [group for _, group in pairs])


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
    from pipelines.preparation import document_vectors

    documents = read_source(Source(config.data.train, config.data.train_split), config.data, cache=None)
    taxonomy = taxonomy or taxonomy_of(documents, config.data.train)
    check(taxonomy)
    checked = check_all({"train": (config.data.train, documents)}, taxonomy)["train"]
    texts = checked.documents["text"]
    return taxonomy, (document_vectors(texts, config.classifier, config.run_folder), checked.labels), texts


def read_taxonomy(place: str | Path) -> Taxonomy:
    """Read a taxonomy from its file, or from the folder of a model."""
    path = Path(place)
    if path.is_dir():
        path = path / "taxonomy.yaml"
        if not path.exists():
            raise TaxonomyError(f"the folder {str(place)!r} is no model, it has no taxonomy.yaml: name a taxonomy file")
    if not path.exists():
        raise TaxonomyError(f"there is no taxonomy file {str(path)!r} (paths start at the working directory)")
    return Taxonomy.from_file(path)


@contextmanager
def in_cli_words(**said: str) -> Iterator[None]:
    """Say options instead of arguments in the messages of errors.

    Parameters
    ----------
    said
        Argument -> what names it here, where that is not the usual key of the config.
    """
    words = IN_CLI_WORDS | {f"with {argument}=...": f"with {option}" for argument, option in said.items()}
    try:
        yield
    except CoarsefineError as error:
        problems = []
        for problem in error.problems:
            for written, option in words.items():
                problem = problem.replace(written, option)
            problems.append(problem)
        raise type(error)(problems, error.where) from None


@contextmanager
def reports_shown() -> Iterator[None]:
    """Keep `fit` and `evaluate` from logging the reports that `check_all` has logged."""
    reports = logging.getLogger("pipelines.preparation.report")
    level = reports.level
    reports.setLevel(logging.WARNING)
    try:
        yield
    finally:
        reports.setLevel(level)
