"""Every public entry takes what a column is, and refuses all else before any work; as many answers as documents."""

from collections import deque

import numpy as np
import pytest

from hierarchy.errors import ConfigError, DataError
from pipelines.classifier import HierarchicalClassifier
from pipelines.cross_validation.validate import cross_validate
from pipelines.serving.predict import predict_file
from pipelines.tuning.search import tune

pd = pytest.importorskip("pandas")


class Unread(HierarchicalClassifier):
    """Stands for any work that must not start before the input is checked."""

    def _run_folder(self):
        raise AssertionError("work has started")


@pytest.fixture
def unread(english):
    return Unread(english.taxonomy, encoder="none", n_jobs=1, run_dir="never made")


def table(texts, labels):
    """Return a frame whose index is in another order than its rows."""
    return pd.DataFrame({"text": texts, "label": labels}, index=np.arange(len(texts))[::-1])


def same_columns(values):
    frame = table(values, values)
    return frame["text"], frame[["text"]], np.array(values)[:, None], deque(values)


def test_every_answer_is_one_of_a_document(fitted_lexical, english):
    texts, labels = english.test
    expected = fitted_lexical.predict_proba(texts)
    paths = fitted_lexical.predict_paths(texts)
    for given in same_columns(texts):
        assert np.array_equal(fitted_lexical.predict_proba(given), expected)
        assert len(fitted_lexical.predict(given)) == len(texts)
        assert fitted_lexical.predict_paths(given) == paths
    accuracy = fitted_lexical.score(texts, labels)
    for given in same_columns(labels):
        assert fitted_lexical.score(table(texts, labels)["text"], given) == accuracy


def test_one_row_of_a_frame_is_one_document(fitted_lexical, english):
    frame = table(*english.test)[["text"]]
    assert fitted_lexical.predict(frame[:1]).tolist() == fitted_lexical.predict(english.test[0][:1]).tolist()
    assert fitted_lexical.predict(frame[:0]).shape == (0,)


def test_training_from_columns_is_training_from_lists(fitted_lexical, english):
    frame, valid = table(*english.train), table(*english.valid)
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    classifier.fit(frame[["text"]], frame[["label"]], validation=(valid["text"], np.array(valid["label"])[:, None]))
    assert np.array_equal(classifier.predict_proba(english.test[0]), fitted_lexical.predict_proba(english.test[0]))


def entries(unread, fitted_lexical, english):
    """Return each entry as a function of one wrong argument, with the argument's name in messages."""
    texts, labels = english.train
    some = english.test
    space = {"classifier.lexical_C": [0.1, 1.0]}
    return {
        "texts": [
            lambda wrong: unread.fit(wrong, labels),
            lambda wrong: fitted_lexical.calibrate(wrong, labels),
            fitted_lexical.predict,
            fitted_lexical.predict_proba,
            fitted_lexical.predict_paths,
            fitted_lexical.predict_sets,
            lambda wrong: fitted_lexical.score(wrong, labels),
            lambda wrong: fitted_lexical.evaluate(wrong, labels),
            lambda wrong: fitted_lexical.refit_groups(["office"], wrong, labels),
            lambda wrong: cross_validate(unread, wrong, labels),
            lambda wrong: tune(unread, space, wrong, labels),
        ],
        "labels": [
            lambda wrong: unread.fit(texts, wrong),
            lambda wrong: fitted_lexical.calibrate(texts, wrong),
            lambda wrong: fitted_lexical.score(texts, wrong),
            lambda wrong: fitted_lexical.evaluate(texts, wrong),
            lambda wrong: fitted_lexical.refit_groups(["office"], texts, wrong),
            lambda wrong: cross_validate(unread, texts, wrong),
            lambda wrong: tune(unread, space, texts, wrong),
        ],
        "groups": [
            lambda wrong: fitted_lexical.refit_groups(wrong, texts, labels),
        ],
        "sources": [lambda wrong: cross_validate(unread, texts, labels, sources=wrong)],
        "validation": [
            lambda wrong: unread.fit(texts, labels, validation=wrong),
            lambda wrong: fitted_lexical.refit_groups(["office"], texts, labels, validation=wrong),
            lambda wrong: tune(unread, space, texts, labels, validation=wrong),
        ],
        "calibration": [lambda wrong: unread.fit(texts, labels, calibration=wrong)],
        "train": [lambda wrong: fitted_lexical.evaluate(*some, train=wrong)],
        "test": [lambda wrong: tune(unread, space, texts, labels, test=wrong)],
    }


