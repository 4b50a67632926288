"""The Open Inference Protocol, asked as its own text says."""

from collections.abc import Callable
from typing import Any

import pytest

TEXTS = ["the kettle was boiling", "printer ink paper toner"]


def test_metadata(client: Callable[..., Any], served: Any):
    ours = client()
    assert {"name", "version", "extensions"} <= set(ours.get("/v2").json())
    model = ours.get("/v2/models/shop").json()
    assert ours.get(f"/v2/models/shop/versions/{served.version}").json() == model
    assert model["versions"] == [served.version]
    assert model["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert ours.get("/v2/models/shop/ready").status_code == 200
    for path in ("/v2/models/other", "/v2/models/shop/versions/1", "/v2/models/other/ready"):
        missing = ours.get(path)
        assert missing.status_code == 404
        assert isinstance(missing.json()["error"], str)


@pytest.mark.parametrize(
    ("shape", "data"), [([2], TEXTS), ([2, 1], TEXTS), ([2, 1], [[text] for text in TEXTS]), ([1, 2], [TEXTS])]
)
def test_inference(client: Callable[..., Any], served: Any, shape: list[int], data: list[Any]):
    ours = client()
    declared = {output["name"]: output["datatype"] for output in ours.get("/v2/models/shop").json()["outputs"]}
    asked = {"id": "42", "inputs": [{"name": "text", "shape": shape, "datatype": "BYTES", "data": data}]}
    said = ours.post("/v2/models/shop/infer", json=asked).json()
    assert (said["model_name"], said["model_version"], said["id"]) == ("shop", served.version, "42")
    outputs = {output["name"]: output for output in said["outputs"]}
    assert {name: output["datatype"] for name, output in outputs.items()} == declared
    assert all(output["shape"] == [2] and len(output["data"]) == 2 for output in outputs.values())
    assert outputs["label"]["data"] == ["kettles", "printers"]
    assert outputs["reason"]["data"] == ["", ""]
    only = {**asked, "outputs": [{"name": "level"}]}
    said = ours.post(f"/v2/models/shop/versions/{served.version}/infer", json=only).json()
    assert said["outputs"] == [{"name": "level", "datatype": "BYTES", "shape": [2], "data": ["fine", "fine"]}]


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
    asked = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["one"]}], **change}
    refused = client().post("/v2/models/shop/infer", json=asked)
    assert refused.status_code in (400, 422)
    assert isinstance(refused.json()["error"], str)
