"""What the service answers, and what it refuses, path by path."""

import json
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hierarchy.disk.whole_files import lock
from hierarchy.errors import DataError
from pipelines.serving.answers import answers
from pipelines.serving.http.corrections import Corrections
from pipelines.serving.http.schemas import ClassifyRequest, CorrectionRequest, InferRequest, PredictRequest
from pipelines.serving.served_model import Answers

JSON = {"Content-Type": "application/json"}
TEXTS = ["the kettle was boiling", "", "printer out of ink again", "mower cut grass please"]


def test_predict_gives_the_answers_of_the_command(client: Callable[..., Any], served: Any):
    answered = client().post("/predict", json={"texts": TEXTS, "top_k": 2})
    assert answered.status_code == 200
    assert answered.json() == {
        "model": {"name": "shop", "version": served.version},
        "answers": list(answers(served.model, TEXTS, top_k=2)),
    }


def test_one_text_and_none(client: Callable[..., Any]):
    ours = client()
    assert ours.post("/predict", json={"text": TEXTS[0]}).json()["answers"][0]["label"] == "kettles"
    assert ours.post("/predict", json={"texts": []}).json()["answers"] == []


def test_half_a_character_is_read_as_one_that_cannot_be_shown(
    client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    read, answer = set[str](), Answers.__call__
    monkeypatch.setattr(Answers, "__call__", lambda self, texts: read.update(texts) or answer(self, texts))
    both = client().post("/predict", content=rb'{"texts": ["ink \ud800 paper", "ink \ufffd paper"]}', headers=JSON)
    first, second = both.json()["answers"]
    assert first == second
    assert read == {"ink \ufffd paper"}  # a tokenizer takes no halves


def test_an_explanation_tells_where_the_words_stand(client: Callable[..., Any]):
    found = client().post("/predict", json={"texts": TEXTS[:2], "explain": True}).json()["answers"]
    ngrams = found[0]["explanation"]["ngrams"]
    assert any(TEXTS[0][start:end] == "kettle" for ngram in ngrams for start, end in ngram["spans"])
    assert found[1]["explanation"] is None


def test_sets_of_a_calibrated_model(client: Callable[..., Any], fitted_lexical: Any, english: Any):
    import copy

    from pipelines.serving.served_model import ServedModel

    calibrated = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.5, coverage=0.8)
    ours = client(model=ServedModel("shop", "0" * 64, calibrated.model_))
    found = ours.post("/predict", json={"texts": TEXTS, "sets": "tree"}).json()["answers"]
    assert found == list(answers(calibrated.model_, TEXTS, sets="tree"))
    promises = ours.get("/info").json()["promises"]
    assert (promises["precision"], promises["coverage"]) == (0.5, 0.8)
    assert "80%" in promises["words"][1]


def test_classify_as_vllm_does(client: Callable[..., Any], fitted_lexical: Any):
    ours = client()
    said = ours.post("/v1/classify", json={"model": "shop", "input": TEXTS, "add_special_tokens": True}).json()
    assert list(said) == ["id", "object", "created", "model", "data", "usage"]
    assert [one["index"] for one in said["data"]] == list(range(len(TEXTS)))
    assert [one["label"] for one in said["data"]] == fitted_lexical.predict(TEXTS).tolist()
    classes = ours.get("/info").json()["classes"]
    for one in said["data"]:
        assert one["num_classes"] == len(one["probs"]) == len(classes)
        assert classes[one["probs"].index(max(one["probs"]))] == one["label"]
        assert sum(one["probs"]) == pytest.approx(1)
    assert ours.post("/v1/classify", json={"input": TEXTS[0]}).json()["data"][0]["label"] == "kettles"
    assert ours.post("/v1/classify", json={"input": "x", "model": "gpt"}).status_code == 404


