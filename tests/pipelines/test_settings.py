"""One rule for all settings: what can have no effect beside the others is refused, with the reason."""

import logging

import pytest
import yaml
from examples import ROOT
from pydantic import ValidationError

from pipelines.settings import IDLE, MACHINE, SECTIONS, Settings

# What always has an effect, on some documents at least.
ACTING = {
    "mode", "routing", "encoder", "label_encoder", "lexical", "n_groups", "min_group_size", "max_group_size", "signals",
    "merge_spellings", "label_documents", "augment", "word_dropout", "random_state",
}  # fmt: skip
OTHER = {  # than the default
    "fine_loss": "path", "loss_weights": "learned", "row_start": "random", "fine_features": "trained", "neural_C": 2.0,
    "pooling": "cls", "dtype": "float32", "trainable": "all", "attention_dropout": 0.0, "segment_tokens": 128,
    "overlap": 16, "unit_tokens": 64, "max_segments": 4, "tokens_per_chunk": 1024, "aggregator": False,
    "aggregator_layers": 2, "aggregator_heads": 2, "label_attention": False, "dropout": 0.2, "imbalance": "weights",
    "imbalance_scope": "groups", "training": {"num_train_epochs": 1}, "keep_neighbours": True, "min_df": 1,
    "prune": 0.0, "lexical_C": 2.0, "prior_correction": 0.0, "negatives": "group", "beam": 2, "augmented_copies": 2,
}  # fmt: skip
PAIRS = [(one, name) for one in IDLE for name in one.settings]


def given(one, name):
    """Settings in which one has no effect; what it stands beside is allowed by itself."""
    section, _, key = name.partition(".")
    return {**({section: {key: 1}} if key else {name: OTHER[name]}), **one.beside}


@pytest.mark.parametrize(("one", "name"), PAIRS, ids=[f"{name} {one.beside}" for one, name in PAIRS])
def test_a_setting_without_effect_is_refused_with_the_reason(one, name):
    with pytest.raises(ValidationError, match=f"{name}.* nothing with ") as caught:
        Settings(**given(one, name))
    assert one.reason in str(caught.value)


def test_every_setting_always_acts_or_has_a_rule_or_belongs_to_the_machine():
    ruled = {name.partition(".")[0] for one in IDLE for name in one.settings}
    assert ACTING | MACHINE | ruled == set(Settings.model_fields)
    assert not ruled & (ACTING | MACHINE)


def test_a_training_leaves_out_what_its_own_choice_makes_idle(caplog):
    settings = Settings(attention_dropout=0.0, fine_features="trained", training={"layer_decay": 0.5, "bf16": True})
    with caplog.at_level(logging.INFO):
        resolved = settings.resolved(trainable="frozen")
    assert resolved == Settings(trainable="frozen", training={"bf16": True})
    told = "without effect beside trainable: frozen, so left out: fine_features, attention_dropout, "
    assert f"{told}training.layer_decay" in caplog.text
    assert settings.resolved(trainable="all") == settings.model_copy(update={"trainable": "all"})


def test_sections_follow_each_other_in_settings_and_in_the_config():
    fields = list(Settings.model_fields)
    assert [name for name in fields if name in SECTIONS] == list(SECTIONS)
    text = (ROOT / "configs" / "chained.yaml").read_text(encoding="utf-8")
    assert [*yaml.safe_load(text)["classifier"], "run_dir"] == fields
    assert [line.strip("# -\n") for line in text.splitlines() if "# ----" in line] == list(SECTIONS.values())


def test_there_are_no_more_settings_than_a_person_can_look_through():
    assert len(Settings.model_fields) - 1 <= 46  # beside merge_spellings
