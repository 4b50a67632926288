"""Training: a stopped one goes on to the same weights, a finished one is read back, wrong names are refused."""

import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from label_fixtures import space_of
from safetensors.torch import load_file, save_file
from torch import nn

from hierarchy.errors import ConfigError, DataError
from stages.run_folder import write_checksums
from stages.training import trainer
from stages.training.arguments import DEFAULTS, check_training, training_arguments
from stages.training.evaluations import best_of_each_level, level_metrics
from stages.training.sampling import LabelSampler
from stages.training.trainer import train_model
from stages.training.two_stage import HierarchicalLoss

SETTINGS = {"num_train_epochs": 4, "per_device_train_batch_size": 8, "learning_rate": 1e-2}


class Points(torch.utils.data.Dataset):
    """Points around three centres."""

    def __init__(self, n, seed, noise):
        rng = np.random.default_rng(seed)
        self.targets = rng.integers(0, 3, n)
        centres = np.random.default_rng(0).normal(size=(3, 6))
        self.points = (centres[self.targets] + noise * rng.normal(size=(n, 6))).astype(np.float32)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return self.points[i], int(self.targets[i])


class Net(nn.Module):
    """Two layers with dropout, so that the state of the random numbers matters, and rows: a group a label."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
        self.rows = nn.Linear(6, 3)
        self.loss = HierarchicalLoss(space=space_of(np.arange(3)))

    def forward(self, points, labels=None):
        logits = self.layers(points), self.rows(points)
        return {"loss": self.loss(*logits, labels), "logits": logits}


def collate(items):
    points, targets = zip(*items, strict=True)
    return {"labels": torch.tensor(targets), "points": torch.from_numpy(np.stack(points))}


def train(folder, seed=0, sampler=None, watch=None, model=None, **settings):
    model = Net() if model is None else model
    result = train_model(
        model,
        train=Points(60, 1, 1.5),
        valid=Points(40, 2, 1.5),
        collate=collate,
        settings={**SETTINGS, **settings},
        folder=folder,
        random_state=seed,
        sampler=sampler,
        watch=watch,
    )
    return model, result


def weights(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def epochs(result):
    return figures(entry for entry in result.history if "eval_loss" in entry)


def figures(evaluations):
    return [(entry["epoch"], entry["eval_loss"], entry["eval_accuracy"]) for entry in evaluations]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    model, result = train(tmp_path_factory.mktemp("whole"))
    return weights(model), epochs(result)


def test_one_seed_gives_one_result_and_another_a_different_one(tmp_path, uninterrupted):
    model, result = train(tmp_path / "same")
    assert weights(model) == uninterrupted[0]
    assert epochs(result) == uninterrupted[1]
    assert weights(train(tmp_path / "other", seed=1)[0]) != uninterrupted[0]


def stop_after(monkeypatch, epoch):
    class Stops(trainer.Evaluations):
        def on_save(self, args, state, control, **kwargs):
            if state.epoch == epoch:
                raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "Evaluations", Stops)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, monkeypatch, caplog, uninterrupted, epoch):
    with monkeypatch.context() as patched:
        stop_after(patched, epoch)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    assert not (tmp_path / "trained.safetensors").exists()
    with caplog.at_level(logging.INFO):
        model, result = train(tmp_path)
    assert "training goes on from checkpoint-" in caplog.text
    assert weights(model) == uninterrupted[0]
    assert epochs(result) == uninterrupted[1]


def test_the_caller_sees_every_evaluation_once_and_may_end_the_training(tmp_path, monkeypatch, uninterrupted):
    told = []
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, watch=told.append)
    assert figures(told) == uninterrupted[1][:2]

    def ends(evaluation):
        told.append(evaluation)
        if len(told) == 3:
            raise StopIteration

    told.clear()
    with pytest.raises(StopIteration):
        train(tmp_path, watch=ends)
    assert figures(told) == uninterrupted[1][:3]  # those before the interruption too
    for _ in ("it goes on", "it is read back"):
        told.clear()
        model, _ = train(tmp_path, watch=told.append)
        assert figures(told) == uninterrupted[1]
        assert weights(model) == uninterrupted[0]


def test_patience_goes_on_counting(tmp_path, monkeypatch):
    # A rate of nearly 0 never gets better, so patience decides where the training ends.
    settings = {"learning_rate": 1e-12, "num_train_epochs": 8, "early_stopping_patience": 3}
    _, whole = train(tmp_path / "whole", **settings)
    assert len(epochs(whole)) == 4
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", **settings)
    _, result = train(tmp_path / "stopped", **settings)
    assert epochs(result) == epochs(whole)


def newest(folder):
    return max(folder.glob("checkpoint-*"), key=lambda checkpoint: int(checkpoint.name.split("-")[1]))


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def be_folder(file):
    file.unlink()
    file.mkdir()


OF_A_CHECKPOINT = ["model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt", "trainer_state.json"]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run folder of a training that was stopped after its third epoch, with a checkpoint of each."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patched:
        stop_after(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            train(folder, save_total_limit=None)
    return folder


@pytest.mark.parametrize(
    ("name", "damage"),
    [(name, flip) for name in OF_A_CHECKPOINT]
    + [("trainer_state.json", Path.unlink), ("model.safetensors", Path.unlink), ("optimizer.pt", be_folder)]
    + [("whole.sha256", damage) for damage in (flip, Path.unlink, be_folder)],
)
def test_a_damaged_checkpoint_is_passed_over(tmp_path, stopped, caplog, uninterrupted, name, damage):
    shutil.copytree(stopped, tmp_path / "run")
    last, earlier = "checkpoint-24", "checkpoint-16"  # of 8 steps an epoch
    damage(newest(tmp_path / "run") / name)
    with caplog.at_level(logging.INFO):
        model, result = train(tmp_path / "run", save_total_limit=None)
    assert f"{last} is not whole" in caplog.text
    assert f"training goes on from {earlier}" in caplog.text
    assert weights(model) == uninterrupted[0]
    assert epochs(result) == uninterrupted[1]


def test_what_a_kill_left_in_a_checkpoint_does_not_cost_it(tmp_path, stopped, caplog, uninterrupted):
    shutil.copytree(stopped, tmp_path / "run")
    (newest(tmp_path / "run") / f".trainer_state.json.{'0' * 16}.part").write_text("half")
    with caplog.at_level(logging.INFO):
        assert weights(train(tmp_path / "run")[0]) == uninterrupted[0]
    assert "goes on from checkpoint-24" in caplog.text


def test_without_a_whole_checkpoint_the_training_begins_anew(tmp_path, stopped, uninterrupted):
    shutil.copytree(stopped, tmp_path / "run")
    for checkpoint in (tmp_path / "run").glob("checkpoint-*"):
        flip(checkpoint / "model.safetensors")
    (tmp_path / "run" / "checkpoint-99").write_text("no folder")
    model, result = train(tmp_path / "run")
    assert weights(model) == uninterrupted[0]
    assert epochs(result) == uninterrupted[1]


def test_a_checkpoint_whose_best_epoch_is_damaged_is_none(tmp_path, stopped, uninterrupted):
    shutil.copytree(stopped, tmp_path / "run")
    state = newest(tmp_path / "run") / "trainer_state.json"
    best = tmp_path / "run" / Path(json.loads(state.read_text())["best_model_checkpoint"]).name
    flip(best / "model.safetensors")
    assert weights(train(tmp_path / "run")[0]) == uninterrupted[0]


@pytest.mark.parametrize("name", ["trained.safetensors", "trained.json", "trained.sha256"])
@pytest.mark.parametrize("damage", [flip, Path.unlink, be_folder])
def test_a_damaged_result_is_made_again(tmp_path, caplog, name, damage):
    model, result = train(tmp_path)
    damage(tmp_path / name)
    again, made = train(tmp_path)
    assert weights(again) == weights(model)
    assert (epochs(made), made.best_metric) == (epochs(result), result.best_metric)
    assert {entry["step"]: entry.get("loss") for entry in made.history} == {
        entry["step"]: entry.get("loss") for entry in result.history
    }
    assert "is damaged" in caplog.text or (name, damage) == ("trained.sha256", Path.unlink)
    assert weights(train(tmp_path)[0]) == weights(model)


def test_weights_of_another_model_are_not_taken(tmp_path, caplog, uninterrupted):
    train(tmp_path)
    tensors = load_file(tmp_path / "trained.safetensors")
    save_file({**tensors, "layers.3.bias": torch.zeros(4)}, tmp_path / "trained.safetensors")
    write_checksums(*(tmp_path / f"trained.{end}" for end in ("sha256", "safetensors", "json")))
    model, _ = train(tmp_path)
    assert "no training of this model" in caplog.text
    assert weights(model) == uninterrupted[0]


def test_a_full_disk_ends_a_training_with_its_cause_and_it_goes_on(tmp_path, monkeypatch, uninterrupted):
    def full(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed writing file data/0")

    with monkeypatch.context() as patched:
        patched.setattr("torch.save", full)
        with pytest.raises(DataError, match=r"No space left on device.*the same command goes on"):
            train(tmp_path)
    assert weights(train(tmp_path)[0]) == uninterrupted[0]


def test_a_finished_training_is_read_back(tmp_path, monkeypatch, uninterrupted):
    _, first = train(tmp_path)
    monkeypatch.setattr(trainer, "_Trainer", None)
    model, second = train(tmp_path)
    assert weights(model) == uninterrupted[0]
    assert second == first
    assert json.loads((tmp_path / "trained.json").read_text())["best_metric"] == first.best_metric


class Diverging(Net):
    """Its loss is no number from a step of the training on."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def forward(self, points, labels=None):
        found = super().forward(points, labels)
        if self.training:
            self.left -= 1
            found["loss"] = found["loss"] * (float("nan") if self.left < 0 else 1.0)
        return found


