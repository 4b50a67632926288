"""What the user hands in, checked and completed: texts, labels, the split, and labels that stand in no group."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.builder import TaxonomyBuilder
from hierarchy.errors import ConfigError, DataError, UnreadableError
from hierarchy.taxonomy import Taxonomy
from pipelines.augmentation import with_label_texts
from pipelines.data.checks import check_documents
from pipelines.data.splits import stratified_split
from pipelines.documents import Documents
from pipelines.settings import Settings
from stages.progress import Clock

if TYPE_CHECKING:
    from pipelines.neural import NeuralStage

LONE_SURROGATES = re.compile("[\ud800-\udfff]")
logger = logging.getLogger(__name__)
report_logger = logging.getLogger(f"{__name__}.report")  # apart, for callers that show the report themselves


def check_texts(texts: Sequence[str]) -> Sequence[str]:
    """Return `texts` as a sequence of strings.

    Raises
    ------
    DataError
        A bare string, or an item that is no string, with its place.
    """
    if isinstance(texts, str):
        raise DataError("texts is a single string: put it into a list")
    texts = _in_memory(texts)
    broken = False
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"texts[{place}] is {text!r} ({type(text).__name__}), not a string: leave it out or fill it in"
            )
        broken = broken or LONE_SURROGATES.search(text) is not None
    # Half a character, as broken JSON escapes leave it, is no UTF-8: a tokenizer would stop at it.
    return [LONE_SURROGATES.sub("\ufffd", text) for text in texts] if broken else texts


def check_labels(
    texts: Sequence[str], labels: Sequence[str], taxonomy: Taxonomy | None, *, where: str, keep_empty: bool = False
) -> tuple[Sequence[str], list[str], np.ndarray]:
    """Find the label id of each document and log what is odd about the data.

    Parameters
    ----------
    texts, labels
        Documents and their labels, by id or by name.
    taxonomy
        Whose labels they must be; None takes them as they are.
    where
        What the documents are, for messages.
    keep_empty
        Keep documents without text, as an evaluation must.

    Returns
    -------
    tuple
        Texts and label ids of the documents that can be used, and the place of each in `texts`.

    Raises
    ------
    DataError
        With every problem at once.
    """
    from datasets import Dataset

    texts, labels = check_texts(texts), _in_memory(labels)
    if len(texts) != len(labels):
        raise DataError(f"{len(texts)} texts and {len(labels)} labels: one label belongs to each text", where)
    if not len(texts):
        raise DataError("there are no documents", where)
    wrong = next(((i, label) for i, label in enumerate(labels) if not isinstance(label, str)), None)
    if wrong:
        raise DataError(
            f"labels[{wrong[0]}] is {wrong[1]!r}, not a string: labels are ids or names, use str(...)", where
        )
    table = Dataset.from_dict({"text": list(texts), "label": list(labels), "row": range(len(texts))})
    checked = check_documents(table, taxonomy, where=where, keep_empty=keep_empty)
    for line in checked.report.lines():
        report_logger.info("%s: %s", where, line)
    return checked.documents["text"], checked.labels, np.array(checked.documents["row"], dtype=np.int64)


def check_taxonomy(taxonomy: Any) -> None:
    """Refuse what is neither a Taxonomy nor None."""
    if taxonomy is not None and not isinstance(taxonomy, Taxonomy):
        raise ConfigError(
            f"taxonomy is a {type(taxonomy).__name__}: give a hierarchy.Taxonomy (Taxonomy.from_file(path), "
            "Taxonomy.from_data(labels, groups)), or None to have the groups built"
        )


def prepare_documents(
    texts: Sequence[str],
    labels: Sequence[str],
    validation: tuple[Sequence[str], Sequence[str]] | None,
    taxonomy: Taxonomy | None,
    *,
    seed: int,
) -> tuple[Documents, Documents]:
    """Check training and validation documents; cut a validation part where none is given."""
    check_taxonomy(taxonomy)
    train = Documents(*check_labels(texts, labels, taxonomy, where="training documents"))
    if len(set(train.labels)) < 2:
        raise DataError(
            f"all training documents have one label ({train.labels[0]!r}): a classifier needs at least two labels"
        )
    if validation is not None:
        valid = Documents(*check_labels(*validation, taxonomy, where="validation documents"))
        _report_unseen(valid.labels, set(train.labels))
        warn_of_repeats(valid.texts, train, what="validation documents")
        return train, valid
    kept, held_out = stratified_split(train.labels, seed=seed, keys=train.keys())
    if not len(held_out):
        raise DataError(
            "no label has 3 documents, so no validation part can be cut: give validation=(texts, labels), or more "
            "documents"
        )
    logger.info("validation: %d of %d training documents, stratified", len(held_out), len(train.labels))
    return train.select(kept), train.select(held_out)


def warn_of_repeats(texts: Sequence[str], train: Documents, *, what: str) -> None:
    """Say how many documents stand among the training documents too.

    Parameters
    ----------
    texts
        Documents that are to tell how good the model is on new ones.
    train
        The training documents.
    what
        What the documents are, for the message.
    """
    repeats = int(np.isin(Documents(texts, ()).keys(), train.keys()).sum())
    if repeats:
        logger.warning(
            "%d of the %d %s stand among the training documents: what rests on them is too good; leave them out",
            repeats, len(texts), what,
        )  # fmt: skip


def label_texts(taxonomy: Taxonomy | None, train: Documents) -> dict[str, str]:
    """Return what an encoder reads of each label, by its id; without a taxonomy that is the id."""
    if taxonomy is None:
        return {label: label for label in sorted(set(train.labels))}
    return {label.id: label.text for label in (*taxonomy.labels, *taxonomy.unplaced)}


def with_label_documents(settings: Settings, taxonomy: Taxonomy | None, train: Documents) -> Documents:
    """Return training documents with the text of each label behind them, unless ``label_documents`` is off."""
    return with_label_texts(train, label_texts(taxonomy, train)) if settings.label_documents else train


def place_labels(
    settings: Settings, taxonomy: Taxonomy | None, train: Documents, neural: "NeuralStage | None", clock: Clock
) -> Taxonomy:
    """Return a taxonomy in which every label stands in a group.

    Parameters
    ----------
    settings
        Limits of the groups and the seed are read.
    taxonomy
        The given one; None makes groups of all labels of the training documents.
    train
        Their vectors tell, beside the label texts, which labels are alike.
    neural
        Where the vectors come from; None takes n-grams reduced by SVD.
    clock
        Takes the time.
    """
    if taxonomy is not None and not taxonomy.unplaced:
        return taxonomy
    with clock.step("taxonomy"):
        vectors = (
            _lexical_vectors(train.texts, settings) if neural is None else neural.pretrained_pooled(len(train.texts))
        )
        labels = _to_place(taxonomy, train)
        built = builder_of(settings).build(labels, documents=(vectors, train.labels), texts=train.texts)
    placed = len(taxonomy.unplaced) if taxonomy is not None else len(built.labels)
    logger.info("%d labels placed; %d groups in all", placed, len(built.groups))
    return built


def check_placeable(settings: Settings, taxonomy: Taxonomy | None, train: Documents) -> None:
    """Refuse sizes and numbers of groups that `place_labels` could not meet, before there are vectors."""
    if taxonomy is None or taxonomy.unplaced:
        builder_of(settings).check(_to_place(taxonomy, train))


def builder_of(settings: Settings) -> TaxonomyBuilder:
    """Return the builder that settings describe."""
    return TaxonomyBuilder(
        n_groups=settings.n_groups,
        min_group_size=settings.min_group_size,
        max_group_size=settings.max_group_size,
        encoder=settings.label_encoder or settings.encoder,
        signals=settings.signals,
        seed=settings.seed,
    )


def _to_place(taxonomy: Taxonomy | None, train: Documents) -> Taxonomy | list[str]:
    return taxonomy if taxonomy is not None else sorted(set(train.labels))


def document_vectors(texts: Sequence[str], settings: Settings, folder: Path) -> np.ndarray:
    """Return the vectors of documents that builder and quality figures read: pooled ones, through a run's cache.

    Parameters
    ----------
    texts
        Documents.
    settings
        With ``encoder: none``, or one that cannot read the documents, the vectors are n-grams reduced by SVD.
    folder
        Run folder; a training with the same one finds the vectors there.

    Returns
    -------
    numpy.ndarray
        (documents, dimensions) float32.
    """
    if settings.encoder == "none":
        return _lexical_vectors(texts, settings)
    from pipelines.encoders import load_encoder
    from pipelines.features import cached_vectors

    try:
        encoder, segmenter = load_encoder(settings, texts, ())
    except UnreadableError as error:
        logger.warning("%s; until then the documents are compared by their n-grams", error)
        return _lexical_vectors(texts, settings)
    return cached_vectors(texts, encoder, segmenter, settings.tokens_per_chunk, folder).pooled()


def _lexical_vectors(texts: Sequence[str], settings: Settings) -> np.ndarray:
    from stages.lexical import NgramVectorizer, reduced

    return reduced(NgramVectorizer(settings.min_df).fit_transform(texts, len(texts)), seed=settings.seed)


def _report_unseen(labels: Sequence[str], known: set[str]) -> None:
    unseen = sorted(set(labels) - known)
    if not unseen:
        return
    if not known.intersection(labels):
        raise DataError(
            f"no validation document has a label that training documents have (they have {unseen[0]!r}"
            f"{', ...' if unseen[1:] else ''}): give validation documents of the training labels"
        )
    logger.warning(
        "validation documents: %d have labels with no training documents, which are never predicted: %s%s",
        sum(label not in known for label in labels), ", ".join(map(repr, unseen[:5])), " ..." if unseen[5:] else "",
    )  # fmt: skip


def _in_memory(values: Any) -> Any:
    # Arrays and series give plain Python values; a column of a dataset stays on disk.
    return values.tolist() if hasattr(values, "tolist") else values
