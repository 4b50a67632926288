"""The public face: answers that stand for themselves, settings, and what bad input is told."""

import copy
import inspect
import logging
import pydoc
import re
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
from sklearn.utils import get_tags

from hierarchy.building.builder import TaxonomyBuilder
from hierarchy.errors import ConfigError, DataError, EncoderError
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.likeness import REMOVED
from pipelines.classifier import HierarchicalClassifier
from pipelines.config import load_config
from pipelines.cross_validation.validate import cross_validate
from pipelines.settings import Settings

ROUTINGS = [
    {"routing": "exhaustive"},
    {"routing": "beam", "beam": 1},
    {"routing": "beam", "beam": 2},
    {"routing": "auto"},
]


def routed(classifier, **how):
    return copy.copy(classifier).set_params(**how)


class Unread(HierarchicalClassifier):
    """Stands for any work that must not start before the input is checked."""

    def _run_folder(self):
        raise AssertionError("work has started")


@pytest.fixture
def unread(english):
    return Unread(english.taxonomy, encoder="none", n_jobs=1)


# What it answers


def test_it_learns(fitted, fitted_lexical, english):
    for classifier in (fitted, fitted_lexical):
        assert classifier.score(*english.test) > 0.6
    weights = fitted.model_.router.fusions["full"]
    assert min(weights.neural, weights.lexical) > 0  # both experts have a voice


@pytest.mark.parametrize("how", ROUTINGS, ids=str)
@pytest.mark.parametrize("which", ["fitted", "fitted_lexical"])
def test_a_prediction_does_not_depend_on_its_neighbours(which, how, request, lengths):
    classifier = routed(request.getfixturevalue(which), **how)
    whole = classifier.predict_proba(lengths)
    assert whole.shape == (64, 12)
    alone = np.concatenate([classifier.predict_proba([text]) for text in lengths])
    sevens = np.concatenate([classifier.predict_proba(lengths[i : i + 7]) for i in range(0, 64, 7)])
    order = np.random.default_rng(0).permutation(64)
    shuffled = classifier.predict_proba([lengths[i] for i in order])
    assert np.abs(alone - whole).max() < 1e-5
    assert np.abs(sevens - whole).max() < 1e-5
    assert np.abs(shuffled - whole[order]).max() < 1e-5
    assert np.abs(whole.sum(1) - 1).max() < 1e-5


def test_in_bf16_neighbours_move_a_prediction_by_rounding_alone(fitted, lengths):
    classifier = copy.deepcopy(fitted)
    neural = classifier.model_.extractor.neural
    for encoder in (neural.encoder, *neural.fine_encoders):
        encoder.dtype = "bfloat16"
    whole = classifier.predict_proba(lengths)
    assert not np.array_equal(whole, fitted.predict_proba(lengths))  # it does read in bf16
    alone = np.concatenate([classifier.predict_proba([text]) for text in lengths])
    assert np.abs(alone - whole).max() < 0.01


def test_what_the_router_reads_does_not_depend_on_neighbours(fitted, lengths):
    extractor = fitted.model_.extractor
    whole = extractor(lengths)
    for size in (1, 7):
        parts = [extractor(lengths[i : i + size]) for i in range(0, 64, size)]
        assert np.abs(np.concatenate([p.vectors for p in parts]) - whole.vectors).max() < 1e-5
        assert np.abs(np.concatenate([p.group_logits for p in parts]) - whole.group_logits).max() < 1e-5
        assert np.array_equal(np.concatenate([p.ngrams.toarray() for p in parts]), whole.ngrams.toarray())


@pytest.mark.parametrize("how", ROUTINGS, ids=str)
def test_paths_say_the_same_as_probabilities(fitted, english, how):
    classifier = routed(fitted, **how)
    texts = english.test[0]
    probabilities = classifier.predict_proba(texts)
    predicted = classifier.predict(texts)
    group_of = dict(zip(english.taxonomy.label_ids, english.taxonomy.group_of, strict=True))
    column = {label: i for i, label in enumerate(classifier.classes_)}
    for row, best, paths in zip(probabilities, predicted, classifier.predict_paths(texts, top_k=12), strict=True):
        assert paths[0].path[1] == best
        assert len(paths) == (row > 0).sum()
        assert [p.probability for p in paths] == sorted((p.probability for p in paths), reverse=True)
        of_group = {}
        for path in paths:
            group, label = path.path
            assert english.taxonomy.group_ids[group_of[label]] == group
            assert path.probability == pytest.approx(row[column[label]], abs=1e-7)
            of_group[group] = of_group.get(group, 0) + path.probability
        for path in paths:
            assert path.group_probability == pytest.approx(of_group[path.path[0]], abs=1e-5)
        assert len(of_group) == {"exhaustive": 3, "auto": 3, "beam": how.get("beam")}[how["routing"]]
        coarse = {path.path[0]: path.coarse_probability for path in paths}
        assert paths[0].beam_mass == pytest.approx(sum(coarse.values()), abs=1e-5)
    assert [len(paths) for paths in classifier.predict_paths(texts, top_k=2)] == [2] * len(texts)


