"""``coarsefine predict`` with many files: what goes with what, and commands that are killed."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[3]
RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install ray")
LOCAL, OF_RAY = ("--processes", 2), ("--engine", "ray", "--processes", 2)
ENGINES = [pytest.param(LOCAL, id="local"), pytest.param(OF_RAY, id="ray", marks=RAY)]


@pytest.fixture(scope="module")
def model(fitted_lexical, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "model"
    fitted_lexical.save_pretrained(folder)
    return folder


@pytest.fixture
def letters(english, tmp_path):
    """Files of 25 documents."""
    folder = tmp_path / "letters"
    folder.mkdir()
    for number in range(3):
        lines = [json.dumps({"text": text}) + "\n" for text in english.test[0][number:][:25]]
        (folder / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def many(english, tmp_path):
    """Files whose answers take some seconds."""
    folder = tmp_path / "many"
    folder.mkdir()
    texts = english.test[0]
    for number in range(6):
        lines = [json.dumps({"text": f"{texts[n % len(texts)]} {n}"}) + "\n" for n in range(8192 * 3)]
        (folder / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def start(tmp_path_factory):
    """Run the command as a process, with a home of its own: Ray writes there."""
    home = tmp_path_factory.mktemp("home")

    def started(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *map(str, arguments)], text=True, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)},
        )  # fmt: skip

    return started


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def done(process):
    _, err = process.communicate(timeout=500)
    assert "Traceback" not in err
    assert process.returncode == 0, err
    return err


def wait_for_shards(process, parts, least):
    until = time.monotonic() + 240
    while len(list(parts.glob("*.parquet"))) < least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def test_files_and_folders_are_answered_into_a_folder(cli, model, letters, tmp_path):
    one = cli("predict", model, letters / "0.jsonl", "-o", tmp_path / "one")
    several = cli("predict", model, letters / "1.jsonl", letters / "0.jsonl", "-o", tmp_path / "two.files")
    whole = cli("predict", model, letters, "-o", tmp_path / "three", "--strict")
    assert [run.exit_code for run in (one, several, whole)] == [0, 0, 0], one.output + several.output + whole.output
    found = {name: pq.read_table(tmp_path / name)["file"].to_pylist() for name in ("one", "two.files", "three")}
    assert {name: list(dict.fromkeys(files)) for name, files in found.items()} == {
        "one": ["0.jsonl"], "two.files": ["1.jsonl", "0.jsonl"], "three": ["0.jsonl", "1.jsonl", "2.jsonl"],
    }  # fmt: skip


def test_a_file_that_cannot_be_read_makes_the_command_fail_in_the_end(cli, model, letters, tmp_path):
    (letters / "3.csv").write_text("body\nkettle\n", encoding="utf-8")
    told = cli("predict", model, letters, "-o", tmp_path / "answers")
    assert told.exit_code == 2
    assert "1 file of 4 not answered, the others are, in" in told.stderr
    assert "3.csv" in told.stderr
    assert "--text-column" in told.stderr
    assert pq.read_table(tmp_path / "answers").num_rows == 75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0.jsonl", "1.jsonl", "-o", "answers.jsonl"), "several files are answered into a folder, and --out"),
        (("0.jsonl", "-o", "answers.jsonl", "--processes", 2), "--processes belongs to documents that are answered"),
        (("0.jsonl", "-o", "answers.csv", "--strict"), "--strict belongs to"),
        (("--text", "kettle", "--engine", "ray"), "--engine belongs to"),
        (("0.jsonl", "-o", "answers", "--address", "auto"), "address='auto' is that of a Ray cluster"),
        (("0.jsonl", "--text", "kettle"), "give a file with documents, or --text"),
    ],
)
def test_what_does_nothing_is_refused(cli, model, letters, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(letters)
    told = cli("predict", model, *arguments)
    assert told.exit_code == 2
    assert message in told.stderr
    assert sorted(entry.name for entry in letters.iterdir()) == ["0.jsonl", "1.jsonl", "2.jsonl"]


@RAY
def test_ray_answers_as_this_process_does(cli, start, model, letters, tmp_path):
    assert cli("predict", model, letters, "-o", tmp_path / "here").exit_code == 0
    done(start("predict", model, letters, "-o", tmp_path / "ray", *OF_RAY))
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_command_goes_on_with_nothing_lost_or_twice(start, model, many, tmp_path, engine):
    done(start("predict", model, many, "-o", tmp_path / "whole"))
    out, parts = tmp_path / "out", tmp_path / "out.parts"
    for least in (2, 5):
        killed = start("predict", model, many, "-o", out, *engine)
        wait_for_shards(killed, parts, least)
        workers = workers_of(killed)
        killed.kill()
        killed.communicate()
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive
    assert not out.exists()
    assert "shards are there already" in done(start("predict", model, many, "-o", out, *engine))
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["many", "out", "whole"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_costs_nothing(start, model, many, tmp_path, engine):
    done(start("predict", model, many, "-o", tmp_path / "whole"))
    running = start("predict", model, many, "-o", tmp_path / "out", *engine)
    for least in (1, 4):
        wait_for_shards(running, tmp_path / "out.parts", least)
        workers_of(running)[0].send_signal(signal.SIGKILL)
    done(running)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def workers_of(process):
    """Return what answers for a command; helpers of Ray's own take a minute more to end."""
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [
        one for one in children if any(name in " ".join(one.cmdline()) for name in ("LokyProcess", "ray::Worker"))
    ]
    assert workers
    return workers
