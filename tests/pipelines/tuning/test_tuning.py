"""Tuning: which trials are run, what pruning and the budget end, and what comes out."""

import dataclasses
import json
import sys

import numpy as np
import optuna
import pytest
from pages import Reader
from sklearn.metrics import f1_score
from tiny import TINY

from hierarchy.errors import BusyError, ConfigError, DataError, MissingLibraryError
from pipelines.classifier import HierarchicalClassifier
from pipelines.cli.tune import _show_test
from pipelines.config import load_config
from pipelines.model import provenance
from pipelines.pages.tuning import tuning_page
from pipelines.settings import Settings
from pipelines.tuning import search, tune
from pipelines.tuning.space import read_space
from pipelines.tuning.trials import COMPLETE, FAILED, PRUNED, REFUSED, Trial, Tuning, check_results

NO_ENCODER = Settings(encoder="none")
SPACE = {
    "classifier.lexical_C": {"type": "float", "low": 0.01, "high": 10, "log": True},
    "classifier.prior_correction": {"type": "float", "low": 0, "high": 0.4, "step": 0.2},
    "classifier.min_df": {"type": "int", "low": 1, "high": 3},
    "classifier.negatives": ["all", "group"],
}


@pytest.fixture
def lexical(english, tmp_path):
    """Run a tune of n-grams alone; keyword arguments go over what the tests share."""

    def run(space=SPACE, **options):
        settings = {"encoder": "none", "n_jobs": 1, "run_dir": str(tmp_path / "run"), **options.pop("settings", {})}
        classifier = HierarchicalClassifier(english.taxonomy, **settings)
        return tune(classifier, space, *english.train, **{"validation": english.valid, "trials": 4, **options})

    return run


@pytest.fixture
def neural(english, tiny_encoder, tmp_path):
    """Run a tune with the tiny encoder."""

    def run(space, **options):
        settings = {**TINY, "encoder": tiny_encoder, "run_dir": str(tmp_path / "run"), **options.pop("settings", {})}
        classifier = HierarchicalClassifier(english.taxonomy, **settings)
        return tune(classifier, space, *english.train, **{"validation": english.valid, "trials": 3, **options})

    return run


def outcomes(tuning):
    """What trials tried and reached, without the time."""
    return [dataclasses.replace(trial, seconds=0.0) for trial in tuning.trials]


# Trials ---------------------------------------------------------------------------------------------------------------


def test_trial_0_is_the_given_config_and_figures_are_those_of_the_fused_answer(lexical, english, tmp_path):
    found = lexical(settings={"lexical_C": 0.02}, trials=2)
    assert found.trials[0].params == {"lexical_C": 0.02, "prior_correction": 0.2, "min_df": 2, "negatives": "auto"}
    for trial in found.trials:
        settings = {"encoder": "none", "n_jobs": 1, **({"lexical_C": 0.02} if trial.number == 0 else trial.params)}
        classifier = HierarchicalClassifier(english.taxonomy, **settings).fit(*english.train, validation=english.valid)
        answers = classifier.predict(english.valid[0])
        assert trial.figures["accuracy"] == np.mean(answers == np.array(english.valid[1]))
        assert trial.figures["macro_f1"] == pytest.approx(f1_score(english.valid[1], answers, average="macro"))


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_one_seed_gives_one_series_of_trials_whole_or_in_parts(lexical, tmp_path, sampler):
    space = {key: SPACE[key] for key in ("classifier.prior_correction", "classifier.negatives")}
    options = {"space": space if sampler == "grid" else SPACE, "sampler": sampler, "trials": 8}
    whole = lexical(**options, settings={"run_dir": str(tmp_path / "whole")})
    lexical(**{**options, "trials": 3})
    parts = lexical(**options)
    assert outcomes(parts) == outcomes(whole)
    assert [trial.number for trial in whole.trials] == list(range(len(whole.trials)))
    if sampler == "grid":  # trial 0 and 3 x 2 points, each once
        points = [(trial.params["prior_correction"], trial.params["negatives"]) for trial in whole.trials[1:]]
        assert sorted(points) == [(b, n) for b in (0.0, 0.2, 0.4) for n in ("all", "group")]
    else:
        assert len(whole.trials) == 8
        other = lexical(**options, settings={"random_state": 1})
        assert [trial.params for trial in other.trials[1:]] != [trial.params for trial in whole.trials[1:]]


def test_a_grid_needs_countable_values(lexical):
    with pytest.raises(ConfigError, match=r"classifier.lexical_C has no step: give one, or a list of choices"):
        lexical(sampler="grid")
    many = {f"classifier.{key}": {"type": "int", "low": 1, "high": 200} for key in ("min_df", "beam")}
    with pytest.raises(ConfigError, match="40,000 points are above 10,000"):
        lexical(many, sampler="grid")


