"""The manifest: it lists all that a model is made of, and nothing that it does not list is read."""

import errno
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from hierarchy.disk.manifests import MANIFEST
from hierarchy.errors import ArtifactError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact import loading
from pipelines.model.artifact.loading import load_model
from pipelines.model.artifact.manifest import check_manifest

TEXTS = ["kettle steam", "printer ink"]


@pytest.fixture
def model(fitted_lexical, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def list_also(folder, *names, content=b"{}"):
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["sha256"] |= dict.fromkeys(names, hashlib.sha256(content).hexdigest())
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def refused(folder):
    with pytest.raises(ArtifactError) as caught:
        load_model(folder)
    assert "copy the model again" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"1", b"{}", b'{"sha256": {}}', b'{"sha256": []}', b'{"sha256": "x"}', b'{"sha256": null}',
        b'{"sha256": {"config.json": null}}', b'{"sha256": {"config.json": 1e400}}', b"\xff", b"[" * 99_999,
        b'{"sha256": {"config.json": "x"}, "sha256": {}}', b'{"sha256": {"config.json": "x"}, "more": 1}',
    ],
)  # fmt: skip
def test_a_manifest_that_is_none(model, content):
    (model / MANIFEST).write_bytes(content)
    assert MANIFEST in refused(model)


@pytest.mark.parametrize(
    "name",
    [
        "/proc/kmsg", "/dev/zero", "../config.json", "encoder/../config.json", "./config.json", "config.json/", "",
        "encoder//config.json", "C:\\x.json", ".git/config.json", "encoder/pytorch_model.bin", "model.pkl", "x.py",
        "e\u0301.json", "\ud800.json", "config.json\n", "a\x00.json", "~/x.json", "*.json",
        f"{'a' * 5000}.json", f"{'a/' * 3000}x.json",
    ],
)  # fmt: skip
def test_names_that_are_none_of_a_model(model, name):
    list_also(model, name)
    assert "which is no file of a model" in refused(model)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.EIO])
def test_a_folder_of_which_the_system_does_not_tell(model, monkeypatch, number):
    def refuse(path, **_):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    for read in (HierarchicalClassifier.from_pretrained, check_manifest):
        with pytest.raises(ArtifactError, match=f"{os.strerror(number)}.*name another folder"):
            read(model)


def test_a_list_without_end_is_not_followed(model):
    list_also(model, *(f"encoder/x{place}.json" for place in range(200_000)))
    began = time.monotonic()
    assert "lists 200,0" in refused(model)
    assert time.monotonic() - began < 5


def test_only_and_all_files_of_such_a_model_are_listed(model, fitted_lexical, saved, tmp_path):
    whole = json.loads((model / MANIFEST).read_text(encoding="utf-8"))["sha256"]
    for name in ("config.json", "taxonomy.yaml", "router.json", "vocabulary.json", "model.safetensors"):
        rest = {other: digest for other, digest in whole.items() if other != name}
        (model / MANIFEST).write_text(json.dumps({"sha256": rest}), encoding="utf-8")
        assert name in refused(model)
    (model / MANIFEST).write_text(json.dumps({"sha256": {"run.json": whole["run.json"]}}), encoding="utf-8")
    assert "does not list" in refused(model)
    for name in ("more.json", "encoder/config.json", "neighbours.safetensors"):
        shutil.rmtree(model)
        fitted_lexical.save_pretrained(model)
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(b"{}")
        list_also(model, name)
        assert f"it lists {name}, which no model with these settings has" in refused(model)
    shutil.copytree(saved, tmp_path / "neural")
    list_also(tmp_path / "neural", "CONFIG.json")
    assert "differ in capitals alone" in refused(tmp_path / "neural")


def test_what_it_does_not_list_is_neither_read_nor_touched(saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    strange = ["encoder/pytorch_model.bin", "encoder/extra.py", "encoder/adapter_config.json", ".git/HEAD", "notes.txt",
               "promises.json", "metrics.json", "neighbours.safetensors", "encoder/model.safetensors.index.json",
               "encoder/added_tokens.json", "encoder_pretrained/config.json"]  # fmt: skip
    for name in strange:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{ no file of ours")
    os.mkfifo(folder / "encoder" / "vocab.json") if hasattr(os, "mkfifo") else None
    classifier = HierarchicalClassifier.from_pretrained(folder)
    expected = HierarchicalClassifier.from_pretrained(saved).predict_proba(TEXTS)
    assert np.array_equal(classifier.predict_proba(TEXTS), expected)
    assert classifier.model_.promises is None
    assert all((folder / name).read_bytes() == b"{ no file of ours" for name in strange)


@pytest.mark.parametrize("name", ["router.json", "model.safetensors", MANIFEST, "encoder", "encoder/config.json"])
def test_links_are_not_followed(saved, tmp_path, name):
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is a link" in refused(folder)
    linked = tmp_path / "linked"
    linked.symlink_to(saved)  # the folder itself may be one
    assert check_manifest(linked)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
@pytest.mark.parametrize("name", ["router.json", "model.safetensors", MANIFEST])
def test_pipes_and_folders_are_no_files(model, name):
    (model / name).unlink()
    os.mkfifo(model / name)
    assert f"{name} is no file" in refused(model)
    (model / name).unlink()
    (model / name).mkdir()
    assert f"{name} is no file" in refused(model)


def test_a_model_that_is_exchanged_while_it_is_read_is_read_anew(model, fitted, tmp_path, monkeypatch):
    fitted.save_pretrained(tmp_path / "next")
    read, times = loading.read_model_json, []

    def exchanging(folder, name):
        if name == "router.json" and not times:
            times.append(name)
            folder.rename(tmp_path / "old")
            (tmp_path / "next").rename(folder)
        return read(folder, name)

    monkeypatch.setattr(loading, "read_model_json", exchanging)
    found, _ = load_model(model)
    assert found.settings.encoder == fitted.encoder


def test_a_model_that_never_stays_is_refused(model, monkeypatch):
    read = loading.read_model_json

    def touching(folder, name):
        (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes())
        return read(folder, name)

    monkeypatch.setattr(loading, "read_model_json", touching)
    with pytest.raises(ArtifactError, match="changes again and again while it is read"):
        load_model(model)


def test_a_file_that_is_written_to_after_its_check_is_not_used(model, monkeypatch):
    read = loading.read_model_json
    wrong = json.loads((model / "router.json").read_text(encoding="utf-8"))
    wrong["fine"]["full"]["lexical"] = 0.5

    def changing(folder, name):
        if name == "router.json":
            (folder / name).write_text(json.dumps(wrong), encoding="utf-8")
        return read(folder, name)

    monkeypatch.setattr(loading, "read_model_json", changing)
    assert "router.json is damaged or was changed" in refused(model)
