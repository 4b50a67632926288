"""What the user hands in, checked and completed: texts, labels, the split, and labels that stand in no group."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.arguments import column, pair, same_length
from hierarchy.building.builder import TaxonomyBuilder
from hierarchy.errors import ConfigError, DataError, UnreadableError
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.characters import has_half, healed, refuse_half
from hierarchy.text.escaping import in_short
from pipelines.data.augmentation import with_copies, with_label_texts
from pipelines.data.checks import check_documents
from pipelines.data.documents import Documents
from pipelines.data.label_words import Word, check_words, ids_said
from pipelines.data.splits import stratified_split
from pipelines.model.seen_documents import warn_of_repeats
from pipelines.settings import Settings
from stages.progress import Clock

if TYPE_CHECKING:
    from pipelines.training.neural import NeuralStage

logger = logging.getLogger(f"coarsefine.{__name__}")
report_logger = logging.getLogger(f"{logger.name}.report")  # apart, for callers that show the report themselves


def check_texts(texts: Any, name: str = "texts") -> Sequence[str]:
    """Return `texts` as a sequence of strings: what `hierarchy.arguments.column` takes.

    Raises
    ------
    DataError
        They are no column, or an item is no string; `name` says which argument.
    """
    texts = column(texts, name)
    broken = False
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"{name}[{place}] is {text!r} ({type(text).__name__}), not a string: leave it out or fill it in"
            )
        broken = broken or has_half(text)
    # Half a character, as broken JSON escapes leave it, is no UTF-8: a tokenizer would stop at it.
    return [healed(text) for text in texts] if broken else texts


def check_text(text: Any) -> str:
    """Return one document.

    Raises
    ------
    DataError
        It is no string.
    """
    if not isinstance(text, str):
        raise DataError(f"text is {in_short(text)} ({type(text).__name__}): give one document, a string")
    return check_texts([text])[0]


def check_labels(
    texts: Any,
    labels: Any,
    taxonomy: Taxonomy | None,
    *,
    where: str,
    keep_empty: bool = False,
    names: tuple[str, str] = ("texts", "labels"),
    words: Mapping[Word, str] = MappingProxyType({}),
    merge_spellings: bool = True,
    known: Collection[str] = (),
    report: bool = True,
) -> tuple[Sequence[str], list[str], np.ndarray]:
    """Find the label id of each document and log what is odd about the data.

    Parameters
    ----------
    texts, labels
        Documents and their labels: ids, names, or whole numbers.
    taxonomy
        Whose labels they must be; None allows any.
    where
        What the documents are, for messages.
    keep_empty
        Keep documents without text, as an evaluation must.
    names
        Of the two arguments, for messages.
    words
        Word -> label id, for labels that the taxonomy does not find: what a classifier was fitted with.
    merge_spellings, known
        As for `pipelines.data.checks.check_documents`.
    report
        Log what is odd.

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

    texts, given = check_texts(texts, names[0]), check_words(labels, names[1])
    same_length(texts, given, ("texts", "labels"), where)
    if not len(texts):
        raise DataError("there are no documents", where)
    said = [str(word) for word in given]
    for place, label in enumerate(said):
        refuse_half(label, f"{names[1]}[{place}]")
    if taxonomy is not None and not words:
        _refuse_codes(given, taxonomy, where)
    if taxonomy is not None and words:
        ids = ids_said(given, taxonomy, words)
        said = [name if label is None else label for label, name in zip(ids, said, strict=True)]
    table = Dataset.from_dict({"text": list(texts), "label": said, "row": range(len(texts))})
    checked = check_documents(
        table, taxonomy, where=where, keep_empty=keep_empty, merge_spellings=merge_spellings, known=known
    )
    for line in checked.report.lines(taxonomy) if report else ():
        report_logger.info("%s: %s", where, line)
    return checked.documents["text"], checked.labels, np.array(checked.documents["row"], dtype=np.int64)


def _refuse_codes(labels: Sequence[Word], taxonomy: Taxonomy, where: str) -> None:
    """Explain the numbers that scikit-learn puts in place of labels."""
    codes = set(labels)
    if (
        type(labels[0]) is int
        and codes == set(range(len(codes)))
        and not any(taxonomy.resolve(str(code)) for code in codes)
    ):
        raise DataError(
            f"the labels are the whole numbers 0 to {len(codes) - 1} and none is in the taxonomy: scikit-learn's "
            "voting, stacking and cross_val_predict(method='predict_proba') hand over such numbers in place of labels; "
            "give these a classifier without a taxonomy, or number the labels yourself as the taxonomy's ids do",
            where,
        )


def check_pair(given: Any, name: str, taxonomy: Taxonomy | None, *, where: str, **options: Any) -> Documents:
    """Check a pair (texts, labels), the argument `name`; the rest as for `check_labels`."""
    texts, labels = pair(given, name)
    return Documents(*check_labels(texts, labels, taxonomy, where=where, names=(f"{name}[0]", f"{name}[1]"), **options))