def test_the_budget_ends_a_tune_and_a_higher_one_goes_on(lexical):
    calls = []
    found = lexical(trials=2, after=calls.append)
    assert [len(call.trials) for call in calls] == [1, 2]
    again = lexical(trials=2, after=calls.append)
    assert again == found
    assert len(calls) == 2
    assert len(lexical(trials=3, minutes=1e-9).trials) == 2
    longer = lexical(trials=3)
    assert longer.trials[:2] == found.trials
    assert lexical(trials=1, minutes=1e-9, figure="macro_f1").figure == "macro_f1"  # trial 0 in any case


def test_another_question_is_another_tune(lexical, english):
    found = lexical(trials=1)
    valid = (english.valid[0], [*english.valid[1][:-1], english.valid[1][0]])
    other = lexical(trials=1, validation=valid)
    assert found.trials[0].figures != other.trials[0].figures


def test_trials_are_kept_for_code_encoders_and_functions_as_they_are(lexical, monkeypatch, tmp_path):
    def tunes():
        lexical(trials=1)
        return len([*(tmp_path / "run").glob("tune-*")])

    assert (tunes(), tunes()) == (1, 1)
    for number, what in enumerate(("code_and_libraries", "encoder_contents", "function_sources"), start=2):
        monkeypatch.setattr(provenance, what, lambda *_: {"it": "changed"})
        assert tunes() == number


def test_all_encoders_and_functions_that_are_tried_are_looked_at(lexical, monkeypatch):
    asked = []
    monkeypatch.setattr(provenance, "encoder_contents", lambda names: asked.extend(names))
    monkeypatch.setattr(provenance, "function_sources", lambda names: asked.extend(names))
    lexical({"classifier.label_encoder": ["one/model", "another"], "classifier.augment": ["a:b", None]}, trials=1)
    assert {*asked} == {"none", "one/model", "another", "a:b", None}


def test_a_combination_that_is_refused_is_a_trial_and_says_why(lexical, monkeypatch):
    space = {"classifier.max_group_size": {"type": "int", "low": 1, "high": 4}}
    settings = {"min_group_size": 4, "max_group_size": 8}
    found = lexical(space, settings=settings, sampler="grid", trials=5)
    refused = [trial for trial in found.trials if trial.state == REFUSED]
    assert sorted(trial.params["max_group_size"] for trial in refused) == [1, 2, 3]
    assert all("min_group_size 4 is above max_group_size" in trial.reason for trial in refused)
    assert all(trial.figures == {} for trial in refused)
    monkeypatch.setattr(search, "fit_model", None)
    assert outcomes(lexical(space, settings=settings, sampler="grid", trials=5)) == outcomes(found)
    assert found.best.state == COMPLETE


def test_a_trial_that_has_failed_is_tried_again_with_its_values(lexical, monkeypatch):
    """Perhaps the disk was full: who gives the command again has made room."""
    real, calls, full = search.fit_model, [], True

    def fails(*arguments, **options):
        calls.append(arguments)
        if full and len(calls) > 2:
            raise DataError("cannot write: no space left")
        return real(*arguments, **options)

    monkeypatch.setattr(search, "fit_model", fails)
    first = lexical(trials=4)
    assert [trial.state for trial in first.trials] == [COMPLETE, COMPLETE, FAILED, FAILED]
    full = False
    found = lexical(trials=4)
    assert [trial.state for trial in found.trials] == [COMPLETE] * 4
    assert [trial.params for trial in found.trials] == [trial.params for trial in first.trials]
    assert len(calls) == 6


def test_a_config_that_is_wrong_itself_ends_the_tune(lexical):
    with pytest.raises(ConfigError, match="min_group_size 4 is above max_group_size 2"):
        lexical(settings={"min_group_size": 4, "max_group_size": 2})


def test_wrong_arguments_are_told_together(english):
    options = {"figure": "f1", "sampler": "tpf", "trials": 0, "minutes": 0}
    with pytest.raises(ConfigError) as error:
        tune(HierarchicalClassifier(encoder="none"), SPACE, *english.train, **options)
    told = " ".join(error.value.problems)
    for words in ("figure 'f1'", "sampler 'tpf'", "trials 0", "minutes 0", "set run_dir"):
        assert words in told


