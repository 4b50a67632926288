"""Rows do not depend on who fits them, pruning keeps what matters, and arrays read back are the arrays written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from stages.fine.negatives import Problem
from stages.fine.rows import BALANCE, CHANCE_FLOOR, Rows, fit_rows, log_chance

LABELS = 9


@pytest.fixture(scope="module")
def dense():
    """Above the size at which joblib hands arrays over as read-only memory maps."""
    rng = np.random.default_rng(0)
    targets = np.concatenate([np.arange(LABELS), rng.choice(LABELS - 1, 700)])
    centres = rng.normal(size=(LABELS, 400))
    return (centres[targets] + 2 * rng.normal(size=(len(targets), 400))).astype(np.float32), targets


@pytest.fixture(scope="module")
def csr(dense):
    features = np.where(np.abs(dense[0]) > 1.5, dense[0], 0)
    return sparse.csr_matrix(features, dtype=np.float32), dense[1]


def problems(*groups):
    return [Problem(np.array(group)) for group in groups]


ALL = problems(range(LABELS))


def joined(features, targets, plan, **options):
    """Weights and biases by label."""
    rows = Rows.stack(list(fit_rows(features, targets, plan, **options)))
    order = np.argsort(np.concatenate([p.labels for p in plan]))
    weight = rows.weight.toarray() if sparse.issparse(rows.weight) else rows.weight
    return weight[order].tobytes(), rows.bias[order].tobytes()


@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_rows_are_the_same_bytes_under_any_grouping_and_with_any_workers(kind, request):
    features, targets = request.getfixturevalue(kind)
    options = {"prune": 0.01 if kind == "csr" else 0.0}
    whole = joined(features, targets, ALL, **options)
    for plan in (problems([4, 8, 0], [7, 1, 2, 3], [5], [6]), problems(*([k] for k in reversed(range(LABELS))))):
        assert joined(features, targets, plan, **options) == whole
    assert joined(features, targets, problems([3, 2, 1], [0, 8], [4, 5, 6, 7]), n_jobs=2, **options) == whole


def test_rows_find_their_labels(dense):
    features, targets = dense
    (rows,) = fit_rows(features, targets, ALL)
    assert rows.weight.dtype == rows.bias.dtype == np.float32
    assert (rows.score(features).argmax(1) == targets).mean() > 0.95


def test_rows_agree_between_dense_and_sparse_features(csr):
    features, targets = csr
    (one,) = fit_rows(features, targets, ALL)
    (other,) = fit_rows(features.toarray(), targets, ALL)
    assert sparse.issparse(one.weight)
    assert np.abs(one.score(features) - other.score(features.toarray())).max() < 0.02  # liblinear's tolerance


def test_a_subset_of_documents_is_all_that_is_seen(dense):
    features, targets = dense
    some = np.flatnonzero(targets < 4)
    (rows,) = fit_rows(features, targets, [Problem(np.arange(4), some)])
    (alone,) = fit_rows(features[some], targets[some], problems(range(4)))
    assert rows.weight.tobytes() == alone.weight.tobytes()


def test_a_weight_counts_as_copies(dense):
    """Negatives drawn with rate 1/3 and weighted 3 stand for three times as many."""
    features, targets = dense[0][:120, :40], dense[1][:120]
    features = np.hstack([features, np.ones((120, 1), np.float32)])
    negatives = np.flatnonzero(targets != 2)
    documents = np.concatenate([np.flatnonzero(targets == 2), np.repeat(negatives, 3)])
    weights = np.where(targets == 2, 1.0, 3.0)
    (weighted,) = fit_rows(features, targets, [Problem(np.array([2]), np.arange(120), weights)], C=0.1)
    (copied,) = fit_rows(features, targets, [Problem(np.array([2]), documents)], C=0.1)
    assert np.abs(weighted.score(features) - copied.score(features)).max() < 0.05


def test_the_weight_of_rare_labels_lifts_them(dense, monkeypatch):
    features, targets = dense
    rare = Problem(np.array([LABELS - 1]))
    assert (targets == LABELS - 1).sum() == 1
    noisy = features + np.random.default_rng(1).normal(size=features.shape).astype(np.float32) * 8
    own = []
    for power in (0.0, BALANCE, 1.0):
        monkeypatch.setattr("stages.fine.rows.BALANCE", power)
        (rows,) = fit_rows(noisy, targets, [rare], C=1e-4)
        own.append(float(rows.score(noisy)[targets == LABELS - 1].mean()))
    assert own[0] < own[1] < own[2]


def test_pruning_drops_what_is_small_beside_the_norm_and_nothing_else(csr):
    features, targets = csr
    (whole,) = fit_rows(features, targets, ALL)
    for share in (0.01, 0.05, 0.2):
        (pruned,) = fit_rows(features, targets, ALL, prune=share)
        full = whole.weight.toarray()
        kept = np.abs(full) > share * np.linalg.norm(full.astype(np.float64), axis=1, keepdims=True)
        assert np.array_equal(pruned.weight.toarray(), np.where(kept, full, 0))
        assert pruned.weight.nnz == kept.sum() < full.size
        assert pruned.bias.tobytes() == whole.bias.tobytes()


def test_a_label_with_every_document_or_none_gets_a_constant(dense):
    features, targets = dense
    own = np.flatnonzero(targets == 3)
    (rows,) = fit_rows(features, targets, [Problem(np.array([3, 5]), own)])
    assert not rows.weight.any()
    assert rows.bias.tolist() == [1.0, -1.0]


def test_nothing_to_fit_is_nothing(dense):
    assert list(fit_rows(*dense, [])) == []
    assert list(fit_rows(*dense, [], n_jobs=2)) == []


@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_tensors_round_trip(kind, request, tmp_path):
    from safetensors.numpy import load_file, save_file

    features, targets = request.getfixturevalue(kind)
    (rows,) = fit_rows(features, targets, ALL, prune=0.05 if kind == "csr" else 0.0)
    save_file(rows.tensors("some"), tmp_path / "rows.safetensors")
    again = Rows.from_tensors(load_file(tmp_path / "rows.safetensors"), "some")
    assert {n: a.tobytes() for n, a in again.tensors("x").items()} == {
        n: a.tobytes() for n, a in rows.tensors("x").items()
    }
    assert again.score(features).tobytes() == rows.score(features).tobytes()


@given(st.integers(0, 5), st.booleans())
def test_stacked_heads_give_the_same_scores_whole_and_by_group(seed, is_sparse):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, 4)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    draw = (lambda n: sparse.random_array((n, 6), density=0.5, rng=rng, format="csr")) if is_sparse else (
        lambda n: rng.normal(size=(n, 6))
    )  # fmt: skip
    heads = [Rows(draw(n).astype(np.float32), rng.normal(size=n).astype(np.float32)) for n in sizes]
    bank = Rows.stack(heads)
    features = draw(7).astype(np.float32)
    whole = bank.score(features)
    assert whole.shape == (7, offsets[-1])
    for group in range(4):
        labels = slice(offsets[group], offsets[group + 1])
        part = bank[labels].score(features)
        assert np.allclose(part, heads[group].score(features), atol=1e-6)
        assert np.allclose(part, whole[:, labels], atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_chances_are_multiplied(kind, request):
    features, targets = request.getfixturevalue(kind)
    (rows,) = fit_rows(features, targets, ALL)
    factors = np.linspace(0.3, 3.0, LABELS)
    corrected = rows.with_chances_times(factors)
    chances = (1 + rows.score(features)) / 2 * factors
    np.testing.assert_allclose(
        np.exp(log_chance(corrected.score(features))), np.maximum(chances, CHANCE_FLOOR), rtol=1e-4
    )
    assert type(corrected.weight) is type(rows.weight)
    assert corrected.weight.dtype == corrected.bias.dtype == np.float32


@pytest.mark.parametrize("kind", ["dense", "csr"])
def test_a_document_without_weight_is_a_positive_and_no_negative(kind, request):
    features, targets = request.getfixturevalue(kind)
    weights = (np.arange(len(targets)) % 3 > 0).astype(float)
    (rows,) = fit_rows(features, targets, [Problem(np.arange(3), np.arange(len(targets)), weights)])
    for label in range(3):
        used = np.flatnonzero((weights > 0) | (targets == label))
        (alone,) = fit_rows(features, targets, [Problem(np.array([label]), used)])
        assert joined_bytes(rows[label : label + 1]) == joined_bytes(alone)


def joined_bytes(rows):
    return [array.tobytes() for array in rows.tensors("rows").values()]


@pytest.mark.parametrize("rows", [slice(0, 3), slice(3, 4), slice(4, 9)])
def test_a_head_scores_as_its_rows_do(csr, rows):
    features, targets = csr
    (whole,) = fit_rows(features, targets, ALL, prune=0.2)
    whole.weight.data[slice(*whole.weight.indptr[3:5])] = 0  # a row without any n-gram
    whole.weight.eliminate_zeros()
    some = features[:50].copy()
    some.data[slice(*some.indptr[7:9])] = 0
    some.eliminate_zeros()
    assert whole.head(rows).score(some).tobytes() == whole.score(some)[:, rows].tobytes()
    assert whole.head(rows) is whole.head(rows)