def test_classes_are_sorted_and_predictions_are_their_ids(fitted, english):
    assert fitted.classes_.tolist() == sorted(english.taxonomy.label_ids)
    assert set(fitted.predict(english.test[0])) <= set(fitted.classes_)


def test_no_documents_no_answers(fitted, fitted_lexical):
    for classifier in (fitted, fitted_lexical):
        assert classifier.predict_proba([]).shape == (0, 12)
        assert classifier.predict([]).shape == (0,)
        assert classifier.predict_paths([]) == []


def test_any_sequence_of_strings_will_do(fitted_lexical, english):
    texts = english.test[0][:5]
    expected = fitted_lexical.predict(texts).tolist()
    for same in (tuple(texts), np.array(texts), np.array(texts, dtype=object), list(map(np.str_, texts))):
        assert fitted_lexical.predict(same).tolist() == expected


@pytest.mark.parametrize("which", ["fitted", "fitted_lexical"])
def test_odd_texts_have_an_answer(which, request):
    odd = ["", " \n\t", "👍" * 50, "\x00", "\ufeffkettle", "half \ud83d of an emoji", "中文", "a" * 20_000]
    answer = request.getfixturevalue(which).predict_proba(odd)
    assert np.isfinite(answer).all()
    assert np.abs(answer.sum(1) - 1).max() < 1e-5


def test_a_document_of_100_000_tokens_passes(fitted, english):
    text = " ".join((" ".join(english.train[0]).split() * 30)[:110_000])
    segments = fitted.model_.extractor.neural.segmenter([text])
    assert sum(map(len, segments.input_ids)) > 100_000
    answer = fitted.predict_proba([text, "kettle"])
    assert np.abs(answer[1] - fitted.predict_proba(["kettle"])[0]).max() < 1e-5


# Settings


def test_the_signature_says_what_the_settings_say():
    """Names, order, defaults, and the words that an editor offers."""
    signature = inspect.signature(HierarchicalClassifier, eval_str=True).parameters
    parameters = {name: one for name, one in signature.items() if name != "taxonomy"}
    assert list(parameters) == list(Settings.model_fields)
    defaults = {name: one.default for name, one in parameters.items()}
    assert defaults == Settings().model_dump() | {"training": None}
    for name, field in Settings.model_fields.items():
        words, own = offered(parameters[name].annotation), offered(field.annotation)
        assert own == words - ({f"top_{n}" for n in range(1, 25)} if name == "trainable" else set()), name
    assert offered(parameters["trainable"].annotation) >= {"frozen", "top_1", "top_24"}


