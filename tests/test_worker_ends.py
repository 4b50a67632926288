"""Whoever reads that a worker of the tests has crashed reads what ended it, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENDS = """
import ctypes, os, signal
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
def test_broken(): ctypes.string_at(0)
def test_whole(): pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_what_ended_a_worker_stands_in_the_report(tmp_path):
    here = str(Path(__file__).parent)
    (tmp_path / "test_ends.py").write_text(ENDS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "worker_ends", "-n", "1", "--dist", "worksteal"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": here, "TMPDIR": str(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "it was ended by SIGKILL; " in done.stdout
    assert "it was ended by SIGSEGV; " in done.stdout
    assert " in test_broken" in done.stdout
    assert " GiB of memory are free" in done.stdout
    assert "2 failed, 1 passed" in done.stdout
    assert not list(tmp_path.glob("coarsefine-tests-*"))
