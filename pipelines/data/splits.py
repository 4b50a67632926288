"""Cuts validation data from training data, and tells whether two sets of documents are the same."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from hierarchy.errors import DataError

FEWEST = 3  # a label with fewer documents stays in training as a whole
KEPT = 2  # documents of each label that training keeps in any case


def stratified_split(
    labels: Sequence[str], fraction: float = 0.1, random_state: int = 0, *, keys: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a part from labelled documents, with every label in it by its share.

    A label with n documents is owed `fraction` · n of them, and at most n - 2. It gives that number rounded
    down or up; which one is drawn by systematic sampling over the labels in random order (Madow 1949), so
    that a label of 4 documents gives one in 4 out of 10 cases, and the sum is right to within one document.

    Parameters
    ----------
    labels
        The label of each document.
    fraction
        The share to cut, of the documents whose labels have 3 or more.
    random_state
        Decides the draw; the same seed and labels give the same parts.
    keys
        (documents,) what documents with the same text have in common. A document that was drawn for validation while
        its repetition stayed in training goes back there, unless none would be left; None compares no texts.

    Returns
    -------
    training, validation : numpy.ndarray
        Sorted positions, int64; together every document once. Validation has at least one document where any
        label has 3.

    Raises
    ------
    DataError
        Where `fraction` does not lie between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise DataError(f"fraction={fraction!r}: the part to cut must lie between 0 and 1, for example 0.1")
    code_of = {label: code for code, label in enumerate(sorted(set(labels)))}
    codes = np.fromiter((code_of[label] for label in labels), np.int64, count=len(labels))
    sizes = np.bincount(codes, minlength=len(code_of))
    rng = np.random.default_rng(random_state)

    drawn = rng.permutation(np.flatnonzero(sizes >= FEWEST))
    owed = np.minimum(fraction * sizes[drawn], sizes[drawn] - KEPT)
    reached = np.floor(np.cumsum(owed) + rng.random())
    # Rounding of the running sum must not take more from a label than it may give.
    given = np.minimum(np.diff(reached, prepend=0.0).astype(np.int64), sizes[drawn] - KEPT)
    if len(given) and not given.any():
        given[0] = 1
    take = np.zeros(len(code_of), np.int64)
    take[drawn] = given

    shuffled = rng.permutation(len(codes))
    by_label = shuffled[np.argsort(codes[shuffled], kind="stable")]
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.arange(len(codes)) - first  # (documents,) place of each among those of its label
    cut = rank < take[codes[by_label]]
    kept, held_out = np.sort(by_label[~cut]), np.sort(by_label[cut])
    if keys is None:
        return kept, held_out
    repeated = np.isin(keys[held_out], keys[kept])
    if repeated.all():
        return kept, held_out
    return np.sort(np.concatenate([kept, held_out[repeated]])), held_out[~repeated]


def fingerprint(texts: Iterable[str], labels: Iterable[str | None]) -> str:
    """Return the SHA-256 of documents and labels in their order; nothing but the current one is in memory.

    Parameters
    ----------
    texts
        Documents.
    labels
        The label of each; None where it has none.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for text, label in zip(texts, labels, strict=True):
        for part in (text, label):
            # The length before each part keeps ("ab", "c") apart from ("a", "bc").
            encoded = b"" if part is None else part.encode("utf-8", "surrogatepass")
            digest.update((-1 if part is None else len(encoded)).to_bytes(8, "little", signed=True))
            digest.update(encoded)
    return digest.hexdigest()
