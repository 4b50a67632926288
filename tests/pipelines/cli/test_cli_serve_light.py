"""An export behind HTTP where neither torch nor transformers, datasets and pyarrow can be imported."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from light import WITHOUT_THEM
from test_cli_serve import TEXTS, Process

from pipelines.classifier import HierarchicalClassifier
from pipelines.serving.answers import answers

MAIN = f"{WITHOUT_THEM}\nfrom pipelines.cli.app import main\nmain()\n"
REQUESTS = 60
BOUND = 1e-3  # of a probability: a rounding of float32 can move an activation by a step of int8


class Light(Process):
    """A service in a process that lacks what a light install lacks."""

    def started(self, folder: Path, port: int, *options: str) -> list[str]:
        return [sys.executable, "-c", MAIN, "serve", str(folder), "--port", str(port), *options]


@pytest.fixture(scope="module")
def running(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Light(exported[1], tmp_path_factory.mktemp("light") / "log.txt", "--body", "1", "--documents", "10")
    yield process
    assert process.end() == 0
    assert "Traceback" not in process.log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_sixty_clients_at_once_get_each_its_own_answers(running: Process, exported: Any, lengths: list[str]):
    """Texts of every length, from none to thousands of words, one to four in a request."""
    right = list(answers(HierarchicalClassifier.from_pretrained(exported[1]).model_, lengths))
    places = [[(7 * number + 13 * step) % len(lengths) for step in range(1 + number % 4)] for number in range(REQUESTS)]
    with ThreadPoolExecutor(REQUESTS) as clients:
        said = [*clients.map(lambda own: running.ask(running.request([lengths[place] for place in own])), places)]
    assert [status for status, _ in said] == [200] * REQUESTS
    for own, (_, body) in zip(places, said, strict=True):
        found = json.loads(body)["answers"]
        assert [answer["reason"] for answer in found] == [right[place]["reason"] for place in own]
        for answer, place in zip(found, own, strict=True):
            assert answer["probability"] == pytest.approx(right[place]["probability"], abs=BOUND)
            least = right[place]["probability"] - BOUND
            assert answer["label"] in {path["label"] for path in right[place]["paths"] if path["probability"] >= least}


def test_explanations_come_by_attention(running: Process):
    body = json.dumps({"text": TEXTS[0], "explain": True}).encode()
    status, said = running.ask(running.head("POST", "/predict", len(body)) + body)
    assert status == 200
    explanation = json.loads(said)["answers"][0]["explanation"]
    assert "attention" in {part["method"] for part in explanation["parts"]}


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"texts": ["' + b"x" * (3 << 19) + b'"]}', 413),
        (json.dumps({"texts": ["kettle"] * 11}).encode(), 413),
        (b'{"texts": ["kettle"', 400),
        (b'{"texts": 3}', 422),
        (b'{"text": null}', 422),
        (b"", 422),
    ],
    ids=["too long", "too many", "no JSON", "no texts", "null", "nothing"],
)
def test_what_is_refused_harms_nobody(running: Process, body: bytes, refusal: int):
    status, said = running.ask(running.head("POST", "/predict", len(body)) + body)
    assert status == refusal
    assert json.loads(said)["error"]["message"]
    assert running.ask(running.request(TEXTS[:2]))[0] == 200
