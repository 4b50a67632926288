"""Models whose files fit their manifest and not each other: one clear refusal, or answers that are answers."""

import copy
import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from test_saving import sign

from hierarchy.errors import ArtifactError, MissingLibraryError
from pipelines.classifier import HierarchicalClassifier
from pipelines.model.artifact.loading import load_model

RAW = {"@nan": "NaN", "@inf": "-Infinity", "@large": "1e400", "@digits": "9" * 5000, "@deep": "[" * 9999}
VALUES = [None, True, -1, 0, 7, 2**63 - 1, -0.5, 1e308, "", "x", "\x00", [], {}, ["a"], {"a": 1}, *RAW]


@pytest.fixture(scope="module")
def whole(fitted_lexical, english, tmp_path_factory):
    """A model with everything that a model can have but an encoder."""
    classifier = copy.copy(fitted_lexical)
    classifier.calibrate(*english.valid, precision=0.6, coverage=0.8, by_group=True, false_alarms=0.1)
    classifier.metrics_ = classifier.evaluate(*english.test, train=english.train).as_dict()
    folder = tmp_path_factory.mktemp("whole") / "model"
    classifier.save_pretrained(folder)
    return folder


@pytest.fixture
def model(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.fixture
def neural(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "neural"))


def edit(folder, name, change):
    """Change a JSON file and sign it; strings of `RAW` become what json does not write."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    text = json.dumps(change(content) or content)
    for mark, raw in RAW.items():
        text = text.replace(f'"{mark}"', raw)
    (folder / name).write_text(text, encoding="utf-8")
    sign(folder, name)


def put(*path_and_value):
    *path, last, value = path_and_value

    def change(content):
        for step in path:
            content = content[step]
        content[last] = value

    return change


def edit_arrays(folder, change, name="model.safetensors"):
    arrays = {key: array.copy() for key, array in load_file(folder / name).items()}
    change(arrays)
    save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, folder / name)
    sign(folder, name)


def refused(folder):
    with pytest.raises(ArtifactError) as caught:
        HierarchicalClassifier.from_pretrained(folder)
    assert "train again" in str(caught.value) or "copy the model again" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "path", "value", "said"),
    [
        ("config.json", ["format"], "else", "format: input should be 'coarsefine/model', not 'else'"),
        ("config.json", ["format_version"], "3", "format_version: input should be a valid integer"),
        ("config.json", ["settings"], dict.fromkeys(map(str, range(1001))), "settings: dictionary should have at most"),
        ("config.json", ["settings"], [], "settings: input should be a valid dictionary"),
        ("config.json", ["id2label", "12"], "more", "label2id: it is not id2label the other way round"),
        ("config.json", ["id2label", "13"], "more", "id2label: the keys are not all numbers from 0 to 12"),
        ("config.json", ["label2id", "kettles"], 1, "label2id: it is not"),
        ("config.json", ["groups", 0], "garden", "groups: one stands twice"),
        ("config.json", ["groups", 0], "cellar", "'kettles' stands in the group 'cellar' and in taxonomy.yaml in 'kit"),
        ("config.json", ["groups"], [], "groups: list should have at least 1 item"),
        ("config.json", ["words"], {"nobody": "x"}, "words of the labels contradict the model"),
        ("config.json", ["more"], 1, "more: extra inputs are not permitted"),
        ("router.json", ["fine", "full", "lexical"], -1, "fine.full.lexical: input should be greater than or equal"),
        ("router.json", ["fine", "full", "lexical"], 1e300, "fine.full.lexical: input should be less than"),
        ("router.json", ["fine", "full", "lexical"], "@nan", "NaN is no number"),
        ("router.json", ["fine", "full", "lexical"], "1", "fine.full.lexical: input should be a valid number"),
        ("router.json", ["fine", "other"], {}, "fine"),
        ("router.json", ["fine"], {}, "fine: it lacks 'full'"),
        ("router.json", ["coarse", "coarse"], "@large", "1e400 is too large"),
        ("promises.json", ["back_off", "fine"], 1.5, "back_off.fine: input should be less than or equal to 1"),
        ("promises.json", ["back_off", "precision"], 0, "back_off.precision: input should be greater than 0"),
        ("promises.json", ["conformal", "groups"], [0.5], "conformal.groups: it has 1 limits, and the model 3 groups"),
        ("promises.json", ["routing"], "beam: 0", "routing: string should match"),
        ("promises.json", ["out_of_scope", "energy"], None, "out_of_scope.energy: input should be a valid number"),
        ("promises.json", ["documents"], True, "documents: input should be a valid integer"),
        ("run.json", ["hardware"], None, "hardware: input should be"),
        ("run.json", ["documents", "others"], 1, "documents"),
        ("run.json", ["documents", "train"], -1, "documents.train: input should be greater than"),
        ("run.json", ["fingerprint"], '"; import os #', "fingerprint: string should match pattern"),
        ("run.json", ["settings", "x) #"], 1, "'x) #' is no name of a setting"),
        ("run.json", ["test_in_training"], 1, "documents: it lacks 'test'"),
        ("run.json", ["made"], "@digits", "9999... of 5000 characters is too large"),
        ("run.json", ["refits"], [{}], "refits.0.groups: field required"),
        ("run.json", ["config"], {"data": {}}, "config: it is null, or stands without sources"),
        ("metrics.json", ["evaluation", "accuracy"], "high", "evaluation.accuracy: input should be a valid number"),
        ("metrics.json", ["evaluation", "labels", 0, "group"], "cellar", "'cellar' is no group of its tables"),
        ("metrics.json", ["evaluation", "levels"], {}, "evaluation.levels: they are not fine, group, tail"),
        ("metrics.json", ["evaluation", "slices", 0, "documents"], 0, "evaluation.slices: one has no documents"),
        ("metrics.json", ["evaluation", "documents"], -5, "-5 is no figure"),
        ("metrics.json", ["evaluation"], None, "evaluation: input should be an object"),
        ("metrics.json", ["accuracy", "level"], None, "accuracy.level: input should be a valid number"),
        ("metrics.json", ["notes"], "@deep", "deep"),
    ],
)  # fmt: skip
def test_json_that_contradicts_itself_or_the_model(model, name, path, value, said):
    edit(model, name, put(*path, value))
    found = refused(model)
    assert said in found
    assert str(model / name) in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"null", "input should be a valid list"),
        (b"[]", "at least 1 item"),
        (b'["a", "a"]', "an n-gram stands twice"),
        (b'["a", 1]', "1: input should be a valid string"),
        (b"\xff", "cannot be read"),
        (b'["a"', "cannot be read"),
    ],
)
def test_a_vocabulary_that_is_none(model, content, said):
    (model / "vocabulary.json").write_bytes(content)
    sign(model, "vocabulary.json")
    assert said in refused(model)


def test_a_key_that_stands_twice(model):
    text = (model / "config.json").read_text(encoding="utf-8").replace('"groups": [', '"groups": [], "groups": [')
    (model / "config.json").write_text(text, encoding="utf-8")
    sign(model, "config.json")
    assert "config.json cannot be read (the key 'groups' stands twice)" in refused(model)


def test_a_tree_that_contradicts_the_config(model):
    text = (model / "taxonomy.yaml").read_text(encoding="utf-8")
    (model / "taxonomy.yaml").write_text(text.replace("kettles", "cattle"), encoding="utf-8")
    sign(model, "taxonomy.yaml")
    assert "'kettles' stands in the group 'kitchen' and in taxonomy.yaml in None" in refused(model)


def test_arrays_of_no_use(model):
    edit_arrays(model, lambda arrays: arrays["train_counts"].__setitem__(0, -1))
    assert "model.safetensors: train_counts holds -1, which is no number of documents" in refused(model)
    edit_arrays(
        model, lambda arrays: arrays.update({"train_counts": np.ones(12, dtype=np.int64), "neural.bias": np.ones(1)})
    )
    assert "'neural.bias' is no array of this file" in refused(model)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("mode", "joint", ""),
        ("aggregator_layers", 100, "aggregator_layers 100 do not fit"),
        ("aggregator_layers", 10**9, "aggregator_layers = 1000000000: input should be less"),
        ("aggregator_layers", 2, "aggregator."),
        ("aggregator_heads", 7, "aggregator_heads does nothing with aggregator_layers: 0"),
        ("attention_queries", 7, "pooling.queries has the shape"),
        ("label_attention", True, "label_attention."),
        ("trainable", "all", "it does not list encoder_pretrained/config.json"),
        ("lexical", False, "which no model with these settings has"),
        ("segment_tokens", 10**6, "segment_tokens 1000000 is more than this encoder takes"),
        ("encoder", "none", "leave them out"),
    ],
)  # fmt: skip
def test_settings_that_contradict_the_arrays(neural, key, value, said):
    edit(neural, "config.json", put("settings", key, value))
    assert said in refused(neural)


def test_heads_that_divide_no_unit_vector(neural):
    edit(neural, "config.json", lambda content: content["settings"].update(aggregator_layers=1, aggregator_heads=7))
    assert "aggregator_heads 7 and aggregator_layers 1 do not fit an encoder of 32 dimensions" in refused(neural)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a["document_model.head.bias"].__setitem__(0, np.nan), "document_model.head.bias holds numbers that"),
        (lambda a: a.pop("document_model.head.bias"), "head.bias is missing"),
        (lambda a: a.update({"document_model.head.bias": a["group_of"][:2].astype("f4")}), "head.bias has the shape"),
        (lambda a: a.update({"document_model.more": np.ones(1, dtype=np.float32)}), "'more' is no array"),
        (lambda a: a.update({"neural.weight": a["neural.weight"][:, :-1]}), "neural.weight has 95 columns"),
        (lambda a: a.pop("neural.weight"), "neural.weight is missing"),
    ],
)  # fmt: skip
def test_neural_arrays_that_fit_no_such_model(neural, change, said):
    edit_arrays(neural, change)
    assert said in refused(neural)


def test_finite_weights_whose_scores_are_not(neural):
    def enlarge(arrays):
        for name in arrays:
            if name.startswith("document_model."):
                arrays[name][...] = 9e8

    edit_arrays(neural, enlarge)
    with pytest.raises(ArtifactError, match="scores are no numbers"):
        HierarchicalClassifier.from_pretrained(neural).predict_proba(["kettle", "ink"])


def test_unlimited_sets_are_saved_and_read(fitted_lexical, english, tmp_path):
    from dataclasses import replace

    classifier = copy.copy(fitted_lexical)
    classifier.calibrate(*english.valid, precision=0.6, coverage=0.8)
    promises = classifier.model_.promises
    endless = replace(promises, conformal=replace(promises.conformal, labels=np.inf, tree=np.inf))
    classifier.model_ = replace(classifier.model_, promises=endless)
    classifier.save_pretrained(tmp_path / "model")
    assert load_model(tmp_path / "model")[0].promises == endless


@pytest.mark.parametrize("seed", range(4))
def test_any_change_is_refused_or_harmless(whole, english, tmp_path, seed):
    rng = random.Random(seed)  # noqa: S311 - no secret
    names = ["config.json", "run.json", "router.json", "vocabulary.json", "promises.json", "metrics.json"]
    texts = [*english.test[0][:3], "", "xyzzy"]
    harmless = 0
    for number in range(12):
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        if number % 3:
            edit(folder, rng.choice(names), lambda content: _mutated(content, rng))
        else:
            edit_arrays(folder, lambda arrays: _mutate_array(arrays, rng))
        try:
            classifier = HierarchicalClassifier.from_pretrained(folder)
        except ArtifactError:
            continue
        answers = classifier.predict_proba(texts)
        assert answers.shape == (len(texts), 12)
        assert np.abs(answers.sum(1) - 1).max() < 1e-3
        classifier.explain(texts[0])
        classifier.predict_sets(texts)
        classifier.evaluate(*english.test)
        classifier.save_pretrained(folder)
        harmless += 1
    assert harmless < 12


def _mutated(content, rng):
    """Remove or replace one value, anywhere in a content."""
    above, last, here = None, None, content
    while isinstance(here, dict | list) and here and rng.random() < 0.9:
        above, last = here, rng.choice(list(here)) if isinstance(here, dict) else rng.randrange(len(here))
        here = here[last]
    if above is None:
        return rng.choice(VALUES)
    if rng.random() < 0.2:
        del above[last]
    else:
        above[last] = rng.choice(VALUES)
    return None


def _mutate_array(arrays, rng):
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    kind = rng.randrange(6)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = array[: len(array) // 2]
    elif kind == 2:
        arrays[name] = array.astype(np.float64)
    elif kind == 3:
        rng.shuffle(array)
    else:
        array[rng.randrange(len(array))] = rng.choice([0, 100, 10**6]) if kind == 4 else array.max()


def test_an_encoder_where_torch_is_missing_is_one_error_that_says_so(neural, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingLibraryError, match=r"encoder of this model .* install it with: pip install torch$"):
        load_model(neural)
