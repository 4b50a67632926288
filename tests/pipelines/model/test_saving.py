"""The artifact: what is read is what was written, in any process; what is damaged is refused by name."""

import copy
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hierarchy.disk import whole_folders as folders
from hierarchy.errors import ArtifactError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact import saving as artifacts
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.manifest import FORMAT_VERSION

ROOT = Path(__file__).parents[3]


@pytest.fixture
def damaged(saved, tmp_path):
    """A copy of the model that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def sign(folder, name):
    """Write the checksum of a file that was changed on purpose into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_new_process_gives_the_same_probabilities(fitted, saved, lengths, tmp_path):
    code = """
import json, sys
import numpy as np
from pipelines import HierarchicalClassifier
texts = json.loads(open(sys.argv[2], encoding="utf-8").read())
classifier = HierarchicalClassifier.from_pretrained(sys.argv[1])
np.savez(sys.argv[3], classes=classifier.classes_, exhaustive=classifier.predict_proba(texts),
         beam=classifier.set_params(routing="beam", beam=2).predict_proba(texts))
"""
    (tmp_path / "texts.json").write_text(json.dumps(lengths), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved), str(tmp_path / "texts.json"), str(tmp_path / "out.npz")],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out.npz", allow_pickle=False)
    assert found["classes"].tolist() == fitted.classes_.tolist()
    assert np.abs(found["exhaustive"] - fitted.predict_proba(lengths)).max() < 1e-6
    beam = HierarchicalClassifier.from_pretrained(saved).set_params(routing="beam", beam=2)
    assert np.abs(found["beam"] - beam.predict_proba(lengths)).max() < 1e-6


def test_what_is_read_is_byte_for_byte_what_was_in_memory(fitted, saved, tmp_path):
    model, metrics = load_model(saved)
    again = tmp_path / "again"
    artifacts.save_model(model, again, metrics=metrics, card=(saved / "README.md").read_text(encoding="utf-8"))
    names = sorted(str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file())
    assert sorted(str(p.relative_to(again)) for p in again.rglob("*") if p.is_file()) == names
    for name in names:
        # A tokenizer's files note how its last call cut; only what it does with a text counts.
        if not name.startswith("encoder/tokenizer") and name != "manifest.json":
            assert (again / name).read_bytes() == (saved / name).read_bytes(), name
    for expert in ("neural", "lexical"):
        one, other = getattr(fitted.model_.router, expert), getattr(model.router, expert)
        assert {n: a.tobytes() for n, a in one.tensors("x").items()} == {
            n: a.tobytes() for n, a in other.tensors("x").items()
        }
    assert model.router.fusions == fitted.model_.router.fusions
    assert model.router.coarse_fusion == fitted.model_.router.coarse_fusion
    assert model.extractor.vectorizer.vocabulary == fitted.model_.extractor.vectorizer.vocabulary


def test_settings_and_tree_come_back(fitted, saved):
    again = HierarchicalClassifier.from_pretrained(saved)
    assert again.taxonomy_ == fitted.taxonomy_
    assert again.classes_.tolist() == fitted.classes_.tolist()
    machine = ("taxonomy", "n_jobs", "run_dir", "device")
    expected = {
        **fitted.get_params(),
        "negatives": "all",
        "encoder": None,
    }  # a training fetches none that a model names
    assert again.model_.settings.encoder == fitted.encoder
    assert {k: v for k, v in again.get_params().items() if k not in machine} == {
        k: v for k, v in expected.items() if k not in machine
    }


def test_the_folder_is_as_described(fitted, saved):
    files = {str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file()}
    assert {
        "config.json", "taxonomy.yaml", "model.safetensors", "vocabulary.json", "router.json", "README.md", "run.json",
        "manifest.json", "encoder/config.json", "encoder/model.safetensors", "encoder/tokenizer.json",
    } <= files  # fmt: skip
    assert not any(name.endswith((".bin", ".pt", ".pkl", ".npy", ".part")) for name in files)
    config = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    assert config["format_version"] == FORMAT_VERSION
    assert config["id2label"] == {str(i): label for i, label in enumerate(fitted.model_.label_ids)}
    assert config["label2id"] == {label: i for i, label in enumerate(fitted.model_.label_ids)}
    assert set(json.loads((saved / "manifest.json").read_text(encoding="utf-8"))["sha256"]) == files - {"manifest.json"}
    record = json.loads((saved / "run.json").read_text(encoding="utf-8"))
    assert str(Path.home()) not in json.dumps(record)


def test_saving_replaces_an_older_model_and_leaves_nothing_beside_it(fitted_lexical, damaged):
    fitted_lexical.save_pretrained(damaged)
    assert not (damaged / "encoder").exists()
    assert [p.name for p in damaged.parent.iterdir()] == ["model"]
    assert HierarchicalClassifier.from_pretrained(damaged).encoder == "none"


