"""Plans of negatives: who is trained against whom, and that weights make up for what a sample left out."""

import numpy as np
import pytest
from label_fixtures import space_of

from stages.fine import negatives
from stages.fine.negatives import AUTO_LIMIT, most_negatives, plan_problems, resolve_negatives

GROUP_OF = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 6, 6])


@pytest.fixture
def targets():
    return np.random.default_rng(0).choice(len(GROUP_OF), 900)


@pytest.fixture
def confusion():
    """Group 0 loses to 1, 3 loses to 0; 0 and 2 are mixed up too rarely to count."""
    shares = np.eye(7)
    shares[0, 1], shares[3, 0], shares[0, 2] = 0.2, 0.1, 0.001
    return shares


def test_every_plan_has_each_label_once_in_the_order_of_the_groups(targets, confusion):
    for kind in ("all", "candidates", "group"):
        plan = plan_problems(kind, targets, space_of(GROUP_OF), confusion=confusion)
        assert np.concatenate([p.labels for p in plan]).tolist() == list(range(len(GROUP_OF)))
        assert [GROUP_OF[p.labels].tolist() for p in plan] == [[g] * (g == GROUP_OF).sum() for g in range(7)]


def test_all_takes_every_document_alike(targets):
    assert all(p.documents is None and p.weights is None for p in plan_problems("all", targets, space_of(GROUP_OF)))


def test_group_takes_the_own_documents_only(targets):
    for group, problem in enumerate(plan_problems("group", targets, space_of(GROUP_OF))):
        assert problem.weights is None
        assert problem.documents.tolist() == np.flatnonzero(GROUP_OF[targets] == group).tolist()


@pytest.mark.parametrize("sample", [10, 137, 10_000])
def test_weights_of_candidates_stand_for_all_documents(targets, confusion, monkeypatch, sample):
    monkeypatch.setattr(negatives, "SAMPLE", sample)
    near = {0: {0, 1, 3}, 1: {0, 1}, 2: {2}, 3: {0, 3}, 4: {4}, 5: {5}, 6: {6}}
    document_group = GROUP_OF[targets]
    for group, problem in enumerate(plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion)):
        assert len(set(problem.documents.tolist())) == len(problem.documents)
        assert (np.diff(problem.documents) > 0).all()
        close = np.isin(document_group, list(near[group]))
        assert np.isin(np.flatnonzero(close), problem.documents).all()
        drawn = ~close[problem.documents]
        assert drawn.sum() == min(sample, (~close).sum())
        assert (problem.weights[~drawn] == 1).all()
        rate = drawn.sum() / (~close).sum()
        assert np.allclose(problem.weights[drawn], 1 / rate)
        assert problem.weights.sum() == pytest.approx(len(targets))


def test_at_most_four_confused_groups_are_taken_whole(targets, monkeypatch):
    monkeypatch.setattr(negatives, "SAMPLE", 1)
    confusion = np.full((7, 7), 0.01) + np.diag([0.9] * 7)
    confusion[0, 1:] = [0.3, 0.01, 0.4, 0.2, 0.02, 0.1]
    first = plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion)[0]
    counts = np.bincount(GROUP_OF[targets[first.documents]], minlength=7)
    whole = np.bincount(GROUP_OF[targets], minlength=7)
    assert [g for g in range(7) if counts[g] == whole[g]] == [0, 1, 3, 4, 6]
    assert counts[[2, 5]].sum() == 1


def test_samples_depend_on_seed_and_group_only(targets, confusion, monkeypatch):
    monkeypatch.setattr(negatives, "SAMPLE", 50)

    def plan(seed):
        return [
            p.documents.tolist()
            for p in plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion, random_state=seed)
        ]

    assert plan(0) == plan(0)
    assert plan(0) != plan(1)
    assert plan(0)[4] != plan(0)[5]


def test_candidates_need_the_probe(targets):
    with pytest.raises(ValueError, match="confusions"):
        plan_problems("candidates", targets, space_of(GROUP_OF))


def test_auto_goes_by_labels_times_documents():
    assert resolve_negatives("auto", 100, AUTO_LIMIT // 100) == "all"
    assert resolve_negatives("auto", 100, AUTO_LIMIT // 100 + 1) == "candidates"
    for kind in ("all", "candidates", "group"):
        assert resolve_negatives(kind, 10**6, 10**6) == kind


@pytest.mark.parametrize("most", [50, 120, 300, 600])
def test_a_cap_holds_for_each_row_and_weights_make_up_for_what_it_leaves_out(targets, confusion, most):
    space, document_group = space_of(GROUP_OF), GROUP_OF[targets]
    for group, problem in enumerate(
        plan_problems("candidates", targets, space, confusion=confusion, max_negatives=most)
    ):
        kinds = document_group[problem.documents]
        assert most - 3 <= (problem.weights > 0).sum() <= most
        assert problem.weights.sum() == pytest.approx(len(targets))
        for own in (True, False):  # each part of the documents weighs as much as all of it
            part = (kinds == group) == own
            assert problem.weights[part].sum() == pytest.approx(((document_group == group) == own).sum())
        # Every label keeps all its positives; what is no negative is of the own group.
        assert np.isin(np.flatnonzero(document_group == group), problem.documents).all()
        assert (kinds[problem.weights == 0] == group).all()


def test_a_cap_takes_more_of_the_own_and_of_confused_groups_than_of_many_others(confusion):
    near, far = (0, 1, 3), (2, 4, 5, 6)
    share = np.where(np.isin(GROUP_OF, near), 0.1, 1.0)
    targets = np.random.default_rng(0).choice(len(GROUP_OF), 5_000, p=share / share.sum())
    first = plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion, max_negatives=500)[0]
    taken, every = (np.bincount(GROUP_OF[t], minlength=7) for t in (targets[first.documents], targets))
    rates = taken / every
    assert rates[0] == 1
    assert rates[[1, 3]].min() > 2 * rates[list(far)].max()
    assert rates[list(far)].min() > 0


def test_a_cap_that_does_not_bind_changes_nothing(targets, confusion):
    plans = [
        plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion, max_negatives=most)
        for most in (None, len(targets), 10**9)
    ]
    for one, *others in zip(*plans, strict=True):
        for other in others:
            assert one.documents.tobytes() == other.documents.tobytes()
            assert one.weights.tobytes() == other.weights.tobytes()


def test_a_row_has_fewer_negatives_where_there_are_very_many_labels():
    assert most_negatives(600) > 43_000  # the candidates of 200,000 documents in 30 groups
    assert most_negatives(10_000) == 10_000
    assert most_negatives(20_000) == most_negatives(10**6) == 5_000


def test_the_cap_goes_by_the_number_of_labels(targets, confusion, monkeypatch):
    monkeypatch.setattr(negatives, "FEWEST", 10)
    monkeypatch.setattr(negatives, "ROWS_TIMES_NEGATIVES", 300 * len(GROUP_OF))
    plans = [
        plan_problems("candidates", targets, space_of(GROUP_OF), confusion=confusion, max_negatives=most)
        for most in (None, 300)
    ]
    for one, other in zip(*plans, strict=True):
        assert one.weights.tobytes() == other.weights.tobytes()
