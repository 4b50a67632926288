"""What scikit-learn asks of a classifier: its own checks that need no data, and the others with texts."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from hierarchy.errors import ConfigError
from pipelines import HierarchicalClassifier

WITHOUT_DOCUMENTS = [
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


def small(taxonomy=None, **settings):
    return HierarchicalClassifier(taxonomy, **{"encoder": "none", "n_jobs": 1, "min_group_size": 1, **settings})


@pytest.fixture(scope="module")
def texts(english):
    return [text for text, label in zip(*english.train, strict=True) if label in ("kettles", "lamps", "seeds")]


@pytest.fixture(scope="module")
def labels(english):
    return [label for label in english.train[1] if label in ("kettles", "lamps", "seeds")]


@pytest.fixture(scope="module")
def once(texts, labels):
    """Fit one classifier; tests do not change it."""
    return small().fit(texts, labels)


# Before fit


@pytest.mark.parametrize("name", WITHOUT_DOCUMENTS)
def test_checks_of_scikit_learn_that_need_no_documents(name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip("another version of scikit-learn")
    check("HierarchicalClassifier", HierarchicalClassifier())


def test_get_params_set_params_clone(english):
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", beam=7, training={"learning_rate": 1})
    parameters = classifier.get_params()
    assert parameters["beam"] == 7
    assert parameters["taxonomy"] is english.taxonomy
    copied = clone(classifier)
    assert copied.get_params() == parameters
    assert copied.set_params(beam=2, random_state=5) is copied
    assert (copied.beam, copied.random_state, classifier.beam) == (2, 5, 7)
    with pytest.raises(ValueError, match="Invalid parameter 'beem'"):
        copied.set_params(beem=2)


def test_what_is_wrong_is_said_by_fit_and_not_before(texts, labels):
    wrong = clone(small(beam=0))
    with pytest.raises(ConfigError, match="beam"):
        wrong.fit(texts, labels)
    assert is_classifier(wrong)


def test_an_unfitted_one_can_be_pickled(english):
    classifier = small(english.taxonomy, beam=7)
    assert pickle.loads(pickle.dumps(classifier)).get_params() == classifier.get_params()  # noqa: S301


@pytest.mark.parametrize("call", ["predict", "predict_proba", "predict_paths", "predict_sets", "explain"])
def test_unfitted_says_so(call):
    with pytest.raises(NotFittedError):
        getattr(HierarchicalClassifier(), call)("text" if call == "explain" else ["text"])


@pytest.mark.parametrize("call", ["calibrate", "evaluate", "score"])
def test_unfitted_says_so_with_labels_too(call):
    with pytest.raises(NotFittedError):
        getattr(HierarchicalClassifier(), call)(["text"], ["label"])


# fit


def test_fit_changes_neither_its_parameters_nor_what_it_is_given(english, texts, labels):
    classifier = small(english.taxonomy, signals={"text": 1.0}, training={})
    before, kept = classifier.get_params(deep=False), (list(texts), list(labels))
    assert classifier.fit(texts, labels) is classifier
    after = classifier.get_params(deep=False)
    assert after.keys() == before.keys()
    assert all(after[name] is value for name, value in before.items())
    assert (after["signals"], after["training"]) == ({"text": 1.0}, {})
    assert (texts, labels) == kept


def test_what_fit_learns_begins_or_ends_with_an_underscore(once):
    learned = vars(once).keys() - once.get_params()
    assert {"model_", "taxonomy_"} <= learned
    assert all(name.endswith("_") != name.startswith("_") for name in learned)
    assert "n_features_in_" not in learned  # texts have no columns


def test_fit_twice_is_fit_once(once, texts, labels):
    again = small().fit(texts, labels)
    assert np.array_equal(again.fit(texts, labels).predict_proba(texts), once.predict_proba(texts))


def test_fit_forgets_an_earlier_fit(once, texts, labels):
    other = [label.upper() for label in labels]
    assert small().fit(texts, other).fit(texts, labels).classes_.tolist() == once.classes_.tolist()


def test_a_clone_of_a_fitted_one_is_unfitted(once):
    assert vars(clone(once)).keys() == once.get_params().keys()
    with pytest.raises(NotFittedError):
        clone(once).predict(["text"])


# Answers


def test_answers_agree_with_each_other(once, texts):
    probabilities = once.predict_proba(texts)
    assert probabilities.shape == (len(texts), len(once.classes_))
    assert np.allclose(probabilities.sum(1), 1)
    assert once.predict(texts).tolist() == once.classes_[probabilities.argmax(1)].tolist()


def test_the_order_of_documents_does_not_matter(once, texts):
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = once.predict_proba([texts[i] for i in order])
    np.testing.assert_allclose(shuffled, once.predict_proba(texts)[order], atol=1e-9)


@pytest.mark.parametrize("size", [1, 7])
def test_a_subset_of_documents_is_answered_as_all_are(once, texts, size):
    parts = [once.predict_proba(texts[start : start + size]) for start in range(0, len(texts), size)]
    np.testing.assert_allclose(np.vstack(parts), once.predict_proba(texts), atol=1e-9)


def test_answers_change_nothing_that_was_learned(once, texts):
    before = dict(vars(once))
    for call in (once.predict, once.predict_proba, once.predict_paths):
        call(texts)
    assert vars(once).keys() == before.keys()
    assert all(vars(once)[name] is value for name, value in before.items())


def test_set_params_after_fit_steers_answers_at_once_and_training_at_the_next_fit(english, once, texts, labels):
    classifier = small(english.taxonomy).fit(*english.train)
    probabilities = classifier.predict_proba(texts)
    hard = classifier.set_params(routing="beam", beam=1).predict_proba(texts)
    assert (hard == 0).any(1).all()
    assert not (probabilities == 0).any()
    classifier.set_params(routing="auto", lexical_C=0.01)
    assert np.array_equal(classifier.predict_proba(texts), probabilities)
    assert not np.array_equal(classifier.fit(*english.train).predict_proba(texts), probabilities)


# Beside what scikit-learn puts around a classifier


def test_in_a_pipeline(once, texts, labels):
    steps = Pipeline([("plain", FunctionTransformer(_lower)), ("classifier", small())])
    steps.set_params(classifier__min_group_size=1)
    assert steps.fit(texts, labels).predict(texts).tolist() == once.predict(_lower(texts)).tolist()
    assert steps.score(texts, labels) > 0.9
    assert steps.classes_.tolist() == once.classes_.tolist()


def _lower(texts):
    return [text.lower() for text in texts]


def test_in_a_grid_search(texts, labels):
    search = GridSearchCV(small(), {"lexical_C": [0.1, 1.0], "beam": [1]}, cv=2, error_score="raise")
    search.fit(texts, labels)
    assert search.best_params_["lexical_C"] in (0.1, 1.0)
    assert search.best_estimator_.beam == 1
    assert search.predict(texts).tolist() == search.best_estimator_.predict(texts).tolist()
    assert search.score(texts, labels) > 0.9


def test_in_a_cross_validation(texts, labels):
    found = cross_val_predict(small(), texts, labels, cv=2)
    assert (found == labels).mean() > 0.4
    rows = cross_val_predict(small(), texts, labels, cv=2, method="predict_proba")
    assert rows.shape == (len(texts), 3)
    assert cross_val_score(small(), texts, labels, cv=3, error_score="raise").min() > 0.4