def test_a_trial_that_was_stopped_is_run_again_with_its_values(lexical, monkeypatch, tmp_path):
    whole = lexical(settings={"run_dir": str(tmp_path / "whole")})
    real, calls = search.fit_model, []

    def stops(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(search, "fit_model", stops)
    with pytest.raises(KeyboardInterrupt):
        lexical()
    found = lexical()
    assert outcomes(found) == outcomes(whole)
    assert len(calls) == 5  # four trials, one of them twice
    assert calls[2][0] == calls[3][0]


def test_a_second_process_is_refused(lexical):
    with pytest.raises(BusyError, match=r"this process .* is writing"):
        lexical(after=lambda found: lexical())


# The validation curve -------------------------------------------------------------------------------------------------


def test_a_trial_with_a_low_curve_is_pruned(neural, monkeypatch, tmp_path):
    monkeypatch.setattr("pipelines.tuning.proposals.TRIALS_BEFORE", 1)
    monkeypatch.setattr("pipelines.tuning.proposals.EVALUATIONS_BEFORE", 0)
    # Next to no learning rate: the curve stays where it starts.
    space = {"classifier.training.learning_rate": [5e-3, 1e-9]}
    settings = {"training": {**TINY["training"], "num_train_epochs": 10, "early_stopping_patience": 10}}
    found = neural(space, sampler="grid", settings=settings)
    slow = next(trial for trial in found.trials if trial.params["training.learning_rate"] == 1e-9)
    assert (slow.state, slow.figures) == (PRUNED, {})
    assert 1 <= len(slow.curve) < 10
    assert slow.curve[-1] < found.trials[0].curve[len(slow.curve) - 1]
    first = found.trials[0]
    assert (first.state, len(first.curve)) == (COMPLETE, 10)
    whole = neural(space, sampler="grid", settings=settings, prune=False)
    assert [trial.state for trial in whole.trials] == [COMPLETE] * 3
    assert whole.trials[slow.number].curve[: len(slow.curve)] == slow.curve  # a training that goes on tells all of it


def test_trials_share_what_is_cached(neural, tmp_path):
    neural({"classifier.lexical_C": [0.5, 2.0]}, sampler="grid")
    run = tmp_path / "run"
    assert len(list(run.glob("chained-*"))) == 1  # one coarse model for three trials
    vectors = {file: file.stat().st_mtime_ns for file in (run / "vectors").rglob("*") if file.is_file()}
    neural({"classifier.neural_C": [0.5, 2.0]}, sampler="grid")
    assert {file: file.stat().st_mtime_ns for file in (run / "vectors").rglob("*") if file.is_file()} == vectors


@pytest.mark.parametrize("mode", ["chained", "joint"])
def test_trials_are_watched_by_the_figure_of_the_labels(neural, tmp_path, mode):
    found = neural({"classifier.fine_loss": ["all", "path"]}, settings={"mode": mode}, sampler="grid")
    assert {trial.state for trial in found.trials} == {COMPLETE}
    curves = [
        [entry["eval_accuracy"] for entry in json.loads(file.read_text())["history"] if "eval_loss" in entry]
        for file in (tmp_path / "run").glob(f"{mode}-*/trained.json")
    ]
    assert {tuple(trial.curve) for trial in found.trials} == {tuple(curve) for curve in curves}
    assert [len(curve) for curve in curves] == [2, 2]


# What comes out -------------------------------------------------------------------------------------------------------


def test_the_test_documents_are_looked_at_once_for_each_best_trial(lexical, english, monkeypatch, caplog):
    found = lexical(test=english.test).test
    assert found.documents == len(english.test[0])
    gap = found.differences["accuracy"]
    assert gap.value == pytest.approx(found.chosen["accuracy"] - found.first["accuracy"])
    assert gap.low <= gap.value <= gap.high
    with monkeypatch.context() as patched:
        patched.setattr(search, "fit_model", None)  # it would fail if anything were fitted
        assert lexical(test=english.test).test == found
    assert found.looks == 1
    real = Tuning.best.fget
    monkeypatch.setattr(Tuning, "best", property(lambda self: self.trials[(real(self).number + 1) % 4]))
    assert lexical(test=english.test).test.looks == 2
    assert "looked at before" in caplog.text


def test_where_no_trial_is_better_trial_0_is_not_compared_with_itself(lexical, english, monkeypatch, caplog, capsys):
    caplog.set_level("INFO")
    monkeypatch.setattr(Tuning, "best", property(lambda self: self.trials[0]))
    found = lexical(test=english.test)
    assert "trial 0 on 48 test documents ..." in caplog.text
    assert found.test.first == found.test.chosen
    _show_test(found.test)
    shown = capsys.readouterr().out
    assert "trial 0, the best" in shown
    assert "difference" not in shown
    assert "trial 0, the best</th>" in tuning_page(found)


def test_the_best_config_trains_to_the_same_figure(lexical, english, tmp_path):
    config = load_config(None, ["classifier.encoder=none", "classifier.n_jobs=1", f"run_dir={tmp_path / 'run'}"])
    found = lexical(settings={"lexical_C": 0.011}, trials=6)
    config = config.model_copy(update={"classifier": config.classifier.model_copy(update={"lexical_C": 0.011})})
    assert found.best.number  # a poor config is easily beaten
    found.write_config(tmp_path / "best.yaml", config)
    text = (tmp_path / "best.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# Trial {found.best.number} of 6 (6 complete) by coarsefine tune")
    best = load_config(tmp_path / "best.yaml")
    assert best.run_dir == str(tmp_path / "run")
    for key, value in found.best.params.items():
        assert getattr(best.classifier, key) == value
    model = HierarchicalClassifier(english.taxonomy, **best.settings().model_dump())
    model.fit(*english.train, validation=english.valid)
    right = np.mean(model.predict(english.valid[0]) == np.array(english.valid[1]))
    assert right == found.best.figures["accuracy"]


def tuning(trials, space=SPACE, test=None):
    return Tuning(read_space(space, NO_ENCODER), "tpe", "accuracy", 0, tuple(trials), test)


def trial(number, accuracy, **params):
    figures = {"accuracy": accuracy, "macro_f1": accuracy - 0.1, "group_accuracy": 0.9}
    return Trial(number, COMPLETE, {"lexical_C": 1.0, "negatives": "all", **params}, figures, [], 60.0)


def test_the_best_is_the_earliest_of_equals():
    assert tuning([trial(0, 0.5), trial(1, 0.5)]).best.number == 0
    assert tuning([trial(0, 0.4), trial(1, 0.5), trial(2, 0.5)]).best.number == 1


def test_the_config_of_trial_0_is_the_given_one(tmp_path):
    config = load_config(None, ["classifier.encoder=none", "data.train='007'"])
    tuning([trial(0, 0.5)]).write_config(tmp_path / "best.yaml", config)
    assert "No trial was better than the given config." in (tmp_path / "best.yaml").read_text(encoding="utf-8")
    best = load_config(tmp_path / "best.yaml")
    assert best.model_copy(update={"run_dir": None}) == config
    assert best.run_folder == config.run_folder


def test_json_has_every_trial(tmp_path):
    lost = Trial(2, PRUNED, {"lexical_C": 2.0}, {}, [0.1, 0.2], 1.0)
    tuning([trial(0, 0.5), trial(1, 0.6), lost]).write_json(tmp_path / "trials.json")
    written = json.loads((tmp_path / "trials.json").read_text(encoding="utf-8"))
    assert (written["best"], written["figure"], len(written["trials"])) == (1, "accuracy", 3)
    assert written["trials"][1]["params"] == {"classifier.lexical_C": 1.0, "classifier.negatives": "all"}
    assert written["trials"][2]["curve"] == [0.1, 0.2]
    read_space(written["space"], NO_ENCODER)  # as the file would have it


@pytest.mark.parametrize(("name", "content"), [
    ("trials.json", "{"), ("trials.json", "[]"), ("trials.json", '{"trials": 3}'), ("best.yaml", "output: mine\n"),
    ("best.yaml", ""), ("trials.json", None), ("best.yaml", None),
])  # fmt: skip
def test_results_replace_only_those_of_a_tune(tmp_path, name, content):
    tuning([trial(0, 0.5), trial(1, 0.6)]).write_json(tmp_path / "trials.json")
    tuning([trial(0, 0.5), trial(1, 0.6)]).write_config(tmp_path / "best.yaml", load_config(None, []))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    check_results(tmp_path)
    check_results(tmp_path / "new")
    (tmp_path / name).unlink()
    check_results(tmp_path)
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"holds {name}, which no tune has written: name another folder"):
        check_results(tmp_path)


