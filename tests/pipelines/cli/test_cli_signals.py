"""What ends a command from outside: its workers end with it, and it says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHARED = Path("/dev", "shm")
AT_WORK = """
import sys, tempfile, time
import numpy as np
from joblib import delayed
import pipelines.cli.app
from pipelines.cli.console import session
from stages.machine import in_parallel

def nap(seconds, shared):
    time.sleep(seconds)

def work(prog_name):
    with session(goes_on="the same command goes on"), tempfile.TemporaryDirectory() as folder:
        print(folder, flush=True)
        list(in_parallel(2)(delayed(nap)(seconds, np.zeros(10**6)) for seconds in (0, 0, 60, 60)))

module = sys.modules["pipelines.cli.app"]
module.app = work
module.main()
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(before=""):
        process = subprocess.Popen(
            [sys.executable, "-c", before + AT_WORK],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def workers_of(process):
    """Return the processes that were begun by a process and have not ended."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if int(parent) == process.pid and state != "Z":
            found.append(int(status.parent.name))
    return found


def wait_until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def shared_by(process):
    """Return the folders in which a process shares arrays with its workers."""
    return list(SHARED.glob(f"joblib_memmapping_folder_{process.pid}_*"))


def alive(numbers):
    return [number for number in numbers if Path(f"/proc/{number}").exists()]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_workers_end_with_the_command(start, number, code):
    process = start()
    folder = Path(process.stdout.readline().strip())
    wait_until(lambda: len(workers_of(process)) >= 2)
    wait_until(lambda: any(any(folder.iterdir()) for folder in shared_by(process)))
    workers = workers_of(process)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    wait_until(lambda: not alive(workers))
    wait_until(lambda: not shared_by(process))
    if code > 0:
        assert f"coarsefine: stopped by {number.name}: the same command goes on\n" in said
        assert "Traceback" not in said
        assert not folder.exists()


@pytest.mark.skipif(not SHARED.exists(), reason="looks into the memory that processes share")
def test_a_signal_while_the_shared_folder_is_made_leaves_none(start):
    process = start(
        "import os, signal\n"
        "from joblib import _memmapping_reducer as memory\n"
        "memory.resource_tracker.register = lambda name, kind: os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    process.communicate(timeout=20)
    assert (process.returncode, shared_by(process)) == (143, [])


def test_nohup_keeps_its_meaning():
    process = run(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with heeded_signals(): os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('on')"
    )
    assert (process.returncode, process.stdout) == (0, "on\n")


def test_a_signal_in_a_finalizer_ends_the_work_after_it():
    process = run(
        "class Last:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "with heeded_signals():\n"
        "    Last()\n"
        "    time.sleep(60)"
    )
    assert (process.returncode, process.stderr) == (143, "")


def test_a_signal_at_the_end_of_the_interpreter_leaves_no_traceback():
    process = run(
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "with heeded_signals(): print('done', flush=True)"
    )
    assert (process.returncode, process.stdout, process.stderr) == (-signal.SIGTERM, "done\n", "")


def test_a_signal_that_a_library_makes_an_error_of_is_the_signal():
    process = run(
        "from pipelines.cli.console import told_errors\n"
        "import typer\n"
        "with heeded_signals():\n"
        "    try:\n"
        "        with told_errors('the same command goes on'):\n"
        "            try: os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)\n"
        "            except BaseException as error: raise ValueError('wrapped') from error\n"
        "    except typer.Exit as ending: raise SystemExit(ending.exit_code)"
    )
    assert (process.returncode, process.stderr) == (129, "coarsefine: stopped by SIGHUP: the same command goes on\n")


def run(code):
    imports = "import atexit, os, signal, time\nfrom pipelines.cli.signals import heeded_signals\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", imports + code], env=environment, capture_output=True, text=True, timeout=50
    )