PAIRS = ("validation", "calibration", "train", "test")


def test_no_entry_takes_what_is_no_column(unread, fitted_lexical, english):
    texts = english.train[0]
    wrongs = {
        "a single string": "one text",
        "can be read only once": (text for text in texts),
        "has no order": set(texts),
        "with the keys 'text'": {"text": texts},
        "is no sequence": dict(enumerate(texts)).values(),
        "with the columns 'text', 'label'": table(*english.train),
        "one column": np.array([texts, texts]).T,
    }
    for name, calls in entries(unread, fitted_lexical, english).items():
        for call in calls:
            for message, wrong in wrongs.items():
                if name in PAIRS:
                    name_of_part, wrong = f"{name}[0]", (wrong, texts)
                else:
                    name_of_part = name
                with pytest.raises(DataError) as caught:
                    call(wrong)
                assert message in str(caught.value), (name, message)
                assert f"{name_of_part} is a" in str(caught.value), (name, message)


def test_no_entry_takes_what_is_no_pair(unread, fitted_lexical, english):
    some = english.train
    wrongs = {"a list of 204": list(zip(*some, strict=True)), "a tuple of 1": (some[0],), "a DataFrame": table(*some)}
    for name, calls in entries(unread, fitted_lexical, english).items():
        for call in calls if name in PAIRS else ():
            for what, wrong in wrongs.items():
                with pytest.raises(DataError, match=rf"{name} is {what}: give a pair, {name}=\(texts, labels\)"):
                    call(wrong)
            with pytest.raises(DataError, match="204 texts and 203 labels: one label belongs to each text"):
                call((some[0], some[1][1:]))
            with pytest.raises(DataError, match=rf"{name}\[1\]\[1\] is None"):
                call((some[0], [some[1][0], None, *some[1][2:]]))


def test_no_entry_takes_texts_and_labels_of_two_lengths(unread, fitted_lexical, english):
    calls = entries(unread, fitted_lexical, english)
    for call in calls["labels"]:
        with pytest.raises(DataError, match="204 texts and 203 labels: one label belongs to each text"):
            call(english.train[1][1:])
    with pytest.raises(DataError, match="204 texts and 1 sources: one source belongs to each text"):
        cross_validate(unread, *english.train, sources=["a"])


def test_explain_takes_one_document(fitted_lexical):
    for wrong in (["kettle"], None, 3, ("kettle",), pd.Series(["kettle"]), b"kettle"):
        with pytest.raises(DataError, match=r"text is .*: give one document, a string"):
            fitted_lexical.explain(wrong)
    assert fitted_lexical.explain(np.str_("kettle steam")).paths


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "3", None])
def test_top_k_is_a_whole_number(fitted_lexical, tmp_path, wrong):
    for call in (
        lambda: fitted_lexical.predict_paths(["kettle"], top_k=wrong),
        lambda: fitted_lexical.explain("kettle", top_k=wrong),
        lambda: predict_file(tmp_path, "none.csv", tmp_path / "out.csv", top_k=wrong),
    ):
        with pytest.raises(ConfigError, match=f"top_k is {wrong!r}: give a whole number from 1 up"):
            call()


def test_top_k_of_numpy_and_more_than_there_are(fitted_lexical):
    assert [len(fitted_lexical.predict_paths(["kettle"], top_k=k)[0]) for k in (np.int64(2), 99)] == [2, 12]


def test_sources_of_a_cross_validation_go_by_place(english):
    """The index of a series does not matter, numbers are sources too, and NaN stands alone as None does."""
    texts, labels = english.valid
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1)
    customers = [None if i % 8 == 7 else f"{i % 24}" for i in range(len(texts))]
    kinds = [
        pd.Series(customers, index=np.arange(len(texts))[::-1]),
        pd.Series([float("nan") if name is None else name for name in customers], dtype=object),
        pd.Series([None if name is None else int(name) for name in customers], dtype="Int64"),
    ]
    expected = cross_validate(classifier, texts, labels, sources=customers, folds=2, baselines=False)
    for sources in kinds:
        result = cross_validate(classifier, texts, labels, sources=sources, folds=2, baselines=False)
        assert result.sources == expected.sources
        assert result.predictions.folds.tolist() == expected.predictions.folds.tolist()
    with pytest.raises(DataError, match=r"sources\[0\] is 0.5 \(float\)"):
        cross_validate(classifier, texts, labels, sources=[0.5] * len(texts))
