"""The most like of many texts: right for slips of the pen, and quick for thousands of strangers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hierarchy import Taxonomy, TaxonomyError
from hierarchy.checks import link_components
from hierarchy.likeness import Likeness, most_like

NAMES = [f"label number {number} of all" for number in range(3000)]


@pytest.mark.parametrize("written", ["label nmber 17 of all", "label number 17 of al", "Label number 17 of all"])
def test_a_slip_is_found(written):
    assert most_like(written, NAMES) == ["label number 17 of all"]


def test_what_is_like_nothing():
    assert most_like("zzzz", NAMES) == most_like("", ["a"]) == most_like("a", []) == most_like("a", [""]) == []


def test_long_texts_are_compared_by_their_beginnings():
    started = time.monotonic()
    assert Likeness(["x" * 10**6, "y" * 10**6]).nearest("x" * 10**6 + "z") == [(0, 1.0)]
    assert time.monotonic() - started < 2


def test_thousands_of_unknown_links_take_seconds(tmp_path):
    groups = "".join(f" - name: g{g}\n   labels: [{', '.join(NAMES[g::60])}]\n" for g in range(60))
    links = "".join(f" - [label numbr {i} of al, label nmber {i} of all]\n" for i in range(2000))
    file = tmp_path / "t.yaml"
    file.write_text(f"groups:\n{groups}must_link:\n{links}")
    started = time.monotonic()
    with pytest.raises(TaxonomyError, match="did you mean 'label number 0 of all'"):
        Taxonomy.from_file(file)
    assert time.monotonic() - started < 8


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


def test_a_long_chain_of_links_and_one_long_list_take_seconds():
    started = time.monotonic()
    chain = [(str(i), str(i + 1)) for i in range(30_000)]
    assert len(link_components(chain)) == len(link_components(reversed(chain))) == 1
    ids = [f"l{i}" for i in range(3000)]
    groups = Taxonomy.from_data(ids, ["g"] * len(ids)).groups
    with pytest.raises(TaxonomyError, match="10,000 problems"):
        Taxonomy(groups=groups, cannot_link=(tuple(ids),))
    assert time.monotonic() - started < 8
