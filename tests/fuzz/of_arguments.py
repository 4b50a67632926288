"""Arguments that make no sense: refused with one message before any work, and nothing is written."""

import os
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import REFUSED, Target, Wrong, answer_of_cli
from fuzz.mutation import mutated, text
from fuzz.of_configs import KEYS, VALUES
from fuzz.subjects import saved

COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("--config", "--set", "--baselines"),
    "predict": ("--out", "--text", "--top-k", "--id", "--routing", "--beam", "--sets", "--device", "--set", "--json"),
    "evaluate": ("--train", "--json", "--html", "--label-errors", "--routing", "--beam", "--device", "--set"),
    "explain": ("--row", "--text", "--against", "--top-k", "--routing", "--beam", "--json", "--device", "--set"),
    "calibrate": ("--out", "--precision", "--delta", "--coverage", "--by-group", "--false-alarms", "--beam", "--set"),
    "refit": ("--taxonomy", "--group", "--out", "--device", "--set"),
    "taxonomy show": ("--html", "--set", "--config"),
    "taxonomy check": ("--reference", "--set", "--json"),
    "taxonomy diff": ("--json",),
    "taxonomy build": ("--out", "--set", "--config", "--from", "--force", "--predictions"),
}
DOCUMENTS = b'{"text": "the kettle", "label": "kettles"}\n{"text": "a hose", "label": "hoses"}\n'
TREE = b"kitchen: [kettles, toasters, fridges]\ngarden: [mowers, hoses, seeds]\n"
FLAGS = ("--json", "--by-group", "--baselines", "--force")
NO_TEXT = "x\udc80\udcff"  # bytes of an argument that are no UTF-8, as Python has them
MODEL = "MODEL"  # stands for the folder of a saved one
GOOD = {
    "--out": "out.jsonl", "--text": "the kettle", "--top-k": "2", "--routing": "beam", "--beam": "1", "--device": "cpu",
    "--sets": "tree", "--train": "documents.jsonl", "--html": "out.html", "--row": "1", "--against": "hoses",
    "--taxonomy": "taxonomy.yaml", "--reference": "taxonomy.yaml", "--from": "taxonomy.yaml", "--precision": "0.5",
}  # fmt: skip
PLACES = [MODEL, "documents.jsonl", "taxonomy.yaml", "missing.jsonl", "empty.csv", "broken.jsonl", "folder", ".", "",
          "/dev/null", "/dev/zero", "/proc/self/mem", "x" * 300, "a/b/c.jsonl", "documents.jsonl/x", "x" * 250 + ".csv",
          "\udcff.jsonl", "out.csv", "s3://x/y", "~nobody/x"]  # fmt: skip


def _make(rng: Random) -> dict[str, Any]:
    command = rng.choice(list(COMMANDS))
    options = []
    for option in rng.sample(COMMANDS[command], rng.randint(0, min(3, len(COMMANDS[command])))):
        options.append(option if option in FLAGS else f"{option}={_value(rng, option)}")
    places = [rng.choice(PLACES) if rng.random() < 0.7 else text(rng)[:500] for _ in range(rng.choice([0, 1, 2, 2]))]
    if command in ("predict", "evaluate", "explain", "calibrate") and rng.random() < 0.7:
        places = [MODEL, *rng.choice([["documents.jsonl"], ["documents.jsonl"], places[:1]])]
    return {"command": command, "options": options, "places": places, "seed": rng.randint(0, 2**40)}


def _value(rng: Random, option: str) -> str:
    if option in GOOD and rng.random() < 0.5:
        return GOOD[option]
    if option == "--set":
        return f"{rng.choice(KEYS)}={rng.choice([rng.choice(VALUES), text(rng)])}"
    kind = rng.random()
    return rng.choice(VALUES) if kind < 0.4 else rng.choice(PLACES) if kind < 0.7 else rng.choice([text(rng), NO_TEXT])


def _check(case: dict[str, Any], folder: Path) -> str:
    _fill(folder, Random(case["seed"]))  # noqa: S311
    before = {entry.name for entry in folder.iterdir()}
    earlier = Path.cwd()
    os.chdir(folder)
    try:
        words = [str(saved("n-grams")) if place == MODEL else place for place in case["places"]]
        options = [option.replace(f"={MODEL}", f"={saved('n-grams')}") for option in case["options"]]
        answer, _ = answer_of_cli([*case["command"].split(), *options, "--set=classifier.encoder=none", "--", *words])
    finally:
        os.chdir(earlier)
    left = {entry.name for entry in folder.iterdir()} - before
    if answer == REFUSED and left:
        raise Wrong("a refused command leaves files", (case["command"], sorted(left)))
    return answer


def _fill(folder: Path, rng: Random) -> None:
    (folder / "documents.jsonl").write_bytes(DOCUMENTS)
    (folder / "taxonomy.yaml").write_bytes(TREE)
    (folder / "empty.csv").touch()
    (folder / "broken.jsonl").write_bytes(mutated(rng, DOCUMENTS))
    (folder / "folder").mkdir()


ARGUMENTS = [Target("arguments", _make, _check, share=1, in_suite=100, prepare=lambda: saved("n-grams"))]
