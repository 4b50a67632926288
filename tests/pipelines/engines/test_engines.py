"""Every engine does each task once, a few at a time, and stands the end of a worker."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from hierarchy.errors import ConfigError, DataError, MissingLibraryError, WorkerError
from pipelines.engines.engine import check_run_dir, opened_engine
from pipelines.engines.local import Processes, ThisProcess
from pipelines.engines.worker import Done, Said, Worker, results

ROOT = Path(__file__).parents[3]
DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_engines import Start
from pipelines.engines.local import Processes
for process, _ in Processes(2).map(Start(), ["pid", "pid", "sleep", "sleep"]):
    print(process, flush=True)
"""


@dataclass(frozen=True)
class Start:
    """Makes what does tasks of a few kinds."""

    refuses: str | None = None

    def __call__(self):
        if self.refuses:
            raise DataError(self.refuses)
        logging.getLogger("coarsefine.test").warning("begun")
        return self.do

    def do(self, task: Any) -> tuple[int, Any]:
        if isinstance(task, Path) and not task.exists():
            task.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "end":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "refuse":
            raise DataError(["one", "two"], "here")
        if task == "sleep":
            time.sleep(60)
        return os.getpid(), os.environ.get("OMP_NUM_THREADS") if task == "threads" else task


@pytest.mark.parametrize("engine", [ThisProcess(), Processes(2)], ids=str)
def test_each_task_is_done_once_and_few_are_made_before(engine, caplog, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    made = []

    def tasks():
        for number in range(40):
            made.append(number)
            yield number
        yield "threads"

    found, most = [], getattr(engine, "number", 1)
    for result in engine.map(Start(), tasks()):
        found.append(result)
        assert len(made) <= len(found) + most
    assert sorted(task for _, task in found if isinstance(task, int)) == list(range(40))
    here = os.getpid() in {process for process, _ in found}
    assert here == isinstance(engine, ThisProcess)
    assert [task for _, task in found if not isinstance(task, int)] == [None if here else "1"]
    assert caplog.text.count("begun") == 1  # both workers say it

    with pytest.raises(DataError, match="here: 2 problems") as refused:
        list(engine.map(Start(), ["refuse", 1]))
    assert refused.value.problems == ["one", "two"]
    with pytest.raises(DataError, match="no model"):
        list(engine.map(Start("no model"), [1]))
    assert list(engine.map(Start("no model"), [])) == []


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_its_tasks_are_done_again(tmp_path, caplog):
    tasks = [*range(6), *(tmp_path / str(n) for n in range(5)), *range(6, 12)]
    done = [task for _, task in Processes(2).map(Start(), tasks)]
    assert sorted(map(str, done)) == sorted(map(str, tasks))
    assert "what was in work is done again" in caplog.text
    with pytest.raises(WorkerError, match=r"4 times at one task.*\("):
        list(Processes(2).map(Start(), [1, "end", *range(2, 20)]))  # others that finish meanwhile do not help it


@pytest.mark.slow
def test_processes_end_with_the_one_that_has_begun_them():
    code = [sys.executable, "-c", DRIVER, str(Path(__file__).parent)]
    with subprocess.Popen(
        code, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        worker = psutil.Process(int(driver.stdout.readline()))
        driver.kill()
    worker.wait(timeout=30)


def test_what_several_workers_say_is_logged_once(caplog):
    said = [Said("coarsefine.a", logging.WARNING, "100 %"), Said("coarsefine.b", logging.WARNING, "other")]
    assert list(results([Done(1, said[:1]), Done(2, said), Done(3, [])])) == [1, 2, 3]
    assert [(record.name, record.message) for record in caplog.records] == [tuple(one[::2]) for one in said]


def test_a_worker_begins_with_its_first_task(monkeypatch):
    monkeypatch.setattr("pipelines.engines.worker._collected_log", lambda: type("Log", (), {"taken": lambda _: []})())
    monkeypatch.setenv("TQDM_DISABLE", "0")
    begun = []
    worker = Worker()
    worker.ready()
    assert begun == []
    assert [worker.do(task, lambda: begun.append(1) or abs).result for task in (-1, -2)] == [1, 2]
    assert begun == [1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "spark"}, "engine='spark' is unknown: choose one of local, ray"),
        ({"processes": 0}, "processes"),
        ({"address": "auto"}, "address='auto' is that of a Ray cluster"),
        ({"name": "ray", "address": ""}, "address is empty"),
        ({"name": "ray", "address": " "}, "address is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        opened_engine(**arguments)


def test_a_worker_goes_to_the_folder_of_the_command_where_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr("pipelines.engines.worker._collected_log", lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    Worker(str(tmp_path / "there"))
    assert Path.cwd() == tmp_path / "there"
    Worker(str(tmp_path / "elsewhere"))
    assert Path.cwd() == tmp_path / "there"


def test_machines_share_no_temporary_run_folder():
    check_run_dir(None, None)
    check_run_dir("run", "auto")
    with pytest.raises(ConfigError, match="share what they do in a run folder: set run_dir"):
        check_run_dir(None, "auto")


@pytest.mark.slow
def test_workers_of_ray_have_gpus_where_they_use_some_and_work_in_the_folder_of_the_command(
    monkeypatch, tmp_path, home_of_ray
):
    """Ray believes in as many GPUs as it is told of."""
    import ray

    def start():
        return lambda _: (ray.get_gpu_ids(), Path.cwd(), os.getpid(), time.sleep(0.3))[:3]

    monkeypatch.setenv("HOME", home_of_ray)
    monkeypatch.chdir(tmp_path)
    ray.init(num_cpus=4, num_gpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        with opened_engine("ray") as engine:
            found = list(engine.map(start, iter(range(8)), on_gpus=True))
            assert {tuple(map(int, gpus)) for gpus, _, _ in found} == {(0,), (1,)}
            assert {place for _, place, _ in found} == {tmp_path / "here"}
            found = list(engine.map(start, iter(range(40))))
            assert {tuple(gpus) for gpus, _, _ in found} == {()}
            assert len({process for _, _, process in found}) > 2
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_a_killed_worker_of_ray_is_begun_anew_with_all_that_it_needs(monkeypatch, tmp_path, home_of_ray):
    """What is larger than 100 KB stands in Ray's store, and goes from there when nobody holds it."""
    monkeypatch.setenv("HOME", home_of_ray)
    documents = "a document " * 100_000

    def start():
        def do(task):
            if isinstance(task, Path) and not task.exists():
                task.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return len(documents), str(task)

        return do

    tasks = [str(n) for n in range(4)] + [tmp_path / "killed"] + [str(n) for n in range(4, 8)]
    with opened_engine("ray", processes=2) as engine:
        found = list(engine.map(start, tasks))
    assert sorted(found) == sorted((len(documents), str(task)) for task in tasks)


def test_ray_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    with pytest.raises(MissingLibraryError, match="pip install ray"), opened_engine("ray"):
        pass
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}", "auto", "127.0.0.1:many"])
def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch, address):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was left to find out"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with (
        pytest.raises(ConfigError, match=f"Ray cannot be reached at '{address.format(port)}' .*: name another"),
        opened_engine("ray", address=address.format(port)),
    ):
        pass
