"""Near duplicates: test documents whose text the model has seen, almost word for word, in training or validation.

Two documents are near duplicates where the Jaccard index of their sets of word 5-grams (shared ones by all of either)
is at least 0.8. Words are runs of letters and digits, or single characters of scripts without spaces, after case and
width are folded. A document of fewer than five words is one gram, so that it repeats only its own words; one without
words is nobody's near duplicate. Every pair is compared: nothing is sampled or sketched.

Example: python benchmarks/near_duplicates.py usajobs_questions dc_code clinc150
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from harness import DataSet, load_data, make_parser, prepare, print_table, write_record
from scipy import sparse

from stages.fine.ngrams import UNSPACED, fold

WORDS_OF_A_GRAM = 5
LEAST_JACCARD = 0.8
PAIRS_AT_ONCE = 4_000_000  # bounds the memory: a product of two blocks holds 12 bytes for each pair that shares a gram
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


def main() -> None:
    """Count the near duplicates among the test documents of some data sets."""
    parser = make_parser(__doc__, "near_duplicates")
    parser.add_argument("datasets", nargs="+", help="folders under --data")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    run = prepare(options, "near_duplicates")
    figures = {}
    for name in options.datasets:
        data = load_data(name, options.data, cache=run / "documents", limit=options.documents)
        figures[name] = counted(data, near_duplicates_of_test(data))
    print_table(
        "Test documents",
        ("data", "all", "near duplicates", "of one with the same label", "of one with another"),
        [(name, *map(str, of_set.values())) for name, of_set in figures.items()],
    )
    write_record(options, figures)


def near_duplicates(texts: Sequence[str], earlier: Sequence[str]) -> Any:
    """Compare every text with every earlier one.

    Parameters
    ----------
    texts, earlier
        Documents.

    Returns
    -------
    scipy.sparse.csr_array
        (texts, earlier) bool, true where the two are near duplicates.
    """
    numbers: dict[str, int] = {}
    sets, earlier_sets = ([gram_set(text, numbers) for text in part] for part in (texts, earlier))
    grams = np.unique(np.concatenate([*earlier_sets, _LARGEST]))
    # By size: sets of which one has over 1 / 0.8 times the grams of the other cannot be near duplicates.
    order, earlier_order = (np.argsort([len(one) for one in part], kind="stable") for part in (sets, earlier_sets))
    rows, columns = _indicators(sets, order, grams), _indicators(earlier_sets, earlier_order, grams)
    sizes, earlier_sizes = (
        np.array([len(part[i]) for i in by_size], dtype=np.int64)
        for part, by_size in ((sets, order), (earlier_sets, earlier_order))
    )
    found = []  # (2, pairs) places
    block = max(1, PAIRS_AT_ONCE // max(1, len(earlier)))
    for start in range(0, len(texts), block):
        own = slice(start, min(start + block, len(texts)))
        # A gram more on either side than the bound says, for its rounding.
        bounds = LEAST_JACCARD * sizes[own][0] - 1, sizes[own][-1] / LEAST_JACCARD + 1
        near = slice(*np.searchsorted(earlier_sizes, bounds))
        shared = (rows[own] @ columns[near].T).tocoo()
        either = sizes[own][shared.row] + earlier_sizes[near][shared.col] - shared.data
        alike = shared.data / either >= LEAST_JACCARD
        found.append(np.stack([order[own][shared.row[alike]], earlier_order[near][shared.col[alike]]]))
    pairs = np.concatenate([*found, np.empty((2, 0), np.int64)], axis=1)
    return sparse.csr_array((np.ones(pairs.shape[1], dtype=bool), tuple(pairs)), shape=(len(texts), len(earlier)))


def gram_set(text: str, numbers: dict[str, int]) -> np.ndarray:
    """Return the word 5-grams of a text as sorted hashes, (grams,) uint64.

    Parameters
    ----------
    text
        The document.
    numbers
        Word -> its number, from 1; new words are added. Sets can be compared where they were made with the same one.
        Two different grams have the same hash with a chance of 1 in 10^19.
    """
    words = [numbers.setdefault(word, len(numbers) + 1) for word in WORD.findall(fold(text))]
    if not words:
        return np.empty(0, np.uint64)
    words += [0] * (WORDS_OF_A_GRAM - len(words))  # no word has the number 0
    runs = np.lib.stride_tricks.sliding_window_view(np.array(words, dtype=np.uint64), WORDS_OF_A_GRAM)
    return np.unique(runs @ _MULTIPLIERS)  # modulo 2^64


_MULTIPLIERS = np.random.default_rng(0).integers(2**64, size=WORDS_OF_A_GRAM, dtype=np.uint64) | np.uint64(1)
_LARGEST = np.array([2**64 - 1], dtype=np.uint64)  # behind all grams, so that each finds a place


def _indicators(sets: Sequence[np.ndarray], order: np.ndarray, grams: np.ndarray) -> Any:
    """Which of the sorted grams stand in each set, in some order: sparse (sets, grams) of ones."""
    known = []
    for i in order:
        at = np.searchsorted(grams, sets[i])
        known.append(at[grams[at] == sets[i]])
    starts = np.cumsum([0, *map(len, known)])
    column = np.concatenate([*known, np.empty(0, np.int64)])
    return sparse.csr_array((np.ones(len(column), np.int32), column, starts), shape=(len(sets), len(grams)))


def near_duplicates_of_test(data: DataSet) -> Any:
    """Compare the test documents with those of training, then validation: (test, training + validation) bool."""
    return near_duplicates(data.test.texts, [text for part in _seen(data) for text in part.texts])


def counted(data: DataSet, pairs: Any) -> dict[str, int]:
    """Count test documents, those with a near duplicate, and those with one of the same and of another label.

    Parameters
    ----------
    data
        The data set.
    pairs
        As `near_duplicates_of_test` gives them. A document may have near duplicates of both kinds.
    """
    labels, seen = np.array(data.test.labels), np.array([label for part in _seen(data) for label in part.labels])
    row, column = pairs.nonzero()
    same = labels[row] == seen[column]
    kinds = {"near_duplicates": row, "with_the_same_label": row[same], "with_another_label": row[~same]}
    return {"documents": len(labels), **{kind: len(np.unique(rows)) for kind, rows in kinds.items()}}


def _seen(data: DataSet) -> list[Any]:
    return [part for part in (data.train, data.valid) if part is not None]


if __name__ == "__main__":
    main()
