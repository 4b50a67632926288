"""Work that a thread does ahead."""

import pytest

from stages.machine import ahead


def test_work_is_done_one_item_ahead_and_fails_where_it_would():
    made = []

    def items():
        for number in range(3):
            made.append(number)
            yield number
        raise KeyError("the fourth")

    following = ahead(items())
    assert made == []
    assert [next(following) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="the fourth"):
        next(following)
    assert list(ahead(iter([]))) == []
