"""Where paths come in, ~ is the home folder: config, --set, options, arguments, Python; and no door was forgotten."""

import json
from inspect import signature
from pathlib import Path
from typing import get_args

import pytest

from hierarchy.disk.paths import expanded, local_path
from hierarchy.wrong_values import validated
from pipelines import HierarchicalClassifier
from pipelines.cli.app import app
from pipelines.config import load_config
from pipelines.serving.predict import predict_file
from pipelines.settings import Settings

ENGLISH = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for folder in ("home", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert not Path("~").exists(), "a folder called ~ was made"


@pytest.fixture
def documents(home, english):
    lines = [json.dumps({"text": t, "label": y}) for t, y in zip(*english.test, strict=True)]
    (home / "d.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return home / "d.jsonl"


def test_every_path_of_a_config(home, tmp_path):
    names = ("train", "valid", "calibration", "test")
    lines = [
        "taxonomy: ~/t.yaml",
        "output: ~/m",
        "run_dir: ~/r",
        "classifier:",
        "  encoder: ~/e",
        "  label_encoder: ~/le",
        "data:",
    ]
    (home / "c.yaml").write_text("\n".join([*lines, *(f"  {name}: ~/{name}.csv" for name in names)]) + "\n")
    overridden = load_config(None, [f"data.{name}=~/{name}.csv" for name in names])
    for config in (load_config("~/c.yaml"), load_config(Path("~/c.yaml")), overridden):
        assert [getattr(config.data, name) for name in names] == [f"{home}/{name}.csv" for name in names]
    config = load_config("~/c.yaml")
    assert (config.taxonomy, config.output, config.run_dir) == (f"{home}/t.yaml", f"{home}/m", f"{home}/r")
    assert config.settings().run_dir == f"{home}/r"
    assert (config.classifier.encoder, config.classifier.label_encoder) == (f"{home}/e", f"{home}/le")
    assert load_config(None, ["output=~/m"]).run_folder == home / "m.run"
    assert load_config(None, ["output=./~"]).output == str(tmp_path / "work" / "~")


def test_names_stay_as_they_are():
    config = load_config(None, ["data.train=owner/name:plus", "classifier.encoder=org/encoder", "output=./m"])
    assert (config.data.train, config.classifier.encoder, config.output) == ("owner/name:plus", "org/encoder", "./m")
    assert validated(Settings, {"run_dir": "~/r"}, where="here").run_dir == str(Path("~/r").expanduser())


def test_no_option_of_a_command_was_forgotten():
    groups = [app, *(group.typer_instance for group in app.registered_groups)]
    read = {
        (command.callback.__name__, name): described.parser
        for group in groups
        for command in group.registered_commands
        for name, parameter in signature(command.callback).parameters.items()
        for kind, described in [get_args(parameter.annotation)[:2]]
        if Path in (kind, *get_args(kind)) or (name in ("file", "train") and str in (kind, *get_args(kind)))
    }
    assert len(read) > 25
    assert set(read.values()) == {local_path, expanded}


def test_the_commands(home, documents, fitted_lexical, english, cli):
    fitted_lexical.save_pretrained("~/m")
    english.taxonomy.to_yaml("~/t.yaml")
    for arguments, made in (
        (("predict", "~/m", "~/d.jsonl", "--out=~/p.jsonl"), "p.jsonl"),
        (("evaluate", "~/m", "~/d.jsonl", "--json=~/e.json"), "e.json"),
        (("calibrate", "~/m", "~/d.jsonl", "--out=~/c", "--precision", "0.8"), "c"),
        (("taxonomy", "build", "~/t.yaml", "--out=~/b.yaml", *ENGLISH, "--set", "data.train=~/d.jsonl"), "b.yaml"),
        (("taxonomy", "show", "~/t.yaml"), "t.yaml"),
        (("explain", "~/m", "~/d.jsonl", "--row", "1"), "m"),
    ):
        result = cli(*arguments)
        assert result.exit_code == 0, result.output
        assert (home / made).exists()
    assert not list(Path.cwd().iterdir())
    assert str(home) not in (home / "c" / "README.md").read_text(encoding="utf-8")
    assert json.loads((home / "c" / "run.json").read_text(encoding="utf-8"))["sources"]["calibration"] == "~/d.jsonl"


def test_python(home, documents, fitted_lexical, english):
    fitted_lexical.save_pretrained("~/m")
    assert predict_file("~/m", "~/d.jsonl", "~/p.jsonl") == len(english.test[0])
    assert (home / "p.jsonl").is_file()
    classifier = HierarchicalClassifier.from_pretrained("~/m")
    report = classifier.evaluate(*english.test)
    report.to_json("~/e.json")
    assert (home / "e.json").is_file()
    HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, run_dir="~/r").fit(*english.train)
    assert (home / "r").is_dir()
    with pytest.raises(Exception, match=str(home / "nowhere")):
        HierarchicalClassifier(encoder="~/nowhere", n_jobs=1).fit(*english.train)


def test_a_folder_that_is_called_tilde(home, fitted_lexical, cli, tmp_path):
    fitted_lexical.save_pretrained(tmp_path / "work" / "~")
    result = cli("predict", "./~", "--text", "a text")
    assert result.exit_code == 0, result.output
    assert HierarchicalClassifier.from_pretrained("./~").classes_ is not None
    (tmp_path / "work" / "~").rename(home / "moved")


def test_how_files_are_written_reaches_every_reader(home, fitted_lexical, english, cli):
    fitted_lexical.save_pretrained("~/m")
    text, label = english.test[0][0], english.test[1][0]
    content = f'TEXT\tlabel\twho\n"{text}\t{label}\tä\nlast"\t{label}\tb\n'
    (home / "d.tsv").write_bytes(content.encode("latin-1"))
    how = [f"--set=data.{option}" for option in ("quoting=none", "delimiter=tab", "encoding=latin-1")]
    assert cli("predict", "~/m", "~/d.tsv", "--id", "who", "-o", "~/p.jsonl", *how).exit_code == 0
    lines = (home / "p.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["ä", "b"]
    for arguments in (("evaluate", "~/m", "~/d.tsv"), ("explain", "~/m", "~/d.tsv", "--row", "3")):
        result = cli(*arguments, *how)
        assert result.exit_code == 0, result.output
    refused = cli("predict", "~/m", "~/d.tsv", "-o", "~/p.jsonl", how[1], how[2])
    assert refused.exit_code == 2
    assert "set data.quoting=none" in refused.stderr
    assert "--set data.encoding='gb18030'" in cli("predict", "~/m", "~/d.tsv", "-o", "~/p.jsonl", *how[:2]).stderr
    wrong = cli("predict", "~/m", "~/d.tsv", "-o", "~/p.jsonl", "--set=data.encoding=utf-9", "--set=data.quoting=no")
    assert "data.encoding" in wrong.stderr
    assert "data.quoting" in wrong.stderr
