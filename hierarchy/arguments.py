"""What a Python caller hands over as one column of values: lists, arrays, series, tables of one column, and no others.

Whatever can be iterated is not yet a column: a table gives the names of its columns, a mapping its keys, a set has no
order, and a generator can be read once. Those are refused in one sentence with the remedy. No library of tables is
imported; its objects are known by what they can do.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence, Set
from functools import wraps
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

import numpy as np

from hierarchy.errors import ConfigError, DataError
from hierarchy.text.characters import has_half, healed, is_blank
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import suggestion

P = ParamSpec("P")
R = TypeVar("R")

LARGEST = 10**9  # of whole numbers: what counts more does not fit into memory
NAMED = 5  # columns or keys that a message names


def known_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function, or a class's ``__init__``, so that a wrong keyword is told with the one that was meant."""
    names = list(inspect.signature(function).parameters)

    @wraps(function)
    def checked(*args: P.args, **keywords: P.kwargs) -> R:
        for word in keywords:
            if word not in names:
                title = type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__
                raise TypeError(f"{title}() has no argument {word!r}: {suggestion(word, names)}")
        return function(*args, **keywords)

    return checked


def column(values: Any, name: str) -> Sequence[Any]:
    """Return values as a sequence that can be read again and in parts.

    Parameters
    ----------
    values
        A list, a tuple or another sequence; an array of one dimension or of one column; a series, an index, a
        categorical; an Arrow array; a table of one column. Arrays and series give plain Python values; a column of a
        dataset stays on disk.
    name
        Of the argument, for messages.

    Raises
    ------
    DataError
        It is no column; says what it is, and what to give.
    """
    if isinstance(values, list | tuple):
        return values
    if values is None or isinstance(values, str | bytes | bytearray | memoryview):
        raise DataError(f"{name} is {_alone(values)}")
    columns = _columns(values)
    if columns is not None:
        return column(values[_only(columns, values, name)], name)
    if hasattr(values, "tolist") and hasattr(values, "ndim"):
        return _from_array(values, name)
    for method in ("tolist", "to_pylist", "to_list"):  # arrays of pandas, of Arrow, and series of polars
        if hasattr(values, method) and hasattr(values, "__len__"):
            return list(getattr(values, method)())
    if isinstance(values, Sequence):
        return _with_slices(values)
    raise DataError(f"{name} is {_no_column(values, name)}")


def text_column(values: Any, name: str, *, wanted: str = "a string: leave it out or fill it in") -> Sequence[str]:
    """Return a column of texts, as for `column`; half a character, at which a tokenizer would stop, is healed.

    Raises
    ------
    DataError
        It is no column, or an item is no string.
    """
    texts = column(values, name)
    broken = False
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"{name}[{place}] is {short_repr(text)} ({type(text).__name__}), not {wanted}")
        broken = broken or has_half(text)
    return [healed(text) for text in texts] if broken else texts


def same_length(first: Sequence[Any], second: Sequence[Any], names: tuple[str, str], where: str = "") -> None:
    """Refuse two columns that do not belong together.

    Parameters
    ----------
    first, second
        One value of each belongs to each document.
    names
        What they hold, in the plural.
    where
        What the documents are, for the message.

    Raises
    ------
    DataError
        Their lengths differ.
    """
    if len(first) != len(second):
        of_each, each = names[1].removesuffix("s"), names[0].removesuffix("s")
        raise DataError(
            f"{len(first)} {names[0]} and {len(second)} {names[1]}: one {of_each} belongs to each {each}", where
        )


def label_column(labels: Any, name: str) -> list[str]:
    """Return a column of labels, or groups, as text; as for `column` and `label_text`."""
    return [label_text(label, name, place) for place, label in enumerate(column(labels, name))]


def label_text(label: Any, name: str, place: int) -> str:
    """Return a label, or group, of a column as text.

    Raises
    ------
    DataError
        It is neither text nor a whole number.
    """
    if isinstance(label, str | Integral):
        return str(label)
    raise DataError(
        f"{name}[{place}] is {label!r} ({type(label).__name__}): labels are text or whole numbers: convert it with "
        "str(...), or leave it out"
    )


def refuse_half(name: str, where: str) -> None:
    """Raise a DataError where a label, group or id holds half a character.

    Parameters
    ----------
    name
        The label, group or id; healed, it might be taken for another.
    where
        It stands, for the message.
    """
    if has_half(name):
        raise DataError(f"{where} holds {name!a}, with half a character, as a broken escape leaves it: write it whole")


def is_missing(value: Any) -> bool:
    """Whether a value of a column stands for none: None, NaN, or text without a character."""
    if isinstance(value, str):
        return is_blank(value)
    # pandas marks missing text with None, NaN or <NA>, by version and by column type.
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>"


