"""The words that a caller says labels with: ids, names or whole numbers.

The model knows ids; `predict` answers in words. A word is what `fit` was given for a label; a model keeps the words
that differ from its ids (`Model.words`).
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from hierarchy.arguments import column, same_length
from hierarchy.errors import DataError
from hierarchy.matching import Match
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.wording import some
from pipelines.data.documents import Documents

logger = logging.getLogger(f"coarsefine.{__name__}")

Word: TypeAlias = str | int  # truth values are whole numbers
UNKNOWN, RETIRED = -1, -2  # places of labels that a model lacks, and of those that the tree retired
KINDS = {str: "text", int: "whole numbers", bool: "truth values"}


def check_words(labels: Any, name: str = "labels") -> list[Word]:
    """Return the label of each document as plain text, whole number or truth value.

    Raises
    ------
    DataError
        It is no column of labels; a label is something else, or not of one kind with the first.
    """
    words = [_plain(label) for label in column(labels, name)]
    for place, word in enumerate(words):
        if type(word) not in KINDS:
            raise DataError(
                f"{name}[{place}] is {word!r} ({type(word).__name__}): labels are text or whole numbers: convert it "
                "with str(...) or int(...), or leave the document out"
            )
        if type(word) is not type(words[0]):
            raise DataError(
                f"{name}[0] is {words[0]!r} ({KINDS[type(words[0])]}) and {name}[{place}] is {word!r} "
                f"({KINDS[type(word)]}): labels are of one kind: convert them with str(...)"
            )
    return words


def words_given(labels: Sequence[Word], *parts: Documents, gone: Collection[Word] = ()) -> dict[str, Word]:
    """Find the word of each label id: the one that was given most, not counting blanks around it.

    Parameters
    ----------
    labels
        The words of all documents.
    parts
        Documents with their ids, and with the places of their words as rows.
    gone
        Words of labels that were merged into others, for which they do not stand.

    Returns
    -------
    dict[str, Word]
        Of every label that has a document. Of equally common words the id itself or the first in order; with blanks
        around it only where it was never given without. Of a label that has only words that are gone its id, as a
        number where words are numbers and it is one.
    """
    counts: Counter[tuple[str, Word]] = Counter()
    for part in parts:
        rows = range(len(part.labels)) if part.rows is None else part.rows.tolist()
        counts.update((label, labels[row]) for label, row in zip(part.labels, rows, strict=True))
    bare: Counter[tuple[str, Word]] = Counter()
    for (label, word), documents in counts.items():
        bare[label, _bare(word)] += documents

    def rank(key: tuple[str, Word]) -> tuple[Any, ...]:
        label, word = key
        core = _bare(word)
        return -bare[label, core], core != label, core, word != core, -counts[key], word

    found: dict[str, Word] = {}
    for label, word in sorted(counts, key=rank):
        if word not in gone:
            found.setdefault(label, word)
    for label, word in counts:
        if label not in found:
            found[label] = label if isinstance(word, str) else int(label) if label.isdecimal() else word
    return found


def joined_words(
    before: Mapping[str, Word], now: Mapping[str, Word], label_ids: Sequence[str], taxonomy: Taxonomy
) -> dict[str, Word]:
    """Keep the words of a model whose labels changed, and take words for new ones and for those with another name.

    Parameters
    ----------
    before, now
        Word of each label of the model, and of the documents that it was fitted again with.
    label_ids, taxonomy
        Of the model afterwards.

    Returns
    -------
    dict[str, Word]
        Words that differ from their ids. None where the two are of different kinds, or say different things by one
        word: then ids stand.
    """
    old = {label for label, word in before.items() if taxonomy.resolve(str(word)) != label}  # names before an edit
    renamed = {label: word for label, word in now.items() if label in old and word != label}
    for words in ({**now, **before, **renamed}, {**before, **now}):
        spoken = {label: words[label] for label in label_ids if label in words}
        clear = all(taxonomy.resolve(str(word)) in (None, label) for label, word in spoken.items())
        if clear and not word_problem(spoken, label_ids):
            return differing(spoken, label_ids)
    return {}


def differing(words: Mapping[str, Word], label_ids: Sequence[str]) -> dict[str, Word]:
    """Return the words of some labels that are other than their ids: what a model keeps."""
    return {label: words[label] for label in label_ids if words.get(label, label) != label}


def word_problem(words: Mapping[str, Any], label_ids: Sequence[str]) -> str:
    """Say what is wrong with the words of some labels; empty where nothing is."""
    unknown = sorted(set(words) - set(label_ids))
    if unknown:
        return f"{unknown[0]!r} is no label of the model"
    spoken = [words.get(label, label) for label in label_ids]
    kinds = {type(word) for word in spoken}
    if len(kinds) > 1 or not kinds <= set(KINDS):
        return "they are not all text, or all whole numbers"
    if len(set(spoken)) < len(spoken):
        return "one word stands for two labels"
    return ""


def sorted_words(spoken: Mapping[str, Word]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Sort the labels of a model by what is said for them.

    Parameters
    ----------
    spoken
        Label id -> word, in the order of the model's columns.

    Returns
    -------
    tuple
        (labels,) words; (labels,) the column of each; the label id of each.
    """
    ids, words = list(spoken), list(spoken.values())
    columns = sorted(range(len(words)), key=words.__getitem__)
    return np.array([words[column] for column in columns]), np.array(columns), [ids[column] for column in columns]


