"""Near duplicates are those that the rule says, whatever the blocks."""

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.data.documents import Documents

pytestmark = pytest.mark.usefixtures("benchmarks")


def by_the_rule(texts: list[str], earlier: list[str]) -> np.ndarray:
    """Compare pair by pair, in Python's own sets; words are parted by blanks."""

    def grams(text: str) -> set[tuple[str, ...]]:
        words = text.casefold().split()
        return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()

    def alike(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> bool:
        return bool(a) and len(a & b) / len(a | b) >= 0.8

    return np.array([[alike(grams(text), grams(other)) for other in earlier] for text in texts])


@pytest.fixture
def documents() -> Callable[[int, int], list[str]]:
    """Make documents of 0 to 60 words, each one of a few templates with some words changed."""

    def make(n: int, seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        templates = [np.random.default_rng(t).choice(list("abcdefghijkl"), 60) for t in range(5)]
        texts = []
        for _ in range(n):
            words = templates[rng.integers(5)][: rng.choice([0, 1, 3, 4, 5, 6, 20, 21, 59, 60])].copy()
            words[rng.random(len(words)) < rng.choice([0, 0.01, 0.03])] = "z"
            texts.append(" ".join(words).upper() if rng.random() < 0.5 else " ".join(words))
        return texts

    return make


@pytest.mark.parametrize("pairs_at_once", [1, 200, 10**6])
def test_every_pair_is_found_and_no_other(
    documents: Callable[[int, int], list[str]], monkeypatch: pytest.MonkeyPatch, pairs_at_once: int
) -> None:
    import near_duplicates

    monkeypatch.setattr(near_duplicates, "PAIRS_AT_ONCE", pairs_at_once)
    texts, earlier = documents(60, 0), documents(90, 1)
    expected = by_the_rule(texts, earlier)
    assert 50 < expected.sum() < expected.size / 4
    np.testing.assert_array_equal(near_duplicates.near_duplicates(texts, earlier).toarray(), expected)
    np.testing.assert_array_equal(near_duplicates.near_duplicates(earlier, texts).toarray(), expected.T)


def test_a_share_of_exactly_four_fifths_counts() -> None:
    from near_duplicates import near_duplicates

    words = [f"w{i}" for i in range(13)]  # 9 grams; without the first word 8, all shared, and 10 with one more
    pairs = near_duplicates([" ".join(words[1:])], [" ".join(words), " ".join(["first", *words])])
    np.testing.assert_array_equal(pairs.toarray(), [[True, True]])  # 8 of 9, 8 of 10
    assert not near_duplicates([" ".join(words[2:])], [" ".join(words)]).nnz  # 7 of 9


@pytest.mark.parametrize(
    ("text", "other", "alike"),
    [
        ("", "", False),
        ("... !", "", False),
        ("What's new?", "what s NEW", True),
        ("one two", "one two three", False),
        ("one two three four", "one two three four 0", False),
        ("ｆｕｌｌ width, five words here", "full width five words here", True),
        ("中文沒有空格，也是一樣", "中文沒有空格也是一樣。", True),
        ("中文沒有空格", "中文沒有空白", False),
    ],
)
def test_words_are_compared_folded(text: str, other: str, alike: bool) -> None:
    from near_duplicates import near_duplicates

    assert near_duplicates([text], [other]).toarray().tolist() == [[alike]]


def test_nothing_to_compare_is_no_near_duplicate() -> None:
    from near_duplicates import near_duplicates

    assert near_duplicates(["a b"], []).shape == (1, 0)
    assert near_duplicates([], ["a b"]).shape == (0, 1)


def test_labels_of_training_and_validation_count() -> None:
    from harness import DataSet
    from near_duplicates import counted, near_duplicates_of_test

    train = Documents(["a b c", "a b c", "d e f"], ["x", "y", "x"])
    valid = Documents(["g h i"], ["z"])
    test = Documents(["A B C", "d e f", "g h i", "j k l"], ["x", "y", "z", "z"])
    data = DataSet("tiny", None, train, valid, test)
    pairs = near_duplicates_of_test(data)
    np.testing.assert_array_equal(pairs.indices, [0, 1, 2, 3])
    counts = {"documents": 4, "near_duplicates": 3, "with_the_same_label": 2, "with_another_label": 2}
    assert counted(data, pairs) == counts
    without = DataSet("tiny", None, train, None, test)
    assert counted(without, near_duplicates_of_test(without))["near_duplicates"] == 2
