"""Dockerfile, compose.yaml and docs/deploy.md: what they say is done, in bare environments without Docker."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import ROOT
from light import HEAVY

from pipelines.classifier import HierarchicalClassifier

sys.path.append(str(Path(__file__).parent / "pipelines" / "cli"))
from test_cli_serve import TOKEN, Process

INSTRUCTION = re.compile(r"^([A-Z]+) +((?:.*\\\n)*.*)$", re.MULTILINE)


def dockerfile() -> dict[str, list[tuple[str, str]]]:
    """Read the instructions of each stage, those of the stage that it is from before its own."""
    stages: dict[str, list[tuple[str, str]]] = {}
    for instruction, said in INSTRUCTION.findall((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        if instruction == "FROM":
            base, _, name = said.split()
            stages[name] = list(stages.get(base, ()))
        else:
            stages[name].append((instruction, said.replace("\\\n", " ")))
    return stages


def instruction(stage: str, name: str) -> list[str]:
    """Return the words of an instruction in JSON; the last one counts."""
    said = [said for found, said in dockerfile()[stage] if found == name][-1]
    return json.loads(said[said.index("[") :])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out what .dockerignore lets into an image, and build the wheel of it."""
    folder = tmp_path_factory.mktemp("context")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            place = ROOT / line[1:]
            copy: Callable[..., Any] = shutil.copytree if place.is_dir() else shutil.copy
            copy(place, folder / place.name)
    return folder


@pytest.fixture(scope="module", params=["light", "full"])
def built(request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Run the steps of a target, those of the wheel first, in an environment of its own."""
    environment = tmp_path_factory.mktemp(request.param) / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    searched = f"{environment / 'bin'}:{os.environ['PATH']}"
    for stage in ("wheel", request.param):
        for step, said in dockerfile()[stage]:
            if step == "RUN":
                subprocess.run(["sh", "-c", said], cwd=checkout, env=os.environ | {"PATH": searched}, check=True)
    return request.param, environment / "bin"


class Container(Process):
    """What an image would start, in its environment."""

    def __init__(self, target: str, binaries: Path, folder: Path, log: Path) -> None:
        self.binaries = binaries
        self.command = [*instruction(target, "ENTRYPOINT"), *instruction(target, "CMD")]
        assert self.command[-1] == "/models/model"
        super().__init__(folder, log)

    def started(self, folder: Path, port: int, *options: str) -> list[str]:
        words = [str(self.binaries / self.command[0]), *self.command[1:-1]]
        return [*words, str(folder), "--port", str(port), *options]


@pytest.fixture(params=["n-grams", "exported", "torch"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A kind of model, and the folder of one."""
    if request.param == "exported":
        return request.param, request.getfixturevalue("exported")[1]
    fixture = {"n-grams": "fitted_lexical", "torch": "fitted"}[request.param]
    request.getfixturevalue(fixture).save_pretrained(tmp_path / "model")
    return request.param, tmp_path / "model"


@pytest.mark.slow
def test_the_targets_of_the_dockerfile_serve_and_are_healthy(
    built: tuple[str, Path], model: tuple[str, Path], english: Any, tmp_path: Path
):
    (target, binaries), (kind, folder) = built, model
    python = binaries / "python"
    has_torch = subprocess.run([python, "-c", "import torch"], cwd=tmp_path, capture_output=True).returncode == 0
    assert has_torch == (target == "full")
    if (target, kind) in (("light", "torch"), ("full", "exported")):
        refused = subprocess.run(
            [binaries / "coarsefine", "serve", folder, "--port", "0"], cwd=tmp_path, capture_output=True, text=True
        )
        assert refused.returncode == 2
        assert "install it with: pip install " + {"torch": "torch", "exported": "openvino"}[kind] in refused.stderr
        return
    texts = english.test[0][:20]

    container = Container(target, binaries, folder, tmp_path / "log.txt")
    health = [word.replace(":8000", f":{container.port}") for word in instruction(target, "HEALTHCHECK")]
    health[0] = str(binaries / health[0])
    assert subprocess.run(health, cwd=tmp_path).returncode == 0
    status, body = container.ask(container.request(texts))
    assert status == 200
    right = HierarchicalClassifier.from_pretrained(folder).predict(texts).tolist()
    assert [one["label"] for one in json.loads(body)["answers"]] == right
    assert container.end() == 0
    assert subprocess.run(health, cwd=tmp_path, capture_output=True).returncode != 0


def test_the_light_image_is_what_is_built_unless_another_is_named():
    assert [*dockerfile()][-1] == "light"
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["services"]["coarsefine"]["build"]["target"] == "${TARGET:-light}"


@pytest.mark.parametrize("target", ["light", "full"])
def test_images_do_not_run_as_root(target: str):
    assert [said for step, said in dockerfile()[target] if step == "USER"] == ["65532:65532"]
    assert dockerfile()[target][-1][0] == "USER"


@pytest.fixture(scope="module")
def folder(fitted_lexical: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lexical") / "model"
    fitted_lexical.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def composed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, dict[str, Any]]]:
    """Start the command of compose.yaml, where nothing can be imported that an n-gram model does without."""
    place = tmp_path_factory.mktemp("composed")
    for name in HEAVY:
        (place / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')\n", encoding="utf-8")
    (place / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    model, *options = compose["services"]["coarsefine"]["command"]
    assert model == "/models/model"
    options = [re.sub("/corrections/|/run/secrets/", f"{place}/", option) for option in options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(place))
        process = Process(folder, place / "log.txt", *options)
    yield process, compose
    assert process.end() == 0


def test_a_model_of_ngrams_is_served_where_torch_cannot_be_imported(composed: Any, fitted_lexical: Any, english: Any):
    process, _ = composed
    texts = english.test[0][:20]
    for name in HEAVY:
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run(
                [sys.executable, "-c", f"import {name}"], env=os.environ | {"PYTHONPATH": str(process.log.parent)},
                check=True, capture_output=True,
            )  # fmt: skip
    body = json.dumps({"texts": texts, "explain": False}).encode()
    status, answer = process.ask(process.head("POST", "/predict", len(body)) + body)
    assert status == 200, process.log.read_text(encoding="utf-8")
    assert [one["label"] for one in json.loads(answer)["answers"]] == fitted_lexical.predict(texts).tolist()
    for path, sent in (
        ("/predict", {"text": texts[0], "explain": True}),
        ("/v1/classify", {"input": texts[0]}),
        ("/corrections", {"text": texts[0], "label": "lamps"}),
    ):
        body = json.dumps(sent).encode()
        assert process.ask(process.head("POST", path, len(body)) + body)[0] in (200, 201), path


def test_prometheus_is_let_in_and_the_docs_name_what_it_finds(composed: Any):
    process, compose = composed
    (job,) = yaml.safe_load(compose["configs"]["prometheus"]["content"])["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/token"
    asked = process.head("GET", "/metrics", None).replace(b"Host: localhost", f"Host: {target}".encode())
    status, page = process.ask(asked)
    assert status == 200
    there = set(re.findall(r"^# TYPE (\S+)", page.decode(), re.MULTILINE))
    named = set(re.findall(r"\b(?:coarsefine|process)_\w+", (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")))
    assert {name.removesuffix("_bucket") for name in named} <= there
