"""Names on the hub: what can be none, and a hub that cannot be reached, are told at once."""

import time

import pytest

from hierarchy.embedding import label_vectors as embedding
from hierarchy.embedding.hub_names import hub_refusal
from hierarchy.errors import DataError, EncoderError
from pipelines.data.reading import read_documents
from stages.coarse.encoder import Encoder

constants = pytest.importorskip("huggingface_hub.constants")
NOBODY_LISTENS = "http://127.0.0.1:9"


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY_LISTENS)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", NOBODY_LISTENS + "/{repo_id}/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("it is asked again"))


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (Encoder.from_pretrained, EncoderError),
        (embedding.load_sentence_encoder, EncoderError),
        (read_documents, DataError),
    ],
)
def test_a_hub_that_cannot_be_reached_is_asked_once(read, error, no_network):
    with pytest.raises(error, match="hub cannot be reached"):
        read("owner/name")


@pytest.mark.parametrize("name", ["x" * 300, "./no/such", "a/b/c", "a b", "-x", "/no/such", "a--b/c", "é/x"])
def test_what_can_be_no_name_on_the_hub_is_not_asked_for(name, no_network, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url: pytest.fail("asked"))
    assert "no name on the hub" in hub_refusal(name)
    with pytest.raises(EncoderError, match="no name on the hub"):
        Encoder.from_pretrained(name)


@pytest.mark.parametrize("name", ["owner/name", "name"])
def test_what_lies_in_the_cache_is_not_asked_for(name, no_network, tmp_path):
    owner = "" if "/" in name else "sentence-transformers/"
    folder = tmp_path / "cache" / f"models--{owner}{name}".replace("/", "--")
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (folder / "snapshots" / ("0" * 40) / "config.json").write_text("{}")
    assert hub_refusal(name) is None
    assert hub_refusal("owner/other") is not None