@pytest.mark.parametrize("killed", [False, True])
def test_a_training_that_diverges_keeps_an_earlier_epoch_and_goes_no_further(tmp_path, monkeypatch, killed):
    settings = {"num_train_epochs": 8, "early_stopping_patience": 8}  # of 8 steps each
    if killed:
        with monkeypatch.context() as patched:
            stop_after(patched, 3)
            with pytest.raises(KeyboardInterrupt):
                train(tmp_path, model=Diverging(20), **settings)
    model, result = train(tmp_path, model=Diverging(0 if killed else 20), **settings)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert len(epochs(result)) == (4 if killed else 3)
    assert epochs(result)[2][1] is None  # its loss on validation documents
    monkeypatch.setattr(trainer, "_Trainer", None)
    assert train(tmp_path, **settings)[1] == result


class Overflowing(Net):
    """Its loss on validation documents is no number, though its weights are."""

    def forward(self, points, labels=None):
        found = super().forward(points, labels)
        return found if self.training else {**found, "loss": found["loss"] * float("nan")}


def test_a_training_without_a_best_figure_is_read_back_too(tmp_path, monkeypatch, caplog):
    settings = {"metric_for_best_model": "loss"}
    result = train(tmp_path, model=Overflowing(), **settings)[1]
    assert result.best_metric is None
    monkeypatch.setattr(trainer, "_Trainer", None)
    assert train(tmp_path, **settings)[1] == result
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("settings", [{}, {"load_best_model_at_end": False}])
def test_weights_that_are_no_numbers_are_no_result(tmp_path, settings):
    for _ in ("at first", "again"):
        with pytest.raises(ConfigError, match=r"diverged.*lower training.learning_rate \(0.01\)"):
            train(tmp_path, model=Diverging(0), **settings)


