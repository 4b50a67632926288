"""What ends a training by processes of Ray, and what does not: no Ray is begun here."""

import logging
import time
from queue import Queue

import pytest

from hierarchy.errors import ConfigError, DataError, WorkerError
from pipelines.engines import group
from pipelines.engines.group import Member, _heard, _refuse, run_together
from pipelines.engines.worker import MOST_IN_A_ROW, Said


class FailedError(Exception):
    """As Ray Train tells of processes that have ended with an error, or without a word."""

    def __init__(self, *errors):
        super().__init__("Training failed due to worker errors:")
        self.worker_failures = dict(enumerate(errors))


LOST = FailedError(RuntimeError("Traceback of Ray:\n  in a file\nconnection closed"), OSError("gone"))


def test_what_the_work_refuses_is_raised_at_once():
    with pytest.raises(DataError, match="no such label"):
        _refuse([DataError("no such label")], LOST, 1)


def test_a_lost_process_is_replaced_a_few_times(caplog):
    for ended in range(1, MOST_IN_A_ROW + 1):
        _refuse([], LOST, ended)
    assert caplog.text.count("(connection closed)") == MOST_IN_A_ROW
    with pytest.raises(WorkerError, match=r"have ended 4 times \(connection closed\)"):
        _refuse([], LOST, MOST_IN_A_ROW + 1)


def test_where_ray_itself_fails_nothing_is_tried_again():
    with pytest.raises(WorkerError, match=r"given the training up \(no controller\)"):
        _refuse([], RuntimeError("no controller"), 1)


def test_what_a_process_sends_is_logged_and_what_it_refuses_kept(caplog):
    def refuse():
        logging.getLogger("coarsefine.test").info("at work")
        raise DataError("no such label")

    lines, refusals = Queue(), []
    ours = logging.getLogger("coarsefine")
    before = list(ours.handlers), ours.propagate, ours.level
    try:
        with pytest.raises(DataError):
            Member(refuse, lines).run()
    finally:
        ours.handlers, ours.propagate = before[:2]
        ours.setLevel(before[2])
    with caplog.at_level(logging.INFO), _heard(lines, refusals):
        pass
    assert caplog.messages == ["at work"]
    assert [str(one) for one in refusals] == ["no such label"]


def test_who_waits_for_processes_is_told(monkeypatch, caplog):
    monkeypatch.setattr(group, "PATIENCE", 0.01)
    lines = Queue()
    with caplog.at_level(logging.INFO), _heard(lines, []):
        while "waiting for Ray" not in caplog.text:
            time.sleep(0.01)
        lines.put(Said("coarsefine.test", logging.INFO, "at work"))
    assert [message[:15] for message in caplog.messages] == ["waiting for Ray", "at work"]


@pytest.mark.slow
def test_ray_ends_what_one_process_refuses(tmp_path, monkeypatch, home_of_ray):
    monkeypatch.setenv("HOME", home_of_ray)

    def refuse():  # by one of two processes, while the other waits for it
        import torch.distributed as processes

        if processes.get_rank() == 1:
            raise DataError("no such label")
        processes.barrier()

    with pytest.raises(DataError, match="no such label"):
        run_together(refuse, tmp_path / "run", processes=2, address=None, on_gpus=False)


@pytest.mark.slow
def test_more_processes_than_gpus_are_refused(tmp_path, monkeypatch, home_of_ray):
    """Ray believes in as many GPUs as it is told of, and would wait for more for ever."""
    import ray

    monkeypatch.setenv("HOME", home_of_ray)
    ray.init(num_cpus=4, num_gpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        with pytest.raises(ConfigError, match="processes=2 need a GPU each, and this machine has 1: begin fewer"):
            run_together(print, tmp_path / "run", processes=2, address=None, on_gpus=True)
    finally:
        ray.shutdown()
