"""JSON of machines: what no writer of ours makes is refused with its cause, and never with another error."""

import json

import pytest

from hierarchy.disk.strict_json import DEEPEST, parse_json


@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**63), 2**63 - 1, 1.5, 1e300, "ä\ud800", [], {}, {"a": [{"b": None}]}, ["a"] * 1000]
)
def test_what_json_writes_is_read(value):
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"\xff", "can't decode"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"", "Expecting value"),
        (b"{", "Expecting"),
        (b"[1] 2", "Extra data"),
        (b'"\x00"', "control character"),
        (b"[NaN]", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"1e400", "1e400 is too large"),
        (b"1" * 5000, r"1111\.\.\. of 5000 characters is too large"),
        (b"-" + b"1" * 5000, "is too large"),
        (str(2**63).encode(), "is too large"),
        (b'{"a": 1, "b": 2, "a": 1}', "'a' stands twice"),
        (b'[{"a": {"b": 1, "b": 1}}]', "'b' stands twice"),
        (b"[" * 100_000, "deep"),
        (b"[" * 100_000 + b"]" * 100_000, "deep"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "deep"),
    ],
)
def test_what_is_refused(content, cause):
    with pytest.raises(ValueError, match=cause):
        parse_json(content)


def test_the_deepest_that_is_read():
    assert parse_json(b"[" * DEEPEST + b"]" * DEEPEST)
    with pytest.raises(ValueError, match="deep"):
        parse_json(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))