def offered(annotation):
    """Words of all Literal types in an annotation."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return set().union(*map(offered, get_args(annotation)))


def test_help_shows_every_parameter_with_its_text():
    shown = " ".join(pydoc.plain(pydoc.render_doc(HierarchicalClassifier)).replace("|", " ").split())
    for name, field in Settings.model_fields.items():
        told = " ".join(field.description.replace("null", "None").split())
        assert f" {name} {told[0].upper()}{told[1:]}." in shown, name
    assert "{settings}" not in shown


def test_scikit_learn_knows_what_it_takes():
    tags = get_tags(HierarchicalClassifier())
    assert tags.estimator_type == "classifier"
    assert tags.target_tags.required
    assert (tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array) == (True, True, False)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: HierarchicalClassifier(seed=1), "HierarchicalClassifier() has no argument 'seed': seed is"),
        (lambda: HierarchicalClassifier(precision="fp32"), "precision is dtype now"),
        (lambda: HierarchicalClassifier(trainble="all"), "did you mean 'trainable'?"),
        (lambda: TaxonomyBuilder(seed=1), "TaxonomyBuilder() has no argument 'seed': seed is random_state now"),
        (lambda: cross_validate(None, [], [], groups=[]), "groups is sources now, since groups are groups of labels"),
    ],
)
def test_a_wrong_keyword_is_told_with_the_right_one(call, told):
    with pytest.raises(TypeError) as error:
        call()
    assert told in str(error.value)


def test_settings_of_prediction_can_be_changed_after_fit_and_are_checked(fitted_lexical):
    one = routed(fitted_lexical, routing="beam", beam=1).predict_proba(["kettle steam"])
    assert (one > 0).sum() == 4
    with pytest.raises(ConfigError, match="routing 'best' is not known: choose one of auto, exhaustive, beam"):
        routed(fitted_lexical, routing="best").predict(["kettle"])
    with pytest.raises(ConfigError, match="beam is 0: give a whole number from 1 up"):
        routed(fitted_lexical, routing="beam", beam=0).predict(["kettle"])


# Bad input


def test_every_wrong_setting_is_named_at_once(english):
    wrong = {"beam": 0, "pooling": "max", "trainable": "top_0", "dropout": 1.0, "encoder": "none", "lexical": "maybe"}
    with pytest.raises(ConfigError) as caught:
        HierarchicalClassifier(english.taxonomy, **wrong).fit(*english.train)
    assert {problem.split(" ")[0] for problem in caught.value.problems} == {
        "beam", "pooling", "trainable", "dropout", "lexical"
    }  # fmt: skip
    assert "pooling = 'max'" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "none", "lexical": False}, "leave nothing to classify with"),
        ({"overlap": 20, "segment_tokens": 32}, "overlap 20 must be less than half of segment_tokens"),
        ({"min_group_size": 9, "max_group_size": 3}, "min_group_size 9 is above max_group_size 3"),
        ({"n_jobs": 0}, "n_jobs 0 means no process"),
        ({"training": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
    ],
)
def test_settings_that_contradict_each_other(english, settings, message):
    with pytest.raises(ConfigError, match=message):
        HierarchicalClassifier(english.taxonomy, **settings).fit(*english.train)


def test_bad_texts(unread, english, fitted_lexical):
    texts, labels = english.train
    for call in (lambda t: unread.fit(t, labels), fitted_lexical.predict):
        with pytest.raises(DataError, match="a single string: put it into a list"):
            call("one text")
        with pytest.raises(DataError, match=r"texts\[1\] is None \(NoneType\), not a string"):
            call(["one", None, *texts[2:]])
        with pytest.raises(DataError, match=r"texts\[0\] is \['one', 'two'\] \(list\)"):
            call([["one", "two"], *texts[1:]])


def test_bad_labels(unread, english):
    texts, labels = english.train
    with pytest.raises(DataError, match=rf"{len(texts)} texts and {len(texts) - 1} labels: one label belongs"):
        unread.fit(texts, labels[1:])
    with pytest.raises(
        DataError, match=r"labels\[0\] is 3 \(whole numbers\) and labels\[1\] is 'kettles' \(text\): .*str"
    ):
        unread.fit(texts, [3, *labels[1:]])
    with pytest.raises(DataError, match=r"labels\[2\] is None"):
        unread.fit(texts, [*labels[:2], None, *labels[3:]])
    with pytest.raises(DataError, match=r"kettle"):
        unread.fit(texts, ["kettels", *labels[1:]])
    with pytest.raises(DataError, match="there are no documents"):
        unread.fit([], [])
    with pytest.raises(DataError, match=r"one label \('kettles'\): a classifier needs at least two"):
        unread.fit(texts[:17], labels[:17])
    with pytest.raises(DataError, match=r"no label has 3 documents.*give validation"):
        unread.fit(texts[15:19], labels[15:19])


def test_bad_validation(unread, english):
    texts, labels = english.train
    with pytest.raises(DataError, match=r"validation documents: 1 texts and 2 labels"):
        unread.fit(texts, labels, validation=(texts[:1], labels[:2]))
    with pytest.raises(DataError, match=r"validation.*kettels"):
        unread.fit(texts, labels, validation=(texts[:1], ["kettels"]))
    kept = [i for i, label in enumerate(labels) if label != "lamps"]
    some = ([texts[i] for i in kept], [labels[i] for i in kept])
    with pytest.raises(DataError, match="no validation document has a label that training documents have"):
        unread.fit(*some, validation=(["bulb light"], ["lamps"]))


def test_validation_labels_that_training_lacks_are_named_without_a_taxonomy(caplog, english):
    classifier = HierarchicalClassifier(encoder="none", n_jobs=1, n_groups=3, min_group_size=2)
    texts, labels = english.valid
    with caplog.at_level(logging.WARNING):
        classifier.fit(*english.train, validation=(texts, ["kettels", *labels[1:]]))
    assert any("'kettels'" in message and "no training documents" in message for message in caplog.messages)


def test_what_is_no_taxonomy_is_refused(english):
    for wrong in ("taxonomy.yaml", ["kettles", "lamps"], {"kitchen": ["kettles"]}):
        with pytest.raises(ConfigError, match=r"taxonomy is a .*give a hierarchy\.Taxonomy"):
            HierarchicalClassifier(wrong, encoder="none").fit(*english.train)


def test_chinese_text_stops_an_english_encoder_with_the_remedy(tiny_classifier, english, chinese):
    with pytest.raises(EncoderError, match=r"\d+% of the tokens of these documents.*bert-base-chinese.*encoder: none"):
        tiny_classifier(None).fit(*chinese.train)


def test_label_texts_the_encoder_cannot_read_stop_before_any_vector(tiny_classifier, english, tmp_path):
    chinese_names = Taxonomy.from_data(["水壶", "面包", "灯"], ["厨房", "厨房", "家"])
    texts, labels = english.train
    names = {"kettles": "水壶", "toasters": "面包", "lamps": "灯"}
    some = [i for i, label in enumerate(labels) if label in names]
    documents = [texts[i] for i in some], [names[labels[i]] for i in some]
    for settings, remedy in (({"label_attention": True}, "set label_encoder"), ({}, "set row_start: centroids")):
        with pytest.raises(EncoderError, match=rf"100% of the tokens of the label texts.*{remedy}"):
            tiny_classifier(chinese_names, run_dir=str(tmp_path), **settings).fit(*documents)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"aggregator_layers": 1, "aggregator_heads": 5},
            ConfigError,
            "aggregator_heads 5 does not divide the encoder's 32 dimensions",
        ),
        ({"trainable": "top_3"}, ConfigError, "top_3: this encoder has 2 layers: use top_2 or less"),
        ({"segment_tokens": 256}, EncoderError, r"segment_tokens 256 is more than this encoder takes \(128\)"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_stop_before_any_vector(
    tiny_classifier, english, tmp_path, settings, error, message
):
    with pytest.raises(error, match=message):
        tiny_classifier(run_dir=str(tmp_path), **settings).fit(*english.train)
    assert list(tmp_path.iterdir()) == []


def test_empty_documents_are_left_out_of_training_and_reported(english, caplog):
    texts, labels = english.train
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    with caplog.at_level(logging.INFO):
        classifier.fit(["", "  ", *texts], ["lamps", "lamps", *labels], validation=english.valid)
    assert any("training documents" in m and "2 " in m and "empty" in m for m in caplog.messages)
    assert classifier.model_.train_counts.sum() == len(texts)


def test_documents_that_serve_twice_are_told(english, caplog):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    some = tuple(part[:90] for part in english.train)
    both = tuple([*one, *other] for one, other in zip(some, english.test, strict=True))
    classifier.fit(*english.train, validation=both, calibration=some)
    assert f"90 of the {len(both[0])} validation documents stand among the training documents" in caplog.text
    assert "90 of the 90 calibration documents stand among the training documents" in caplog.text


def test_it_is_shown_in_a_few_lines(english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", min_df=1)
    sizes = f"groups={len(english.taxonomy.groups)}, labels={len(english.taxonomy.labels)}, unplaced=0"
    shown = " ".join(repr(classifier).split())
    assert shown.startswith("HierarchicalClassifier(encoder='none', min_df=1, taxonomy=<Taxonomy ")
    assert sizes in shown
    assert len(shown) < 200


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_a_setting_that_is_gone_is_told_with_the_reason(name):
    reason = re.escape(REMOVED[name])
    with pytest.raises(TypeError, match=f"has no argument '{name}': {reason}: leave it out"):
        HierarchicalClassifier(**{name: 1})
    with pytest.raises(ConfigError, match=f"unknown key 'classifier.{name}': {reason}: leave it out"):
        load_config(None, [f"classifier.{name}=1"])
