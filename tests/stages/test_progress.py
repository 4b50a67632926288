"""Progress passes items on and says where it is in plain lines."""

import logging
from itertools import count

import pytest

from stages import progress as module
from stages.progress import duration, progress


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.4, "0 s"), (89, "89 s"), (90, "1.5 min"), (5399, "90.0 min"), (5400, "1.5 h")]
)
def test_duration(seconds, written):
    assert duration(seconds) == written


@pytest.mark.parametrize("terminal", [True, False])
def test_items_are_passed_through(monkeypatch, terminal):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: terminal)
    assert list(progress(iter("abc"), total=3, what="work", unit="items")) == ["a", "b", "c"]


def test_lines_with_rate_and_estimate_when_piped(monkeypatch, caplog):
    clock = count(0, 10)
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with caplog.at_level(logging.INFO):
        list(progress(range(7), total=7, what="vectors", unit="shards"))
    assert caplog.messages == [
        "vectors: 1 of 7 shards, 3.0 a minute, about 2.0 min left",
        "vectors: 3 of 7 shards, 4.5 a minute, about 53 s left",
        "vectors: 5 of 7 shards, 5.0 a minute, about 24 s left",
    ]