def test_info_and_tree(client: Callable[..., Any], english: Any):
    ours = client(limits={"documents": 7})
    info = ours.get("/info").json()
    assert info["name"] == "shop"
    assert info["encoder"] is None
    assert info["promises"] is None
    assert (info["labels"], info["groups"]) == (12, 3)
    assert info["limits"]["documents"] == 7
    assert not info["corrections"]
    assert not info["token_required"]
    tree = ours.get("/tree").json()
    assert [group["id"] for group in tree["groups"]] == list(english.taxonomy.group_ids)
    assert tree["groups"][0]["labels"][0] == {"id": "kettles", "name": "kettles", "description": ""}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 422),
        ("[" * 100_000, 400),
        ("\ufeff{}", 422),
        ('{"texts": ' + "9" * 5_000 + "}", 400),
        ("[]", 422),
        ("null", 422),
        ("{}", 422),
        ('{"texts": "one"}', 422),
        ('{"texts": [1]}', 422),
        ('{"texts": [null]}', 422),
        ('{"texts": ["a"], "text": "a"}', 422),
        ('{"texts": ["a"], "top_k": 0}', 422),
        ('{"texts": ["a"], "top_k": true}', 422),
        ('{"texts": ["a"], "sets": "all"}', 422),
        ('{"texts": ["a"], "sets": "labels"}', 422),  # not calibrated
        ('{"texts": ["a"], "secret-field": 1}', 422),
    ],
)
def test_a_wrong_body_is_one_plain_error(client: Callable[..., Any], body: str, status: int):
    refused = client().post("/predict", content=body.encode(), headers=JSON)
    assert refused.status_code == status, refused.text
    error = refused.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["request_id"] == refused.headers["x-request-id"]
    assert "secret" not in refused.text


TENSOR = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
MANY = 1_000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (PredictRequest, {"texts": [1] * MANY}),
        (PredictRequest, {"text": "a"} | {f"field-{place}": 1 for place in range(MANY)}),
        (PredictRequest, {f"\ud800{place}": 1 for place in range(MANY)}),
        (CorrectionRequest, {f"field-{place}": 1 for place in range(MANY)}),
        (ClassifyRequest, {"input": [1] * MANY}),
        (InferRequest, {"inputs": [1] * MANY}),
        (InferRequest, {"inputs": [TENSOR | {"shape": ["a"] * MANY}] * MANY}),
        (InferRequest, {"inputs": [TENSOR], "outputs": [1] * MANY}),
    ],
)
def test_what_is_wrong_a_thousand_times_is_told_once(kind: Any, body: dict[str, Any]):
    with pytest.raises(ValidationError) as wrong:
        kind.model_validate(body)
    assert wrong.value.error_count() <= 2  # a union has one for each of its types


@pytest.mark.parametrize(
    ("limits", "request_", "status"),
    [
        ({"documents": 3}, {"texts": ["a"] * 4}, 413),
        ({"tokens": 10}, {"texts": ["a" * 60]}, 413),
        ({"explained": 1}, {"texts": ["a", "b"], "explain": True}, 413),
        ({"listed": 11}, {"texts": ["a"] * 3, "top_k": 4}, 413),
        ({"listed": 12}, {"texts": ["a"] * 3, "top_k": 4}, 200),
        ({"listed": 36}, {"texts": ["a"] * 3, "top_k": 1_000}, 200),  # there are 12 labels
        ({"body": 40}, {"texts": ["a" * 60]}, 413),
    ],
)
def test_limits(client: Callable[..., Any], limits: dict[str, int], request_: Any, status: int):
    answered = client(limits=limits).post("/predict", json=request_)
    assert answered.status_code == status
    assert status == 200 or answered.json()["error"]["code"] == "too_large"


def test_all_probabilities_of_many_documents_are_too_much(client: Callable[..., Any]):
    ours = client(limits={"listed": 24})
    assert ours.post("/v1/classify", json={"input": ["a"] * 2}).status_code == 200
    assert ours.post("/v1/classify", json={"input": ["a"] * 3}).status_code == 413


def test_unknown_paths_and_methods(client: Callable[..., Any]):
    ours = client()
    for path in (
        "/nothing",
        "/predict/",
        "/docs/../etc/passwd",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "//predict",
        "/assets/",
    ):
        assert ours.get(path).status_code in (404, 405), path
        assert ours.get(path).json()["error"]["code"] in ("not_found", "method_not_allowed")
    wrong = ours.get("/predict")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"


