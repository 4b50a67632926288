"""Refitting: what is asked for and what an edited tree demands, and nothing beside it."""

import copy
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edited_trees import edited

from hierarchy.errors import ConfigError, DataError, TaxonomyError
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.documents import Documents
from pipelines.training.refit_plan import cut_for_refit

ROOT = Path(__file__).parents[3]
KINDS = ["fitted", "fitted_lexical"]
SHORT = {"num_train_epochs": 1, "learning_rate": 5e-3, "encoder_learning_rate": 1e-3}


def rows(classifier):
    """Every row as bytes, by expert and label."""
    found = {}
    for expert in ("neural", "lexical"):
        bank = getattr(classifier.model_.router, expert)
        for place, label in enumerate(classifier.model_.label_ids if bank else ()):
            row = bank[place : place + 1].tensors("row")
            found[expert, label] = {name: array.tobytes() for name, array in row.items()}
    return found


def parts(classifier):
    """All numbers of a model but its encoders."""
    model = classifier.model_
    found = rows(classifier) | {"counts": model.train_counts.tolist(), "valid": model.valid_keys.tolist()}
    if model.router.group_rows is not None:
        found["group rows"] = {n: a.tobytes() for n, a in model.router.group_rows.tensors("groups").items()}
    if model.extractor.neural is not None:
        state = model.extractor.neural.document_model.state_dict()
        found["document model"] = {name: tensor.numpy().tobytes() for name, tensor in state.items()}
    return found | {"fusions": model.router.fusions, "coarse fusion": model.router.coarse_fusion}


def without(part, *absent):
    some = [i for i, label in enumerate(part[1]) if label not in absent]
    return [part[0][i] for i in some], [part[1][i] for i in some]


def relabelled(part, old, new):
    return part[0], [new if label == old else label for label in part[1]]


@pytest.fixture(scope="module")
def before_hoses(tiny_classifier, fitted, fitted_lexical, english):
    """Classifiers of both kinds that have never heard of hoses."""
    tree = edited(english.taxonomy, remove=["hoses"])
    tree = replace(tree, retired=())
    train, valid = (without(part, "hoses") for part in (english.train, english.valid))
    return {
        "fitted": tiny_classifier(tree, training=fitted.training).fit(*train, validation=valid),
        "fitted_lexical": HierarchicalClassifier(tree, encoder="none", n_jobs=1).fit(*train, validation=valid),
    }


# Without an edit of the tree


@pytest.mark.parametrize("which", KINDS)
def test_refit_changes_the_rows_of_its_groups_only(which, request, english):
    classifier = copy.copy(request.getfixturevalue(which))
    before = parts(classifier)
    classifier.refit_groups(["garden", "office"], *english.train)
    assert parts(classifier) == before  # same data, same bytes
    texts, labels = english.train
    dry = [i for i, label in enumerate(labels) if label == "hoses"][:9]
    changed = ["fence seed" if i in dry else text for i, text in enumerate(texts)]
    classifier.refit_groups(["garden"], changed, labels)
    after = parts(classifier)
    garden = {"mowers", "hoses", "seeds", "fences"}
    different = {key for key in before if after[key] != before[key]}
    experts = {"neural", "lexical"} if which == "fitted" else {"lexical"}
    assert different == {(expert, label) for expert in experts for label in garden}
    assert request.getfixturevalue(which).model_ is not classifier.model_


def test_refit_with_the_data_of_fit_finds_the_validation_documents_again(english):
    texts, labels = (english.train[i] + english.valid[i] for i in (0, 1))
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1).fit(texts, labels)
    again = copy.copy(classifier).refit_groups(["garden"], texts, labels)
    assert parts(again) == parts(classifier)
    assert again.model_.record["refits"][0]["documents"] == classifier.model_.record["documents"]


def test_a_refit_that_is_asked_for_again_changes_nothing(fitted_lexical, english, caplog):
    once = copy.copy(fitted_lexical).refit_groups(["garden", "office"], *english.train)
    with caplog.at_level("INFO"):
        again = copy.copy(once).refit_groups(["garden"], *english.train)
    assert "refitted in just this way already" in caplog.text
    assert again.model_.record == once.model_.record
    texts, labels = english.train
    for other in (["kitchen"], texts, labels), (["garden"], texts[:-1], labels[:-1]):
        assert len(copy.copy(once).refit_groups(*other).model_.record["refits"]) == 2


