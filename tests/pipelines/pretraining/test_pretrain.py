"""The whole path, from documents to a classifier on the encoder that they trained, in English and Chinese."""

import json
import logging

import pandas as pd
import pytest
from tiny import TINY

from hierarchy.errors import ConfigError, DataError, EncoderError
from pipelines.classifier import HierarchicalClassifier
from pipelines.pretraining import encoder_folder
from pipelines.pretraining.encoder_folder import RECORD
from pipelines.pretraining.pretrain import pretrain

SMALL = {
    "segment_tokens": 32, "device": "cpu",
    "training": {"num_train_epochs": 1, "learning_rate": 1e-2, "per_device_train_batch_size": 32},
}  # fmt: skip
NEW = {**SMALL, "layers": 1, "hidden": 64, "vocabulary": 400}
CARD = {
    "encoder": "e", "documents": 9, "held_out": 1, "left_out": 0, "tokens": 99, "masked": 0.15, "minutes": None,
    "epochs": 2.0, "best_epoch": 1.0, "layers": 1, "hidden": 64, "vocabulary": 9, "versions": {},
}  # fmt: skip


@pytest.fixture(scope="module", params=["english", "chinese"])
def trained(request, tmp_path_factory):
    corpus = request.getfixturevalue(request.param)
    out = tmp_path_factory.mktemp(request.param) / "encoder"
    return corpus, out, pretrain(corpus.train[0], out, **NEW)


def test_a_classifier_is_trained_on_the_encoder_that_documents_trained(trained):
    corpus, out, record = trained
    assert record["history"][-1]["loss"] < record["history"][0]["loss"]
    # The documents do not hold the characters of the Chinese labels' names, so rows cannot start from these.
    classifier = HierarchicalClassifier(corpus.taxonomy, encoder=str(out), row_start="centroids", lexical=False, **TINY)
    classifier.fit(*corpus.train, validation=corpus.valid)
    assert classifier.score(*corpus.test) > 3 / len(corpus.taxonomy.labels)


def test_record_and_card_say_what_it_was_trained_on(trained):
    corpus, out, record = trained
    kept = json.loads((out / RECORD).read_bytes())
    assert record.items() <= kept.items()
    assert record["documents"] + record["held_out"] + record["left_out"] == len(corpus.train[0])
    assert record["held_out"] == round(0.05 * (record["documents"] + record["held_out"]))
    card = (out / "README.md").read_text(encoding="utf-8")
    for entry in record["history"]:
        assert f"| {entry['epoch']:.2f} | {entry['loss']:.4f} | {entry['perplexity']:.1f} |" in card
    assert f"| documents trained on | {record['documents']} (" in card
    assert "| epochs | 1, of which the best" in card
    told = "".join(file.read_text(encoding="utf-8") for file in out.iterdir() if file.suffix in {".json", ".md"})
    assert str(out.parent) not in told


def test_an_encoder_is_trained_further_with_its_head(trained, tmp_path, caplog):
    corpus, out, record = trained
    caplog.set_level(logging.INFO)
    further = pretrain(corpus.train[0], tmp_path / "further", encoder=str(out), **SMALL)
    assert "goes on as it is" in caplog.text
    best = min(entry["loss"] for entry in record["history"])
    assert further["history"][0]["loss"] == pytest.approx(best, rel=1e-4)
    assert further["encoder"] == "encoder"


def test_a_sentence_encoder_is_recognised(tiny_encoder, english, tmp_path, caplog):
    import shutil

    shutil.copytree(tiny_encoder, tmp_path / "sentences")
    for name in ("words", "sentences"):
        caplog.clear()
        place = tiny_encoder if name == "words" else str(tmp_path / name)
        if name == "sentences":
            (tmp_path / name / "modules.json").write_text("[]", encoding="utf-8")
        caplog.set_level(logging.INFO)
        pretrain(english.train[0][:40], tmp_path / f"{name}-out", encoder=place, **SMALL)
        assert ("is a sentence encoder" in caplog.text) == (name == "sentences")
        assert "begins with random weights" in caplog.text