def test_health(client: Callable[..., Any]):
    ours = client()
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert ours.get(path).status_code == 200
    ours.service.leave()
    assert ours.get("/healthz").status_code == 200
    assert ours.get("/readyz").status_code == 503
    assert ours.get("/v2/health/ready").json() == {"error": "the service is about to end: ask another one"}
    assert ours.post("/predict", json={"text": TEXTS[0]}).status_code == 200  # what is on its way is answered
    ours.service.close()
    assert ours.post("/predict", json={"text": TEXTS[0]}).status_code == 503


def test_a_process_that_computes_no_more_is_not_alive(client: Callable[..., Any]):
    ours = client()
    ours.service.batcher.close()
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2/models/shop/ready"):
        assert ours.get(path).status_code == 503
        assert "started anew" in ours.get(path).text


def test_a_head_is_a_get_without_its_body(client: Callable[..., Any]):
    ours = client(token="0123456789abcdef0123")  # noqa: S106 - of this test
    assert ours.head("/readyz").status_code == 200
    assert ours.head("/openapi.json").status_code == 200
    assert ours.head("/info").status_code == 401
    assert ours.head("/predict", headers={"Authorization": "Bearer 0123456789abcdef0123"}).status_code == 405
    assert 'endpoint="/readyz",status="200"' in ours.service.metrics.page().decode()


def test_metrics_are_those_of_prometheus_and_name_no_label(client: Callable[..., Any], served: Any):
    from prometheus_client.parser import text_string_to_metric_families

    ours = client()
    ours.post("/predict", json={"texts": TEXTS})
    ours.get("/tree/of/secrets")
    text = ours.get("/metrics").text
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    requests = {
        (s.labels["endpoint"], s.labels["status"]): s.value for s in found["coarsefine_requests"] if "total" in s.name
    }
    assert requests == {("/predict", "200"): 1, ("other", "404"): 1}
    answers = {
        tuple(s.labels[name] for name in ("level", "reason", "read")): s.value
        for s in found["coarsefine_answers"]
        if "total" in s.name
    }
    assert answers == {("fine", "", "ngrams"): 3, ("none", "nothing_known", "ngrams"): 1}
    assert found["coarsefine_model_info"][0].labels["version"] == served.version
    assert {"coarsefine_queue_tokens", "coarsefine_batch_tokens", "coarsefine_request_seconds"} <= set(found)
    assert "secrets" not in text
    assert not any(label in text for label in served.classes)


def test_the_documentation_works_offline(client: Callable[..., Any], served: Any):
    ours = client()
    page = ours.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "'unsafe-eval'" not in page.headers["content-security-policy"]
    assert "http" not in page.text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "start.js"):
        assert name in page.text
        asset = ours.get(f"/docs/{name}")
        assert asset.status_code == 200
        assert ours.get(f"/docs/{name}", headers={"If-None-Match": asset.headers["etag"]}).status_code == 304
    described = ours.get("/openapi.json").json()
    assert described["info"]["version"] != served.version  # it needs no token, and outlives the model
    assert {"/predict", "/v1/classify", "/v2/models/{name}/infer", "/corrections", "/metrics"} <= set(
        described["paths"]
    )


def test_corrections_are_rows_of_a_data_file(client: Callable[..., Any], served: Any, tmp_path: Path):
    file = tmp_path / "corrections.jsonl"
    ours = client(corrections=Corrections(file))
    for number, text in enumerate(['a "quoted" text\nof two lines', "茶", "</script>"], start=1):
        kept = ours.post("/corrections", json={"text": text, "label": "kettles"})
        assert (kept.status_code, kept.json()) == (201, {"written": number})
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == ['a "quoted" text\nof two lines', "茶", "</script>"]
    assert {(row["label"], row["model"]) for row in rows} == {("kettles", served.version)}
    assert rows[0]["at"].endswith("+00:00")
    assert file.stat().st_mode & 0o077 == 0
    assert ours.post("/corrections", json={"text": "x", "label": "no such label"}).status_code == 422
    for blank in ("", " ", "\n\u200b"):
        assert ours.post("/corrections", json={"text": blank, "label": "kettles"}).status_code == 422
    assert client().post("/corrections", json={"text": "x", "label": "kettles"}).status_code == 404


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path):
    file = tmp_path / "corrections.jsonl"
    file.write_text('{"text": "cut', encoding="utf-8")
    assert Corrections(file).add("whole", "kettles", "v") == 2
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[-1])["text"] == "whole"