def test_given_validation_documents_fit_the_fusion_again(fitted, english):
    classifier = copy.copy(fitted).refit_groups(["garden"], *english.train, validation=english.test)
    different = {key for key, value in parts(classifier).items() if value != parts(fitted)[key]}
    assert different == {"fusions", "valid"}


def test_figures_of_the_old_model_are_dropped(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical)
    classifier.metrics_ = {"accuracy": 1.0}
    assert classifier.refit_groups(["garden"], *english.train).metrics_ is None


# What fit trains on, refit trains on


def marked(text, random):
    return f"{text} {random.integers(3)}"


MARKED = f"{__name__}:marked"
AUGMENTED = {
    "words left out": {"word_dropout": 0.2, "augmented_copies": 2},
    "a function": {"augment": MARKED},
    "both, no label documents": {"augment": MARKED, "word_dropout": 0.1, "label_documents": False},
    "no copies, no label documents": {"label_documents": False},
}


@pytest.mark.parametrize("name", AUGMENTED)
def test_a_refit_of_all_groups_fits_the_rows_of_fit(name, english, tmp_path):
    given = {"encoder": "none", "n_jobs": 1, "prior_correction": 0.5, **AUGMENTED[name]}
    classifier = HierarchicalClassifier(english.taxonomy, **given).fit(*english.train, validation=english.valid)
    classifier.save_pretrained(tmp_path / "model")
    for again in (copy.copy(classifier), HierarchicalClassifier.from_pretrained(tmp_path / "model")):
        again.set_params(augment=classifier.augment, n_jobs=1)
        again.refit_groups(english.taxonomy.group_ids, *english.train, validation=english.valid)
        assert parts(again) == parts(classifier)
        settings = [c.model_.record["settings"] for c in (again, classifier)]
        assert settings[0] == settings[1]
        assert again.model_.record["refits"][0].get("augment") == classifier.augment


@pytest.mark.slow
def test_after_a_move_the_coarse_stage_and_its_rows_read_the_copies_too(tiny_classifier, english):
    classifier = tiny_classifier(word_dropout=0.2, augmented_copies=2, keep_neighbours=True)
    classifier.fit(*english.train, validation=english.valid)
    tree = edited(english.taxonomy, move={"lamps": "kitchen", "seeds": "office"})
    refitted = copy.copy(classifier).refit_groups(None, *english.train, tree, validation=english.valid)
    trained = HierarchicalClassifier(**{**classifier.get_params(), "taxonomy": tree})
    trained.fit(*english.train, validation=english.valid)
    assert parts(refitted) == parts(trained)
    neighbours = [c.model_.neighbours.rows.tolist() for c in (refitted, trained)]
    assert neighbours[0] == neighbours[1] == list(range(len(english.train[0])))


def test_a_loaded_model_runs_no_function_that_the_caller_has_not_named(english, fitted_lexical, tmp_path):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, augment=MARKED, word_dropout=0.1)
    classifier.fit(*english.train, validation=english.valid).save_pretrained(tmp_path / "model")
    loaded = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert (loaded.augment, loaded.word_dropout, loaded.augmented_copies) == (None, 0.1, 1)
    with pytest.raises(ConfigError, match=rf"augment '{MARKED}' rewrote.*with set_params\(augment=\.\.\.\)"):
        loaded.refit_groups(["garden"], *english.train)
    with pytest.raises(ConfigError, match="cannot be imported"):
        loaded.set_params(augment="no_such:function").refit_groups(["garden"], *english.train)
    renamed = replace(english.taxonomy, groups=tuple(replace(g, name=g.id.title()) for g in english.taxonomy.groups))
    assert loaded.set_params(augment=None).refit_groups(None, *english.train, renamed).taxonomy_ == renamed
    plain = copy.copy(fitted_lexical).set_params(augment=MARKED)
    with pytest.raises(ConfigError, match="the model was trained without"):
        plain.refit_groups(["garden"], *english.train)


def test_card_and_fingerprint_tell_which_function_a_refit_ran(english, tmp_path):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, augment=MARKED)
    classifier.fit(*english.train, validation=english.valid)
    prints = set()
    for number, name in enumerate((MARKED, f"{__name__}:unmarked")):
        again = copy.copy(classifier).set_params(augment=name).refit_groups(["garden"], *english.train)
        again.save_pretrained(tmp_path / str(number))
        prints.add(again.model_.record["fingerprint"])
        card = (tmp_path / str(number) / "README.md").read_text(encoding="utf-8")
        assert f"copies rewritten by `{name}`" in card
        assert again.model_.record["settings"]["augment"] == MARKED  # as trained
    assert len(prints) == 2


