"""The scripts that kill and disturb commands see what goes wrong, and the commands stand it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="commands are forked")
HOWS = ["random", "between system calls"]

# Three works that do it wrong and one that does it right: each a second long at most, without the libraries.
WORKS = """
import json, os, random, shutil, sys, time
from pathlib import Path
sys.path.insert(0, "benchmarks")
from kills import killed_once, reference_of
from works import FOREIGN, Work
from hierarchy.disk import whole_file

def appends():
    with open("out.txt", "a") as file:
        for number in range(100):
            print(number, file=file, flush=True)
            time.sleep(0.002)

def keeps_its_lock():
    if os.path.exists("lock"):
        sys.exit("another process writes at this moment")
    Path("lock").touch()
    time.sleep(0.2)
    Path("out.txt").write_text("all")
    os.unlink("lock")

def removes_first():
    shutil.rmtree("model", ignore_errors=True)
    time.sleep(0.2)
    Path("model").mkdir()
    Path("model/manifest.json").write_text('{"sha256": {}}')

def writes_whole():
    with whole_file("out.txt") as part, part.open("w") as file:
        for number in range(100):
            print(number, file=file, flush=True)
            time.sleep(0.002)

run = Path(sys.argv[1])
for name, content in {"model/manifest.json": '{"sha256": {}}', **{f"model/{n}": c for n, c in FOREIGN.items()}}.items():
    (run / "base" / name).parent.mkdir(parents=True, exist_ok=True)
    (run / "base" / name).write_text(content)
for work in (
    Work("appends", appends, (), ("out.txt",)), Work("keeps_its_lock", keeps_its_lock, (), ("out.txt",)),
    Work("removes_first", removes_first, ("model",), ("model",), "model"),
    Work("writes_whole", writes_whole, (), ("out.txt",)),
):
    reference = reference_of(work, run)
    for how in sys.argv[2:]:
        chance = random.Random(f"{how} 4")
        print(json.dumps(killed_once(work, how, run / "work", reference, chance, run / "base") | {"work": work.name}))
"""


def run(*arguments: Any, succeeds: bool = True) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert not succeeds or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def can_trace() -> bool:
    """Whether there is a strace, and it may take hold of a process."""
    found = shutil.which("strace")
    return bool(found) and subprocess.run([found, "-o", os.devnull, "true"], capture_output=True).returncode == 0


@pytest.mark.parametrize("how", HOWS)
def test_what_goes_wrong_is_seen(tmp_path: Path, how: str) -> None:
    if how != "random" and not can_trace():
        pytest.skip("there is no strace that may trace")
    records = {one["work"]: one for one in map(json.loads, run("-c", WORKS, tmp_path, how).splitlines())}
    assert not records["appends"]["same"]
    assert records["keeps_its_lock"]["stale"]
    assert {"notes.txt", ".git/config"} <= set(records["removes_first"]["lost"])
    good = records["writes_whole"]
    assert good["same"]
    assert not good["lost"]
    assert not good["stale"]
    assert not good["left_overs"]


def test_a_killed_edit_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    out = tmp_path / "kills.json"
    options = ("--works", "rename", "build", "--run", tmp_path / "run", "--json", out)
    run("benchmarks/kills.py", "--kills", 4, *options)
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert {row["work"] for row in figures["kills"]} == {"taxonomy rename", "taxonomy build"}
    assert sum(row["kills"] for row in figures["kills"]) == 4
    assert all(row["same_result"] == row["kills"] for row in figures["kills"])
    assert figures["machine"]


@pytest.mark.slow
def test_killed_works_end_as_undisturbed_ones(tmp_path: Path) -> None:
    out = tmp_path / "kills.json"
    run("benchmarks/kills.py", "--kills", 36, "--run", tmp_path / "run", "--json", out)
    for row in json.loads(out.read_text(encoding="utf-8"))["kills"]:
        assert row["same_result"] == row["kills"], row
        assert not row["lost"] + row["stale_locks"], row


@pytest.mark.slow
def test_disturbed_works_end_as_promised(tmp_path: Path) -> None:
    out = tmp_path / "kills.json"
    run("benchmarks/disturb.py", "--times", 1, "--run", tmp_path / "run", "--json", out)
    rows = json.loads(out.read_text(encoding="utf-8"))["disturbed"]
    assert {row["how"] for row in rows} >= {"vanished folder", "closed pipe", "SIGTERM", "SIGHUP"}
    for row in rows:
        assert row["as_promised"] == row["runs"], row
