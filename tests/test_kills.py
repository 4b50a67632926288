"""The scripts that kill and disturb commands see what goes wrong, and the commands stand it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="commands are forked")

# Three works that do it wrong and one that does it right: each a second long at most, without the libraries.
WORKS = """
import json, os, random, shutil, sys, time
from pathlib import Path
sys.path.insert(0, "benchmarks")
from kills import hows_here, killed_once, reference_of
from works import FOREIGN, Work
from hierarchy.disk.whole_files import whole_file

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
    for how in hows_here():
        chance = random.Random(f"{how} 4")
        record = killed_once(work, how, run / "work", reference, chance, run / "base")
        print(json.dumps(record | {"work": work.name, "how": how}))
"""


def run(*arguments: Any, succeeds: bool = True) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert not succeeds or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_goes_wrong_is_seen(tmp_path: Path) -> None:
    records = [json.loads(line) for line in run("-c", WORKS, tmp_path).splitlines()]
    by_work = {name: [one for one in records if one["work"] == name] for name in {one["work"] for one in records}}
    assert not any(one["same"] for one in by_work["appends"])
    assert all(one["stale"] for one in by_work["keeps_its_lock"])
    assert all({"notes.txt", ".git/config"} <= set(one["lost"]) for one in by_work["removes_first"])
    for one in by_work["writes_whole"]:
        assert one["same"]
        assert not one["lost"]
        assert not one["stale"]
        assert not one["left_overs"]


@pytest.mark.slow
def test_a_killed_edit_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    record = ROOT / "benchmarks" / "results" / "kills.json"
    before = record.read_bytes()
    run("benchmarks/kills.py", "--kills", 4, "--works", "rename", "build", "--run", tmp_path / "run")
    assert record.read_bytes() == before  # a small try is not the project's record
    figures = json.loads((tmp_path / "run" / "kills.json").read_text(encoding="utf-8"))
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