def unmarked(text, random):
    return text


# After an edit of the tree


EDITS = {
    "add a label": ({"add": {"hoses": "garden"}}, {"garden"}),
    "add a group": ({"add": {"hoses": "water"}}, {"water"}),
    "move": ({"move": {"lamps": "kitchen"}}, {"kitchen", "office"}),
    "move to a new group": ({"move": {"lamps": "light"}}, {"light", "office"}),
    "remove": ({"remove": ["lamps"]}, {"office"}),
    "remove a group": ({"remove": ["printers", "chairs", "desks", "lamps"]}, set()),
    "all at once": ({"add": {"hoses": "garden"}, "move": {"desks": "kitchen"}, "remove": ["seeds"]},
                    {"kitchen", "garden", "office"}),
}  # fmt: skip


@pytest.mark.parametrize("which", KINDS)
@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_followed_and_all_other_ngram_rows_stay(which, name, before_hoses, english, tmp_path):
    edit, heads = EDITS[name]
    classifier = copy.copy(before_hoses[which])
    tree = edited(classifier.taxonomy_, **edit)
    absent = set(english.train[1]) - set(tree.label_ids)
    train, valid, test = (without(part, *absent) for part in (english.train, english.valid, english.test))
    classifier.refit_groups(None, *train, tree, validation=valid)
    model = classifier.model_
    assert (classifier.taxonomy_, model.label_ids, model.group_ids) == (tree, tree.label_ids, tree.group_ids)
    assert model.space.group_of.tolist() == tree.group_of.tolist()
    assert classifier.classes_.tolist() == sorted(tree.label_ids)
    after, before = rows(classifier), rows(before_hoses[which])
    home = {label.id: group.id for group in tree.groups for label in group.labels}
    for expert, label in after:
        if home[label] not in heads and expert == "lexical":  # the neural ones read document vectors, which are new
            assert after[expert, label] == before[expert, label]
    refit = model.record["refits"][0]
    assert (set(refit["groups"]), refit["coarse"]) == (heads, True)
    assert (set(refit["added"]), set(refit["moved"]), set(refit["removed"])) == (
        set(edit.get("add", {})), set(edit.get("move", {})), set(edit.get("remove", [])),
    )  # fmt: skip

    predicted = classifier.predict(test[0])
    assert np.mean(predicted == np.array(test[1])) > 0.5  # of a dozen labels that share words
    assert set(predicted) >= set(edit.get("add", {}))
    for paths in classifier.predict_paths(test[0], top_k=3):
        assert all(home[path.path[1]] == path.path[0] for path in paths)
    classifier.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert parts(again) == parts(classifier)
    assert again.predict_proba(test[0]).tobytes() == classifier.predict_proba(test[0]).tobytes()
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "Refitted since then:" in card
    assert all(f"labels added: {label}" in card for label in edit.get("add", {}))


@pytest.mark.parametrize("which", KINDS)
def test_a_move_gives_what_a_full_training_gives(which, request, english):
    classifier = request.getfixturevalue(which)
    tree = edited(english.taxonomy, move={"lamps": "kitchen", "seeds": "office"})
    refitted = copy.copy(classifier).refit_groups(None, *english.train, tree, validation=english.valid)
    trained = HierarchicalClassifier(**{**classifier.get_params(), "taxonomy": tree})
    assert parts(refitted) == parts(trained.fit(*english.train, validation=english.valid))


def test_a_merge_refits_the_label_that_gets_the_documents(fitted_lexical, english, caplog):
    tree = edited(english.taxonomy, remove=["lamps"])
    train, valid = (relabelled(part, "lamps", "kettles") for part in (english.train, english.valid))
    lamps = [text for text, label in zip(*english.test, strict=True) if label == "lamps"]
    with caplog.at_level(logging.WARNING):
        left = copy.copy(fitted_lexical).refit_groups(["office"], *train, tree, validation=valid)
    assert any("'kettles': 17, now 34" in m and "name their groups: kitchen" in m for m in caplog.messages)
    caplog.clear()
    merged = copy.copy(fitted_lexical).refit_groups(None, *train, tree, validation=valid)
    assert caplog.messages == []
    assert merged.model_.record["refits"][0]["groups"] == ["kitchen", "office"]
    assert np.mean(merged.predict(lamps) == "kettles") > 0.7 > np.mean(left.predict(lamps) == "kettles")