def test_the_best_epoch_is_kept(uninterrupted, tmp_path):
    model, result = train(tmp_path)
    assert result.best_metric == max(accuracy for _, _, accuracy in epochs(result))
    valid = Points(40, 2, 1.5)
    with torch.inference_mode():
        predicted = model(torch.from_numpy(valid.points), torch.from_numpy(valid.targets))["logits"][1].argmax(1)
    assert (predicted.numpy() == valid.targets).mean() == pytest.approx(result.best_metric)


def test_unknown_arguments_are_all_named_with_the_nearest():
    with pytest.raises(ConfigError) as caught:
        check_training({"learning_rat": 1, "num_train_epochs": 2, "zzzz": 3, "encoder_learning_rte": 1})
    assert len(caught.value.problems) == 3
    assert "training.learning_rat is not an argument" in caught.value.problems[0]
    assert "did you mean 'learning_rate'?" in caught.value.problems[0]
    assert "did you mean" not in caught.value.problems[1]
    assert "'encoder_learning_rate'" in caught.value.problems[2]
    check_training({"learning_rate": 1e-3, "early_stopping_patience": 2, "gradient_accumulation_steps": 4})


def test_settings_go_over_the_defaults(tmp_path):
    arguments = training_arguments({"learning_rate": 0.5, "encoder_learning_rate": 1.0}, tmp_path, 7)
    assert (arguments.learning_rate, arguments.seed) == (0.5, 7)
    assert arguments.num_train_epochs == DEFAULTS["num_train_epochs"]
    assert arguments.label_names == ["labels"]
    assert not arguments.remove_unused_columns


