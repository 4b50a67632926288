"""Parts documents into folds for cross-validation: by label, and by source where documents share one."""

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from hierarchy.arguments import column, is_missing
from hierarchy.errors import DataError
from hierarchy.measuring.probe import fold_of
from pipelines.data.splits import stratified_split

PARTS = 10  # of a fold's training side, one of which is its validation part, where documents share sources


def deal_folds(
    labels: Sequence[str], folds: int, *, random_state: int = 0, sources: Sequence[str | None] | None = None
) -> np.ndarray:
    """Give each document a fold, so that each fold has its share of each label.

    A label with fewer documents than folds is spread over as many folds as it has documents. The document of a label
    that has only one is tested in one fold, whose model does not know the label, and trained on in the others.

    Parameters
    ----------
    labels
        The label of each document.
    folds
        How many.
    random_state
        Of the order within a label.
    sources
        Documents with the same one stay together, so that labels are shared out as well as that allows
        (scikit-learn's ``StratifiedGroupKFold``); a document whose source is None or empty stands alone. None deals
        document by document.

    Returns
    -------
    numpy.ndarray
        (documents,) from 0 to folds - 1; no fold is empty.

    Raises
    ------
    DataError
        There are fewer than two folds, or fewer documents or sources than folds, or one source leaves a fold empty.
    """
    if folds < 2:
        raise DataError(f"{folds} folds: cross-validation needs two or more, for example folds=5")
    if len(labels) < folds:
        raise DataError(f"{len(labels)} documents cannot make {folds} folds: use fewer folds, or more documents")
    codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1].reshape(-1)
    if sources is None:
        return fold_of(codes, folds, random_state)
    numbers = number_sources(sources)
    if len(numbers) != len(labels):
        raise DataError(f"{len(labels)} documents and {len(numbers)} sources: one source belongs to each document")
    n_sources = int(numbers.max()) + 1
    if n_sources < folds:
        raise DataError(f"{n_sources} sources cannot make {folds} folds: use at most {n_sources} folds")
    fold = _deal_sources(codes, numbers, folds, random_state)
    if len(np.unique(fold)) < folds:
        raise DataError(f"a large source leaves one of {folds} folds without documents: use fewer folds")
    return fold


def cut_fold_validation(
    labels: Sequence[str], *, random_state: int = 0, sources: Sequence[str | None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a validation part, about a tenth, from the training side of a fold.

    Parameters
    ----------
    labels
        The label of each document.
    random_state
        Decides the draw.
    sources
        None cuts as `stratified_split` does. With sources, each stays on one side, and a source without which a
        label would have no training document stays in training.

    Returns
    -------
    training, validation : numpy.ndarray
        Sorted positions; together every document once.

    Raises
    ------
    DataError
        No document or no source can be spared.
    """
    if sources is None:
        kept, cut = stratified_split(labels, 1 / PARTS, random_state)
        if not len(cut):
            raise DataError(
                "no label has 3 documents in a fold's training part: nothing is left for validation; give more "
                "documents of each label, or more folds"
            )
        return kept, cut
    codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)[1].reshape(-1)
    numbers = number_sources(sources)
    parts = min(PARTS, int(numbers.max()) + 1, int(np.bincount(codes).max()))
    cut = np.zeros(len(codes), dtype=bool)
    if parts > 1:
        part = _deal_sources(codes, numbers, parts, random_state)
        cut = part == part.min()
    for source in np.unique(numbers[cut]).tolist():
        own = numbers == source
        if not np.isin(codes[own], codes[~cut]).all():
            cut[own] = False
    if not cut.any():
        raise DataError(
            "no source can be spared for validation: each has a label that no other source of the fold's training part "
            "has; use more folds, or documents from more sources"
        )
    return np.flatnonzero(~cut), np.flatnonzero(cut)


def check_sources(sources: Any, name: str = "sources") -> list[str | None]:
    """Return the source of each document as text, None where there is none (None, NaN or empty).

    Raises
    ------
    DataError
        They are no column of text or whole numbers.
    """
    found: list[str | None] = []
    for place, source in enumerate(column(sources, name)):
        if is_missing(source):
            found.append(None)
        elif isinstance(source, str | Integral):
            found.append(str(source))
        else:
            raise DataError(
                f"{name}[{place}] is {source!r} ({type(source).__name__}): sources are text or whole numbers, None "
                "where a document stands alone"
            )
    return found


def number_sources(sources: Sequence[str | None]) -> np.ndarray:
    """Give each source a number, (documents,) in the order in which they come; None and empty ones count apart."""
    known: dict[str | int, int] = {}
    keys = (place if source is None or source == "" else source for place, source in enumerate(sources))
    return np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int64, count=len(sources))


def _deal_sources(codes: np.ndarray, numbers: np.ndarray, folds: int, random_state: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold

    most = int(np.bincount(codes).max())
    if most < folds:
        raise DataError(
            f"no label has {folds} documents (the largest has {most}), so sources cannot be shared out by label: use "
            f"{most} folds" if most > 1 else "every label has one document: nothing can be trained and tested"
        )  # fmt: skip
    fold = np.full(len(codes), -1, dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # labels with fewer documents than folds, which are told elsewhere
        for number, (_, tested) in enumerate(splitter.split(codes, codes, numbers)):
            fold[tested] = number
    return fold