def check_taxonomy(taxonomy: Any) -> None:
    """Refuse what is neither a Taxonomy nor None."""
    if taxonomy is not None and not isinstance(taxonomy, Taxonomy):
        raise ConfigError(
            f"taxonomy is a {type(taxonomy).__name__}: give a hierarchy.Taxonomy (Taxonomy.from_file(path), "
            "Taxonomy.from_data(labels, groups)), or None to have the groups built"
        )


def prepare_documents(
    texts: Any, labels: Any, validation: Any, taxonomy: Taxonomy | None, *, random_state: int, merge_spellings: bool
) -> tuple[Documents, Documents]:
    """Check training and validation documents; cut a validation part where none is given."""
    check_taxonomy(taxonomy)
    merge: dict[str, Any] = {"merge_spellings": merge_spellings}
    train = Documents(*check_labels(texts, labels, taxonomy, where="training documents", **merge))
    if len(set(train.labels)) < 2:
        label = train.labels[0] if taxonomy is None else taxonomy.label_named(train.labels[0])
        raise DataError(f"all training documents have one label ({label!r}): a classifier needs at least two labels")
    if validation is not None:
        known = set(train.labels)
        valid = check_pair(validation, "validation", taxonomy, where="validation documents", known=known, **merge)
        report_unseen(valid.labels, known, taxonomy)
        warn_of_repeats(valid.texts, train, what="validation documents")
        return train, valid
    kept, held_out = stratified_split(train.labels, random_state=random_state, keys=train.keys())
    if not len(held_out):
        raise DataError(
            "no label has 3 documents, so no validation part can be cut: give validation=(texts, labels), or more "
            "documents"
        )
    logger.info("validation: %d of %d training documents, stratified", len(held_out), len(train.labels))
    return train.select(kept), train.select(held_out)


def check_calibration(calibration: Any, taxonomy: Taxonomy | None, words: Mapping[str, Word]) -> Documents:
    """Return calibration documents; refuse before the training what `calibrate` would refuse after it.

    Parameters
    ----------
    calibration
        Texts and labels.
    taxonomy
        Whose labels they must be; None takes those of the training documents.
    words
        Word of each label id.
    """
    where, by_word = "calibration documents", {word: label for label, word in words.items()}
    tree = Taxonomy.from_data(list(words), merge_spellings=False) if taxonomy is None else taxonomy
    return check_pair(calibration, "calibration", tree, where=where, keep_empty=True, words=by_word, report=False)


def label_texts(taxonomy: Taxonomy | None, train: Documents) -> dict[str, str]:
    """Return what an encoder reads of each label, by its id; without a taxonomy that is the id."""
    if taxonomy is None:
        return {label: label for label in sorted(set(train.labels))}
    return {label.id: label.text for label in (*taxonomy.labels, *taxonomy.unplaced)}


def with_label_documents(settings: Settings, taxonomy: Taxonomy | None, train: Documents) -> Documents:
    """Return training documents with the text of each label behind them, unless ``label_documents`` is off."""
    return with_label_texts(train, label_texts(taxonomy, train)) if settings.label_documents else train


def training_documents(settings: Settings, taxonomy: Taxonomy | None, given: Documents) -> Documents:
    """Return what all rows and the coarse stage are trained on: the given documents, label texts, then the copies."""
    return with_copies(with_label_documents(settings, taxonomy, given), settings)


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
        random_state=settings.random_state,
    )


def _to_place(taxonomy: Taxonomy | None, train: Documents) -> Taxonomy | list[Label]:
    return taxonomy if taxonomy is not None else [Label("", label) for label in sorted(set(train.labels))]


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
    from pipelines.training.encoder import load_encoder
    from stages.features import cached_vectors

    try:
        encoder, segmenter = load_encoder(settings, texts, ())
    except UnreadableError as error:
        logger.warning("%s; until then the documents are compared by their n-grams", error)
        return _lexical_vectors(texts, settings)
    return cached_vectors(texts, encoder, segmenter, settings.tokens_per_chunk, folder).pooled()


def _lexical_vectors(texts: Sequence[str], settings: Settings) -> np.ndarray:
    from stages.fine.ngrams import NgramVectorizer, reduced

    return reduced(
        NgramVectorizer(settings.min_df).fit_transform(texts, len(texts)), random_state=settings.random_state
    )


def report_unseen(labels: Sequence[str], known: set[str], taxonomy: Taxonomy | None) -> None:
    """Warn of validation documents whose label the model never answers with.

    Parameters
    ----------
    labels
        Of the validation documents.
    known
        Labels with training documents.
    taxonomy
        Names the labels; None where nothing does.

    Raises
    ------
    DataError
        No validation document has one of the known labels.
    """
    missing = sorted(set(labels) - known)
    if not missing:
        return
    unseen = missing if taxonomy is None else [taxonomy.label_named(label) for label in missing]
    if not known.intersection(labels):
        raise DataError(
            f"no validation document has a label that training documents have (they have {unseen[0]!r}"
            f"{', ...' if unseen[1:] else ''}): give validation documents of the training labels"
        )
    logger.warning(
        "validation documents: %d have labels with no training documents, which are never predicted: %s%s",
        sum(label not in known for label in labels), ", ".join(map(repr, unseen[:5])), " ..." if unseen[5:] else "",
    )  # fmt: skip