def test_metrics_of_both_levels():
    class Prediction:
        predictions = best_of_each_level(
            (
                torch.tensor([[0.9, 0.1], [0.8, 0.2], [0, 0.9], [0.3, 0.6]]),
                torch.tensor([[0.9, 0.1, 0], [0.8, 0.2, 0], [0, 0.1, 0.9], [0.3, 0.1, 0.6]]),
            ),
            None,
        ).numpy()
        label_ids = np.array([0, 1, 2, 0])

    space = space_of([0, 0, 1])
    figures = level_metrics(Prediction, space=space)
    assert figures["group_accuracy"] == 0.75
    assert figures["group_macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert figures["accuracy"] == 0.5
    assert figures["macro_f1"] == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)


def test_accumulated_steps_are_one_large_step(tmp_path):
    exact = {"num_train_epochs": 2, "load_best_model_at_end": False, "lr_scheduler_type": "constant", "warmup_steps": 0}
    settings = {"gradient_accumulation_steps": 4, "per_device_train_batch_size": 4, **exact}

    def end(folder, **some):
        model = Net()
        model.layers[2].p = 0.0  # dropout draws once a forward pass
        train_model(
            model, train=Points(64, 1, 1.5), valid=Points(8, 2, 1.5), collate=collate, folder=tmp_path / folder,
            random_state=0, settings={**SETTINGS, **some},
        )  # fmt: skip
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    small, large = end("4x4", **settings), end("16x1", **{**exact, "per_device_train_batch_size": 16})
    assert torch.allclose(small, large, atol=1e-5)
    assert not torch.allclose(large, end("8x1", **{**exact, "per_device_train_batch_size": 8}), atol=1e-3)


@pytest.mark.parametrize("patience", [2, 10])
def test_a_run_folder_that_was_moved_still_gives_its_best_epoch(tmp_path, monkeypatch, patience):
    settings = {"learning_rate": 0.3, "num_train_epochs": 8, "early_stopping_patience": patience}
    settings["metric_for_best_model"] = "loss"
    model, result = train(tmp_path / "whole", **settings)
    losses = [loss for _, loss, _ in epochs(result)]
    assert min(losses) < losses[-1]  # the last epoch is not the best one
    with monkeypatch.context() as patched:  # killed after the last checkpoint
        patched.setattr(trainer, "save_model", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "first", **settings)
    (tmp_path / "first").rename(tmp_path / "second")
    again, read = train(tmp_path / "second", **settings)
    assert weights(again) == weights(model)
    assert read.best_metric == result.best_metric


def stop(*_):
    raise KeyboardInterrupt


def test_a_sampler_that_was_stopped_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    def sampler():
        return LabelSampler(Points(60, 1, 1.5).targets, np.array([1.0, 2.0, 0.5]), undersample=False, random_state=3)

    model, _ = train(tmp_path / "whole", sampler=sampler())
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", sampler=sampler())
    assert weights(train(tmp_path / "stopped", sampler=sampler())[0]) == weights(model)


@pytest.mark.parametrize("patience", [1, 3])
def test_a_training_killed_after_its_last_evaluation_does_not_go_on(tmp_path, monkeypatch, patience):
    settings = {"learning_rate": 1e-12, "num_train_epochs": 8, "early_stopping_patience": patience}
    whole, result = train(tmp_path / "whole", **settings)
    with monkeypatch.context() as patched:
        stop_after(patched, patience + 1)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "stopped", **settings)
    model, again = train(tmp_path / "stopped", **settings)
    assert weights(model) == weights(whole)
    assert epochs(again) == epochs(result)


def test_a_training_without_one_whole_batch_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"dataloader_drop_last leaves out all \d+ training documents"):
        train(tmp_path, dataloader_drop_last=True, per_device_train_batch_size=10**6)


