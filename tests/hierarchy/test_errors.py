"""Errors: what one says is the same wherever it comes from."""

import pickle

import pytest

from hierarchy.errors import BusyError, ConfigError, DataError, EncoderError, combined


@pytest.mark.parametrize(
    "error",
    [
        BusyError("one"),
        DataError(["one", "two"], "file.csv", "is it a taxonomy?"),
        EncoderError("a value with\na line break", "folder"),
        combined([ConfigError(["one", "two"], "a"), DataError("three", "b")]),
    ],
)
def test_an_error_comes_out_of_a_worker_process_as_it_went_in(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert (str(again), again.problems, again.where, again.hint) == (
        str(error), error.problems, error.where, error.hint,
    )  # fmt: skip