def test_what_another_pretraining_wrote_is_replaced_and_nothing_else(trained, tmp_path):
    texts = trained[0].train[0][:40]
    out = tmp_path / "encoder"
    pretrain(texts, out, **NEW, minutes=0.01)
    first = json.loads((out / RECORD).read_bytes())
    assert first["minutes"] == 0.01
    assert " in 0.01 minutes, of which" in (out / "README.md").read_text(encoding="utf-8")
    pretrain(texts, out, **{**NEW, "random_state": 1})
    assert json.loads((out / RECORD).read_bytes())["history"] != first["history"]
    (out / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(DataError, match="which no pretraining has written: name a new folder"):
        pretrain(texts, out, **NEW)
    assert (out / "mine.txt").read_text(encoding="utf-8") == "kept"
    assert {entry.name for entry in tmp_path.iterdir()} == {"encoder"}


@pytest.mark.parametrize(
    ("texts", "more", "error", "told"),
    [
        (["a", "", "a"], {}, DataError, "there is 1 document that is neither blank nor repeated"),
        (["a", None], {}, DataError, r"texts\[1\] is None \(NoneType\), not a string"),
        ("a text", {}, DataError, "texts is a single string"),
        (["a", "b"], {"minutes": 0}, ConfigError, "minutes 0 must be a number above 0"),
        (["a", "b"], {"layers": "4"}, ConfigError, "layers '4' must be from 1 to 24"),
        (["a", "b"], {"random_state": -1}, ConfigError, "random_state -1 must be a whole number"),
        (["a", "b"], {"segment_tokens": 1024}, ConfigError, "segment_tokens 1024 must be at most 512"),
        (["a", "b"], {"encoder": "none"}, ConfigError, "encoder 'none' reads nothing"),
        (["a", "b"], {"run_dir": "out/run"}, DataError, "'[^']*out' would overwrite run_dir"),
        (["a", "b"], {"encoder": "tiny", "into": "it"}, DataError, "would overwrite what is read"),
        (["a", "b"], {"layers": 0, "hidden": 65}, ConfigError, "hidden 65 must be a multiple of 64"),
        (["a", "b"], {"vocabulary": 1}, ConfigError, "vocabulary 1 must be from 100"),
        (["a", "b"], {"masked": 1.5}, ConfigError, "masked"),
        (["a", "b"], {"training": {"learning_rat": 1}}, ConfigError, "did you mean 'learning_rate'"),
        (["冰箱温度风热" * 9, "外机屏幕频道" * 9], {"encoder": "tiny"}, EncoderError, "take a new one"),
    ],
)
def test_bad_input_is_refused_before_any_work(tiny_encoder, tmp_path, texts, more, error, told):
    places = {"tiny": tiny_encoder, "out/run": str(tmp_path / "out" / "run")}
    more = {name: places.get(value, value) if isinstance(value, str) else value for name, value in more.items()}
    out = tiny_encoder if more.pop("into", None) else tmp_path / "out"
    with pytest.raises(error, match=told):
        pretrain(texts, out, **more)
    assert not list(tmp_path.iterdir())


def test_documents_are_read_by_their_places(tmp_path):
    """A series has an order and an index, and these differ once it is shuffled."""
    texts = pd.Series([f"kettle {place} " * 5 for place in range(20)] + [" ", "kettle 1 " * 5]).sample(
        frac=1, random_state=0
    )
    record = pretrain(texts, tmp_path / "series", **NEW)
    assert (record["documents"], record["held_out"], record["left_out"]) == (19, 1, 2)
    assert record["history"] == pretrain(texts.tolist(), tmp_path / "list", **NEW)["history"]


def test_a_training_that_has_diverged_is_told_in_the_card(tmp_path, monkeypatch):
    entry = {"epoch": 2.0, "loss": None, "perplexity": None}
    figures = encoder_folder._card({**CARD, "history": [{"epoch": 1.0, "loss": 1.0, "perplexity": 2.718}, entry]})
    assert "| 1.00 | 1.0000 | 2.7 |\n| 2.00 | no number | no number |" in figures
