import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from hierarchy.errors import ConfigError
from hierarchy.wrong_values import validated
from pipelines.config import Config, load_config
from pipelines.settings import Settings

CONFIGS = Path(__file__).parents[2] / "configs"
SPACE = CONFIGS / "tune.yaml"  # a search space


@pytest.fixture
def config_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path: Path | None, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_config(path, overrides)
    return error.value.problems


def flat(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Every key and its default, sections left out."""
    found = {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= flat(inner, f"{prefix}{name}.")
        else:
            default = field.get_default(call_default_factory=True)
            found[f"{prefix}{name}"] = list(default) if isinstance(default, tuple) else default
    return found


@pytest.mark.parametrize("path", sorted({*CONFIGS.glob("*.yaml")} - {SPACE}), ids=lambda path: path.name)
def test_every_shipped_config_loads(path):
    load_config(path)


def test_chained_names_every_key_with_its_default_and_a_comment():
    import yaml

    text = (CONFIGS / "chained.yaml").read_text(encoding="utf-8")
    written = {}
    for key, value in yaml.safe_load(text).items():
        if key in ("data", "classifier", "pretraining", "card"):
            written |= {f"{key}.{inner}": found for inner, found in value.items()}
        else:
            written[key] = value
    expected = flat(Config)
    del expected["classifier.run_dir"]  # set by the top-level run_dir
    assert written == expected
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() and not line.lstrip().startswith("#"):
            assert lines[number - 1].lstrip().startswith("#"), line


def test_chained_shows_every_training_key_with_a_default():
    import yaml

    from stages.training.arguments import DEFAULTS, OWN_DEFAULTS

    lines = (CONFIGS / "chained.yaml").read_text(encoding="utf-8").splitlines()
    shown = [line.strip().removeprefix("#") for line in lines if re.match(r" +#   \w+: ", line)]
    assert yaml.safe_load("\n".join(shown)) == {**OWN_DEFAULTS, **DEFAULTS}


def test_without_a_file_the_defaults_hold():
    config = load_config(None)
    assert config.classifier.encoder == "embedded"
    assert config.data.text == "text"
    assert config.run_folder == Path("model.run")


def test_overrides_are_yaml_and_stronger_than_the_file(config_file):
    path = config_file("data:\n  text: body\nclassifier:\n  encoder: embedded\nrun_dir: here\n")
    config = load_config(path, ["data.text=[title, body]", "classifier.encoder=none", "classifier.lexical=on"])
    assert config.data.text == ["title", "body"]
    assert config.classifier.encoder == "none"
    assert config.classifier.lexical is True
    assert config.settings().run_dir == "here"
    assert load_config(path, ["run_dir=null"]).run_folder == Path("model.run")


@pytest.mark.parametrize(
    ("written", "value"), [("5e-4", 5e-4), ("1E3", 1e3), ("0.1", 0.1), ("-2.5e-1", -0.25), ("3", 3)]
)
def test_numbers_are_numbers(config_file, written, value):
    path = config_file(f"classifier:\n  training:\n    learning_rate: {written}\n")
    assert load_config(path).classifier.training["learning_rate"] == value
    assert load_config(None, [f"classifier.training.x={written}"]).classifier.training["x"] == value


def test_text_stays_text(config_file):
    config = load_config(config_file("data:\n  train: 007\n  label: 1\n  group: 'no'\nrun_dir: 2024-01-01\n"))
    assert (config.data.train, config.data.label, config.data.group, config.run_dir) == ("007", "1", "no", "2024-01-01")


def test_all_problems_come_at_once_with_their_lines(config_file):
    path = config_file(
        "taxonomy: x.yaml\n"
        "data:\n"
        "  train: a\n"
        "  labell: b\n"
        "  train: c\n"
        "encoder: none\n"
        "classifier:\n"
        "  min_df: many\n"
        "  trainable: top_x\n"
    )
    problems = problems_of(path, "classifier.beam=0", "nothing")
    told = "\n".join(problems)
    assert len(problems) == 7
    assert "line 5: 'data.train' stands already in line 3" in told
    assert "line 4: unknown key 'data.labell': did you mean 'label'?" in told
    assert "line 6: unknown key 'encoder': it belongs under 'classifier'" in told
    assert "line 8: classifier.min_df = 'many'" in told
    assert "line 9: classifier.trainable = 'top_x'" in told
    assert "--set classifier.beam=0: classifier.beam = 0" in told
    assert "--set nothing: give key=value" in told


def test_settings_that_contradict_each_other_are_told_in_their_own_words(config_file):
    [problem] = problems_of(config_file("classifier:\n  encoder: none\n  lexical: off\n"))
    assert problem.startswith("line 1: classifier: encoder: none and lexical: off leave nothing")


def test_broken_yaml_is_told_with_line_and_column(config_file):
    path = config_file("data:\n  train: [a, b\nrun_dir: x\n")
    with pytest.raises(ConfigError, match=r"config.yaml: line 3, column \d+: this is no valid YAML"):
        load_config(path)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "data:\n  # train: x\nclassifier:\n"])
def test_empty_files_and_sections_are_the_defaults(config_file, text):
    assert load_config(config_file(text)) == load_config(None)


def test_a_list_is_no_config(config_file):
    assert problems_of(config_file("- a\n- b\n")) == ["a config is a mapping of keys to values: key: value"]


def test_a_missing_file_is_named(tmp_path):
    [missing] = problems_of(tmp_path / "none.yaml")
    assert "there is no config file" in missing
    assert f"the shipped ones lie in '{CONFIGS}': chained.yaml, " in missing


def test_a_word_that_yaml_takes_for_a_truth_value_needs_quotes_in_a_file(config_file):
    assert problems_of(config_file("data:\n  label: no\n"))[0].endswith("put it in quotes")


def test_numbers_of_a_file_are_texts_where_a_key_holds_texts(config_file):
    written = "output: 1.10\nrun_dir: 007\ndata:\n  text: [1.50, 1e5]\n  label: 1_000\n  group: null\n"
    read = load_config(config_file(written))
    assert (read.output, read.run_dir, read.data.text, read.data.label) == ("1.10", "007", ["1.50", "1e5"], "1_000")
    assert read.data.group is None
    assert load_config(None, ["data={label: 1.50}", "data.text=[2.0, b]"]).data.text == ["2.0", "b"]


TEXTS = (
    "model #2", "a: b", "[final] t.csv", "{x}", "no", "1.0", "007", "'quoted'", '"', "&a *b !c", "50 % # of it", "a\nb",
    " begins with a blank", "ends with one ", "- x", "a=b", "# x", "表 1", " ", "\t", "NULL",
)  # fmt: skip
ONE_TEXT = (
    "output", "run_dir", "taxonomy", "data.train", "data.test_split", "data.label", "data.group", "card.notes",
    "card.licence", "classifier.encoder", "classifier.label_encoder",
)  # fmt: skip


def value_of(config: Any, key: str) -> Any:
    for step in key.split("."):
        config = getattr(config, step)
    return config


@pytest.mark.parametrize("written", TEXTS)
def test_a_key_of_one_text_takes_it_to_its_last_character(written):
    for key in (*ONE_TEXT, "data.text", "card.language"):
        assert value_of(load_config(None, [f"{key}={written}"]), key) == written


def test_null_empties_a_key_that_may_be_empty(config_file):
    path = config_file("run_dir: here\ncard:\n  notes: x\n  language: en\n")
    for key in ("run_dir", "card.notes", "card.language", "classifier.device"):
        for written in ("null", ""):
            assert value_of(load_config(path, [f"{key}={written}"]), key) is None
    assert load_config(None, ["data.label=null", "data.text=null"]).data.label == "null"
    for key in ("output", "data.label", "data.text", "classifier.encoder"):
        assert problems_of(None, f"{key}=") == [f"--set {key}=: {key} needs a value: give one, or leave the key out"]


def test_lists_stay_lists_and_other_keys_stay_yaml():
    config = load_config(None, [
        "data.text=[title, 'a: b']", "card.language=[en, zh]", "classifier.n_groups=30", "classifier.lexical=no",
        "classifier.loss_weights=learned", "classifier.mode=joint", "classifier.signals={text: 1.0}",
        "classifier.training={num_train_epochs: 2}", "classifier.training.report_to=none # not any",
        "classifier.trainable=top_2",
    ])  # fmt: skip
    assert config.data.text == ["title", "a: b"]
    assert config.card.language == ["en", "zh"]
    settings = config.classifier
    assert (settings.n_groups, settings.lexical, settings.loss_weights) == (30, False, "learned")
    assert (settings.signals, settings.trainable) == ({"text": 1.0}, "top_2")
    assert settings.training == {"num_train_epochs": 2, "report_to": "none"}
    assert load_config(None, ["output = model", "classifier.beam = 2"]).output == "model"


def test_an_unknown_key_is_told_whatever_its_value():
    [problem] = problems_of(None, "data.trian=[final] t.csv")
    assert "unknown key 'data.trian': did you mean 'train'?" in problem


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("classifier.seed", "seed is random_state now"),
        ("classifier.precision", "precision is dtype now"),
        ("run", "run is run_dir now"),
        ("classifier.run", "run is run_dir now"),
        ("data.run_dir", "it stands at the top level: did you mean 'run_dir'?"),
    ],
)
def test_a_key_that_was_renamed_is_told_with_its_new_name(key, told):
    [problem] = problems_of(None, f"{key}=1")
    assert told in problem


def test_an_override_cannot_go_into_a_value():
    assert "'output' is no section" in problems_of(None, "output=x", "output.y=1")[0]


def test_the_run_folder_has_one_key():
    assert "give the folder there" in problems_of(None, "classifier.run_dir=x")[0]


def test_what_lies_in_the_run_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(None, ["data.train=train.csv"]).in_run_folder() == []
    for run in (".", str(tmp_path), ".."):
        config = load_config(None, [f"run_dir={run}", "output=m", "data.train=train.csv", "data.valid=/else/valid.csv"])
        assert config.in_run_folder() == ["m", "train.csv"]
    for run in ("m", "m/run", f"{tmp_path}/m"):
        with pytest.raises(ConfigError, match="is the output 'm' or lies in it"):
            load_config(None, [f"run_dir={run}", "output=m"])


@pytest.mark.parametrize(
    "written",
    [
        "random_state=4294967296", "random_state=-1", "random_state=1e400", f"random_state={'9' * 5000}",
        "random_state=yes", "random_state=１２", "n_jobs=1000000000",
        "n_jobs=-1000000000", "segment_tokens=9223372036854775808", "max_segments=9223372036854775808",
        f"n_groups={10**30}", "n_groups=no", "beam=-1", "dropout=nan", "dropout=true", "lexical_C=1e300",
        "aggregator_layers=1000000", "augmented_copies=1000000", f"trainable=top_{'9' * 5000}", "device=nonsense",
        "device=meta", "device=cuda:99999", "signals={text: 1e300}", "loss_weights=[1e300, 1]",
        "training={max_steps: 10000000000000000000000}", f"training={{learning_rate: {10**40}}}",
    ],
)  # fmt: skip
def test_values_that_no_training_can_use(written):
    key = written.partition("=")[0]
    problem = problems_of(None, f"classifier.{written}")[0]
    assert key in problem
    assert len(problem) < 6000 + 300


@pytest.mark.parametrize("written", ["nothing", "=3", "classifier.beam=0", "classifier={", "data.a.b=1", "a=1"])
def test_an_override_is_said_to_be_one_once(written):
    with pytest.raises(ConfigError) as error:
        load_config(None, [written])
    assert str(error.value).count("--set") == 1 + str(error.value).count("for example --set")
    assert str(error.value).startswith("--set")


def test_python_callers_hear_the_same():
    for name, value in (
        ("random_state", 10**5000),
        ("n_jobs", 10**9),
        ("beam", 2**63),
        ("random_state", True),
        ("run_dir", "a\0b"),
    ):
        with pytest.raises(ConfigError, match=name):
            validated(Settings, {name: value}, "here")


def test_a_config_that_is_a_pipe_or_has_no_path(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert "a pipe or a device" in problems_of(pipe)[0]
    assert "there is no config file" in problems_of(Path("x" * 300 + ".yaml"))[0]
    assert "half a character" in problems_of(None, "classifier.training={a: \udcce}")[0]