def test_a_save_that_fails_leaves_the_older_model(fitted, fitted_lexical, damaged, monkeypatch):
    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    for name in ("_write_json", "_write"):
        with monkeypatch.context() as patched:
            patched.setattr(artifacts, name, fails)
            with pytest.raises(ArtifactError, match=r"cannot be written \(No space left .*\): free some space"):
                fitted_lexical.save_pretrained(damaged)
    assert [p.name for p in damaged.parent.iterdir()] == ["model"]
    texts = ["kettle steam", "printer ink"]
    again = HierarchicalClassifier.from_pretrained(damaged)
    assert np.array_equal(again.predict_proba(texts), fitted.predict_proba(texts))


@pytest.mark.parametrize("first", [True, False])
def test_a_rename_that_fails_leaves_the_older_model(fitted_lexical, damaged, monkeypatch, first):
    rename = Path.rename

    def fails(self, target):
        if self.suffix == ".part" or first:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    with pytest.raises(ArtifactError, match="Permission denied"):
        fitted_lexical.save_pretrained(damaged)
    assert [p.name for p in damaged.parent.iterdir()] == ["model"]
    assert (damaged / "encoder").is_dir()


def test_what_is_no_model_is_not_overwritten(fitted_lexical, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ArtifactError, match="own is not empty and holds no model: name a new folder"):
        fitted_lexical.save_pretrained(tmp_path / "own")
    assert (tmp_path / "own" / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    with pytest.raises(ArtifactError, match=r"thesis\.txt is a file: name a folder"):
        fitted_lexical.save_pretrained(tmp_path / "own" / "thesis.txt")
    (tmp_path / "empty").mkdir()
    fitted_lexical.save_pretrained(tmp_path / "empty")
    fitted_lexical.save_pretrained(tmp_path / "deep" / "er" / "model")
    assert HierarchicalClassifier.from_pretrained(tmp_path / "empty").predict(["ink"]).shape == (1,)


@pytest.mark.parametrize("name", ["model.safetensors", "encoder/model.safetensors", "config.json", "manifest.json"])
def test_a_truncated_file_is_refused_by_name(damaged, name):
    whole = (damaged / name).read_bytes()
    (damaged / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match=rf"{name.replace('.', '[.]')} (is damaged|cannot be read).*copy the model"):
        HierarchicalClassifier.from_pretrained(damaged)


def test_every_damaged_file_is_named_at_once(damaged):
    (damaged / "router.json").write_text("{}", encoding="utf-8")
    (damaged / "vocabulary.json").unlink()
    with pytest.raises(ArtifactError) as caught:
        HierarchicalClassifier.from_pretrained(damaged)
    assert len(caught.value.problems) == 2
    assert f"{damaged / 'router.json'} is damaged or was changed" in str(caught.value)
    assert f"{damaged / 'vocabulary.json'} is missing" in str(caught.value)


def test_a_newer_format_is_refused(damaged):
    config = json.loads((damaged / "config.json").read_text(encoding="utf-8"))
    newer = {**config, "format_version": FORMAT_VERSION + 1, "settings": {"of": "the future"}}
    (damaged / "config.json").write_text(json.dumps(newer), encoding="utf-8")
    sign(damaged, "config.json")
    with pytest.raises(
        ArtifactError, match=rf"format version {FORMAT_VERSION + 1} and this .* up to {FORMAT_VERSION}: up"
    ):
        HierarchicalClassifier.from_pretrained(damaged)


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION))
def test_an_older_format_is_refused(damaged, version):
    config = json.loads((damaged / "config.json").read_text(encoding="utf-8"))
    (damaged / "config.json").write_text(json.dumps({**config, "format_version": version}), encoding="utf-8")
    sign(damaged, "config.json")
    with pytest.raises(
        ArtifactError, match=rf"format version {version}, .* n-grams .* reads {FORMAT_VERSION}\): train again"
    ):
        HierarchicalClassifier.from_pretrained(damaged)


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(ArtifactError, match=r"no folder .*nowhere: name the folder"):
        HierarchicalClassifier.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match=r"holds no model \(manifest.json is missing\)"):
        HierarchicalClassifier.from_pretrained(tmp_path)


def test_metrics_travel_with_the_model(fitted_lexical, english, tmp_path):
    classifier = copy.copy(fitted_lexical)
    classifier.metrics_ = classifier.evaluate(*english.test).as_dict()
    classifier.save_pretrained(tmp_path / "model")
    written = json.loads((tmp_path / "model" / "metrics.json").read_text(encoding="utf-8"))
    assert HierarchicalClassifier.from_pretrained(tmp_path / "model").metrics_ == written
    assert written["evaluation"]
    assert "## How good it is" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
