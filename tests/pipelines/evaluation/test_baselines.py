"""The flat baselines: the same answers as scikit-learn's own, whatever the number of processes."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from hierarchy.errors import DataError
from pipelines.evaluation.baselines import logistic_predictions, mostly_unspaced, svm_predictions, tfidf_vectorizer


def corpus(seed: int, n: int, n_labels: int = 6) -> tuple[list[str], np.ndarray]:
    """Documents of 12 words, 5 of them from the label's own 30 words and the rest from all."""
    rng = np.random.default_rng(seed)
    targets = np.concatenate([np.arange(n_labels), rng.integers(n_labels, size=n - n_labels)])
    words = [
        [*(f"w{w}" for w in 30 * t + rng.integers(30, size=5)), *(f"w{w}" for w in rng.integers(180, size=7))]
        for t in targets
    ]
    return [" ".join(rng.permutation(line)) for line in words], targets


def test_svm_agrees_with_scikit_learn_and_with_itself_on_two_processes():
    texts, targets = corpus(0, 150)
    test_texts, gold = corpus(1, 80)
    targets, gold = 10 * targets, 10 * gold  # labels need not be 0 to n
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LinearSVC(C=1, random_state=0).fit(vectorizer.fit_transform(texts), targets)
    predicted = svm_predictions(texts, targets, test_texts)
    assert predicted.tolist() == model.predict(vectorizer.transform(test_texts)).tolist()
    assert np.mean(predicted == gold) > 0.5
    assert predicted.tolist() == svm_predictions(texts, targets, test_texts, n_jobs=2).tolist()
    vectorizer.set_params(min_df=2)
    model.fit(vectorizer.fit_transform(texts), targets)
    rarer_out = svm_predictions(texts, targets, test_texts, min_df=2)
    assert rarer_out.tolist() == model.predict(vectorizer.transform(test_texts)).tolist()


def test_two_labels_and_one_label():
    texts, test = ["red apple", "green pear", "red cherry", "green lime"], ["a red one", "a green one"]
    assert svm_predictions(texts, np.array([0, 1, 0, 1]), test).tolist() == [0, 1]
    assert svm_predictions(texts, np.full(4, 7), test).tolist() == [7, 7]
    vectors = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.1, 1]])
    assert logistic_predictions(vectors, np.array([0, 1, 0, 1]), vectors[:2]).tolist() == [0, 1]
    assert logistic_predictions(vectors, np.full(4, 7), vectors[:2]).tolist() == [7, 7]


def test_nothing_to_predict():
    assert svm_predictions(["a b"], np.array([3]), []).shape == (0,)
    assert logistic_predictions(np.ones((1, 2)), np.array([3]), np.empty((0, 2))).shape == (0,)


def test_where_it_reads_nothing_the_svm_says_the_commonest_label(caplog):
    assert svm_predictions(["1 2", "👍", "C", "+"], np.array([4, 9, 9, 2]), ["1", "a word"]).tolist() == [9, 9]
    assert "no n-gram in 4 training documents" in caplog.text


def test_bad_training_data_is_refused():
    with pytest.raises(DataError, match="needs training documents"):
        svm_predictions([], np.array([], dtype=int), ["x"])
    with pytest.raises(DataError, match="2 training documents have 1 labels"):
        svm_predictions(["a", "b"], np.array([0]), ["x"])
    with pytest.raises(DataError, match="needs training documents"):
        logistic_predictions(np.empty((0, 2)), np.array([], dtype=int), np.ones((1, 2)))


def test_analyzer_follows_the_script():
    assert not mostly_unspaced(["returns and refunds", "naïve café"])
    assert not mostly_unspaced(["배송 조회", "доставка"])  # written with spaces
    assert mostly_unspaced(["怎样查询快递", "iPhone 手机壳什么时候发货"])
    assert mostly_unspaced(["ส่งของเมื่อไหร่"])
    assert not mostly_unspaced([])
    assert tfidf_vectorizer(["the kettle 水壶 is broken"]).analyzer == "word"
    chinese = tfidf_vectorizer(["水壶坏了"])
    assert (chinese.analyzer, chinese.ngram_range) == ("char", (1, 2))


def test_chinese_documents_are_told_apart():
    texts = ["水壶坏了请退货", "水管漏水", "水壶不加热", "浇花的水管太短"]
    assert svm_predictions(texts, np.array([0, 1, 0, 1]), ["水壶漏了", "水管短"]).tolist() == [0, 1]


def test_logistic_regression_does_not_depend_on_the_scale_of_the_vectors():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 20))
    targets = rng.integers(5, size=300)
    vectors = centres[targets] + 0.7 * rng.normal(size=(300, 20))
    predicted = logistic_predictions(vectors[:200], targets[:200], vectors[200:])
    assert np.mean(predicted == targets[200:]) > 0.9
    assert predicted.tolist() == logistic_predictions(30 * vectors[:200], targets[:200], 30 * vectors[200:]).tolist()
