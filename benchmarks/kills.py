"""Kill commands (SIGKILL), give the same command again, and compare what it makes with an undisturbed run.

Half of the kills come at a random moment; the other half, where strace is there, before a system call that writes,
renames, removes or makes a file. Every fifth time the second run is killed too. It must end with exit code 0 and the
same files, byte for byte but for times; the model that it replaces must be there at any moment, as it was or as it
will be, with the files in its folder that are none of it; no lock may stop it. What fails is kept in the run folder.

Example: python benchmarks/kills.py --kills 360
         python benchmarks/kills.py --kills 20 --works predict-csv tune --resume
"""

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from forked import Ended, Forked, calls_of, can_trace, import_everything, killed_at_random, killed_before_call
from harness import ROOT, machine
from works import (
    Work,
    differences,
    foreign_lost,
    fresh_copy,
    make_base,
    make_works,
    model_problem,
    names_in,
    remove,
    results_of,
)

from hierarchy.disk.whole_files import write_whole

RANDOM, BETWEEN = "random", "between system calls"
SHARE_KILLED_TWICE = 0.2
TRIES = 20  # a kill that comes after the end is none
BUSY = "at this moment"  # of the message of a lock


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run makes.

    Attributes
    ----------
    before, after
        Hashes of the files at the places of the results, before the run and after it.
    names
        All names in its folder.
    seconds
        How long it took.
    calls
        How often it made each kind of system call; empty without strace.
    """

    before: dict[str, str]
    after: dict[str, str]
    names: set[str]
    seconds: float
    calls: Counter[str]


Record = dict[str, Any]
Once = Callable[[Work, str, Path, Reference, random.Random, Path], Record]


def main() -> None:
    """Kill, and write what came out."""
    works = make_works()
    options = parse(works)
    hows = hows_here()
    per_how = -(-options.kills // (len(options.works) * len(hows)))
    asked = [(how, number) for how in hows for number in range(per_how)]
    done = run_all("kills", works, options, asked, killed_once, went_wrong)
    report("kills", options, kill_rows(done), [one for one in done if went_wrong(one)])


def parse(works: dict[str, Work]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kills", type=int, default=360, help="in all; dealt to the works evenly, two to each at least"
    )
    add_common_options(parser, works, "kills")
    parser.set_defaults(works=[name for name in works if name != "train-processes"])  # its workers take long to start
    return parser.parse_args()


def add_common_options(parser: argparse.ArgumentParser, works: dict[str, Work], name: str) -> None:
    """Add the options that killing and disturbing share."""
    parser.add_argument("--works", nargs="+", choices=list(works), default=list(works), metavar="WORK",
                        help=f"of: {', '.join(works)}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help=f"file for the figures (default: {name}.json in the run folder)")
    parser.add_argument("--run", type=Path, default=ROOT / "runs" / name, help="folder for all that is made")
    parser.add_argument("--resume", action="store_true", help="go on after what an earlier call has done")


def run_all(
    name: str,
    works: dict[str, Work],
    options: argparse.Namespace,
    asked: Sequence[tuple[str, int]],
    once: Once,
    is_bad: Callable[[Record], bool],
) -> list[Record]:
    """Do with each work what is asked and no earlier call has done; return all records.

    Parameters
    ----------
    name
        Of the file of the records, which has each as soon as it is made.
    works, options
        All works, and the command line, which chooses of them.
    asked
        How, and a number that makes each run another one.
    once
        Does it in a new folder, and makes a record.
    is_bad
        Whether a record is of a run whose folder is kept.
    """
    import_everything()
    records, base = options.run / f"{name}.jsonl", options.run / "base"
    if not options.resume:
        records.unlink(missing_ok=True)
    make_base(base, anew=not options.resume)
    done = read_records(records)
    seen = {(one["work"], one["how"], one["number"], one["seed"]) for one in done}
    for short in options.works:
        work = works[short]
        missing = [(how, number) for how, number in asked if (work.name, how, number, options.seed) not in seen]
        reference = reference_of(work, options.run) if missing else None
        for how, number in missing:
            folder = options.run / f"{short}-{how.replace(' ', '-')}-{number}"
            chance = random.Random(f"{options.seed} {short} {how} {number}")  # noqa: S311 - of moments
            record = {"work": work.name, "how": how, "number": number, "seed": options.seed}
            record |= once(work, how, folder, reference, chance, base)
            done.append(record)
            with records.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            if is_bad(record):
                print(json.dumps(record), flush=True)
            else:
                remove(folder)
        print(f"{work.name}: {len(missing)} {name}", flush=True)
    return done


def report(name: str, options: argparse.Namespace, rows: Sequence[Record], bad: Sequence[Record]) -> None:
    """Write the figures, with what they were measured on; end with an error where runs went wrong."""
    out, on = options.json or options.run / f"{name}.json", machine()
    figures = {
        "version": version("coarsefine"),
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{on['cores']} cores, {on['processor']}",
        name: list(rows),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, (json.dumps(figures, indent=1) + "\n").encode())
    print(f"the figures are in {out}")
    sys.exit(f"{len(bad)} runs did not end as they should; see {options.run}" if bad else 0)


@cache
def hows_here() -> tuple[str, ...]:
    """Return the kinds of kills that this system allows."""
    return (RANDOM, BETWEEN) if can_trace() else (RANDOM,)


def reference_of(work: Work, run: Path) -> Reference:
    """Run a work undisturbed: once for what it makes, and once for its system calls, which must make the same."""
    folder = run / "reference"
    fresh_copy(run / "base", work, folder)
    before = results_of(folder, work.results)
    ended = Forked(work.run, folder).end()
    if ended.code != 0:
        sys.exit(f"{work.name} ends with {ended.code} undisturbed: {ended.said}")
    after, names, calls = results_of(folder, work.results), names_in(folder), Counter[str]()
    if BETWEEN in hows_here():
        fresh_copy(run / "base", work, folder)
        calls = calls_of(work.run, folder)
        if unlike := differences(results_of(folder, work.results), after):
            sys.exit(f"{work.name} makes something else each time: {', '.join(unlike)}")
    remove(folder)
    return Reference(before, after, names, ended.seconds, calls)


def killed_once(work: Work, how: str, folder: Path, reference: Reference, chance: random.Random, base: Path) -> Record:
    """Kill a work in a new folder, give the command again, and say what is there."""
    for _ in range(TRIES):
        fresh_copy(base, work, folder)
        killed = kill(work, how, folder, reference, chance)
        if killed.code == -signal.SIGKILL:
            break
    else:
        sys.exit(f"{work.name} ends before it can be killed")
    lost = lost_of(work, folder, reference)
    twice = chance.random() < SHARE_KILLED_TWICE
    if twice:
        killed_at_random(work.run, folder, reference.seconds, chance)
        lost += lost_of(work, folder, reference)
    already = not differences(results_of(folder, work.results), reference.after)
    ended = Forked(work.run, folder).end()
    unlike = differences(results_of(folder, work.results), reference.after)
    if work.model and (problem := model_problem(folder / work.model)):
        unlike.append(problem)
    fits = ended.code == 0 or (work.once and already and ended.code == 2)
    return {
        "killed": f"after {killed.seconds:.3f} s of {reference.seconds:.3f} {killed.said}".strip(),
        "twice": twice,
        "same": fits and not unlike,
        "other": unlike,
        "lost": sorted({*lost, *foreign_lost(folder, work)}),
        "stale": BUSY in ended.said,
        "code": ended.code,
        "said": "" if fits else ended.said[-400:],
        "left_overs": sorted(names_in(folder) - reference.names),
    }


def kill(work: Work, how: str, folder: Path, reference: Reference, chance: random.Random) -> Ended:
    """Run a work and kill it, at random or before a system call."""
    if how == RANDOM:
        return killed_at_random(work.run, folder, reference.seconds, chance)
    return killed_before_call(work.run, folder, reference.calls, chance)


def lost_of(work: Work, folder: Path, reference: Reference) -> list[str]:
    """Name what should be there at any moment and is not: the old model or the new one, and what is none of it."""
    if not work.model:
        return []
    there = results_of(folder, work.results)
    whole = any(not differences(there, one) for one in (reference.before, reference.after))
    problem = model_problem(folder / work.model)
    return [*foreign_lost(folder, work), *(["the model: " + (problem or "neither old nor new")] if not whole else [])]


def read_records(file: Path) -> list[Record]:
    """Read what earlier calls have done."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def went_wrong(record: Record) -> bool:
    """Whether a killed run ended with something else, lost something, or left a lock."""
    return not record["same"] or bool(record["lost"]) or record["stale"]


def kill_rows(records: Sequence[Record]) -> list[Record]:
    """Count the outcomes by work and kind of kill."""
    kinds = dict.fromkeys((one["work"], one["how"]) for one in records)
    rows = []
    for work, how in kinds:
        ones = [one for one in records if (one["work"], one["how"]) == (work, how)]
        same = sum(one["same"] for one in ones)
        rows.append({
            "work": work, "how": how, "kills": len(ones), "same_result": same, "other": len(ones) - same,
            "lost": sum(bool(one["lost"]) for one in ones), "stale_locks": sum(one["stale"] for one in ones),
            "left_overs": sum(bool(one["left_overs"]) for one in ones),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
