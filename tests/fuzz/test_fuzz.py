"""A minute of the fuzzer, over all targets, with the same inputs each time; `make fuzz` tries more of them."""

from collections.abc import Iterator

import pytest

from fuzz.targets import TARGETS
from fuzz.workers import Worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process of its own: an input may kill it."""
    worker = Worker()
    yield worker
    worker.stop()


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_taken_wrongly(worker: Worker, name: str) -> None:
    tried = {number: worker.try_case(name, number) for number in range(1, TARGETS[name].in_suite + 1)}
    wrong = {outcome.key: (number, outcome) for number, outcome in tried.items() if outcome.result == "finding"}
    told = [f"--target {name} --case {number}: {one.case[:500]}\n{one.detail}" for number, one in wrong.values()]
    assert not wrong, "\n".join(told)
