"""The whole path, from documents to a classifier on the encoder that they trained, in English and Chinese."""

import json
import logging

import pytest
from tiny import TINY

from hierarchy.errors import ConfigError, DataError, EncoderError
from pipelines.classifier import HierarchicalClassifier
from pipelines.pretraining.encoder_folder import RECORD
from pipelines.pretraining.pretrain import pretrain

SMALL = {
    "segment_tokens": 32, "device": "cpu",
    "training": {"num_train_epochs": 1, "learning_rate": 1e-2, "per_device_train_batch_size": 32},
}  # fmt: skip
NEW = {**SMALL, "layers": 1, "hidden": 64, "vocabulary": 400}


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
        (["a", None], {}, DataError, r"texts\[1\] is NoneType, not a text"),
        (["a", "b"], {"minutes": 0}, ConfigError, "minutes 0 must be above 0"),
        (["a", "b"], {"layers": 0, "hidden": 65}, ConfigError, "hidden 65 must be a multiple of 64"),
        (["a", "b"], {"vocabulary": 1}, ConfigError, "vocabulary 1 must be from 100"),
        (["a", "b"], {"masked": 1.5}, ConfigError, "masked"),
        (["a", "b"], {"training": {"learning_rat": 1}}, ConfigError, "did you mean 'learning_rate'"),
        (["冰箱温度风热" * 9, "外机屏幕频道" * 9], {"encoder": "tiny"}, EncoderError, "take a new one"),
    ],
)
def test_bad_input_is_refused_before_any_work(tiny_encoder, tmp_path, texts, more, error, told):
    more = {**more, "encoder": tiny_encoder} if "encoder" in more else more
    with pytest.raises(error, match=told):
        pretrain(texts, tmp_path / "out", **more)
    assert not list(tmp_path.iterdir())
