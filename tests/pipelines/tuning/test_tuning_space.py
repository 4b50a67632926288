"""Search spaces: what one may say, and that all that is wrong is told before any work."""

from pathlib import Path

import pytest
from tiny import TINY

from hierarchy.errors import ConfigError
from pipelines.config import load_config
from pipelines.settings import Settings
from pipelines.tuning.space import read_space

CONFIGS = Path(__file__).parents[3] / "configs"
NO_ENCODER = Settings(encoder="none")


def problems_of(space, settings=NO_ENCODER):
    with pytest.raises(ConfigError) as error:
        read_space(space, settings)
    return error.value.problems


def test_the_shipped_space_fits_the_shipped_config():
    settings = load_config(CONFIGS / "chained.yaml").classifier
    space = read_space(CONFIGS / "tune.yaml", settings)
    assert {range_.type for range_ in space.ranges.values()} == {"float", "int", "categorical"}
    start = space.values_of(settings)
    assert start["training.learning_rate"] == 1e-3
    assert "training.per_device_train_batch_size" not in start  # with trainable: auto the documents decide
    frozen = space.values_of(settings.model_copy(update={"trainable": "frozen"}))
    trained = space.values_of(settings.model_copy(update={"trainable": "all"}))
    batch = "training.per_device_train_batch_size"
    assert (frozen[batch], trained[batch]) == (64, 16)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("classifier.minn_df: [1, 2]", "no such setting, did you mean 'classifier.min_df'?"),
        ("min_df: [1, 2]", "no such setting, did you mean 'classifier.min_df'?"),
        ("data.train: [a, b]", "no such setting"),
        ("classifier.run_dir: [a, b]", "cannot be searched: the trials share one run folder"),
        ("classifier.random_state: [0, 1]", "cannot be searched: a seed is chance"),
        ("classifier.beam.x: [1, 2]", "beam has no keys inside"),
        ("classifier.training: [1, 2]", "is a section: name a key in it"),
        ("classifier.training.learning_rate: [1.0, 2.0]", "does nothing with encoder: none"),
        ("classifier.beam: 3", "3 is no range: write {type: float"),
        ("classifier.beam: {low: 1, high: 3}", "type None is not known: use one of float, int, categorical"),
        ("classifier.beam: {type: int, low: 1}", "high is missing"),
        ("classifier.beam: {type: int, low: 1, high: 3, logg: true}", "unknown key 'logg': did you mean 'log'?"),
        ("classifier.prune: {type: float, low: a, high: 0.5}", "low = 'a': input should be a valid number"),
        ("classifier.beam: {type: int, low: 4, high: 2}", "the range from 4 to 2 is empty"),
        ("classifier.beam: {type: int, low: 2, high: 2}", "is one value only"),
        ("classifier.beam: [2]", "is one value only"),
        ("classifier.negatives: []", "choices = []: list should have at least 1 item"),
        ("classifier.negatives: [all, all]", 'choices name "all" twice'),
        ("classifier.beam: {type: int, low: 1, high: 4, step: 2}", "steps of 2 do not lead from 1 to 4"),
        ("classifier.prune: {type: float, low: 0, high: 0.5, log: true}", "log needs a low above 0, not 0.0"),
        ("classifier.beam: {type: int, low: 1, high: 5, step: 2, log: true}", "log and step do not go together"),
        ("classifier.beam: {type: int, low: 0, high: 3}", "classifier.beam = 0: input should be greater"),
        ("classifier.beam: {type: float, low: 1, high: 4}", "got a number with a fractional part"),
        ("classifier.seed: [0, 1]", "no such setting: seed is random_state now"),
        ("classifier.mode: [chained, jiont]", "classifier.mode = 'jiont'"),
    ],
)
def test_each_problem_of_a_space_is_told_with_file_line_and_key(tmp_path, line, told):
    file = tmp_path / "space.yaml"
    file.write_text(f"# a comment\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"space\.yaml: line 2: ") as error:
        read_space(file, NO_ENCODER)
    [problem] = error.value.problems
    assert line.partition(":")[0] in problem
    assert told in problem


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("learning_rat", [1.0, 2.0], "did you mean 'learning_rate'?"),
        ("seed", [1, 2], "set classifier.random_state"),
        ("learning_rate", ["high", 1e-3], "'high' is not a number"),
        ("lr_scheduler_type", ["cosine", "zigzag"], "zigzag"),
        ("num_train_epochs", {"type": "float", "low": 1, "high": 5}, "is a whole number: use type: int"),
    ],
)
def test_keys_inside_training_are_checked(tiny_encoder, key, values, told):
    settings = Settings(encoder=tiny_encoder, **TINY)
    [problem] = problems_of({f"classifier.training.{key}": values}, settings)
    assert f"classifier.training.{key}" in problem
    assert told in problem


def test_all_problems_come_at_once(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("classifier.beam: 3\nclassifier.beam: [1, 2]\nclassifier.x: [1, 2]\n", encoding="utf-8")
    assert [problem.partition(":")[0] for problem in problems_of(file)] == ["line 2", "line 1", "line 3"]
    file.write_text("# nothing\n", encoding="utf-8")
    assert "there is nothing to search" in problems_of(file)[0]
    assert "there is no search space file" in problems_of(tmp_path / "none.yaml")[0]


def test_settings_that_always_contradict_each_other_are_refused_at_once(caplog):
    told = "no combination of these values is allowed: aggregator_heads does nothing with aggregator_layers: 0"
    assert told in problems_of({"classifier.aggregator_heads": [2, 8]}, Settings())[0]
    read_space({"classifier.fine_loss": ["all", "group"]}, NO_ENCODER)
    assert "combinations" in caplog.text


def test_values_of_every_kind_reach_the_settings():
    space = {
        "classifier.loss_weights": [[1.0, 0.5], "learned"],
        "classifier.max_segments": [None, 4],
        "classifier.training.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2},
        "classifier.signals.text": {"type": "float", "low": 0.1, "high": 1},
    }
    settings = Settings(mode="joint", training={"num_train_epochs": 3})
    params = {"loss_weights": "learned", "max_segments": 4, "training.learning_rate": 0.5, "signals.text": 0.3}
    made = Settings(**read_space(space, settings).applied(params, settings))
    assert (made.loss_weights, made.max_segments, made.signals) == ("learned", 4, {"text": 0.3})
    assert made.training == {"num_train_epochs": 3, "learning_rate": 0.5}
    assert settings.training == {"num_train_epochs": 3}