def meanings(words: Iterable[Word], taxonomy: Taxonomy, by_word: Mapping[Word, str]) -> dict[Word, Match]:
    """Find what each word means.

    Parameters
    ----------
    words
        Ids, names or whole numbers.
    taxonomy
        Its ids and names come first, so that a name that has gone to another label means that one.
    by_word
        Word -> label id, of what a classifier was fitted with.

    Returns
    -------
    dict[Word, Match]
        Of each word. Labels that were merged or retired since the fit are followed.
    """
    found: dict[Word, Match] = {}
    for word in dict.fromkeys(words):
        match = found[word] = taxonomy.match(str(word))
        if match == Match() and word in by_word:
            by_id = taxonomy.match(by_word[word])
            if by_id.merged or by_id.retired or by_id.id == by_word[word]:
                found[word] = by_id
    return found


def known_places(
    texts: Sequence[str], labels: Any, taxonomy: Taxonomy, by_word: Mapping[Word, str], known: Sequence[str]
) -> np.ndarray:
    """Find the place of each label among those that a model answers with.

    Parameters
    ----------
    texts, labels
        Documents and their labels in words.
    taxonomy, by_word
        As for `meanings`.
    known
        Ids that the model answers with.

    Returns
    -------
    numpy.ndarray
        (documents,) the place; -1, which is told, of a label that the model lacks, -2, which is told too, of one that
        was retired.

    Raises
    ------
    DataError
        There are no documents, all have retired labels, or there is not one label a document.
    """
    words = check_words(labels)
    same_length(texts, words, ("texts", "labels"))
    if not len(texts):
        raise DataError("there are no documents to score")
    place: dict[str | None, int] = {label: i for i, label in enumerate(known)}
    means = meanings(words, taxonomy, by_word)
    of_word = {word: RETIRED if match.retired else place.get(match.id, UNKNOWN) for word, match in means.items()}
    places = np.array([of_word[word] for word in words])
    for what, told in (
        (UNKNOWN, "count as wrong, having labels that the model does not know"),
        (RETIRED, "are left out, having labels that were retired"),
    ):
        if number := int((places == what).sum()):
            said = sorted(repr(word) for word in of_word if of_word[word] == what)
            logger.warning("%d of %d documents %s: %s", number, len(places), told, some(said))
    if (places == RETIRED).all():
        raise DataError("no document is left: all have labels that were retired; give others")
    return places


def _bare(word: Word) -> Word:
    return word.strip() if isinstance(word, str) else word


def _plain(label: Any) -> Any:
    """Return numbers of numpy and members of enumerations as what they are."""
    if isinstance(label, np.generic):
        return label.item()
    if isinstance(label, str):
        return str.__str__(label)
    return int(label) if isinstance(label, int) and not isinstance(label, bool) else label