def test_the_optimizer_is_the_one_that_is_named(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self, closure=None: seen.append(len(self.param_groups)))
    train(tmp_path, optim="sgd", num_train_epochs=1)
    assert seen
    assert set(seen) == {2}  # with and without decay


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"output_dir": "elsewhere"}, "training.output_dir cannot be set here: `run`"),
        ({"seed": 3}, "set classifier.random_state"),
        ({"learning_rate": "fast"}, "training.learning_rate = 'fast' is not a number"),
        ({"num_train_epochs": True}, "training.num_train_epochs = True is not a number"),
        ({"layer_decay": 0}, "training.layer_decay 0 must be above 0"),
        ({"encoder_learning_rate": None}, "training.encoder_learning_rate = None is not a number"),
        ({"save_only_model": True}, "training.save_only_model cannot be set here"),
        (
            {"early_stopping_patience": 2, "load_best_model_at_end": False},
            "early_stopping_patience does nothing with load_best_model_at_end: false",
        ),
        ({"early_stopping_patience": 0}, "training.early_stopping_patience 0 must be 1 or more"),
        ({"early_stopping_patience": 1.5}, "training.early_stopping_patience 1.5 is not a whole number"),
        ({"per_device_train_batch_size": 2.5}, "training.per_device_train_batch_size 2.5 is not a whole number"),
        ({"data_seed": "x"}, "training.data_seed 'x' is not a whole number"),
        ({"label_smoothing_factor": 7}, "training.label_smoothing_factor 7 must be below 1"),
        ({"adam_beta1": 5}, "Invalid beta parameter"),
        ({"accelerator_config": True}, "training.accelerator_config True is neither a mapping nor the name of a file"),
        ({"fsdp_config": 2}, "training.fsdp_config 2 is neither"),
        ({"accelerator_config": "no.json"}, "No such file or directory: 'no.json'"),
        ({"optim_args": [1]}, "training: 'list' object has no attribute"),
        ({"fsdp": [1]}, "training: 'int' object has no attribute"),
        ({"adam_epsilon": -1, "optim": "adamw_torch_fused"}, "Invalid epsilon value"),
        ({"lr_scheduler_kwargs": {"x": 1}}, "unexpected keyword argument 'x'"),
        ({"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": -1e9}}, "out of range"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": {"factor": 2}}, "Factor should be < 1"),
        ({"lr_scheduler_type": "warmup_stable_decay"}, "num_decay_steps"),
    ],
)
def test_settings_that_would_fail_late_or_do_nothing_are_refused(settings, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        check_training(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"lr_scheduler_type": "reduce_lr_on_plateau"},
        {"lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": {"num_decay_steps": 5}},
        {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr": 1e-5}},
        {"optim": "galore_adamw", "optim_target_modules": ["layer"]},
        {"optim": "adafactor", "warmup_steps": 500, "max_steps": 3, "data_seed": 7, "learning_rate": 0},
    ],
)
def test_what_trains_is_taken(settings):
    check_training(settings)


def test_figures_and_services_that_are_not_there_are_refused():
    with pytest.raises(
        ConfigError, match="metric_for_best_model 'f1' is not evaluated: choose one of loss, accuracy, macro_f1, group_"
    ):
        check_training({"metric_for_best_model": "f1"})
    for known in ("accuracy", "eval_macro_f1", "group_accuracy", "group_macro_f1", "loss"):
        check_training({"metric_for_best_model": known})
    with pytest.raises(ConfigError, match=r"comet-ml.* to be installed"):
        check_training({"report_to": "comet_ml"})


def test_one_process_does_not_drive_several_gpus(monkeypatch):
    monkeypatch.setattr("stages.training.arguments.TrainingArguments.n_gpu", 2)
    with pytest.raises(ConfigError, match="torchrun --nproc_per_node 2"):
        check_training({})


def test_what_transformers_says_of_a_training_stays_away(tmp_path):
    from transformers.utils import logging as of_transformers

    before, told = of_transformers.get_verbosity(), []
    train(tmp_path, watch=lambda _: told.append(of_transformers.get_verbosity()), num_train_epochs=1)
    assert (told, of_transformers.get_verbosity()) == ([logging.ERROR], before)
