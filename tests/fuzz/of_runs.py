"""Run folders: what is damaged in one is made anew, and the model comes out the same."""

import functools
import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from fuzz.cases import ACCEPTED, Target, Wrong
from fuzz.mutation import mutated
from fuzz.subjects import KINDS, PROBES, classifier, fit, folder

HOW = ["bytes", "bytes", "bytes", "empty", "cut", "gone", "other", "folder", "link"]
UNFINISHED = ("trained.json", "trained.safetensors")  # without them the training goes on from its checkpoint


@functools.cache
def _run(kind: str) -> Path:
    place = folder() / f"run of {kind}"
    fit(classifier(kind, run_dir=str(place)))
    return place


@functools.cache
def _answers(kind: str) -> np.ndarray:
    return fit(classifier(kind)).predict_proba(PROBES)


def _prepare() -> None:
    for kind in KINDS:
        _run(kind)
        _answers(kind)


def _make(rng: Random) -> dict[str, Any]:
    damage = [(rng.random(), rng.choice(HOW), rng.randint(0, 2**40)) for _ in range(rng.choice([1, 1, 2, 4]))]
    return {"kind": rng.choices(KINDS, [4, 1])[0], "damage": damage, "unfinished": rng.random() < 0.3}


def _check(case: dict[str, Any], place: Path) -> str:
    run = Path(shutil.copytree(_run(case["kind"]), place / "run"))
    files = [file for file in sorted(run.rglob("*")) if file.is_file()]
    if case["unfinished"]:
        for file in [file for file in files if file.name in UNFINISHED]:
            file.unlink()
            files.remove(file)
    for at, how, seed in case["damage"]:
        _damage(files[int(at * len(files))], how, Random(seed), files)  # noqa: S311
    found = fit(classifier(case["kind"], run_dir=str(run))).predict_proba(PROBES)
    if not np.array_equal(found, _answers(case["kind"])):
        raise Wrong(
            f"a damaged run folder goes into the model ({case['kind']})", np.abs(found - _answers(case["kind"])).max()
        )
    return ACCEPTED


def _damage(file: Path, how: str, rng: Random, files: list[Path]) -> None:
    if not file.is_file():
        return
    data = file.read_bytes()
    if how == "bytes":
        file.write_bytes(mutated(rng, data, 2))
    elif how == "cut":
        file.write_bytes(data[: rng.randrange(len(data) + 1)])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "other":
        other = rng.choice(files)
        file.write_bytes(other.read_bytes() if other.is_file() else b"x")
    else:
        file.unlink()
        if how == "folder":
            file.mkdir()
        elif how == "link":
            file.symlink_to("/nowhere/at/all")


RUNS = [Target("run-folders", _make, _check, share=3, in_suite=12, prepare=_prepare)]
