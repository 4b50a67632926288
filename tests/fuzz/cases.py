"""One input of one target, tried within limits: what came of it, and what was wrong."""

import logging
import os
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from hierarchy.errors import CoarsefineError

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(str(ROOT / name) for name in ("hierarchy", "stages", "pipelines"))
SECONDS, BYTES = 20, 2 * 2**30  # that an input may take
ACCEPTED, REFUSED = "accepted", "refused"


class Wrong(AssertionError):  # noqa: N818 - a verdict of the fuzzer
    """A success that is none, such as a file that reads back differently.

    Parameters
    ----------
    what
        The kind, the same for all inputs that fail in this way.
    detail
        Of this input.
    """

    def __init__(self, what: str, detail: Any = None) -> None:
        super().__init__(what if detail is None else f"{what}: {detail}")
        self.what = what


class HangError(BaseException):
    """An input took too long; no `except Exception` keeps it."""


@dataclass(frozen=True)
class Target:
    """Something that reads what a stranger wrote.

    Parameters
    ----------
    name
        For the command line and the report.
    make
        Makes an input that `repr` shows whole; the same for the same random numbers.
    check
        Tries the input in an empty folder and returns `ACCEPTED` or `REFUSED`; what it raises is a finding, but for
        an error of the project's own, which is a refusal.
    share
        Of the time, beside the other targets.
    in_suite
        Inputs that the test suite tries.
    prepare
        Makes what all inputs share, and keeps it: its time is no input's.
    """

    name: str
    make: Callable[[random.Random], Any]
    check: Callable[[Any, Path], str]
    share: float = 1.0
    in_suite: int = 100
    prepare: Callable[[], Any] = bool


@dataclass
class Outcome:
    """What came of an input; `error` and the rest are of a finding."""

    result: str
    seconds: float = 0.0
    memory: int = 0
    error: str = ""
    place: str = ""
    detail: str = ""
    case: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What findings of one kind share."""
        return self.error, self.place


def made(target: Target, number: int) -> Any:
    """Make input `number` of a target."""
    return target.make(random.Random(f"{target.name}:{number}"))  # noqa: S311 - not for secrets


def try_case(target: Target, number: int) -> Outcome:
    """Make input `number` of a target and check it, in a folder that goes afterwards."""
    with _quiet():
        target.prepare()
        return _tried(target, made(target, number))


def _tried(target: Target, case: Any) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="coarsefine-fuzz-"))
    _forget_peak()
    start = time.perf_counter()
    error: BaseException | None = None
    result = REFUSED
    try:
        with _time_limit():
            result = target.check(case, folder)
    except CoarsefineError:
        pass
    except (Exception, HangError) as caught:
        error = caught
    outcome = Outcome(result, time.perf_counter() - start, _peak())
    shutil.rmtree(folder, ignore_errors=True)
    if error is None and outcome.memory > BYTES:
        error = Wrong(f"more than {BYTES // 2**30} GiB of memory", f"{outcome.memory / 2**30:.1f} GiB")
    return outcome if error is None else _finding(outcome, error, case)


def answer_of_cli(arguments: list[str]) -> tuple[str, str]:
    """Run a command in this process.

    Returns
    -------
    tuple of str
        `ACCEPTED` or `REFUSED`, and what it wrote to stdout.

    Raises
    ------
    Wrong
        It ended in another way than with 0, or with 2 and a message.
    """
    from typer.testing import CliRunner

    from pipelines.cli.app import app

    done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if done.exit_code == 0:
        return ACCEPTED, done.stdout
    if done.exit_code != 2 or not done.stderr.strip() or "Traceback" in done.stderr:
        raise Wrong(f"exit code {done.exit_code}", done.stderr[:500])
    return REFUSED, done.stdout


def limit_memory() -> None:
    """Keep this process from taking the machine's memory; what asks for more gets a MemoryError."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES + 2**30, resource.RLIM_INFINITY))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log out of the way; what it says is tested elsewhere."""
    from pipelines.cli import console

    earlier = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with patch.object(console, "set_up_log", lambda: None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(earlier)


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {SECONDS} s")

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


def _finding(outcome: Outcome, error: BaseException, case: Any) -> Outcome:
    outcome.result = "finding"
    outcome.error = error.what if isinstance(error, Wrong) else type(error).__name__
    outcome.place = _place(error)
    outcome.detail = "".join(traceback.format_exception(error))
    outcome.case = repr(case)
    return outcome


def _place(error: BaseException) -> str:
    """Return the innermost function of the project that an error came through; of a wrong success there is none."""
    if isinstance(error, Wrong):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(OURS)]
    frame = (ours or list(frames))[-1]
    return f"{Path(frame.filename).relative_to(ROOT) if ours else Path(frame.filename).name}:{frame.name}"


def _forget_peak() -> None:
    """Let the system count the peak anew."""
    with suppress(OSError):  # only Linux does
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """Return the peak of this process's memory, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one_thread() -> None:
    """Keep libraries from starting threads, and from the network; to be called before they are imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ["HF_HUB_OFFLINE"] = "1"
