"""The Open Inference Protocol, asked by a client that knows nothing but its text.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

import json
from collections.abc import Callable
from math import prod
from typing import Any

import pytest

TEXTS = ["the kettle was boiling", "printer ink paper toner"]
ASKED = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["one"]}]}
TYPES = {"BYTES": str, "FP64": float}  # of the protocol's table of datatypes, those that are used here


class Client:
    """What the tables *API Definitions* and *Payload Contents* say; each answer is held against its JSON object."""

    def __init__(self, http: Any, model: str, version: str | None = None) -> None:
        self.http = http
        self.model = f"/v2/models/{model}" + ("" if version is None else f"/versions/{version}")

    def is_live(self) -> bool:
        return self._object("/v2/health/live", live=bool)["live"]

    def is_ready(self) -> bool:
        return self._object("/v2/health/ready", live=bool)["live"]

    def is_model_ready(self) -> bool:
        return self._object(f"{self.model}/ready", name=str, ready=bool)["ready"]

    def server_metadata(self) -> dict[str, Any]:
        return self._object("/v2", name=str, version=str, extensions=list)

    def model_metadata(self) -> dict[str, Any]:
        said = self._object(self.model, name=str, platform=str, inputs=list, outputs=list)
        for tensor in (*said["inputs"], *said["outputs"]):
            assert set(tensor) == {"name", "datatype", "shape"}
            assert tensor["datatype"] in TYPES
        assert all(isinstance(version, str) for version in said.get("versions", []))
        return said

    def infer(self, **inference_request: Any) -> dict[str, dict[str, Any]]:
        response = self.http.post(f"{self.model}/infer", json=inference_request)
        assert response.status_code == 200, response.text
        said = response.json()
        assert isinstance(said["model_name"], str)
        assert isinstance(said.get("model_version", ""), str)
        assert said.get("id") == inference_request.get("id")
        for output in said["outputs"]:
            assert set(output) <= {"name", "shape", "datatype", "parameters", "data"}
            assert len(output["data"]) == prod(output["shape"])
            assert all(isinstance(value, TYPES[output["datatype"]]) for value in output["data"])
        return {output["name"]: output for output in said["outputs"]}

    def _object(self, path: str, **fields: type) -> dict[str, Any]:
        response = self.http.get(path)
        assert response.status_code == 200, response.text
        said: dict[str, Any] = response.json()
        assert all(isinstance(said[name], kind) for name, kind in fields.items())
        return said


def test_health_and_metadata(client: Callable[..., Any], served: Any):
    ours = client()
    protocol = Client(ours, "shop")
    assert protocol.is_live()
    assert protocol.is_ready()
    assert protocol.is_model_ready()
    assert protocol.server_metadata()["name"] == "coarsefine"
    said = protocol.model_metadata()
    assert said["versions"] == [served.version]
    assert said["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert Client(ours, "shop", served.version).model_metadata() == said
    for path in ("/v2/models/other", "/v2/models/shop/versions/1", "/v2/models/other/ready", "/v2/nothing"):
        missing = ours.get(path)
        assert missing.status_code == 404
        assert isinstance(missing.json()["error"], str)


@pytest.mark.parametrize(
    ("shape", "data"),
    [([2], TEXTS), ([2, 1], TEXTS), ([2, 1], [[text] for text in TEXTS]), ([1, 2], [TEXTS]), ([0], [])],
)
def test_inference(client: Callable[..., Any], served: Any, shape: list[int], data: list[Any]):
    ours, documents = client(), prod(shape)
    protocol = Client(ours, "shop")
    declared = {output["name"]: output["datatype"] for output in protocol.model_metadata()["outputs"]}
    inputs = [{"name": "text", "shape": shape, "datatype": "BYTES", "data": data}]
    outputs = protocol.infer(id="42", inputs=inputs, parameters={"any": 1})
    assert {name: output["datatype"] for name, output in outputs.items()} == declared
    assert all(output["shape"] == [documents] for output in outputs.values())
    assert outputs["label"]["data"] == ["kettles", "printers"][:documents]
    assert outputs["reason"]["data"] == ["", ""][:documents]
    only = Client(ours, "shop", served.version).infer(inputs=inputs, outputs=[{"name": "level"}])
    level = {"name": "level", "datatype": "BYTES", "shape": [documents], "data": ["fine", "fine"][:documents]}
    assert only == {"level": level}


def test_an_output_is_given_once_however_often_it_is_asked_for(client: Callable[..., Any]):
    twice = {**ASKED, "outputs": [{"name": "label"}, {"name": "level"}] * 1_000}
    given = client().post("/v2/models/shop/infer", json=twice).json()["outputs"]
    assert [output["name"] for output in given] == ["label", "level"]


def test_an_id_that_is_no_text_comes_back_as_one(client: Callable[..., Any]):
    body = json.dumps({**ASKED, "id": "half \ud83d"}).encode()
    answered = client().post("/v2/models/shop/infer", content=body, headers={"Content-Type": "application/json"})
    assert answered.json()["id"] == "half \ufffd"


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["one"]}]},
        {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [1]}]},
        {"inputs": [{"name": "text", "shape": [1], "datatype": "FP32", "data": ["one"]}]},
        {"inputs": [{"name": "words", "shape": [1], "datatype": "BYTES", "data": ["one"]}]},
        {"inputs": [{"name": "text", "shape": [2, 2], "datatype": "BYTES", "data": ["a", "b", "c", "d"]}]},
        {"inputs": [{"name": "text", "shape": [-1], "datatype": "BYTES", "data": ["one"]}]},
        {"outputs": [{"name": "nothing"}]},
        {"inputs": "text"},
    ],
)
def test_a_wrong_inference(client: Callable[..., Any], change: dict[str, Any]):
    refused = client().post("/v2/models/shop/infer", json={**ASKED, **change})
    assert refused.status_code in (400, 422)
    assert isinstance(refused.json()["error"], str)
