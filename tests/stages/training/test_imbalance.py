"""Ratios even out what they say they even out; draws follow them, differ by epoch and repeat by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_fixtures import space_of

from stages.label_space import label_ratio
from stages.training.sampling import LabelSampler
from stages.training.two_stage import logit_shifts

COUNTS = np.array([100, 10, 40, 5, 5, 20])
GROUP_OF = np.array([0, 0, 0, 1, 1, 2])
SPACE = space_of(GROUP_OF)


def shares(scope, strength=1.0):
    weighted = COUNTS * label_ratio(COUNTS, SPACE, scope, strength)
    return weighted / weighted.sum()


def test_each_scope_evens_out_its_own():
    assert np.allclose(shares("labels"), 1 / 6)
    groups = np.bincount(GROUP_OF, shares("groups"))
    assert np.allclose(groups, 1 / 3)
    assert np.allclose(shares("groups")[:3], COUNTS[:3] / 150 / 3)
    assert np.allclose(np.bincount(GROUP_OF, shares("siblings")), np.bincount(GROUP_OF, COUNTS) / 180)
    assert np.allclose(shares("siblings")[:3], 150 / 180 / 3)


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=20),
    st.sampled_from(["labels", "groups", "siblings"]),
    st.floats(0.1, 1.0),
)
def test_the_mean_over_documents_is_one(counts, scope, strength):
    counts = np.array(counts)
    space = space_of(np.sort(np.arange(len(counts)) % 3))
    ratio = label_ratio(counts, space, scope, strength)
    assert (ratio > 0).all()
    assert (counts * ratio).sum() == pytest.approx(counts.sum())


def test_strength_lies_between_nothing_and_even():
    half = shares("labels", 0.5)
    assert half.max() / half.min() == pytest.approx(np.sqrt(COUNTS.max() / COUNTS.min()))


def test_shifts_of_even_labels_are_their_log_priors():
    groups, labels = logit_shifts(label_ratio(COUNTS, SPACE, "labels"), COUNTS, SPACE)
    assert np.allclose(labels - labels[0], np.log(COUNTS / COUNTS[0]))  # Menon et al. 2021, tau = 1
    assert np.allclose(groups - groups[0], np.log([1, 10 / 2 / 50, 20 / 1 / 50]))
    groups, labels = logit_shifts(label_ratio(COUNTS, SPACE, "siblings"), COUNTS, SPACE)
    assert np.allclose(groups, 0)


TARGETS = np.repeat(np.arange(6), COUNTS)


def drawn(undersample, epoch=0, seed=0):
    sampler = LabelSampler(TARGETS, label_ratio(COUNTS, SPACE, "labels"), undersample=undersample, random_state=seed)
    sampler.set_epoch(epoch)
    places = list(sampler)
    assert len(places) == len(sampler)
    return places


def test_oversampling_draws_labels_alike():
    counts = np.mean([np.bincount(TARGETS[drawn(False, epoch)], minlength=6) for epoch in range(40)], axis=0)
    assert counts.sum() == len(TARGETS)
    assert np.allclose(counts, 30, rtol=0.15)


def test_undersampling_draws_no_document_twice_and_fewer_of_frequent_labels():
    places = drawn(True)
    assert len(set(places)) == len(places) == 30  # six labels, as many documents of each as the rarest has
    counts = np.mean([np.bincount(TARGETS[drawn(True, epoch)], minlength=6) for epoch in range(200)], axis=0)
    assert np.allclose(counts, 5, atol=0.4)


@pytest.mark.parametrize("undersample", [True, False])
def test_draws_repeat_by_seed_and_differ_by_epoch(undersample):
    assert drawn(undersample) == drawn(undersample)
    assert drawn(undersample) != drawn(undersample, epoch=1)
    assert drawn(undersample) != drawn(undersample, seed=1)