def test_first_documents_of_a_label_that_had_none(english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    classifier.fit(*without(english.train, "hoses"), validation=english.valid)
    assert "hoses" not in classifier.classes_
    with pytest.raises(DataError, match=r"groups that are not named \(garden\): name these too"):
        classifier.refit_groups(["office"], *english.train, validation=english.valid)
    with pytest.raises(DataError, match=r"no validation document has a label that.*\(they have 'hoses'\)"):
        classifier.refit_groups(["office"], *without(english.train, "hoses"), validation=(["hose"], ["hoses"]))
    classifier.refit_groups(["garden"], *english.train, validation=english.valid)
    assert "hoses" in classifier.predict(english.test[0])


def test_a_trained_encoder_stays_as_it_is(tiny_classifier, english, tmp_path):
    classifier = tiny_classifier(trainable="all", training=SHORT).fit(*english.train, validation=english.valid)
    encoders = [
        {name: tensor.clone() for name, tensor in encoder.transformer.state_dict().items()}
        for encoder in classifier.model_.extractor.neural.fine_encoders
    ]
    tree = edited(english.taxonomy, move={"lamps": "kitchen"})
    refitted = copy.copy(classifier).refit_groups(None, *english.train, tree, validation=english.valid)
    neural = refitted.model_.extractor.neural
    assert len(encoders) == len(neural.fine_encoders) == 2
    for encoder, before in zip(neural.fine_encoders, encoders, strict=True):
        assert all(tensor.equal(before[name]) for name, tensor in encoder.transformer.state_dict().items())
    refitted.save_pretrained(tmp_path / "model")
    again = HierarchicalClassifier.from_pretrained(tmp_path / "model")
    assert again.predict_proba(english.test[0]).tobytes() == refitted.predict_proba(english.test[0]).tobytes()


@pytest.mark.parametrize("negatives", ["candidates", "group"])
def test_other_negatives(negatives, english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, negatives=negatives)
    classifier.fit(*english.train, validation=english.valid)
    tree = edited(english.taxonomy, move={"lamps": "kitchen"})
    classifier.refit_groups(None, *english.train, tree, validation=english.valid)
    assert classifier.score(*english.test) > 0.4
    paths = [p[0].path for p in classifier.predict_paths(english.test[0])]
    assert ("kitchen", "lamps") in paths


def test_names_and_order_alone_change_no_number(fitted, english):
    kitchen, garden, office = english.taxonomy.groups
    tree = Taxonomy((replace(office, name="Bureau"), kitchen, garden))
    classifier = copy.copy(fitted).refit_groups(None, *english.train, tree)
    assert classifier.taxonomy_ == tree
    assert parts(classifier) == parts(fitted)
    assert "refits" not in classifier.model_.record
    paths = [[p[0].path for p in c.predict_paths(english.test[0])] for c in (classifier, fitted)]
    assert paths[0] == paths[1]


def test_a_second_refit_starts_from_the_first(before_hoses, english):
    first = edited(before_hoses["fitted_lexical"].taxonomy_, add={"hoses": "garden"})
    classifier = copy.copy(before_hoses["fitted_lexical"])
    classifier.refit_groups(None, *english.train, first, validation=english.valid)
    both = [english.train[i] + english.valid[i] for i in (0, 1)]
    classifier.refit_groups(None, *both, edited(first, move={"hoses": "office"}))
    refits = classifier.model_.record["refits"]
    assert [refit["moved"] for refit in refits] == [[], ["hoses"]]
    assert refits[1]["documents"] == {"train": 204, "valid": 48}


def test_a_stopped_refit_goes_on(tiny_classifier, english, tmp_path, monkeypatch):
    classifier = tiny_classifier(run_dir=str(tmp_path)).fit(*english.train, validation=english.valid)
    tree = edited(english.taxonomy, move={"lamps": "kitchen"})
    call = (None, *english.train, tree)
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.training.refit.fit_router", None)
        with pytest.raises(TypeError):
            copy.copy(classifier).refit_groups(*call, validation=english.valid)
    monkeypatch.setattr("stages.training.trainer._Trainer", None)
    monkeypatch.setattr("stages.shards.ShardCache._write", None)
    monkeypatch.setattr("pipelines.training.heads.fit_rows", None)
    refitted = copy.copy(classifier).refit_groups(*call, validation=english.valid)
    assert refitted.model_.record["refits"][0]["moved"] == ["lamps"]


# Validation documents


def test_validation_documents_are_known_again_and_new_labels_give_some(before_hoses, english):
    model = before_hoses["fitted_lexical"].model_
    texts, labels = (english.train[i] + english.valid[i] for i in (0, 1))
    kept, cut = cut_for_refit(model, Documents(texts, labels))
    assert sorted([*kept, *cut]) == list(range(len(texts)))
    old = [i for i in cut if labels[i] != "hoses"]
    assert sorted(texts[i] for i in old) == sorted(without(english.valid, "hoses")[0])
    assert len(cut) - len(old) == 2  # a tenth of 21

    kept, cut = cut_for_refit(model, Documents(*english.train))
    assert (len(kept), len(cut)) == (204, 0)
    halved = [english.train[i] + english.valid[i][::3] for i in (0, 1)]
    assert len(cut_for_refit(model, Documents(*halved))[1]) == 0


def test_a_repeated_document_of_a_new_label_stays_on_one_side(before_hoses, english):
    model = before_hoses["fitted_lexical"].model_
    texts, labels = (english.train[i] + english.valid[i] for i in (0, 1))
    hoses = [text for text, label in zip(texts, labels, strict=True) if label == "hoses"]
    texts, labels = texts + hoses[::2], labels + ["hoses"] * len(hoses[::2])
    kept, cut = cut_for_refit(model, Documents(texts, labels))
    assert not {texts[i] for i in kept} & {texts[i] for i in cut}


def test_an_edit_without_unseen_documents_is_refused(fitted_lexical, english):
    tree = edited(english.taxonomy, move={"lamps": "kitchen"})
    with pytest.raises(DataError, match=r"the fusion must be fitted again.*with validation="):
        copy.copy(fitted_lexical).refit_groups(None, *english.train, tree)


# Refusals


def test_refit_refuses_what_it_cannot_do(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical)
    texts, labels = english.train
    with pytest.raises(DataError, match="no group 'gardn' in this model; nearest: garden"):
        classifier.refit_groups(["gardn"], texts, labels)
    with pytest.raises(DataError, match="groups is a single string: put it into a list"):
        classifier.refit_groups("garden", texts, labels)
    with pytest.raises(DataError, match=r"groups\[1\] is None \(NoneType\)"):
        classifier.refit_groups(["garden", None], texts, labels)
    for nothing in (None, []):
        with pytest.raises(DataError, match="nothing to do: the tree is the model's own; name the groups"):
            classifier.refit_groups(nothing, texts, labels)
    some = without(english.train, "hoses")
    with pytest.raises(DataError, match=r"labels have no documents \('hoses'\): give the whole training data"):
        classifier.refit_groups(["garden"], *some)
    classifier.refit_groups(["office"], *some)
    with pytest.raises(ConfigError, match=r"taxonomy is a str: give a hierarchy\.Taxonomy"):
        classifier.refit_groups(None, texts, labels, "tree.yaml")


def test_refit_refuses_a_tree_that_the_documents_do_not_carry(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical)
    tree = english.taxonomy

    def refuses(match, tree, groups=None, documents=english.train, error=DataError):
        valid = without(english.valid, *(set(english.train[1]) - set(documents[1])))
        with pytest.raises(error, match=match):
            classifier.refit_groups(groups, *documents, tree, validation=valid)

    refuses(r"new in the tree and have no training documents \(tents\)", edited(tree, add={"tents": "garden"}))
    refuses(r"groups that are not named \(kitchen\): name these too", edited(tree, move={"lamps": "kitchen"}),
            ["office", "garden"])  # fmt: skip
    refuses(r"no group 'office' in this model", edited(tree, remove=tree.label_ids[8:]), ["office"],
            without(english.train, *tree.label_ids[8:]))  # fmt: skip
    refuses(r"labels have no documents \('seeds'\)", edited(tree, move={"lamps": "kitchen"}), None,
            without(english.train, "seeds"))  # fmt: skip
    refuses(r"stand in no group yet \(tents\)", replace(tree, unplaced=(Label("tents", "tents"),)),
            error=TaxonomyError)  # fmt: skip
    assert classifier.model_ is fitted_lexical.model_
