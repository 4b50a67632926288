"""What a Python caller hands over, checked and completed: texts, labels, and the validation part."""

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import Any

from hierarchy.arguments import pair, refuse_half, same_length, text_column
from hierarchy.errors import ConfigError, DataError
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.characters import healed
from hierarchy.text.escaping import short_repr
from pipelines.data.checks import check_documents
from pipelines.data.documents import Documents, warn_of_repeats
from pipelines.data.label_words import Word, check_words, meanings, words_given
from pipelines.data.splits import stratified_split

logger = logging.getLogger(f"coarsefine.{__name__}")


def check_text(text: Any) -> str:
    """Return one document.

    Raises
    ------
    DataError
        It is no string.
    """
    if not isinstance(text, str):
        raise DataError(f"text is {short_repr(text)} ({type(text).__name__}): give one document, a string")
    return healed(text)


def check_labels(
    texts: Any,
    labels: Any,
    taxonomy: Taxonomy | None,
    *,
    where: str,
    training: bool = False,
    keep_empty: bool = False,
    names: tuple[str, str] = ("texts", "labels"),
    words: Mapping[Word, str] = MappingProxyType({}),
    merge_spellings: bool = True,
    known: Collection[str] = (),
) -> Documents:
    """Find the label id of each document and log what is odd about the data.

    Parameters
    ----------
    texts, labels
        Documents and their labels: ids, names, or whole numbers. `Documents` were checked before and come back.
    taxonomy
        Whose labels they must be; None allows any.
    where
        What the documents are, for messages.
    training
        They are for training: labels with one or two of them are logged.
    keep_empty
        Keep documents without text, as an evaluation must.
    names
        Of the two arguments, for messages.
    words
        Word -> label id, for labels that the taxonomy does not find: what a classifier was fitted with.
    merge_spellings, known
        As for `pipelines.data.checks.check_documents`.

    Returns
    -------
    Documents
        Those that can be used, with the place of each in `texts`.

    Raises
    ------
    DataError
        With every problem at once.
    """
    if isinstance(texts, Documents):
        return texts
    texts, given = text_column(texts, names[0]), check_words(labels, names[1])
    same_length(texts, given, ("texts", "labels"), where)
    if not len(texts):
        raise DataError("there are no documents", where)
    said = [str(word) for word in given]
    for place, label in enumerate(said):
        refuse_half(label, f"{names[1]}[{place}]")
    if taxonomy is not None and not words:
        _refuse_codes(given, taxonomy, where)
    if taxonomy is not None and words:
        text_of = {
            word: text if taxonomy.match(text := str(word)) == match else words[word]
            for word, match in meanings(given, taxonomy, words).items()
        }
        said = [text_of[word] for word in given]
    rows = zip(texts, said, repeat(None), repeat(1))
    checked = check_documents(
        texts, rows, taxonomy, where=where, keep_empty=keep_empty, merge_spellings=merge_spellings, known=known
    )
    for line in checked.report.lines(taxonomy, training=training):
        logger.info("%s: %s", where, line)
    return checked.documents


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


def words_of(
    texts: Any,
    labels: Any,
    *parts: Documents,
    taxonomy: Taxonomy | None,
    by_word: Mapping[Word, str] = MappingProxyType({}),
) -> dict[str, Word]:
    """Find the word of each label, as `words_given` does; of `Documents` that is its id.

    Parameters
    ----------
    texts, labels
        As for `check_labels`.
    parts
        What it made of them.
    taxonomy, by_word
        Tell which words are those of merged labels.
    """
    if isinstance(texts, Documents):
        return {label: label for label in texts.labels}
    words = check_words(labels)
    means = {} if taxonomy is None else meanings(words, taxonomy, by_word)
    return words_given(words, *parts, gone={word for word, match in means.items() if match.merged})


def check_pair(given: Any, name: str, taxonomy: Taxonomy | None, *, where: str, **options: Any) -> Documents:
    """Check a pair (texts, labels), the argument `name`; the rest as for `check_labels`."""
    texts, labels = pair(given, name)
    return check_labels(texts, labels, taxonomy, where=where, names=(f"{name}[0]", f"{name}[1]"), **options)


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
    train = check_labels(texts, labels, taxonomy, where="training documents", training=True, **merge)
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
    return check_pair(calibration, "calibration", tree, where=where, keep_empty=True, words=by_word)


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
