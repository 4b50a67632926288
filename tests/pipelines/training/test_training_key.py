"""The key of a neural training: every setting is in it, but for those that are listed as without effect on it."""

import numpy as np
import pytest
import torch

from pipelines.settings import Settings
from pipelines.training import neural
from pipelines.training.neural import NO_MATTER, training_key
from stages import features
from stages.coarse import segment_encoder, segments
from stages.coarse.encoder import Encoder
from stages.label_space import LabelSpace

OTHER = {  # than the default
    "mode": "joint", "encoder": "bert-base-uncased", "label_encoder": "embedded", "pooling": "cls", "dtype": "bfloat16",
    "trainable": "all", "fine_features": "trained", "segment_tokens": 128, "overlap": 16, "unit_tokens": 32,
    "max_segments": 4, "tokens_per_chunk": 1024, "attention_queries": 2, "aggregator_layers": 2, "aggregator_heads": 2,
    "label_attention": True, "dropout": 0.3, "attention_dropout": 0.0, "lexical": False, "min_df": 1, "prune": 0.0,
    "negatives": "group", "prior_correction": 0.0, "neural_C": 2.0, "lexical_C": 2.0,
    "keep_neighbours": True, "routing": "beam", "beam": 2, "n_groups": 3, "min_group_size": 2, "max_group_size": 50,
    "signals": {"text": 1.0}, "fine_loss": "path", "loss_weights": "learned",
    "row_start": "random", "imbalance": "weights", "imbalance_scope": "groups",
    "label_documents": False, "augment": "synonyms:swap", "word_dropout": 0.1,
    "augmented_copies": 2, "training": {"num_train_epochs": 1},
    "merge_spellings": False, "device": "cpu", "n_jobs": 2, "random_state": 1, "run_dir": "run",
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tiny_encoder):
    return Encoder.from_pretrained(tiny_encoder, dtype="float32")


@pytest.fixture
def key(loaded, english):
    """The key of a training on a few documents; keyword arguments go over its parts."""
    texts, labels = english.train[0][:20], english.train[1][:20]
    space = LabelSpace.of(english.taxonomy, labels)
    targets = space.targets(labels)

    def make(settings=None, **parts):
        usual = {
            "encoder": loaded,
            "segmenter": loaded.segmenter(segment_tokens=32, overlap=8),
            "taxonomy": english.taxonomy,
            "space": space,
            "group_embeddings": torch.zeros(len(space.group_ids), 4),
            "train": (texts[:15], targets[:15]),
            "valid": (texts[15:], targets[15:]),
        }
        return training_key(Settings() if settings is None else settings, **usual | parts)

    make.texts, make.targets = texts, targets
    return make


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_counts_unless_it_is_listed(key, name):
    assert OTHER[name] != Settings.model_fields[name].get_default(call_default_factory=True)
    changed = key(Settings().model_copy(update={name: OTHER[name]}))
    assert (changed == key()) == (name in NO_MATTER)


def test_the_list_names_settings_that_there_are():
    assert set(Settings.model_fields) > NO_MATTER
    assert "tokens_per_chunk" not in NO_MATTER  # where the encoder is trained, what is dropped depends on it


def test_where_training_ends_and_validation_begins_counts(key):
    splits = [key(train=(key.texts[:n], key.targets[:n]), valid=(key.texts[n:], key.targets[n:])) for n in range(21)]
    assert len(set(splits)) == 21
    texts_alone = key(train=(key.texts[:10], key.targets[:15]), valid=(key.texts[10:], key.targets[15:]))
    assert texts_alone not in splits


def test_what_settings_stand_for_counts_by_its_content(key, loaded, tiny_encoder, tmp_path):
    loaded.save(tmp_path / "same")
    assert key(encoder=Encoder.from_pretrained(str(tmp_path / "same"), dtype="float32")) == key()
    others = [{"pooling": "cls", "dtype": "float32"}, {"dtype": "bfloat16"}]
    others = [Encoder.from_pretrained(tiny_encoder, **other) for other in others]
    others.append(Encoder.from_pretrained(tiny_encoder, dtype="float32", attention_dropout=0.5))
    changed = [key(encoder=other) for other in others]
    changed += [key(segmenter=loaded.segmenter(segment_tokens=32, overlap=8, max_segments=n)) for n in (1, 2)]
    changed += [key(segmenter=loaded.segmenter(segment_tokens=32, overlap=8, unit_tokens=n)) for n in (8, 16)]
    changed += [key(group_embeddings=torch.ones(3, 4)), key(group_embeddings=torch.zeros(3, 5))]
    changed += [key(train=(key.texts[:15], np.arange(15) % 3))]
    assert len({*changed, key()}) == len(changed) + 1


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (neural, "TRAINING_VERSION"),
        (segments, "WINDOWS_VERSION"),
        (segments, "TOKENS_VERSION"),
        (segment_encoder, "ENCODING_VERSION"),
    ],
)
def test_code_counts(key, monkeypatch, place, name):
    before = key()
    monkeypatch.setattr(place, name, 99)
    assert key() != before


@pytest.mark.parametrize(
    ("place", "library"),
    [(neural, "torch"), (neural, "transformers"), (neural, "accelerate"), (features, "tokenizers")],
)
def test_libraries_count(key, monkeypatch, place, library):
    before, real = key(), place.version
    monkeypatch.setattr(place, "version", lambda name: "0" if name == library else real(name))
    assert key() != before
