"""Prediction without torch, transformers, datasets and pyarrow: what needs them not never asks for them."""

import csv
import gzip
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from light import HEAVY, WITHOUT_THEM

from pipelines.serving.predict import predict_file

ROOT = Path(__file__).parents[2]
# Several commands in one process, whose start takes the longest of them.
EACH = """
import json, sys
from pipelines.cli.app import app
for command in json.load(sys.stdin):
    app(command, standalone_mode=False)
"""


@pytest.fixture(params=["n-grams", "exported"])
def model(request, tmp_path):
    if request.param == "exported":
        return request.getfixturevalue("exported")[1]
    request.getfixturevalue("fitted_lexical").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def files(english, tmp_path):
    """The test documents in three kinds of files."""
    rows = [{"text": text, "key": f"k{row}"} for row, text in enumerate(english.test[0][:20])]
    with (tmp_path / "new.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "key"])
        writer.writeheader()
        writer.writerows(rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "new.jsonl").write_text(lines, encoding="utf-8")
    with gzip.open(tmp_path / "new.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    return [tmp_path / name for name in ("new.csv", "new.jsonl", "new.jsonl.gz")]


def run(python, *commands, check=True, before=""):
    return subprocess.run(
        [python, "-c", before + EACH], input=json.dumps([[*map(str, command)] for command in commands]),
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=check, timeout=300,
    )  # fmt: skip


def answers_are_those_of_a_full_install(python, model, files, tmp_path, before=""):
    outs = [tmp_path / f"light-{number}{suffix}" for number, suffix in enumerate([".jsonl"] * len(files) + [".csv"])]
    told = run(
        python,
        ["predict", model, "--text", "kettle boil water", "--json"],
        *(
            ["predict", model, file, "-o", out, "--id", "key"]
            for file, out in zip([*files, files[0]], outs, strict=True)
        ),
        ["explain", model, "--text", "kettle boil water"],
        before=before,
    ).stdout
    assert json.JSONDecoder().raw_decode(told)[0]["group"] == "kitchen"
    assert "n-gram" in told
    predict_file(model, files[0], tmp_path / "full.jsonl", id_column="key")
    full = read(tmp_path / "full.jsonl")
    assert len(full) == 20
    for out in outs:
        for here, there in zip(read(out), full, strict=True):
            assert [here[name] for name in ("id", "label", "level")] == [
                there[name] for name in ("id", "label", "level")
            ]
            assert float(here["probability"]) == pytest.approx(there["probability"], abs=1e-5)


def read(file):
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines)) if file.suffix == ".csv" else [*map(json.loads, lines)]


def test_predict_asks_for_none_of_them(model, files, tmp_path):
    answers_are_those_of_a_full_install(sys.executable, model, files, tmp_path, before=WITHOUT_THEM)


def test_what_needs_one_says_so_at_once(fitted_lexical, files, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    files[0].rename(tmp_path / "new.parquet")
    for source, out in ((files[1], "out.parquet"), (tmp_path / "new.parquet", "out.csv"), ("org/set", "out.csv")):
        command = ["predict", tmp_path / "model", source, "-o", tmp_path / out]
        done = run(sys.executable, command, check=False, before=WITHOUT_THEM)
        assert "is not installed; install it with: pip install" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / out).exists()
        assert not (tmp_path / f"{out}.parts").exists()


def test_a_command_that_needs_more_is_one_sentence(fitted_lexical, files, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    data = ["--set", f"data.train={files[1]}", "--set", "classifier.encoder=none"]
    commands = [
        ["train", *data, "--set", f"output={tmp_path / 'new'}"],
        ["evaluate", tmp_path / "model", files[1]],
        ["calibrate", tmp_path / "model", files[1], "-o", tmp_path / "new"],
        ["taxonomy", "build", *data, "-o", tmp_path / "taxonomy.yaml"],
        ["predict", "org/model", "--text", "kettle"],
    ]
    said = run(sys.executable, *commands, before=WITHOUT_THEM).stderr
    assert said.count("a light install only predicts, explains and serves; for all else, in a checkout") == len(
        commands
    )
    assert "Traceback" not in said
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "taxonomy.yaml").exists()


@pytest.fixture(scope="module")
def light_python(tmp_path_factory):
    """An environment of requirements-light.txt and nothing else."""
    place = tmp_path_factory.mktemp("light") / "venv"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    listed = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", str(ROOT / "requirements-light.txt")]
    done = subprocess.run([python, *listed], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"packages cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return python


@pytest.fixture(scope="module")
def light_script(light_python):
    """The command of the package, installed into that environment as the docs say."""
    subprocess.run([light_python, "-m", "pip", "install", "--quiet", "--no-deps", "."], cwd=ROOT, check=True)
    return light_python.with_name("coarsefine")


@pytest.mark.slow
def test_the_light_install_answers_as_the_full_one(light_python, model, files, tmp_path):
    for name in HEAVY:
        assert subprocess.run([light_python, "-c", f"import {name}"], capture_output=True, check=False).returncode == 1
    answers_are_those_of_a_full_install(light_python, model, files, tmp_path)


@pytest.mark.slow
def test_the_installed_command_predicts(light_script, model, files, tmp_path):
    command = [light_script, "predict", model, files[0], "-o", "light.jsonl", "--id", "key"]
    elsewhere = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # not the checkout
    subprocess.run(command, cwd=tmp_path, env=elsewhere, check=True, timeout=300)
    predict_file(model, files[0], tmp_path / "full.jsonl", id_column="key")
    light, full = read(tmp_path / "light.jsonl"), read(tmp_path / "full.jsonl")
    assert [(one["id"], one["label"]) for one in light] == [(one["id"], one["label"]) for one in full]


@pytest.mark.slow
def test_the_light_install_is_small(light_python):
    packages = light_python.parents[1] / "lib"
    assert sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) < 600e6


def test_its_versions_are_those_that_are_tested():
    def pinned(name):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))

    light, tested = pinned("requirements-light.txt"), pinned("constraints.txt")
    assert {name: tested.get(name) for name in light} == light
