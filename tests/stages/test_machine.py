"""Work that a thread does ahead."""

import psutil
import pytest
from joblib import delayed

from stages.machine import ahead, end_workers, in_parallel


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


def workers():
    running = psutil.Process().children(recursive=True)
    return [process for process in running if "LokyProcess" in " ".join(process.cmdline())]


def test_workers_end_when_they_are_told_and_others_begin():
    for _ in range(2):
        assert list(in_parallel(2)(delayed(abs)(number) for number in (-1, -2))) == [1, 2]
        assert workers()
        end_workers()
        assert not workers()
    end_workers()
