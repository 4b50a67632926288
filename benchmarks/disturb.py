"""Disturb commands: full disks, folders that cannot be written or vanish, closed pipes, SIGTERM and SIGHUP.

A disturbed command either does its work or ends with one sentence and the exit code that was promised, without a
traceback; it leaves no process and nothing in /dev/shm; a model that it replaces is there, old or new, with the files
in its folder that are none of it. When the disturbance is gone, the same command makes what an undisturbed one makes.
Full disks are small file systems in memory, and lacking rights a root that gave up its own: both need root, and are
left out without it. What fails is kept in the run folder.

Example: python benchmarks/disturb.py --times 3
         python benchmarks/disturb.py --times 1 --works calibrate --how "disk full" SIGTERM
"""

import argparse
import ctypes
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import Ended, Forked, workers_of
from kills import BUSY, TRIES, Reference, add_common_options, lost_of, report, run_all
from works import Work, differences, foreign_lost, fresh_copy, make_works, remove, results_of

ROOMY = 64 << 20  # bytes of a file system that holds every work
PAGE = 4096
SECONDS_BETWEEN_LOOKS = 0.005  # at a file system while it is filled
SECONDS_FOR_WORKERS = 10.0  # to end after the command
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - of processes that have ended
TRACEBACK, OURS = "Traceback (most recent call last)", "coarsefine: "
BAD_INPUT, PIPE_CLOSED = 2, 141


@dataclass(frozen=True)
class Disturbed:
    """What a disturbed run was, and what may come of it.

    Attributes
    ----------
    ended
        How it ended.
    codes
        Exit codes that are promised beside 0.
    cause
        One of these words must stand in its message; none where it owes no message.
    pid
        Of the process, whose workers must be gone.
    """

    ended: Ended
    codes: Sequence[int]
    cause: Sequence[str]
    pid: int


Disturbance = Callable[[Work, Path, Reference, random.Random], Iterator[Disturbed]]


def main() -> None:
    """Disturb, and write what came out."""
    works = make_works()
    options = parse(works)
    asked = [(how, number) for how in options.how if can(how) for number in range(options.times)]
    done = run_all("disturbed", works, options, asked, disturb_once, went_wrong)
    report("disturbed", options, disturbed_rows(done), [one for one in done if went_wrong(one)])


def parse(works: dict[str, Work]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="of each disturbance of each work")
    parser.add_argument("--how", nargs="+", choices=list(DISTURBANCES), default=list(DISTURBANCES), metavar="HOW",
                        help=f"of: {', '.join(DISTURBANCES)}")  # fmt: skip
    add_common_options(parser, works, "disturbed")
    return parser.parse_args()


def can(how: str) -> bool:
    """Whether this process has the rights that a disturbance takes."""
    return how not in ("disk full", "no permission") or (sys.platform == "linux" and os.geteuid() == 0)


def disturb_once(
    work: Work, how: str, folder: Path, reference: Reference, chance: random.Random, base: Path
) -> dict[str, Any]:
    """Disturb a work in a new folder, give the command again, and say what is not as promised."""
    unmount(folder)  # of an earlier call that was stopped
    fresh_copy(base, work, folder)
    problems: list[str] = []
    with contextmanager(DISTURBANCES[how])(work, folder, reference, chance) as run:
        problems += problems_of(run)
        lost = lost_of(work, folder, reference)
        if run.ended.code == 0 and differences(results_of(folder, work.results), reference.after):
            problems.append("exit code 0, and not the result")
        ended = run.ended
    if ended.code != 0:
        problems += problems_again(work, folder, reference)
    problems += [f"lost: {name}" for name in sorted({*lost, *foreign_lost(folder, work)})]
    unmount(folder)
    return {"code": ended.code, "problems": problems, "said": ended.said[-400:] if problems else ""}


def went_wrong(record: dict[str, Any]) -> bool:
    """Whether a disturbed run was not as promised."""
    return bool(record["problems"])


def problems_again(work: Work, folder: Path, reference: Reference) -> list[str]:
    """Give the command again, undisturbed, and name what is not as it should be."""
    ended = Forked(work.run, folder).end()
    unlike = differences(results_of(folder, work.results), reference.after)
    problems = ["a lock was left"] if BUSY in ended.said else []
    if unlike or not (ended.code == 0 or (work.once and ended.code == BAD_INPUT)):
        problems.append(f"again: exit code {ended.code}, {', '.join(unlike)} {ended.said[-400:]}")
    return problems


def problems_of(run: Disturbed) -> list[str]:
    """Name what of the end of a disturbed run is not as promised."""
    code, said = run.ended.code, run.ended.said
    problems = []
    if code not in (0, *run.codes):
        problems.append(f"exit code {code}")
    if TRACEBACK in said:
        problems.append("a traceback")
    sentences = [line for line in said.splitlines() if line.startswith(OURS)]
    if code == BAD_INPUT and len(sentences) != 1:
        problems.append(f"{len(sentences)} sentences")
    if code == BAD_INPUT and run.cause and not any(word in said for word in run.cause):
        problems.append("the cause is not told")
    return problems + [f"left in shared memory: {name}" for name in take_shared_memory(run.pid)]


def take_shared_memory(pid: int) -> list[str]:
    """Name what a process that has ended left in shared memory, and remove it."""
    left = [file for file in SHARED_MEMORY.glob("*") if str(pid) in re.split(r"[-_.]", file.name)]
    for file in left:
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    return [file.name for file in left]


