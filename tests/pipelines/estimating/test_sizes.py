"""What an estimate counts: samples, n-grams, documents of a row, bytes."""

import numpy as np
import pytest

from pipelines.estimating.encoding import Learning, largest_batch
from pipelines.estimating.memory import PeakMemory, rows_bytes
from pipelines.estimating.rows import RowWork, documents_of_a_row, read_ngrams_of, repeated, time_rows
from pipelines.estimating.sample import CHARACTERS, DOCUMENTS, Sample
from pipelines.estimating.timing import Pace
from pipelines.settings import Settings
from stages.label_space import LabelSpace


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """A moment of work is enough here."""
    monkeypatch.setattr("pipelines.estimating.timing.ENOUGH", 0.01)


@pytest.fixture
def space():
    return LabelSpace(tuple("abcd"), ("x", "y"), np.array([0, 0, 0, 1]))


def test_a_sample_is_spread_over_all_documents_and_the_same_each_time():
    texts = [f"{number} " * 100 for number in range(9_000)]
    one, two = Sample.of(texts), Sample.of(texts)
    assert one.texts == two.texts
    assert one.documents == 9_000
    assert one.characters == sum(map(len, texts))
    assert len(set(one.places.tolist())) == len(one.texts) <= DOCUMENTS
    assert {one.places.min(), one.places.max()} == {0, 8_999}
    assert one.share == pytest.approx(9_000 / len(one.texts), rel=0.05)


@pytest.mark.parametrize("texts", [["one document"], ["", "  "], ["x" * 3_000_000, "y" * 2_000_000]])
def test_a_sample_of_few_or_odd_documents(texts):
    sample = Sample.of(texts)
    assert sample.texts
    assert sample.share > 0
    assert len(sample.texts) == 1 or sum(map(len, sample.texts)) <= CHARACTERS


def test_copies_of_documents_are_counted_and_not_made():
    sample = Sample.of(["one", "three"], times=4)
    assert (sample.documents, sample.characters) == (8, 32)
    assert len(sample.texts) == 2


def test_ngrams_of_all_documents_are_more_and_those_of_one_alone_are_left_out(english):
    ngrams = read_ngrams_of(Sample.of(english.train[0]))
    assert ngrams.vocabulary(1) == ngrams.features.shape[1]
    assert ngrams.vocabulary(1) < ngrams.vocabulary(10) <= 10 * ngrams.vocabulary(1)
    assert ngrams.numbers(10, 2) < ngrams.numbers(10, 1) == pytest.approx(10 * ngrams.features.nnz)


def test_documents_of_a_row(space):
    targets = np.array([0, 0, 1, 2, 3, 3])
    assert documents_of_a_row(targets, space, "all") == 6
    assert documents_of_a_row(targets, space, "group") == (3 * 4 + 2) / 4


def test_features_are_repeated_and_dense_ones_differ():
    sample = np.eye(3, dtype=np.float32)
    many = repeated(sample, 8)
    assert many.shape == (8, 3)
    assert len(np.unique(many, axis=0)) == 8
    assert np.array_equal(repeated(sample, 2), sample[:2])


def test_twice_the_rows_take_about_twice_as_long(english):
    ngrams = read_ngrams_of(Sample.of(english.train[0]))
    labels = np.unique(english.train[1], return_inverse=True)[1][Sample.of(english.train[0]).places]
    settings = Settings(encoder="none", n_jobs=1)
    few = time_rows(RowWork(ngrams.features, ngrams.features.nnz, 10), labels, settings)
    many = time_rows(RowWork(ngrams.features, ngrams.features.nnz, 10_000), labels, settings)
    assert 0 < few < many


def test_rows_of_more_processes_take_more_memory():
    alone, two, four = (rows_bytes(1e6, workers, is_sparse=True) for workers in (1, 2, 4))
    assert alone < two < four
    assert rows_bytes(2e6, 1, is_sparse=False) == 2 * rows_bytes(1e6, 1, is_sparse=False)


def test_a_training_needs_the_memory_of_its_longest_documents():
    lengths = [10] * 99 + [1000]
    train = Sample.of(["x" * length for length in lengths])
    learning = Learning(
        pace=Pace(1.0, 0.5),
        checkpoint=2.0,
        amount=20,
        epochs=3,
        batch=2,
        per_character=0.5,
        state_bytes=1000,
        step_bytes=200,
    )
    assert learning.memory(train) == 1000 + 200 * (1010 * 0.5 / 20)
    assert largest_batch(np.full(100, 10), 8) == 80
    assert learning.seconds(train, Sample.of(["x" * 60])) == pytest.approx(1 + 3 * (0.5 * (1990 / 2 + 10) / 20 + 2))


def test_peak_memory_is_seen():
    with PeakMemory(pause=0.01) as memory:
        held = np.ones(30_000_000)
    assert memory.peak > held.nbytes
