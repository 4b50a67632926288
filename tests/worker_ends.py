"""Says how a worker of a test run ended: pytest-xdist says only that it did, and what it ran."""

import faulthandler
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

SECONDS_TO_END = 10
PLACES = 10  # of the innermost functions


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have a worker that breaks in native code write where it was into a file, which its controller reads."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    file = _file(worker)
    stream = file.open("w", encoding="utf-8")
    faulthandler.enable(stream)

    def forget() -> None:
        faulthandler.disable()
        stream.close()
        file.unlink()

    config.add_cleanup(forget)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: Any) -> None:
    """Add to the report of a test that its worker did not survive: its place, its exit code, the free memory."""
    node = report.node
    try:
        code = node.gateway._io.popen.wait(SECONDS_TO_END)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"
    except subprocess.TimeoutExpired:
        how = "is still there, but silent"
    memory = psutil.virtual_memory()
    free = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB of memory are free"
    report.longrepr = "\n".join([report.longrepr, *_told(node.workerinput), f"it {how}; {free}"])


def _told(worker: Mapping[str, str]) -> list[str]:
    """Return what a worker has written of its end: what it was, and the innermost functions."""
    file = _file(worker)
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    file.unlink()
    here = next((number for number, line in enumerate(lines) if line.startswith("Current thread")), 0)
    return [*lines[:1], *lines[here : here + PLACES]]


def _file(worker: Mapping[str, str]) -> Path:
    return Path(tempfile.gettempdir()) / f"coarsefine-tests-{worker['testrunuid']}-{worker['workerid']}.txt"
