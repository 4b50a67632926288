"""Models on the hub: what comes down is what went up, nothing else comes down, and what fails is told in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hub_server import TOKEN, Repository

from hierarchy.disk.manifests import MANIFEST
from hierarchy.errors import ArtifactError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact.hub import local_folder, push_folder

ROOT = Path(__file__).parents[3]
TEXTS = ["boil water in the kettle", "printer ink and paper", "the hose leaks"]


@pytest.fixture
def offline(hub, monkeypatch):
    from huggingface_hub import constants

    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("which", ["fitted", "fitted_lexical"])
def test_what_comes_down_is_what_went_up(hub, which, request, tmp_path):
    classifier = request.getfixturevalue(which)
    address = classifier.push_to_hub("team/shop", commit_message="first")
    assert address.startswith(f"{hub.url}/team/shop/commit/")
    again = HierarchicalClassifier.from_pretrained("team/shop")
    assert np.array_equal(again.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert again.model_.record == classifier.model_.record
    repository = hub.repositories["team/shop"]
    uploaded = repository.commits[repository.branches["main"]]
    classifier.save_pretrained(tmp_path / "model")
    assert set(uploaded) == {str(p.relative_to(tmp_path / "model")) for p in (tmp_path / "model").rglob("*.*")}
    assert any(path.startswith("/lfs/") for _, path in hub.requests)  # weights go as large files


def test_a_second_push_takes_away_what_the_model_no_longer_has(hub, fitted, fitted_lexical):
    fitted.push_to_hub("team/shop")
    for name in ("NOTICE.txt", "data/prices.json"):
        hub.repositories["team/shop"].change(name, b"not ours")
    fitted_lexical.push_to_hub("team/shop")
    repository = hub.repositories["team/shop"]
    files = repository.commits[repository.branches["main"]]
    assert {"NOTICE.txt", "data/prices.json"} <= set(files)
    assert not any(name.startswith("encoder/") for name in files)
    assert HierarchicalClassifier.from_pretrained("team/shop").encoder == "none"


@pytest.mark.parametrize("name", ["model.safetensors", "router.json", "encoder/model.safetensors"])
def test_a_tampered_file_is_refused_by_name(hub, fitted, name):
    fitted.push_to_hub("team/shop")
    repository = hub.repositories["team/shop"]
    whole = repository.commits[repository.branches["main"]][name]
    repository.change(name, whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=rf"{name.replace('.', '[.]')} is damaged or was changed"):
        HierarchicalClassifier.from_pretrained("team/shop")


def test_nothing_but_the_model_comes_down(hub, fitted_lexical):
    fitted_lexical.push_to_hub("team/shop")
    repository = hub.repositories["team/shop"]
    strange = ("modeling.py", "encoder/pytorch_model.bin", "model.pkl", "promises.json", "encoder/config.json")
    for name in strange:
        repository.change(name, b"raise SystemExit")
    folder = local_folder("team/shop")
    assert not any((folder / name).exists() or hub.got(name) for name in strange)
    assert HierarchicalClassifier.from_pretrained("team/shop").model_.promises is None


def test_a_manifest_that_lists_a_pickle_is_refused(hub, fitted_lexical):
    fitted_lexical.push_to_hub("team/shop")
    repository = hub.repositories["team/shop"]
    manifest = json.loads(repository.commits[repository.branches["main"]][MANIFEST])
    manifest["sha256"] |= {"encoder/pytorch_model.bin": "0" * 64, "../outside.sh": "0" * 64}
    repository.change(MANIFEST, json.dumps(manifest).encode())
    repository.change("encoder/pytorch_model.bin", b"a pickle")
    with pytest.raises(ArtifactError) as caught:
        HierarchicalClassifier.from_pretrained("team/shop")
    assert "encoder/pytorch_model.bin is no JSON, YAML or safetensors and is not downloaded" in str(caught.value)
    assert "../outside.sh is no JSON" in str(caught.value)
    assert not hub.got("pytorch_model.bin")
    repository.change(MANIFEST, b"{}")
    repository.commit("main", repository.commits[repository.branches["main"]])
    with pytest.raises(ArtifactError, match=r"manifest.json of team/shop on the hub cannot be read"):
        HierarchicalClassifier.from_pretrained("team/shop")


def test_a_revision_is_honoured(hub, fitted, fitted_lexical):
    fitted_lexical.push_to_hub("team/shop")
    first = hub.repositories["team/shop"].branches["main"]
    fitted.push_to_hub("team/shop", revision="with-encoder")
    expected = {"main": "none", first: "none", "with-encoder": fitted.encoder}
    for revision, encoder in expected.items():
        for read in (
            HierarchicalClassifier.from_pretrained("team/shop", revision=revision),
            HierarchicalClassifier.from_pretrained(f"team/shop@{revision}"),
        ):
            assert read.model_.settings.encoder == encoder
    with pytest.raises(ArtifactError, match=r"it has no revision 'v9': name a branch, tag or commit"):
        HierarchicalClassifier.from_pretrained("team/shop@v9")


def test_what_was_downloaded_once_loads_offline(hub, offline, fitted_lexical):
    fitted_lexical.push_to_hub("team/shop")
    HierarchicalClassifier.from_pretrained("team/shop")
    offline()
    asked = len(hub.requests)
    again = HierarchicalClassifier.from_pretrained("team/shop")
    assert np.array_equal(again.predict_proba(TEXTS), fitted_lexical.predict_proba(TEXTS))
    assert len(hub.requests) == asked
    with pytest.raises(ArtifactError, match=r"no folder team/other, .*HF_HUB_OFFLINE is set, and it is not in the cac"):
        HierarchicalClassifier.from_pretrained("team/other")
    with pytest.raises(ArtifactError, match=r"team/shop cannot be pushed to: HF_HUB_OFFLINE is set: unset it"):
        fitted_lexical.push_to_hub("team/shop")


def test_a_private_model_needs_a_token(hub, fitted_lexical, monkeypatch):
    fitted_lexical.push_to_hub("team/secret", private=True)
    assert hub.repositories["team/secret"].private
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ArtifactError, match=r"there is none of that name, or it is private: .*hf auth login"):
        HierarchicalClassifier.from_pretrained("team/secret")
    with pytest.raises(
        ArtifactError, match=r"team/secret cannot be pushed to: .*(no access|it is private).*auth login"
    ):
        fitted_lexical.push_to_hub("team/secret")
    assert HierarchicalClassifier.from_pretrained("team/secret", token=TOKEN).encoder == "none"


def test_what_fails_is_told_in_one_line(hub, fitted_lexical, tmp_path):
    def message(action, *arguments, **named):
        with pytest.raises(ArtifactError) as caught:
            action(*arguments, **named)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    read = HierarchicalClassifier.from_pretrained
    assert "no folder team/none, and from the hub team/none cannot be had" in message(read, "team/none")
    assert "no folder a/b/c: name the folder" in message(read, "a/b/c")
    assert "no folder model: name the folder" in message(read, "model")
    assert "which has no revision 'v1'" in message(read, tmp_path, revision="v1")
    assert "foreign/shop cannot be pushed to: no access: log in" in message(fitted_lexical.push_to_hub, "foreign/shop")
    assert "'shop' is no name on the hub: write org/name" in message(fitted_lexical.push_to_hub, "shop")
    assert "'a/b@v1' is no name on the hub" in message(fitted_lexical.push_to_hub, "a/b@v1")
    assert "holds no model" in message(push_folder, tmp_path, "team/shop")
    hub.repositories["team/empty"] = Repository(private=False)
    hub.repositories["team/empty"].change("config.json", b"{}")
    assert "team/empty on the hub is no model of coarsefine" in message(read, "team/empty")


def test_without_network(hub, fitted_lexical, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    with pytest.raises(ArtifactError, match="the hub cannot be reached"):
        HierarchicalClassifier.from_pretrained("team/shop")
    with pytest.raises(ArtifactError, match=r"team/shop cannot be pushed to: .*check the network"):
        fitted_lexical.push_to_hub("team/shop")


def test_the_commands_push_and_take_a_hub_id(hub, fitted_lexical, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "secret.env").write_text("PASSWORD=1", encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip

    def run(*arguments):
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    pushed = run("push", "model", "team/shop", "--private", "--revision", "v1")
    assert pushed.returncode == 0, pushed.stderr
    assert "predict team/shop@v1" in pushed.stderr
    repository = hub.repositories["team/shop"]
    assert repository.private
    assert "secret.env" not in repository.commits[repository.branches["v1"]]
    answered = run("predict", "team/shop@v1", "--text", TEXTS[0], "--json")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["label"] == fitted_lexical.predict([TEXTS[0]])[0]
    missing = run("predict", "team/shop@v2", "--text", "x")
    assert missing.returncode == 2
    assert missing.stderr.startswith(
        "coarsefine: no folder team/shop@v2, and from the hub team/shop cannot be had: it "
    )
