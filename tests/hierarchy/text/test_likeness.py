"""The most like of many texts: right for slips of the pen, and quick for thousands of strangers."""

import difflib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy import Taxonomy, TaxonomyError
from hierarchy.checks import link_components
from hierarchy.errors import PROBLEMS_SHOWN
from hierarchy.text.likeness import CANDIDATES, LONGEST, Likeness, most_like

NAMES = [f"label number {number} of all" for number in range(3000)]


@pytest.mark.parametrize("written", ["label nmber 17 of all", "label number 17 of al", "Label number 17 of all"])
def test_a_slip_is_found(written):
    assert most_like(written, NAMES) == ["label number 17 of all"]


def test_what_is_like_nothing():
    assert most_like("zzzz", NAMES) == most_like("", ["a"]) == most_like("a", []) == most_like("a", [""]) == []


@pytest.fixture
def compared(monkeypatch):
    """Lengths of the texts that are compared in full."""
    lengths = []

    class Counting(difflib.SequenceMatcher):
        def ratio(self):
            lengths.extend((len(self.a), len(self.b)))
            return super().ratio()

    monkeypatch.setattr(difflib, "SequenceMatcher", Counting)
    return lengths


def test_long_texts_are_compared_by_their_beginnings(compared):
    assert Likeness(["x" * 10**6, "y" * 10**6]).nearest("x" * 10**6 + "z") == [(0, 1.0)]
    assert compared == [LONGEST, LONGEST]


def test_of_thousands_of_unknown_links_those_that_are_shown_are_compared(tmp_path, compared):
    groups = "".join(f" - name: g{g}\n   labels: [{', '.join(NAMES[g::60])}]\n" for g in range(60))
    links = "".join(f" - [label numbr {i} of al, label nmber {i} of all]\n" for i in range(2000))
    file = tmp_path / "t.yaml"
    file.write_text(f"groups:\n{groups}must_link:\n{links}")
    with pytest.raises(TaxonomyError, match="did you mean 'label number 0 of all'"):
        Taxonomy.from_file(file)
    assert 0 < len(compared) <= 2 * CANDIDATES * PROBLEMS_SHOWN


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=3), max_size=8))
def test_linked_labels_come_together(links):
    components = link_components(links)
    members = [member for component in components for member in component]
    assert len(members) == len(set(members)) == len({member for link in links for member in link})
    assert members == [] or members[0] == next(link for link in links if link)[0]
    of = {member: component for component in components for member in component}
    for link in links:
        assert len({of[member] for member in link}) <= 1
    for component in components:  # each is held together by links
        reached, size = {component[0]}, 0
        while size != len(reached):
            size = len(reached)
            reached |= {member for link in links if reached & set(link) for member in link}
        assert reached == set(component)


class Counted(str):
    """An id that counts how often it is looked up."""

    __slots__ = ()
    looked_up = 0

    def __hash__(self):
        Counted.looked_up += 1
        return super().__hash__()

    __eq__ = str.__eq__


def test_a_long_chain_of_links_is_looked_up_a_few_times_a_label():
    ids = [Counted(i) for i in range(10_000)]
    chain = list(itertools.pairwise(ids))
    for links in (chain, chain[::-1], chain[::2] + chain[1::2]):
        Counted.looked_up = 0
        assert len(link_components(links)) == 1
        assert Counted.looked_up < 40 * len(ids)  # labels x logarithm of the labels, and not their square


def test_one_long_list_of_links():
    ids = [f"l{i}" for i in range(3000)]
    groups = Taxonomy.from_data(ids, ["g"] * len(ids)).groups
    with pytest.raises(TaxonomyError, match="10,000 problems"):
        Taxonomy(groups=groups, cannot_link=(tuple(ids),))
