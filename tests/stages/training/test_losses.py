"""The loss of both levels against its formula written out, and what its options do."""

import numpy as np
import pytest
import torch
from label_fixtures import space_of
from torch.nn.functional import cross_entropy

from stages.label_space import label_ratio
from stages.training.two_stage import HierarchicalLoss, logit_shifts

GROUP_OF = np.array([0, 0, 0, 1, 1, 2])
SPACE = space_of(GROUP_OF)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return (
        2 * torch.randn(5, 3, generator=generator),
        2 * torch.randn(5, 6, generator=generator),
        torch.tensor([0, 2, 3, 5, 4]),
    )


def groups_of(targets):
    return torch.from_numpy(GROUP_OF)[targets]


def fine_by_hand(fine_loss, group_logits, logits, targets):
    total = 0.0
    for document, target in enumerate(targets.tolist()):
        scores = logits[document].clone()
        if fine_loss == "path":
            scores = scores + group_logits[document].log_softmax(0)[GROUP_OF]
        if fine_loss == "group":
            siblings = np.flatnonzero(GROUP_OF[target] == GROUP_OF)
            scores, target = scores[siblings], int(np.flatnonzero(siblings == target)[0])
        total += cross_entropy(scores[None], torch.tensor([target]))
    return total / len(targets)


@pytest.mark.parametrize("fine_loss", ["all", "path", "group"])
def test_each_fine_loss_is_its_formula(batch, fine_loss):
    group_logits, _, targets = batch
    found = HierarchicalLoss(space=SPACE, fine_loss=fine_loss, weights=(0.5, 2.0))(*batch)
    expected = 0.5 * cross_entropy(group_logits, groups_of(targets)) + 2.0 * fine_by_hand(fine_loss, *batch)
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_lone_label_has_nothing_to_learn_from_its_siblings(batch):
    group_logits, logits, _ = batch
    alone = torch.full((5,), 5)
    loss = HierarchicalLoss(space=SPACE, fine_loss="group", smoothing=0.1)
    without = cross_entropy(group_logits, groups_of(alone), label_smoothing=0.1)
    assert loss(group_logits, logits, alone).item() == pytest.approx(without.item(), abs=1e-6)


@pytest.mark.parametrize("fine_loss", ["all", "path", "group"])
def test_gradients_are_finite_and_smoothing_lowers_certainty(batch, fine_loss):
    targets = batch[2]
    sure = (100.0 * torch.nn.functional.one_hot(targets, 6)).requires_grad_()
    coarse = 100.0 * torch.nn.functional.one_hot(groups_of(targets), 3)
    hard = HierarchicalLoss(space=SPACE, fine_loss=fine_loss)(coarse, sure, targets)
    smooth = HierarchicalLoss(space=SPACE, fine_loss=fine_loss, smoothing=0.1)(coarse, sure, targets)
    assert hard.item() == pytest.approx(0, abs=1e-6)
    assert smooth > 1
    smooth.backward()
    assert torch.isfinite(sure.grad).all()


def test_learned_weights_are_the_uncertainty_formula_and_get_gradients(batch):
    loss = HierarchicalLoss(space=SPACE, weights=None)
    with torch.no_grad():
        loss.log_variances.copy_(torch.tensor([0.5, -1.0]))
    found = loss(*batch)
    coarse = cross_entropy(batch[0], groups_of(batch[2]))
    fine = cross_entropy(batch[1], batch[2])
    expected = np.exp(-0.5) * coarse + np.exp(1.0) * fine + (0.5 - 1.0) / 2
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)
    found.backward()
    assert loss.log_variances.grad.abs().min() > 0


def test_weights_of_documents_and_shifts_of_logits(batch):
    group_logits, logits, targets = batch
    weights = np.array([1.0, 1.0, 3.0, 0.5, 0.5, 2.0])
    found = HierarchicalLoss(space=SPACE, weights=(1.0, 1.0), label_weights=weights)(*batch)
    each = cross_entropy(group_logits, groups_of(targets), reduction="none")
    each = each + cross_entropy(logits, targets, reduction="none")
    assert found.item() == pytest.approx((torch.from_numpy(weights)[targets] * each).mean().item(), abs=1e-5)
    group_shifts, shifts = np.array([0.0, -1.0, 2.0]), np.arange(6.0)
    shifted = HierarchicalLoss(space=SPACE, group_shifts=group_shifts, label_shifts=shifts)(*batch)
    moved = (group_logits + torch.tensor(group_shifts).float(), logits + torch.tensor(shifts).float(), targets)
    assert shifted.item() == pytest.approx(HierarchicalLoss(space=SPACE)(*moved).item(), abs=1e-5)


def test_path_gets_the_shift_once(batch):
    """Free logits that fit the shifted loss best must answer alike with both softmaxes."""
    counts = np.array([6.0, 2.0, 2.0])
    space = space_of([0, 0, 1])
    ratio = label_ratio(counts, space, "labels")
    group_shifts, label_shifts = logit_shifts(ratio, counts, space)
    targets = torch.tensor([0] * 6 + [1] * 2 + [2] * 2)
    answers = []
    for fine_loss in ("all", "path"):
        loss = HierarchicalLoss(space=space, fine_loss=fine_loss, group_shifts=group_shifts, label_shifts=label_shifts)
        group_logits, logits = torch.zeros(1, 2), torch.zeros(1, 3, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=100)

        def step(loss=loss, logits=logits, optimizer=optimizer, group_logits=group_logits):
            optimizer.zero_grad()
            value = loss(group_logits.expand(10, -1), logits.expand(10, -1), targets)
            value.backward()
            return value

        optimizer.step(step)
        scores = logits.detach()
        if fine_loss == "path":
            scores = scores + group_logits.log_softmax(1)[:, space.group_of]
        answers.append(scores.softmax(1))
    assert torch.allclose(answers[0], torch.full((1, 3), 1 / 3), atol=1e-3)
    assert torch.allclose(answers[1], answers[0], atol=1e-3)


def test_what_validation_says_depends_on_no_option(batch):
    plain = HierarchicalLoss(space=SPACE, weights=(1.0, 1.0)).eval()(*batch)
    for options in (
        {"smoothing": 0.2}, {"weights": None}, {"label_weights": np.arange(6.0)},
        {"label_shifts": np.arange(6.0), "group_shifts": np.arange(3.0)},
    ):  # fmt: skip
        assert HierarchicalLoss(space=SPACE, **options).eval()(*batch).item() == pytest.approx(plain.item())


def test_nothing_of_it_is_saved_but_what_is_learned():
    fixed = HierarchicalLoss(space=SPACE, label_weights=np.ones(6))
    assert list(fixed.state_dict()) == []
    assert list(HierarchicalLoss(space=SPACE, weights=None).state_dict()) == ["log_variances"]
