"""Tries random inputs for some time and reports.

Example: PYTHONPATH=tests python -m fuzz --minutes 1 --jobs 2
One input again: PYTHONPATH=tests python -m fuzz --target configs --case 17
"""

import argparse
import faulthandler
import json
import os
import platform
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fuzz.cases import ROOT, Outcome, one_thread, try_case

SEEDS_APART = 10_000_000  # input numbers of one seed


@dataclass
class Tally:
    """What came of a target's inputs so far."""

    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    findings: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: int = 0
    kinds: dict[tuple[str, str], tuple[int, Outcome]] = field(default_factory=dict)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count an outcome; of the findings of a kind the smallest is kept."""
        self.seconds += outcome.seconds
        self.slowest = max(self.slowest, outcome.seconds)
        self.memory = max(self.memory, outcome.memory)
        self.refused += outcome.result == "refused"
        self.accepted += outcome.result == "accepted"
        if outcome.result == "finding":
            self.findings += 1
            kept = self.kinds.get(outcome.key)
            if kept is None or len(outcome.case) < len(kept[1].case):
                self.kinds[outcome.key] = (number, outcome)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON."""
        return {
            "inputs": self.inputs, "refused": self.refused, "accepted": self.accepted, "findings": self.findings,
            "kinds": len(self.kinds), "seconds": round(self.seconds, 1), "slowest_seconds": round(self.slowest, 2),
            "peak_memory_mib": round(self.memory / 2**20),
        }  # fmt: skip


class Campaign:
    """The tallies of all targets, shared by threads that each drive a worker."""

    def __init__(self, names: list[str], seed: int, minutes: float, limit: int | None) -> None:
        self.tallies = {name: Tally() for name in names}
        self._next, self._end = seed * SEEDS_APART, time.monotonic() + 60 * minutes
        self._limit, self._lock = limit, threading.Lock()

    def run(self, jobs: int) -> None:
        """Try inputs until the time is over."""
        threads = [threading.Thread(target=self._drive) for _ in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _drive(self) -> None:
        from fuzz.workers import Worker

        worker = Worker()
        while (job := self._job()) is not None:
            outcome = worker.try_case(*job)
            with self._lock:
                self.tallies[job[0]].add(job[1], outcome)
        worker.stop()

    def _job(self) -> tuple[str, int] | None:
        """Choose the target that has had the least of its share, and its next input."""
        from fuzz.targets import TARGETS

        with self._lock:
            left = [n for n, tally in self.tallies.items() if self._limit is None or tally.inputs < self._limit]
            if not left or time.monotonic() > self._end:
                return None
            name = min(left, key=lambda n: (self.tallies[n].seconds + 1e-3 * self.tallies[n].inputs) / TARGETS[n].share)
            tally = self.tallies[name]
            tally.inputs += 1
            return name, self._next + tally.inputs


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="processes that try inputs")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other inputs")
    parser.add_argument("--inputs", type=int, help="of each target, at most")
    parser.add_argument("--target", action="append", help="this one only; can be repeated")
    parser.add_argument("--case", type=int, help="the number of one input of --target, tried again and shown")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--findings", type=Path, default=ROOT / "build" / "fuzz", help="folder for what went wrong")
    wanted = parser.parse_args()
    faulthandler.enable()
    one_thread()
    from fuzz.targets import TARGETS

    if wanted.case is not None:
        _again(TARGETS[wanted.target[0]], wanted.case)
        return
    campaign = Campaign(wanted.target or list(TARGETS), wanted.seed, wanted.minutes, wanted.inputs)
    start = time.monotonic()
    campaign.run(wanted.jobs)
    _show(campaign.tallies)
    _write_findings(campaign.tallies, wanted.findings)
    if wanted.json is not None:
        record = _record(campaign.tallies, wanted, (time.monotonic() - start) / 60)
        wanted.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(tally.findings for tally in campaign.tallies.values()))


def _again(target: Any, number: int) -> None:
    outcome = try_case(target, number)
    print(outcome.case or outcome.result, outcome.detail, f"{outcome.seconds:.2f} s", sep="\n")  # noqa: T201


def _show(tallies: dict[str, Tally]) -> None:
    for name, tally in tallies.items():
        print(name, *(f"{key} {value}" for key, value in tally.as_dict().items()), sep="  ")  # noqa: T201
        for (error, place), (number, _) in tally.kinds.items():
            print(f"    {error} in {place or 'the check'}, input {number}")  # noqa: T201


def _write_findings(tallies: dict[str, Tally], folder: Path) -> None:
    """Write the smallest input of each kind, with how to try it again."""
    for name, tally in tallies.items():
        for place, (number, outcome) in enumerate(tally.kinds.values()):
            folder.mkdir(parents=True, exist_ok=True)
            again = f"PYTHONPATH=tests python -m fuzz --target {name} --case {number}"
            text = f"{again}\n\n{outcome.case}\n\n{outcome.detail}"
            (folder / f"{name}-{place}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def _record(tallies: dict[str, Tally], wanted: argparse.Namespace, minutes: float) -> dict[str, Any]:
    try:
        ours = version("coarsefine")
    except PackageNotFoundError:
        ours = "unknown"
    return {
        "version": ours,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "seed": wanted.seed,
        "jobs": wanted.jobs,
        "minutes": round(minutes, 1),
        "targets": {name: tally.as_dict() for name, tally in tallies.items()},
    }


if __name__ == "__main__":
    main()
