"""Models with an encoder behind the service: the answers of `predict`, whatever else is asked at the same time."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from pipelines.serving.answers import answers
from pipelines.serving.served_model import Answers, Probabilities, ServedModel

BOUNDS = {"float32": 1e-5, "bfloat16": 0.03}  # of a probability: docs/how-it-works.md
SHUFFLES = 3


@pytest.fixture(scope="module", params=BOUNDS)
def served(request: pytest.FixtureRequest, tiny_classifier: Callable[..., Any], english: Any) -> Any:
    classifier = tiny_classifier(dtype=request.param).fit(*english.train, validation=english.valid)
    return ServedModel("tiny", "0" * 64, classifier.model_)


@pytest.fixture
def bound(served: ServedModel) -> float:
    return BOUNDS[served.model.settings.dtype]


def test_neighbours_in_a_batch_change_nothing_but_the_last_digits(
    served: ServedModel, lengths: list[str], bound: float
):
    alone = [row for text in lengths for row in Probabilities(served)([text])]
    for seed in range(SHUFFLES):
        order = np.random.default_rng(seed).permutation(len(lengths))
        together = Probabilities(served)([lengths[place] for place in order])
        for place, row in zip(order, together, strict=True):
            assert row == pytest.approx(alone[place], abs=bound)


def test_the_answers_are_those_of_predict(
    client: Callable[..., Any], served: ServedModel, lengths: list[str], bound: float
):
    right = list(answers(served.model, lengths))
    ours = client(model=served, limits={"batch_tokens": 500})  # several batches, each of several requests
    parts = [slice(start, start + 4) for start in range(0, len(lengths), 4)]
    with ThreadPoolExecutor(8) as clients:
        said = [*clients.map(lambda part: ours.post("/predict", json={"texts": lengths[part]}).json(), parts)]
    found = [answer for one in said for answer in one["answers"]]
    assert [answer["reason"] for answer in found] == [answer["reason"] for answer in right]
    for ours_, theirs in zip(found, right, strict=True):
        assert ours_["probability"] == pytest.approx(theirs["probability"], abs=bound)
        probable = {path["label"] for path in theirs["paths"] if path["probability"] >= theirs["probability"] - bound}
        assert ours_["label"] in probable  # the same one, unless two are as probable


def test_an_explanation_tells_the_characters_of_each_unit(client: Callable[..., Any], served: ServedModel):
    text = "The kettle  was boiling — " + "water steam spout lid; " * 30
    explained = client(model=served).post("/predict", json={"text": text, "explain": True}).json()["answers"][0]
    units = explained["explanation"]["units"]
    assert len(units) > 1
    assert (units[0]["start"], units[-1]["end"]) == (0, len(text.rstrip()))
    assert all(before["start"] < after["start"] <= before["end"] for before, after in pairwise(units))
    assert explained == json.loads(json.dumps(Answers(served, explain=True)([text])[0]))


def test_a_cascade_is_told_and_counted(client: Callable[..., Any], cascaded: Any, english: Any):
    served = ServedModel("tiny", "0" * 64, cascaded.model_)
    texts, right = english.test[0], cascaded.predict_paths(english.test[0])
    ours = client(model=served)
    found = ours.post("/predict", json={"texts": texts}).json()["answers"]
    assert [(answer["label"], answer["read"]) for answer in found] == [(one.path[-1], one.read) for [one] in right]
    page = ours.get("/metrics").text
    counted = [line for line in page.splitlines() if line.startswith("coarsefine_answers_total")]
    for reader in ("ngrams", "encoder"):
        lines = [line for line in counted if f'read="{reader}"' in line]
        assert sum(float(line.split()[-1]) for line in lines) == [one.read for [one] in right].count(reader) > 0
    assert any("accuracy falls by at most 2 points" in words for words in served.facts()["promises"]["words"])
