"""Masked language modelling: a stopped one goes on to the same weights, and the figures count every masked token."""

import logging
import math
import re
import shutil
from functools import reduce

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, TrainerControl, TrainerState

from hierarchy.errors import ConfigError
from stages.coarse.fresh_encoder import fresh_modernbert
from stages.coarse.masked_encoder import load_masked_encoder
from stages.coarse.segments import Segmenter
from stages.training import masked_language
from stages.training.masked_language import check_pretraining, pretraining_settings, train_masked_language
from stages.training.masking import MaskedWindows, MaskWords, cached_marked_tokens
from stages.training.time_budget import TimeBudget, TimedCheckpoints

SETTINGS = {"num_train_epochs": 2, "per_device_train_batch_size": 8, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def parts(tiny_encoder, english, tmp_path_factory):
    segmenter = Segmenter(AutoTokenizer.from_pretrained(tiny_encoder), segment_tokens=16, overlap=0)
    folder = tmp_path_factory.mktemp("tokens")
    tokens = [
        cached_marked_tokens(texts, segmenter, folder, what="t")
        for texts in (english.train[0][:8], english.valid[0][:4])
    ]
    return segmenter.tokenizer, tokens, segmenter


def train(parts, folder, minutes=None, encoder=None, **more):
    tokenizer, tokens, segmenter = parts
    torch.manual_seed(0)
    fresh = encoder is None
    model = fresh_modernbert(tokenizer, layers=1, hidden=64) if fresh else load_masked_encoder(encoder)[0]
    settings = pretraining_settings({**SETTINGS, **more}, fresh=fresh, device=model.device, minutes=minutes)
    windows = [MaskedWindows(one, segmenter, random_state=0) for one in tokens]
    result = train_masked_language(
        model, train=windows[0], held_out=windows[1], masks=MaskWords(tokenizer, 0.15), settings=settings,
        folder=folder, random_state=0, minutes=minutes,
    )  # fmt: skip
    return model, result, windows


def weights(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


@pytest.fixture(scope="module")
def uninterrupted(parts, tmp_path_factory):
    return train(parts, tmp_path_factory.mktemp("whole"))


def test_it_learns_and_tells_the_loss_before_it_too(uninterrupted):
    _, result, _ = uninterrupted
    assert [entry["epoch"] for entry in result.history] == [0, 1, 2]
    assert result.history[0]["loss"] == pytest.approx(math.log(result.history[0]["perplexity"]))
    assert result.history[-1]["loss"] < result.history[0]["loss"] - 0.5
    assert result.best_epoch == min(result.history[1:], key=lambda entry: entry["loss"])["epoch"]


def test_the_loss_is_that_of_transformers_over_all_masked_tokens(uninterrupted, parts):
    model, result, (_, held_out) = uninterrupted
    masks = MaskWords(parts[0], 0.15)
    total = masked = 0
    for start in range(0, len(held_out), 16):
        batch = masks([held_out[place] for place in range(start, min(start + 16, len(held_out)))])
        with torch.no_grad():
            number = int((batch["labels"] != -100).sum())
            total += number * model(**batch).loss.item()
            masked += number
    assert min(entry["loss"] for entry in result.history) == pytest.approx(total / masked, rel=1e-5)


def stop(parts, folder, monkeypatch, step, **more):
    """Train to the checkpoint at a step, or to the first at the end of an epoch."""

    class Stops(masked_language.TimedCheckpoints):
        def on_step_end(self, args, state, control, **kwargs):
            control.should_save |= state.global_step == step

        def on_save(self, args, state, control, **kwargs):
            if step in (None, state.global_step):
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(masked_language, "TimedCheckpoints", Stops)
        with pytest.raises(KeyboardInterrupt):
            train(parts, folder, **more)


@pytest.mark.parametrize("step", [2, None], ids=["within an epoch", "at its end"])
def test_a_stopped_training_goes_on_to_the_same_weights(parts, uninterrupted, tmp_path, monkeypatch, caplog, step):
    stop(parts, tmp_path, monkeypatch, step)
    caplog.set_level(logging.INFO)
    model, result, _ = train(parts, tmp_path)
    assert "pretraining goes on from checkpoint-" in caplog.text
    assert weights(model) == weights(uninterrupted[0])
    assert result == uninterrupted[1]


def test_weights_with_names_of_old_are_read_back(parts, tiny_encoder, tmp_path, monkeypatch):
    """As in the files of bert-base-chinese; transformers would write them into checkpoints, and not read them."""
    old = tmp_path / "old"
    shutil.copytree(tiny_encoder, old)
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    tensors = {reduce(lambda name, pair: name.replace(*pair), names.items(), key): tensor
               for key, tensor in load_file(old / "model.safetensors").items()}  # fmt: skip
    assert any(name.endswith("LayerNorm.gamma") for name in tensors)
    save_file(tensors, old / "model.safetensors", metadata={"format": "pt"})

    whole = train(parts, tmp_path / "whole", encoder=str(old))
    assert weights(train(parts, tmp_path / "whole", encoder=str(old))[0]) == weights(whole[0])
    stop(parts, tmp_path / "stopped", monkeypatch, 2, encoder=str(old))
    model, result, _ = train(parts, tmp_path / "stopped", encoder=str(old))
    assert weights(model) == weights(whole[0])
    assert result == whole[1]
    model.save_pretrained(tmp_path / "saved")
    assert not [name for name in load_file(tmp_path / "saved" / "model.safetensors") if "gamma" in name]


def test_one_that_makes_the_encoder_worse_says_so(parts, tmp_path, caplog):
    model, _, _ = train(parts, tmp_path / "good")
    assert "it has made the encoder worse" not in caplog.text
    model.save_pretrained(tmp_path / "encoder")
    parts[0].save_pretrained(tmp_path / "encoder")
    train(parts, tmp_path / "run", encoder=str(tmp_path / "encoder"), learning_rate=0.5, num_train_epochs=1)
    assert "it has made the encoder worse" in caplog.text


@pytest.fixture
def spoiled(parts, monkeypatch):
    """Have weights spoiled after each step of some epochs."""

    def spoil(value, since):
        class Spoils(masked_language.TimedCheckpoints):
            def on_step_end(self, args, state, control, **kwargs):
                if state.epoch > since - 1:
                    next(kwargs["model"].parameters()).data.fill_(value)

        monkeypatch.setattr(masked_language, "TimedCheckpoints", Spoils)

    return spoil


def test_one_that_diverges_late_gives_its_best_epoch_and_says_so(parts, spoiled, tmp_path, caplog):
    spoiled(math.nan, since=2)
    for _ in range(2):  # given again, it comes to the same
        caplog.clear()
        model, result, _ = train(parts, tmp_path, num_train_epochs=4)
        assert "the loss on held-out documents is no number at last" in caplog.text
        assert [entry["loss"] is None for entry in result.history] == [False, False, True]
        assert result.best_epoch == 1
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_one_that_never_has_a_loss_is_refused(parts, spoiled, tmp_path, monkeypatch):
    monkeypatch.setattr(masked_language, "_figures", lambda _: {"loss": math.nan, "perplexity": math.nan})
    with pytest.raises(ConfigError, match="no loss on held-out documents is a number"):
        train(parts, tmp_path / "losses")
    monkeypatch.undo()
    spoiled(math.nan, since=1)
    with pytest.raises(ConfigError, match="its weights are no numbers any more"):
        train(parts, tmp_path / "weights")


def test_a_checkpoint_in_time_does_not_come_before_the_evaluation_of_its_epoch():
    timed, control = TimedCheckpoints(0.0), TrainerControl()
    for epoch, wanted in ((0.5, True), (1.0, False), (1.5, True), (2.0, False)):
        control.should_save = False
        timed.on_step_end(None, TrainerState(epoch=epoch), control)
        assert control.should_save == wanted


@pytest.mark.parametrize("best", [1, 3])
def test_one_that_ended_is_read_back_and_not_trained_again(parts, spoiled, tmp_path, monkeypatch, best):
    spoiled(1.0, since=best + 1)
    first = train(parts, tmp_path, num_train_epochs=3)
    monkeypatch.setattr(masked_language._Trainer, "train", None)
    again = train(parts, tmp_path, num_train_epochs=3)
    assert weights(again[0]) == weights(first[0])
    assert again[1] == first[1]
    assert first[1].best_epoch == best


def test_with_a_time_budget_the_rate_falls_by_the_clock_which_goes_on_after_a_stop(parts, tmp_path, monkeypatch):
    """Every look at this clock takes a second."""
    seconds = iter(range(10**6))
    monkeypatch.setattr("stages.training.time_budget.time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(masked_language, "SECONDS_BETWEEN_CHECKPOINTS", 5.0)
    rates = []

    class Watches(masked_language._Log):
        def on_step_end(self, args, state, control, **kwargs):
            rates.append(kwargs["optimizer"].param_groups[0]["lr"])
            if len(rates) == stop_at:
                raise KeyboardInterrupt

    monkeypatch.setattr(masked_language, "_Log", Watches)
    stop_at = 10
    with pytest.raises(KeyboardInterrupt):
        train(parts, tmp_path, minutes=1, num_train_epochs=1000)
    before, stop_at = len(rates), None
    _, result, _ = train(parts, tmp_path, minutes=1, num_train_epochs=1000)
    assert rates[0] < max(rates)  # it rises first
    falls = rates[rates.index(max(rates)) : before]
    assert falls == sorted(falls, reverse=True)
    assert rates[-1] < 0.1 * max(rates)
    assert before < len(rates) < 60
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    monkeypatch.setattr(masked_language._Trainer, "train", None)
    assert train(parts, tmp_path, minutes=1, num_train_epochs=1000)[1] == result


def test_lines_within_an_epoch_tell_the_loss_of_the_last_steps(parts, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(masked_language, "SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level(logging.INFO)
    train(parts, tmp_path, num_train_epochs=1, logging_steps=2, disable_tqdm=True)
    lines = [line for line in caplog.messages if line.startswith("step ")]
    assert "loss" not in lines[0]
    assert all(re.search(r"epoch 0\.\d\d: loss \d\.\d\d, .* steps a minute, .* left", line) for line in lines[2:-1])


def test_arguments_without_effect_are_refused():
    with pytest.raises(ConfigError, match=r"training\.layer_decay has no effect on a pretraining"):
        check_pretraining({"layer_decay": 0.9}, device="cpu", minutes=None)
    with pytest.raises(ConfigError, match="metric_for_best_model='accuracy' cannot be"):
        check_pretraining({"metric_for_best_model": "accuracy"}, device="cpu", minutes=None)
    for name, value in (
        ("load_best_model_at_end", False), ("eval_strategy", "no"), ("label_smoothing_factor", 0.1),
        ("dataloader_persistent_workers", True), ("dataloader_drop_last", True), ("greater_is_better", True),
        ("eval_delay", 5), ("eval_on_start", False), ("ignore_data_skip", True), ("data_seed", 1),
        ("restore_callback_states_from_checkpoint", False),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=rf"training\.{name}={value!r} cannot be in a pretraining"):
            check_pretraining({name: value}, device="cpu", minutes=None)
    with pytest.raises(ConfigError, match="save_total_limit=1 removes"):
        check_pretraining({"save_total_limit": 1}, device="cpu", minutes=None)
    with pytest.raises(ConfigError, match="warmup_steps=100 counts steps"):
        check_pretraining({"warmup_steps": 100}, device="cpu", minutes=1.0)
    check_pretraining({"warmup_steps": 0.1, "eval_strategy": "epoch"}, device="cpu", minutes=1.0)
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        check_pretraining({"learning_rat": 0.9}, device="cpu", minutes=None)


def test_the_time_begins_with_the_first_step_and_its_end_makes_one_checkpoint(monkeypatch):
    """An evaluation comes before that step, which may take longer than the warm-up."""
    now = 0.0
    monkeypatch.setattr("stages.training.time_budget.time.monotonic", lambda: now)
    budget, control = TimeBudget(60.0), TrainerControl(should_save=True)
    budget.on_train_begin(None, None, control)
    now = 50.0
    budget.on_step_begin(None, None, control)
    assert budget.spent == 0
    now = 80.0
    budget.on_step_begin(None, None, control)
    assert budget.spent == 30
    budget.on_step_end(None, None, control)
    assert (control.should_training_stop, control.should_save) == (False, True)
    now = 110.0
    budget.on_step_end(None, None, control)
    assert (control.should_training_stop, control.should_save) == (True, False)


def test_several_processes_have_no_clock_in_common(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="minutes counts the time of one process"):
        check_pretraining({}, device="cpu", minutes=3.0)
