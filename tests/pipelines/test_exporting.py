"""An exported model: what it answers, what the gate lets through, what falls, and what it needs no more."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hierarchy.errors import ArtifactError, ConfigError, DataError, EncoderError
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.given import check_labels
from pipelines.exporting import export_model
from stages.coarse.chunks import alike
from stages.coarse.exported_encoder import ExportedEncoder
from stages.coarse.segment_encoder import SegmentEncoder

ROOT = Path(__file__).parents[2]
COME_AND_GO = """
import gc, os, signal, sys
from pathlib import Path
from stages.coarse.exported_encoder import ExportedEncoder
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
models = [ExportedEncoder(Path(sys.argv[1])) for _ in range(2)]
for _ in range(3):
    os.kill(os.getpid(), signal.SIGTERM)
    del models[:1]
    gc.collect()
"""


@pytest.fixture
def documents(english, fitted):
    return check_labels(*english.valid, fitted.taxonomy_, where="validation documents")


def test_the_command_compares_and_writes_without_the_network(exported, english):
    printed, folder = exported
    for told in ("accuracy", "expected calibration error", "tokens a second", "cosine of the vectors", "same answer"):
        assert told in printed
    assert "INFO:nncf" not in printed
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"encoder/openvino_model.xml", "encoder/openvino_model.bin", "encoder/exported.json"} <= names
    assert not any(name.endswith(("encoder/config.json", "encoder/model.safetensors")) for name in names)
    export = json.loads((folder / "run.json").read_text(encoding="utf-8"))["export"]
    assert (export["runtime"], export["dtype"]) == ("openvino", "int8")
    assert export["compared"]["documents"] == len(english.valid[0])
    assert export["compared"]["mean_cosine"] > 0.99
    assert "openvino computes the encoder in int8" in (folder / "README.md").read_text(encoding="utf-8")


def test_an_export_is_read_without_the_network(exported, without_network):
    """`import openvino` alone would tell Google Analytics, from a fork of this process."""
    pytest.importorskip("openvino_telemetry")
    assert "kitchen" in without_network("predict", exported[1], "--text", "kettle boil water").stdout


def test_models_that_come_and_go_leave_a_process_its_signals(exported):
    """OpenVINO gives the thread that loads a model another stack for signals, and takes it away with the model."""
    done = subprocess.run(
        [sys.executable, "-c", COME_AND_GO, exported[1] / "encoder"], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "heard\n" * 3), done.stderr


def test_it_answers_much_as_before(exported, fitted, english):
    model = HierarchicalClassifier.from_pretrained(exported[1])
    answers, before = (one.predict_proba(english.test[0]) for one in (model, fitted))
    assert np.allclose(answers.sum(1), 1, atol=1e-5)
    assert np.mean(answers.argmax(1) == before.argmax(1)) > 0.9


def test_a_classifier_gives_its_export(exported, fitted, english, tmp_path):
    model = fitted.export(*english.valid, tolerance=15)
    assert model.model_.is_exported
    assert not fitted.model_.is_exported
    assert model.get_params() == fitted.get_params()
    model.save_pretrained(tmp_path / "fast")
    kept = HierarchicalClassifier.from_pretrained(tmp_path / "fast")
    assert np.array_equal(kept.predict_proba(english.test[0]), model.predict_proba(english.test[0]))


def test_a_document_is_answered_alike_alone_and_beside_others(exported, lengths):
    """In int8 a rounding of float32 can move an activation by a step of its 255; so far none has."""
    model = HierarchicalClassifier.from_pretrained(exported[1])
    together = model.predict_proba(lengths)
    alone = np.vstack([model.predict_proba([text]) for text in lengths])
    shuffled = model.predict_proba(lengths[::-1])[::-1]
    assert np.abs(alone - together).max() < 1e-3
    assert np.abs(shuffled - together).max() < 1e-3


def test_save_and_load_is_the_same(exported, english, tmp_path):
    model = HierarchicalClassifier.from_pretrained(exported[1])
    model.save_pretrained(tmp_path / "again")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "again", device="cpu")
    assert np.array_equal(again.predict_proba(english.test[0]), model.predict_proba(english.test[0]))
    for file in ("openvino_model.xml", "openvino_model.bin", "tokenizer.json", "exported.json"):
        assert (tmp_path / "again" / "encoder" / file).read_bytes() == (exported[1] / "encoder" / file).read_bytes()


def test_it_explains_by_attention_and_says_so(exported, english):
    model = HierarchicalClassifier.from_pretrained(exported[1])
    found = model.explain(english.test[0][0])
    assert {"attention"} <= {part.method for part in found.parts}
    assert "gradient of presence" not in {part.method for part in found.parts}
    assert sum(unit.attention for unit in found.units) == pytest.approx(1, abs=1e-5)
    assert sum(part.value for part in found.parts) == pytest.approx(found.margin, abs=1e-4)


def test_promises_fall_and_can_be_made_again(exported, fitted, english, documents, monkeypatch):
    model = HierarchicalClassifier.from_pretrained(exported[1])
    assert model.model_.promises is None
    again = model.calibrate(*english.test, precision=0.8)
    assert again.model_.promises is not None
    promised = replace(fitted.model_, promises=again.model_.promises)
    promised = replace(promised, record={**promised.record, "promised": again.model_.record["promised"]})
    swap_encoders(monkeypatch, noise=0.0)
    without = export_model(promised, documents, routing="auto", beam=3)
    assert without.promises is None
    assert "promised" not in without.record
    held = check_labels(*english.test, fitted.taxonomy_, where="calibration documents")
    kept = export_model(promised, documents, calibration=held, routing="auto", beam=3).promises
    assert kept.back_off.precision == again.model_.promises.back_off.precision


def test_what_needs_torch_is_refused(exported, english):
    model = HierarchicalClassifier.from_pretrained(exported[1])
    with pytest.raises(ConfigError, match="export, which is not trained: refit the model that it was made of"):
        model.refit_groups(["kitchen"], *english.train)
    with pytest.raises(ConfigError, match="exported model computes on the processor"):
        HierarchicalClassifier.from_pretrained(exported[1], device="cpu:0")
    held = check_labels(*english.valid, model.taxonomy_, where="validation documents")
    with pytest.raises(ConfigError, match="an export already"):
        export_model(model.model_, held, routing="auto", beam=3)


def damaged(folder, name, content):
    """Change a file of a model and its checksum too, as who writes a model anew can."""
    from hierarchy.disk.whole_files import checksum

    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"][name] = checksum(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("openvino_model.xml", b"<net>", r"cannot be loaded \(Unable to read the model"),
        ("openvino_model.xml", b"", "cannot be loaded"),
        ("openvino_model.bin", b"", r"cannot be loaded \(Incorrect weights in bin file"),
        ("tokenizer.json", b"{}", "cannot be loaded"),
        ("tokenizer.json", b"", "cannot be loaded"),
        ("tokenizer.json", b"\xff", "cannot be loaded"),
        ("exported.json", b"\xff", "cannot be loaded"),
        ("exported.json", b"[]", "cannot be loaded"),
        ("exported.json", b'{"dtype": "int4"}', "cannot be loaded"),
    ],
)
def test_a_damaged_export_is_one_error(exported, tmp_path, file, content, told):
    folder = Path(shutil.copytree(exported[1], tmp_path / "model"))
    damaged(folder, f"encoder/{file}", content)
    with pytest.raises(ArtifactError, match=told):
        HierarchicalClassifier.from_pretrained(folder)


@pytest.mark.parametrize(("key", "value"), [("hidden_size", 31), ("pooling", "cls"), ("max_tokens", 8)])
def test_an_export_that_does_not_fit_its_model_is_one_error(exported, tmp_path, key, value):
    folder = Path(shutil.copytree(exported[1], tmp_path / "model"))
    said = json.loads((folder / "encoder" / "exported.json").read_text(encoding="utf-8"))
    damaged(folder, "encoder/exported.json", json.dumps({**said, key: value}).encode())
    with pytest.raises(ArtifactError):
        HierarchicalClassifier.from_pretrained(folder)


def test_other_files_of_the_runtime_have_no_place_in_a_model(exported, tmp_path):
    folder = Path(shutil.copytree(exported[1], tmp_path / "model"))
    damaged(folder, "encoder/extension.so", b"\x7fELF")
    with pytest.raises(ArtifactError, match=r"extension\.so"):
        HierarchicalClassifier.from_pretrained(folder)


def test_an_operation_of_somebody_else_is_refused(exported, tmp_path):
    folder = Path(shutil.copytree(exported[1], tmp_path / "model"))
    graph = (folder / "encoder" / "openvino_model.xml").read_bytes()
    foreign = graph.replace(b'type="MatMul" version="opset1"', b'type="Evil" version="evil"', 1)
    assert foreign != graph
    damaged(folder, "encoder/openvino_model.xml", foreign)
    with pytest.raises(ArtifactError, match="Evil"):
        HierarchicalClassifier.from_pretrained(folder)


@pytest.mark.parametrize(("said", "threads"), [("1", 1), ("1,4", 1), ("9999", os.cpu_count())])
def test_it_takes_as_many_threads_as_torch_would(exported, monkeypatch, said, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    graph = ExportedEncoder(exported[1] / "encoder")._request.get_compiled_model()
    assert graph.get_property("INFERENCE_NUM_THREADS") == threads


class Noisy(SegmentEncoder):
    """Reads as another encoder does, with noise on its vectors: what a quantization that went wrong gives."""

    def __init__(self, encoder, noise):
        self.encoder, self.noise = encoder, noise
        self.tokenizer, self.pooling = encoder.tokenizer, encoder.pooling

    hidden_size = property(lambda self: self.encoder.hidden_size)
    max_tokens = property(lambda self: self.encoder.max_tokens)
    vector_type = property(lambda self: self.encoder.vector_type)
    runtime = "noise"

    def encode(self, input_ids, units=None, *, tokens_per_chunk="auto"):
        vectors = self.encoder.encode(input_ids, units, tokens_per_chunk=tokens_per_chunk)
        return vectors + self.noise * np.random.default_rng(0).normal(size=vectors.shape).astype(vectors.dtype)

    def fingerprint(self):
        return "noise"

    def save(self, folder):
        raise AssertionError("nothing is written")


def swap_encoders(monkeypatch, noise):
    monkeypatch.setattr("stages.coarse.exporting.export_encoder", lambda encoder, *_, **__: Noisy(encoder, noise))


def test_the_gate_refuses_a_quantization_that_went_wrong(fitted, documents, monkeypatch):
    model = replace(fitted.model_, router=replace(fitted.model_.router, lexical=None, group_rows=None))
    how = {"routing": "auto", "beam": 3}
    swap_encoders(monkeypatch, noise=0.0)
    kept = export_model(model, documents, tolerance=15, **how).record["export"]["compared"]
    assert kept["smallest_cosine"] == pytest.approx(1)
    swap_encoders(monkeypatch, noise=30.0)
    with pytest.raises(DataError, match=r"loses \d+\.\d+ points of accuracy .* and 15 are allowed; cosine"):
        export_model(model, documents, tolerance=15, **how)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"dtype": "int4"}, "dtype 'int4'"), ({"tolerance": -1}, "tolerance is -1"), ({"tolerance": True}, "tolerance")],
)
def test_values_are_checked_before_any_work(fitted, documents, settings, told):
    with pytest.raises(ConfigError, match=told):
        export_model(fitted.model_, documents, routing="auto", beam=3, **settings)


def test_n_grams_alone_are_nothing_to_export(fitted_lexical, documents):
    with pytest.raises(ConfigError, match="no encoder"):
        export_model(fitted_lexical.model_, documents, routing="auto", beam=3)


def test_chunks_hold_each_segment_once():
    lengths = np.random.default_rng(0).integers(1, 300, 500)
    chunks = list(alike(lengths, tokens_per_chunk=1024))
    assert sorted(np.concatenate(chunks).tolist()) == list(range(500))
    assert all(len(chunk) == 1 or lengths[chunk].max() * len(chunk) <= 1024 for chunk in chunks)


@pytest.mark.parametrize("dtype", ["bfloat16"])
def test_a_dtype_that_the_processor_lacks_is_refused(tiny_encoder, tmp_path, monkeypatch, dtype):
    from stages.coarse import exporting
    from stages.coarse.encoder import Encoder

    monkeypatch.setattr(exporting, "computes", lambda _: False)
    with pytest.raises(EncoderError, match=f"does not compute in {dtype}"):
        exporting.export_encoder(Encoder.from_pretrained(tiny_encoder), tmp_path, dtype=dtype, segments=[])