def test_the_page_shows_every_trial_and_needs_nothing_beside_it():
    refused = Trial(3, REFUSED, {"lexical_C": 3.0}, {}, [], 1.0, "a <b> & c")
    found = tuning([trial(0, 0.5, negatives="auto"), trial(1, 0.625, negatives="group"), trial(2, 0.6), refused])
    page = tuning_page(found)
    reader = Reader(page)
    words = " ".join("".join(reader.text).split())
    assert "Trial 1 reaches accuracy 0.6250 on the validation documents, 12.50 points more" in words
    assert "1 of 4 trials were stopped early or refused" in words
    assert "a <b> & c" in words
    assert page.count("data-root-id=") == 1 + len(found.space.ranges)
    for tag, attributes in reader.tags:
        assert tag != "link"
        assert not attributes.get("src", "").startswith("http")
    assert "On the test documents" not in words


def test_what_is_missing_is_named_with_its_remedy(lexical, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingLibraryError, match="install it with: pip install optuna"):
        lexical()
    assert optuna.__version__


@pytest.mark.parametrize("trials", [2**63, 10**5000, -(10**5000), True, 2.0, float("nan")], ids=range(6))
def test_a_number_of_trials_beyond_all_use_is_refused(lexical, trials):
    with pytest.raises(ConfigError, match=r"trials is .{1,250}: give a whole number, a billion at most"):
        lexical(trials=trials)
