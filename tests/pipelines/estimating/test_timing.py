"""A straight line from growing amounts of work to the whole."""

import logging

import pytest

from pipelines.estimating import timing
from pipelines.estimating.timing import Pace, of_a_sample, pace_of


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only work moves on."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def working(clock, seconds):
    """Work that takes so many seconds for an amount, with the amounts that were done."""
    done = []

    def work(amount):
        done.append(amount)
        clock[0] += seconds(amount)

    return work, done


@pytest.mark.parametrize(("fixed", "each"), [(0.5, 0.01), (0.0, 0.25), (3.0, 0.001), (0.0, 1e-6)])
def test_it_finds_what_is_fixed_and_what_grows(clock, fixed, each):
    work, _ = working(clock, lambda amount: fixed + each * amount)
    pace = pace_of(work, 10**9)
    assert pace.seconds(10**6) == pytest.approx(fixed + each * 10**6, rel=0.01, abs=1e-3)
    assert clock[0] < 40 * timing.ENOUGH  # what it takes itself


def test_the_first_time_does_not_count(clock):
    work, done = working(clock, lambda amount: 0.1 * amount + (60 if not done[1:] else 0))
    assert pace_of(work, 100).seconds(10) == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_no_more_is_done_than_there_is(clock, most):
    work, done = working(clock, lambda amount: 0.001 * amount)
    pace = pace_of(work, most)
    assert max(done) == most
    assert pace.seconds(most) == pytest.approx(0.001 * most)


def test_work_that_gets_quicker_is_not_taken_for_negative(clock):
    work, _ = working(clock, lambda amount: 1 / amount)
    pace = pace_of(work, 50)
    assert pace.each >= 0
    assert pace.fixed >= 0


def test_of_a_sample_only_warnings_are_told(caplog):
    caplog.set_level(logging.INFO, "coarsefine")
    ours = logging.getLogger("coarsefine.pipelines")
    with of_a_sample():
        ours.info("2 rows")
        ours.warning("a document is odd")
    ours.info("600 rows")
    assert [record.message for record in caplog.records] == ["a document is odd", "600 rows"]


def test_a_pace_is_a_line():
    assert Pace(2.0, 0.5).seconds(10) == 7