def pair(values: Any, name: str) -> tuple[Any, Any]:
    """Return the two parts of a pair (texts, labels).

    Raises
    ------
    DataError
        It is no tuple or list of two.
    """
    if isinstance(values, tuple | list) and len(values) == 2:
        return values[0], values[1]
    what = _article(type(values).__name__)
    size = f" of {len(values)}" if isinstance(values, tuple | list) else ""
    raise DataError(f"{name} is {what}{size}: give a pair, {name}=(texts, labels)")


def document_columns(documents: Any) -> tuple[Any, list[str]] | None:
    """Return what a builder is told of documents as columns of one length.

    Parameters
    ----------
    documents
        A pair (texts or vectors, labels), or None.

    Returns
    -------
    tuple
        The same; vectors, (documents, dimensions), stay as they are.

    Raises
    ------
    DataError
        One of them is no column, or they differ in number.
    """
    if documents is None:
        return None
    contents, labels = pair(documents, "documents")
    if isinstance(contents, np.ndarray) and contents.dtype.kind in "fiu":
        _check_vectors(contents)
    else:
        contents = text_column(
            contents, "documents[0]", wanted="a string; vectors are a numpy array (documents, dimensions)"
        )
    said = label_column(labels, "documents[1]")
    same_length(contents, said, ("documents", "labels"))
    return contents, said


def is_whole(value: Any, least: int, most: int = LARGEST) -> bool:
    """Whether a value is a whole number, not true or false, within limits."""
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most


def whole_number(value: Any, name: str, *, least: int = 1, most: int = LARGEST) -> int:
    """Return a whole number.

    Raises
    ------
    ConfigError
        It is none, less than `least`, or more than `most`.
    """
    if is_whole(value, least, most):
        return int(value)
    limit = f"{least} up, to a billion at most" if most == LARGEST else f"{least} to {most:,}"
    raise ConfigError(f"{name} is {short_repr(value)}: give a whole number from {limit}")


def _check_vectors(vectors: np.ndarray) -> None:
    if vectors.ndim != 2:
        raise DataError(f"documents[0] is an ndarray of shape {vectors.shape}: vectors are (documents, dimensions)")
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise DataError(f"documents[0][{bad[0]}] holds NaN or infinity: leave the document out")


def _alone(value: Any) -> str:
    if value is None:
        return "None: give a list"
    return f"a single {'string' if isinstance(value, str) else type(value).__name__}: put it into a list"


def _columns(values: Any) -> list[Any] | None:
    """Return the names of a table's columns, None where it is no table."""
    if isinstance(values, Mapping) or not hasattr(values, "__len__"):  # a lazy or streamed table has no length
        return None
    for attribute in ("column_names", "columns"):
        names = getattr(values, attribute, None)
        if names is not None and not callable(names):
            return list(names)
    return None


def _only(names: list[Any], table: Any, name: str) -> Any:
    if len(names) == 1:
        return names[0]
    what = _article(type(table).__name__)
    if not names:
        raise DataError(f"{name} is {what} without columns: give a list")
    example = f"{name}[{names[0]!r}]" if len(set(names)) == len(names) else f"{name}.iloc[:, 0]"
    raise DataError(f"{name} is {what} with the columns {_listed(names)}: give one of them, {example}")


def _from_array(values: Any, name: str) -> list[Any]:
    """Give the values of an array or series of one dimension or one column."""
    if values.ndim == 1:
        return list(values.tolist())
    what = _article(type(values).__name__)
    shape = tuple(int(size) for size in values.shape)
    if values.ndim == 0:
        raise DataError(f"{name} is {what} of one value and no dimension: put it into a list")
    if values.ndim == 2 and shape[1] == 1:
        return list(np.asarray(values).reshape(-1).tolist())
    one = f"its row, {name}[0]" if shape[0] == 1 and len(shape) == 2 else f"one column, for example {name}[:, 0]"
    raise DataError(f"{name} is {what} of shape {shape}: give {one}")


def _with_slices(values: Sequence[Any]) -> Sequence[Any]:
    try:
        values[0:0]
    except (TypeError, ValueError, KeyError):  # a deque, for one
        return list(values)
    return values


def _no_column(values: Any, name: str) -> str:
    what = _article(type(values).__name__)
    if isinstance(values, Mapping):
        if not values:
            return f"{what} without keys: give a list"
        return f"{what} with the keys {_listed(list(values))}: give one of its values, {name}[{next(iter(values))!r}]"
    if isinstance(values, Set):
        return f"{what}, which has no order: give a list"
    if hasattr(values, "__next__"):
        return f"{what}, which can be read only once: give list({name})"
    if hasattr(values, "__iter__"):
        return f"{what}, which is no sequence: give list({name})"
    return f"{what}: give a list"


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' or noun == 'ndarray' else 'a'} {noun}"


def _listed(names: Sequence[Any]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more
