"""Files of documents from before a merge or a retirement: trained on, refitted, answered and evaluated, and counted."""

import copy
import json
import logging
from itertools import chain

import numpy as np
import pytest

from hierarchy import Group, Label, Taxonomy
from hierarchy.editing import edits as editing
from hierarchy.errors import DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.out_of_fold import OutOfFold


@pytest.fixture(scope="module")
def now(english):
    """The tree of the corpus with lamps merged into desks, and hoses retired."""
    tree = editing.merge_labels(english.taxonomy, ["lamps"], "desks").new
    return editing.retire(tree, ["hoses"]).new


@pytest.fixture(scope="module")
def trained(now, english):
    return HierarchicalClassifier(now, encoder="none", n_jobs=1).fit(*english.train, validation=english.valid)


def by_hand(part):
    """The documents as a person would relabel them."""
    pairs = [(text, "desks" if label == "lamps" else label) for text, label in zip(*part, strict=True)]
    return [text for text, label in pairs if label != "hoses"], [label for _, label in pairs if label != "hoses"]


def test_a_training_and_an_evaluation_count_them(trained, now, english, caplog):
    again = HierarchicalClassifier(now, encoder="none", n_jobs=1)
    with caplog.at_level(logging.INFO):
        again.fit(*by_hand(english.train), validation=by_hand(english.valid))
    assert "merged" not in caplog.text
    assert trained.classes_.tolist() == again.classes_.tolist()
    assert {"lamps", "hoses"}.isdisjoint(trained.classes_)
    np.testing.assert_array_equal(trained.predict_proba(english.test[0]), again.predict_proba(english.test[0]))
    with caplog.at_level(logging.INFO):
        report = trained.evaluate(*english.test)
    assert report.as_dict() == trained.evaluate(*by_hand(english.test)).as_dict()
    lamps, hoses = (english.test[1].count(label) for label in ("lamps", "hoses"))
    assert (
        f"{lamps} documents whose label was merged, counted for its heir: 'lamps' for 'desks' ({lamps})" in caplog.text
    )
    assert f"{hoses} documents whose label was retired, left out: 'hoses' ({hoses})" in caplog.text
    assert trained.score(*english.test) == again.score(*by_hand(english.test))
    assert f"{hoses} of {len(english.test[1])} documents are left out" in caplog.text
    with pytest.raises(DataError, match="no document is left: all have labels that were retired"):
        trained.score(["water"], ["hoses"])