def test_half_a_character_is_kept_as_one_that_cannot_be_shown(client: Callable[..., Any], tmp_path: Path):
    file = tmp_path / "corrections.jsonl"
    ours = client(corrections=Corrections(file))
    body = b'{"text": "half \\ud83d", "label": "kettles"}'
    assert ours.post("/corrections", content=body, headers=JSON).status_code == 201
    assert json.loads(file.read_text(encoding="utf-8"))["text"] == "half \ufffd"


def test_a_file_that_cannot_be_written_is_told_and_the_log_says_why(
    client: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    file = tmp_path / "corrections.jsonl"
    ours = client(corrections=Corrections(file))
    file.unlink()
    file.mkdir()
    failed = ours.post("/corrections", json={"text": "hush", "label": "kettles"})
    assert failed.status_code == 500
    assert str(file) in caplog.text
    assert "hush" not in caplog.text


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "corrections.jsonl"
    corrections = Corrections(file)
    corrections.add("first", "kettles", "v")
    before, write = file.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda handle, line: write(handle, line[:10]))
    with pytest.raises(DataError, match="No space left"):
        corrections.add("second", "kettles", "v")
    assert file.read_bytes() == before


def test_a_line_is_on_the_disk_before_anybody_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "corrections.jsonl"
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_size))
    Corrections(file).add("text", "kettles", "v")
    assert synced == [file.stat().st_size]


def test_answers_are_kept_by_no_cache_and_files_are_asked_for_again(client: Callable[..., Any]):
    ours = client()
    assert ours.post("/predict", json={"text": "x"}).headers["cache-control"] == "no-store"
    assert ours.get("/info").headers["cache-control"] == "no-store"
    docs = ours.get("/docs")
    assert docs.headers["cache-control"] == "no-cache"
    assert ours.get("/docs", headers={"If-None-Match": docs.headers["etag"]}).status_code == 304


def test_a_file_that_another_program_keeps_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.serving.http.corrections.LONGEST_LINE", 0.05)
    file = tmp_path / "corrections.jsonl"
    corrections = Corrections(file)
    with file.open("ab") as other:
        lock(other.fileno())
        with pytest.raises(DataError, match="cannot be written"):
            corrections.add("text", "kettles", "v")
    assert corrections.add("text", "kettles", "v") == 1


def test_a_line_that_another_process_is_writing_is_awaited(tmp_path: Path):
    file = tmp_path / "corrections.jsonl"
    corrections = Corrections(file)
    with ThreadPoolExecutor(1) as pool, file.open("ab", buffering=0) as other:
        lock(other.fileno())
        other.write(b'{"text": "fir')
        added = pool.submit(corrections.add, "second", "kettles", "v")
        assert not wait([added], timeout=0.3).done
        other.write(b'st"}\n')
        other.close()
        assert added.result(10) == 2
    assert [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()] == ["first", "second"]


def test_texts_are_never_in_the_log(client: Callable[..., Any], caplog: pytest.LogCaptureFixture):
    ours = client()
    with caplog.at_level(logging.DEBUG, logger="coarsefine"):
        ours.post("/predict?q=hush-query", json={"texts": ["hush-text"]}, headers={"X-Request-ID": "mine.1"})
        ours.post("/predict", json={"texts": ["hush-text", 1], "hush-field": 1})
        ours.get("/hush-path")
    assert "POST /predict 200" in caplog.text
    assert "mine.1" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize("where", ["served_model.ServedModel.tree", "http.guards.Access.check"])
def test_an_error_of_ours_is_a_500_that_says_nothing(
    client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
):
    def breaks(*_: Any) -> Any:
        raise IndexError(TEXTS[0])  # as libraries do, who quote what they were given

    monkeypatch.setattr(f"pipelines.serving.{where}", breaks)
    ours = client()
    failed = ours.get("/tree")
    assert failed.status_code == 500
    assert failed.json()["error"]["code"] == "internal"
    assert failed.json()["error"]["request_id"] in caplog.text
    assert "IndexError" in caplog.text
    assert TEXTS[0] not in failed.text
    assert TEXTS[0] not in caplog.text