def full_disk(work: Work, folder: Path, reference: Reference, chance: random.Random) -> Iterator[Disturbed]:
    """Run on a file system that is full at some moment of the work, and make it larger afterwards."""
    fill_memory(work, folder)
    needed = most = used_on(folder)
    command = Forked(work.run, folder)
    while command.wait(SECONDS_BETWEEN_LOOKS) is None:
        most = max(most, used_on(folder))
    unmount(folder)
    fill_memory(work, folder)
    mount_memory(folder, needed + int((most - needed) * chance.uniform(0.0, 0.95)), "remount,")
    command = Forked(work.run, folder)
    ended = command.end()
    yield Disturbed(ended, [BAD_INPUT], ["space"], command.pid)
    mount_memory(folder, ROOMY, "remount,")


def fill_memory(work: Work, folder: Path) -> None:
    """Mount a file system over a folder, with what a work needs."""
    mount_memory(folder, ROOMY)
    source = folder.with_name(f"{folder.name}-source")
    fresh_copy(folder.parent / "base", work, source)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    remove(source)


def no_permission(work: Work, folder: Path, reference: Reference, chance: random.Random) -> Iterator[Disturbed]:
    """Run where nobody may write: in the folder, in that of the model, or on the whole disk."""
    kinds = ["folder", "disk", *(["model"] if work.model else [])]
    kind = chance.choice(kinds)
    closed = folder / work.model if kind == "model" else folder
    if kind == "disk":
        fill_memory(work, folder)
        mount_memory(folder, ROOMY, "remount,ro,")
    else:
        closed.chmod(0o555)
    command = Forked(work.run, folder, before=_give_up_rights if kind != "disk" else None)
    ended = command.end()
    yield Disturbed(ended, [BAD_INPUT], ["ermission", "Read-only", "writable", "right to write"], command.pid)
    if kind == "disk":
        mount_memory(folder, ROOMY, "remount,rw,")
    else:
        closed.chmod(0o755)


def vanished(work: Work, folder: Path, reference: Reference, chance: random.Random) -> Iterator[Disturbed]:
    """Remove what the command has made on its way so far, at some moment; the result itself is left alone."""
    command = Forked(work.run, folder)
    if command.wait(chance.uniform(0.1, 1.0) * reference.seconds) is None:
        for place in folder.iterdir():
            if place.name not in (*work.needs, *work.results):
                with suppress(OSError):  # at once: it may get another name meanwhile, and lose half of what is in it
                    place = place.rename(folder.with_name(f"{folder.name}-gone-{place.name}"))
                    shutil.rmtree(place) if place.is_dir() else place.unlink()
    yield Disturbed(command.end(), [BAD_INPUT], [], command.pid)


def closed_pipe(work: Work, folder: Path, reference: Reference, chance: random.Random) -> Iterator[Disturbed]:
    """Run with stdout, stderr or both going to a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    which = chance.choice([(True, False), (False, True), (True, True)])
    stdout, stderr = (writing if broken else None for broken in which)
    command = Forked(work.run, folder, stdout=stdout, stderr=stderr)
    os.close(writing)
    yield Disturbed(command.end(), [PIPE_CLOSED], [], command.pid)


def signalled(number: int) -> Disturbance:
    """Return the disturbance by a signal at some moment, sent to the process alone."""

    def disturb(work: Work, folder: Path, reference: Reference, chance: random.Random) -> Iterator[Disturbed]:
        for _ in range(TRIES):  # a signal that comes after the end is none
            command = Forked(work.run, folder)
            if command.wait(chance.uniform(0.0, reference.seconds)) is None:
                break
            fresh_copy(folder.parent / "base", work, folder)
        else:
            sys.exit(f"{work.name} ends before it can be disturbed")
        command.send(number)
        code = command.wait(SECONDS_FOR_WORKERS * 2)
        left = _left_after(command.pid)
        ended = command.end(0.0)
        said = ended.said + f"\n{TRACEBACK}: {left} workers live on" * bool(left)
        yield Disturbed(Ended(code, ended.seconds, said), [128 + number, -number], [], command.pid)

    return disturb


def _left_after(pid: int) -> int:
    until = time.monotonic() + SECONDS_FOR_WORKERS
    while (left := workers_of(pid)) and time.monotonic() < until:
        time.sleep(0.05)
    return len(left)


def mount_memory(folder: Path, size: int, options: str = "") -> None:
    """Mount a file system in memory over a folder, or change the one that is there."""
    command = ["mount", "-t", "tmpfs", "-o", f"{options}size={-(-size // PAGE) * PAGE}", "tmpfs", str(folder)]
    subprocess.run(command, check=True)


def unmount(folder: Path) -> None:
    """Take away the file system over a folder, if there is one."""
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


def used_on(folder: Path) -> int:
    """Return the bytes that are taken of a file system."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _give_up_rights() -> None:
    """Become a user like any other: by its capabilities alone may root write where the mode of a folder forbids it."""
    version_3, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None).capset(version_3, none) != 0:
        raise OSError("the capabilities of root cannot be given up")


def disturbed_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the outcomes by work and disturbance."""
    rows = []
    for work, how in dict.fromkeys((one["work"], one["how"]) for one in records):
        ones = [one for one in records if (one["work"], one["how"]) == (work, how)]
        rows.append({
            "work": work, "how": how, "runs": len(ones), "as_promised": sum(not one["problems"] for one in ones),
        })  # fmt: skip
    return rows


DISTURBANCES: dict[str, Disturbance] = {
    "disk full": full_disk,
    "no permission": no_permission,
    "vanished folder": vanished,
    "closed pipe": closed_pipe,
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGHUP": signalled(signal.SIGHUP),
}

if __name__ == "__main__":
    main()