def test_a_saved_model_goes_on_understanding_them(trained, english, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    loaded = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert loaded.taxonomy_.merged_into == {"lamps": "desks"}
    assert loaded.score(*english.test) == trained.score(*english.test)
    assert loaded.calibrate(*english.valid, precision=0.8).model_.promises.documents == len(by_hand(english.valid)[0])


def test_a_refit_follows_them(fitted_lexical, trained, now, english):
    classifier = copy.copy(fitted_lexical).refit_groups(None, *english.train, now, validation=english.valid)
    assert classifier.classes_.tolist() == trained.classes_.tolist()
    expected = copy.copy(fitted_lexical).refit_groups(
        None, *by_hand(english.train), now, validation=by_hand(english.valid)
    )
    np.testing.assert_array_equal(classifier.predict_proba(english.test[0]), expected.predict_proba(english.test[0]))
    assert set(classifier.model_.record["refits"][-1]["groups"]) == {"office", "garden"}


@pytest.mark.parametrize("numbers", [False, True])
def test_answers_are_in_words_of_today(english, numbers):
    """A merged word never stands for its heir, even where no document says the heir's own."""
    names = sorted(set(english.train[1]))[:4]
    tree = Taxonomy(groups=(Group("g", "G", labels=tuple(Label(str(i), name) for i, name in enumerate(names))),))
    tree = editing.merge_labels(tree, ["0", "1"], "2").new
    some = [i for i, label in enumerate(english.train[1]) if label in (names[0], names[3])]
    texts = [english.train[0][i] for i in some]
    labels = [names.index(english.train[1][i]) if numbers else english.train[1][i] for i in some]
    classifier = HierarchicalClassifier(tree, encoder="none", n_jobs=1).fit(texts, labels)
    assert classifier.classes_.tolist() == ([2, 3] if numbers else sorted(["2", names[3]]))
    assert classifier.score(texts, labels) > 0.9


def test_words_of_a_fit_before_the_merge_are_followed(english):
    """Numbers in place of ids, as scikit-learn's users give them."""
    names = sorted(set(english.train[1]))
    tree = Taxonomy(groups=(Group("g", "G", labels=tuple(Label(f"l{i}", str(i)) for i in range(len(names)))),))
    train, test = ((texts, [names.index(label) for label in labels]) for texts, labels in (english.train, english.test))
    classifier = HierarchicalClassifier(tree, encoder="none", n_jobs=1).fit(*train)
    classifier.refit_groups(None, *train, editing.retire(editing.merge_labels(tree, ["1"], "0").new, ["2"]).new)
    assert classifier.classes_.tolist() == [0, *range(3, len(names))]
    relabelled = [0 if label == 1 else label for label in test[1] if label != 2]
    assert classifier.score(*test) == classifier.score([t for t, x in zip(*test, strict=True) if x != 2], relabelled)


def test_out_of_fold_predictions_follow_a_tree(now):
    from scipy import sparse

    scores = np.array([[0.5, 0.3, 0.1, 0.1], [0, 0.4, 0.6, 0], [0, 0, 0, 1], [0.2, 0, 0, 0.7]], dtype=np.float32)
    found = OutOfFold(
        label_ids=("desks", "hoses", "lamps", "pens"),
        rows=np.arange(4),
        keys=np.arange(4, dtype=np.uint64),
        folds=np.zeros(4, dtype=np.int32),
        targets=np.array([2, 1, 3, 0]),
        own=np.array([0.1, 0.4, 1, np.nan], dtype=np.float32),
        probabilities=sparse.csr_matrix(scores),
        trees=({"lamps": "office", "hoses": "garden", "pens": "office"},),
        ids=("a", "b", "c", "d"),
    )
    after = found.as_of(now)
    assert (after.label_ids, after.targets.tolist(), after.ids) == (("desks", "pens"), [0, 1, 0], ("a", "c", "d"))
    np.testing.assert_allclose(after.own, [0.6, 1, np.nan])
    np.testing.assert_allclose(after.probabilities.toarray(), [[0.6, 0.1], [0, 1], [0.2, 0.7]])
    assert after.groups_of(0, "desks") == ("office",)
    assert after.probe(after.label_ids).targets.tolist() == [0, 1, 0]
    assert found.as_of(Taxonomy(unplaced=tuple(Label(x, x) for x in found.label_ids))).label_ids == found.label_ids


def test_commands_count_them(cli, now, english, tmp_path, caplog):
    now.to_yaml(tmp_path / "tree.yaml")
    english.taxonomy.to_yaml(tmp_path / "old.yaml")
    for name, (texts, labels) in {"train": english.train, "valid": english.valid, "test": english.test}.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    files = [("--set", f"data.{part}={tmp_path / part}.jsonl") for part in ("train", "valid", "test")]
    settings = (*chain(*files), "--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")
    model, old, new = (str(tmp_path / name) for name in ("model", "old", "new"))

    def told(*arguments):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            result = cli(*arguments)
        assert result.exit_code == 0, result.stderr
        return caplog.text

    def of_tree(name):
        return "--set", f"taxonomy={tmp_path / name}.yaml"

    for said in (
        told("train", "--no-baselines", *settings, *of_tree("tree"), "--set", f"output={model}"),
        told("evaluate", model, tmp_path / "test.jsonl"),
    ):
        assert "4 documents whose label was merged, counted for its heir: 'lamps' for 'desks' (4)" in said
        assert "4 documents whose label was retired, left out: 'hoses' (4)" in said
    told("train", "--no-baselines", *settings, *of_tree("old"), "--set", f"output={old}")
    said = told("refit", old, "--taxonomy", tmp_path / "tree.yaml", *settings, "-o", new)
    assert f"train.jsonl: {english.train[1].count('lamps')} documents whose label was merged" in said
    assert "merged_into:" in (tmp_path / "new" / "taxonomy.yaml").read_text(encoding="utf-8")
    said = told("taxonomy", "check", tmp_path / "tree.yaml", *settings)
    assert "documents whose label was retired, left out" in said
