"""TaxonomyBuilder: sizes, pins, links, frozen names, Chinese, the same bytes again."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hierarchy import DataError, EncoderError, Group, Label, Taxonomy, TaxonomyBuilder, TaxonomyError
from hierarchy.building.undone import moved_labels
from hierarchy.editing.edits import move, unpin


def sizes(taxonomy):
    return np.diff(taxonomy.offsets)


def home(taxonomy):
    return {label.id: group.id for group in taxonomy.groups for label in group.labels}


def test_labels_that_are_alike_come_together(themed, embed):
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(themed)
    assert sorted(sizes(built)) == [10] * 6
    assert sorted(group.name for group in built.groups) == ["cable", "chair", "glove", "kettle", "lamp", "pump"]
    assert all(group.built for group in built.groups)
    assert not built.unplaced


@given(st.integers(1, 70), st.integers(1, 6), st.integers(0, 20), st.integers(0, 99))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sizes_lie_within_the_limits(embed, n, least, more, seed):
    words = np.random.default_rng(seed).choice(list("abcdefghij"), size=(n, 2))
    labels = [f"{a} {b} {i}" for i, (a, b) in enumerate(words)]
    built = TaxonomyBuilder(
        min_group_size=least, max_group_size=2 * least + more, embed=embed, random_state=seed
    ).build(labels)
    assert sorted(built.label_ids) == sorted(labels)
    assert sizes(built).max() <= 2 * least + more
    if n >= 2 * least:
        assert sizes(built).min() >= least
        assert sizes(built).max() <= 4 * sizes(built).min()
    assert len({group.name.lower() for group in built.groups}) == len(built.groups)


def test_few_labels_make_one_group(embed):
    for n in (1, 3, 9):
        built = TaxonomyBuilder(embed=embed).build([f"label {i}" for i in range(n)])
        assert sizes(built).tolist() == [n]
    assert len(TaxonomyBuilder(embed=embed).build([f"label {i}" for i in range(10)]).groups) == 2


def test_pinned_labels_stay_and_unplaced_ones_join(themed, embed):
    pumps = tuple(Label(x, x) for x in themed if x.endswith("pump"))
    given_ = Taxonomy(
        groups=(Group("hydraulics", "Hydraulics", "moved by the owner", pumps[:6]),),
        unplaced=tuple(Label(x, x) for x in themed if x not in {label.id for label in pumps[:6]}),
        name="shop",
        retired=("old",),
    )
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(given_)
    assert built.groups[0].labels[:6] == pumps[:6]
    assert built.groups[0].name == "Hydraulics"
    assert not built.groups[0].built
    assert {home(built)[label.id] for label in pumps} == {"hydraulics"}
    assert (built.name, built.retired) == ("shop", ("old",))
    assert TaxonomyBuilder(embed=embed).build(Taxonomy(groups=given_.groups)) == Taxonomy(groups=given_.groups)


def test_a_full_group_takes_no_more(embed, themed):
    pumps = tuple(Label(x, x) for x in themed if x.endswith("pump"))
    others = tuple(Label(x, x) for x in themed if x.endswith("lamp"))
    full = Taxonomy(groups=(Group("p", "P", labels=pumps[:5], max_size=5),), unplaced=pumps[5:] + others)
    assert sizes(TaxonomyBuilder(embed=embed).build(full))[0] == 5
    over = replace(full, groups=(replace(full.groups[0], max_size=3),))
    with pytest.raises(TaxonomyError, match=r"'P \(p\)' has max_size 3, but 5 labels are pinned: '"):
        TaxonomyBuilder(embed=embed).build(over)


def test_built_groups_are_dealt_anew_but_frozen_names_stay(themed, embed):
    builder = TaxonomyBuilder(n_groups=6, embed=embed)
    built = builder.build(themed)
    assert builder.build(built) == built or sorted(map(str, builder.build(built).groups)) == sorted(
        map(str, built.groups)
    )
    frozen = replace(built.groups[2], name="The owner's name", frozen_name=True, max_size=9).as_built()
    limited = replace(built, groups=(*built.groups[:2], frozen, *built.groups[3:]))
    again = builder.build(limited)
    kept = again.groups[again.group_index(frozen.id)]
    assert (kept.name, kept.frozen_name, kept.built) == ("The owner's name", True, kept.mark)
    assert len(kept.labels) == 9
    assert {label.id for label in kept.labels} <= {label.id for label in frozen.labels}
    assert sorted(again.label_ids) == sorted(built.label_ids)


def test_links_are_honoured(themed, embed):
    lamps = [x for x in themed if x.endswith("lamp")]
    pumps = [x for x in themed if x.endswith("pump")]
    asked = Taxonomy(
        groups=(Group("chairs", "Chairs", labels=tuple(Label(x, x) for x in themed if x.endswith("chair"))),),
        unplaced=tuple(Label(x, x) for x in themed if not x.endswith("chair")),
        must_link=((lamps[0], pumps[0]), (pumps[1], "red chair")),
        cannot_link=((lamps[1], lamps[2], lamps[3]), (lamps[4], "red chair")),
    )
    built = TaxonomyBuilder(embed=embed).build(asked)
    at = home(built)
    assert at[lamps[0]] == at[pumps[0]]
    assert at[pumps[1]] == "chairs"
    assert len({at[lamp] for lamp in lamps[1:4]}) == 3
    assert at[lamps[4]] != "chairs"


def test_contradictory_links_name_the_labels(embed):
    labels = tuple(Label(x, x) for x in "abcdef")
    builder = TaxonomyBuilder(n_groups=2, min_group_size=1, max_group_size=4, embed=embed)
    with pytest.raises(TaxonomyError, match=r"drop a link or widen the sizes \(labels under links: 'a', 'b', 'c'\)"):
        builder.build(Taxonomy(unplaced=labels, cannot_link=(("a", "b", "c"),)))
    with pytest.raises(
        TaxonomyError, match="must_link joins 5 labels, but a group takes 4 at most: 'a', 'b', 'c', 'd', 'e'"
    ):
        builder.build(Taxonomy(unplaced=labels, must_link=(("a", "b", "c", "d", "e"),)))


def test_links_to_pinned_labels(embed):
    builder = TaxonomyBuilder(n_groups=2, min_group_size=1, max_group_size=4, embed=embed)
    pinned = Group("g", "G", labels=(Label("a", "a"), Label("z", "z")))
    unplaced = tuple(Label(x, x) for x in "bcdef")
    drawn = Taxonomy(groups=(pinned,), unplaced=unplaced, must_link=(("a", "b"),), cannot_link=(("b", "c"),))
    at = home(builder.build(drawn))
    assert at["b"] == "g" != at["c"]
    both = replace(drawn, must_link=(("a", "b"), ("z", "c")))
    with pytest.raises(TaxonomyError, match=r"parts 'b' and 'c', yet must_link draws both into group 'G \(g\)'"):
        builder.build(both)


def test_documents_decide_where_names_say_nothing(embed, caplog):
    labels = [f"l{i}" for i in range(20)]
    rng = np.random.default_rng(0)
    number = np.arange(101) % 20
    targets = [*(labels[i] for i in number[:100]), "no such label"]
    X = np.eye(2)[number % 2] + rng.normal(size=(101, 2)) * 0.05
    built = TaxonomyBuilder(n_groups=2, embed=embed).build(labels, documents=(X, targets))
    parities = [{int(label.id[1:]) % 2 for label in group.labels} for group in built.groups]
    assert parities == [{0}, {1}]
    assert "1 labels of the documents are not in the taxonomy" in caplog.text
    with pytest.raises(DataError, match="no document has a label of the taxonomy; the first says 'x'"):
        TaxonomyBuilder(embed=embed).build(labels, documents=(X[:1], ["x"]))


def test_wrong_settings():
    with pytest.raises(TaxonomyError) as caught:
        TaxonomyBuilder(n_groups="many", min_group_size=9, max_group_size=3, signals={"txt": 2}).build(["a"])
    assert len(caught.value.problems) == 3
    with pytest.raises(TaxonomyError, match="n_groups is True"):
        TaxonomyBuilder(n_groups=True).build(["a"])
    with pytest.raises(TaxonomyError, match="label id 'a' is used twice"):
        TaxonomyBuilder().build(["a", "a"])
    with pytest.raises(TaxonomyError, match="no labels at all"):
        TaxonomyBuilder().build([])


def test_names_that_fold_alike_are_told_and_stay_apart(embed, caplog):
    built = TaxonomyBuilder(embed=embed).build(["red lamp", "Red lamp ", "red sofa"])
    assert len(built.labels) == 3
    assert any("'Red lamp ' = 'red lamp'): Taxonomy.from_data(labels) takes" in line for line in caplog.messages)
    caplog.clear()
    TaxonomyBuilder(embed=embed).build([Label("", "red lamp"), Label("", "Red lamp ")])
    assert not any("from_data" in line for line in caplog.messages)


def test_halves_in_documents_are_healed():
    read = []
    embed = lambda texts: read.extend(texts) or np.ones((len(texts), 2))  # noqa: E731
    texts = ["lamp \ud83d", "sofa"] * 3
    TaxonomyBuilder(embed=embed).build(["red lamp", "red sofa"], (texts, ["red lamp", "red sofa"] * 3))
    assert "lamp \ufffd" in read


def test_vectors_that_are_no_numbers_are_refused():
    with pytest.raises(EncoderError, match="embed gave NaN or infinity for a text: 'red lamp'"):
        TaxonomyBuilder(embed=lambda texts: np.full((len(texts), 2), np.nan)).build(["red lamp", "red sofa"])


def test_wrong_signals(embed):
    for signals, said in (
        ({"txt": 2}, "signals has 'txt': did you mean 'text'"),
        ({"text": -1}, "signals.text is -1; it must be a number from 0 up"),
        ({"text": 0}, "signals are all 0"),
    ):
        with pytest.raises(TaxonomyError, match=said):
            TaxonomyBuilder(embed=embed, signals=signals).build(["a"])


def documents_of(groups, embed, rng, each=12, mixed=0.0):
    """Vectors near their label's, a share of them near the next label of the same group."""
    labels = [label for group in groups for label in group]
    after = {group[i]: group[(i + 1) % len(group)] for group in groups for i in range(len(group))}
    centres = dict(zip(labels, rng.normal(size=(len(labels), 24)), strict=True))
    targets = [label for label in labels for _ in range(each)]
    X = np.array([centres[after[t] if rng.random() < mixed else t] for t in targets])
    return X + rng.normal(size=X.shape) * 0.1, targets


def test_labels_that_get_confused_come_together(embed):
    # Names and centroids say nothing of the groups; only what is taken for what does.
    groups = [[f"item {g} {i}" for i in range(5)] for g in range(8)]
    rng = np.random.default_rng(0)
    X, targets = documents_of(groups, embed, rng, each=40, mixed=0.4)
    labels = [str(x) for x in rng.permutation([x for group in groups for x in group])]
    built = TaxonomyBuilder(n_groups=8, embed=embed, signals={"confusion": 1}).build(labels, (X, targets))
    assert {frozenset(label.id for label in group.labels) for group in built.groups} == {
        frozenset(group) for group in groups
    }


@pytest.mark.parametrize("each", [1, 2, 30])
def test_labels_with_and_without_documents_come_together(each, embed):
    themes = [[f"{theme} {theme} {i}" for i in range(8)] for theme in ("brass", "cedar", "linen", "steel", "wool")]
    labels = [label for theme in themes for label in theme]
    rng = np.random.default_rng(0)
    targets = [label for theme in themes for label in theme[::2] for _ in range(each)]  # every other label has some
    turn = np.linalg.qr(rng.normal(size=(64, 64)))[0][:48]  # documents stand in a space of their own
    X = embed(targets) @ turn + 0.5 * rng.normal(size=(len(targets), 64))
    built = TaxonomyBuilder(n_groups=5, embed=embed).build(labels, (X, targets))
    assert {frozenset(label.id for label in group.labels) for group in built.groups} == set(map(frozenset, themes))


def test_the_number_of_groups_is_that_of_the_labels_and_the_curve_is_information(embed):
    groups = [[f"item {g} {i}" for i in range(5)] for g in range(16)]
    labels = [x for group in groups for x in group]
    rng = np.random.default_rng(0)
    X, targets = documents_of(groups, embed, rng)
    for documents in (X, rng.normal(size=X.shape)):  # whatever the documents say
        builder = TaxonomyBuilder(embed=embed)
        assert len(builder.build(labels, (documents, targets)).groups) == 13  # sqrt(160)
        assert builder.report_.rule == "about sqrt(2 x labels)"
        counts, recalls = zip(*builder.report_.curve, strict=True)
        assert counts == (6, 9, 13, 16)
        assert all(0 < recall <= 1 for recall in recalls)
    builder.build(labels)
    assert (builder.report_.n_groups, builder.report_.curve) == (13, ())


def test_numbers_of_groups_that_links_forbid_are_not_tried(embed):
    groups = [[f"item {g} {i}" for i in range(5)] for g in range(8)]
    X, targets = documents_of(groups, embed, np.random.default_rng(0))
    apart = tuple(group[0] for group in groups[:4])
    labels = Taxonomy(unplaced=tuple(Label(x, x) for group in groups for x in group), cannot_link=(apart,))
    builder = TaxonomyBuilder(max_group_size=20, embed=embed)
    built = builder.build(labels, (X, targets))
    assert len({home(built)[label] for label in apart}) == 4
    assert min(groups for groups, _ in builder.report_.curve) >= 4


def test_a_new_label_moves_no_other(themed, embed):
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(themed)
    more = replace(built, unplaced=(Label("x", "brass pump"),))
    builder = TaxonomyBuilder(min_group_size=11, embed=embed)  # what stands is not asked to reach it
    after = builder.build(more, keep=True)
    assert home(after)["x"] == "pump"
    assert {k: v for k, v in home(after).items() if k != "x"} == home(built)
    assert builder.report_.moved == ()
    assert [group.labels[: len(old.labels)] for group, old in zip(after.groups, built.groups, strict=True)] == [
        group.labels for group in built.groups
    ]


def test_a_full_tree_moves_as_few_labels_as_it_must(themed, embed):
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(themed)  # 6 groups of 10
    more = replace(built, unplaced=(Label("x", "brass pump"),))
    builder = TaxonomyBuilder(min_group_size=4, max_group_size=10, embed=embed)
    after = builder.build(more, keep=True, force=True)
    assert sizes(after).sum() == 61
    assert (sizes(after).max(), sizes(after).min(), len(after.groups)) == (10, 4, 7)
    moved = builder.report_.moved
    assert len(moved) == 3
    assert all(home(built)[label] == old and home(after)[label] == new for label, old, new in moved)
    assert "no group has room below max_group_size 10" in builder.report_.rule
    assert "so 3 had to move" in builder.report_.rule
    still = builder.build(more, keep=True)
    assert {k: v for k, v in home(still).items() if k != "x"} == home(built)
    assert sizes(still).tolist() == [10] * 6 + [1]
    assert "with fewer than 4 labels, since no label that stands may move" in builder.report_.rule


def test_labels_without_a_place_move_no_other(themed, embed):
    builder = TaxonomyBuilder(n_groups=6, embed=embed)
    built = builder.build(themed)
    unmarked = replace(built, groups=tuple(replace(group, built=True) for group in built.groups))
    edited = unpin(move(unmarked, ["red lamp"], "pump").new, ["red lamp"]).new
    waiting = replace(edited, unplaced=(Label("x", "brass pump"), Label("y", "brass lamp")))
    for asked in (builder, TaxonomyBuilder(n_groups=3, embed=embed), TaxonomyBuilder(embed=embed)):
        after = asked.build(waiting)
        assert home(after) == home(edited) | {"x": "pump", "y": "lamp"}
        assert asked.report_.moved == ()
    assert home(builder.build(waiting, force=True))["red lamp"] == "lamp"


def test_a_group_under_another_name_has_not_moved(themed, embed):
    builder = TaxonomyBuilder(n_groups=6, embed=embed)
    built = builder.build(themed)
    renamed = replace(built, groups=tuple(replace(g, id=f"g{i}", name=f"N{i}") for i, g in enumerate(built.groups)))
    assert moved_labels(built, renamed) == ()
    merged = replace(
        built, groups=(replace(built.groups[0], id="both", labels=built.groups[0].labels + built.groups[1].labels[:9]),
                       replace(built.groups[1], labels=built.groups[1].labels[9:]), *built.groups[2:]),
    )  # fmt: skip
    assert {(old, new) for _, old, new in moved_labels(built, merged)} == {(built.groups[1].id, "both")}
    assert len(moved_labels(built, merged)) == 9
    half = tuple(replace(built.groups[0], id=f"h{i}", labels=built.groups[0].labels[i::2]) for i in range(2))
    # Of a group that falls into halves neither goes on as the group: all its labels have moved.
    assert len(moved_labels(built, replace(built, groups=(*half, *built.groups[1:])))) == 10


def test_many_moves_are_counted(themed, embed):
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(themed)
    mixed = replace(
        built, groups=tuple(replace(g, labels=built.labels[i::6], built=True) for i, g in enumerate(built.groups)),
    )  # fmt: skip
    with pytest.raises(TaxonomyError, match=r"problems; allow it with force=True") as caught:
        TaxonomyBuilder(n_groups=6, embed=embed).build(mixed)
    assert len(caught.value.problems) > 40
    assert len(str(caught.value).splitlines()) <= 22


@pytest.mark.parametrize("documents", [False, True])
@pytest.mark.parametrize("count", range(1, 10))
def test_few_labels_make_one_group_whatever_is_known_of_them(embed, count, documents):
    labels = [f"label {i}" for i in range(count)]
    rng = np.random.default_rng(0)
    known = (rng.normal(size=(3 * count, 4)), labels * 3) if documents else None
    for sizes_ in (
        {},
        {"min_group_size": 9},
        {"max_group_size": 9},
        {"n_groups": 1},
        {"n_groups": 1, "random_state": 1},
    ):
        assert len(TaxonomyBuilder(embed=embed, **sizes_).build(labels, known).groups) == 1
    if count > 1:
        assert len(TaxonomyBuilder(n_groups=2, embed=embed).build(labels, known).groups) == 2
        with pytest.raises(TaxonomyError, match=f"n_groups is {count + 1}, but {count} labels allow 1 to {count}"):
            TaxonomyBuilder(n_groups=count + 1, embed=embed).build(labels, known)


def test_the_largest_seed_builds(embed):
    labels = [f"label {i}" for i in range(20)]
    assert len(TaxonomyBuilder(n_groups=4, embed=embed, random_state=2**32 - 1).build(labels).groups) == 4


@pytest.mark.parametrize("documents", [False, True])
def test_limits_that_nobody_set_refuse_nothing(embed, documents):
    rng = np.random.default_rng(0)

    def build(unplaced, *groups, must=(), cannot=(), **asked):
        tree = Taxonomy(groups, tuple(Label(x, x) for x in unplaced), must_link=must, cannot_link=cannot)
        ids = [*tree.label_ids, *unplaced]
        known = (rng.normal(size=(2 * len(ids), 4)), ids * 2) if documents else None
        return TaxonomyBuilder(embed=embed, **asked).build(tree, known)

    many = [f"label {i}" for i in range(60)]
    assert sizes(build(many, n_groups=1)).tolist() == [60]  # above 40
    assert len(build(many, n_groups=40).groups) == 40  # below 5
    assert sizes(build(many, min_group_size=45)).min() >= 45
    assert sizes(build(many, max_group_size=3)).max() <= 3
    big = tuple(
        Group(f"g{g}", f"g{g}", labels=tuple(Label(f"{g} {i}", f"{g} {i}") for i in range(60))) for g in range(2)
    )
    for few in (1, 3):
        built = build(many[:few], *big)
        assert sizes(built).tolist() == [60, 60, few]  # pinned, and as full as they may be
        assert built.groups[:2] == big
    assert sizes(build(many[:3], *big, n_groups=2)).sum() == 123
    assert len(build("abcd", cannot=(("a", "b"), ("b", "c"), ("a", "c"))).groups) == 3
    star = build("abcdefghi", cannot=tuple(("a", x) for x in "bcdefghi"))
    assert 1 in sizes(star)
    assert sizes(build(many, must=(tuple(many[:50]),))).max() >= 50
    small = Group("s", "S", labels=(Label("s", "s"),))
    assert sizes(build("ab", small)).tolist() == [3]
    assert sizes(build("a", small, cannot=(("a", "s"),))).tolist() == [1, 1]


def test_an_edited_name_survives_a_rebuild(themed, embed):
    built = TaxonomyBuilder(n_groups=6, embed=embed).build(themed)
    edited = replace(
        built, groups=tuple(replace(g, name=f"My {g.name}", description="mine") for g in built.groups),
        unplaced=(Label("x", "brass pump"),),
    )  # fmt: skip
    again = TaxonomyBuilder(n_groups=6, embed=embed).build(edited)
    assert {(g.id, g.name, g.description) for g in again.groups} == {
        (g.id, g.name, g.description) for g in edited.groups
    }
    assert not any(group.built for group in again.groups)  # they are the owner's


def test_chinese_without_an_encoder():
    things = {"手套": "红蓝童厚薄", "沙发": "单双布皮木", "相机": "胶小老新黑", "蜡烛": "香白细粗短"}
    labels = [f"{kind}{thing}" for thing, kinds in things.items() for kind in kinds]
    built = TaxonomyBuilder(n_groups=4, encoder="none").build(labels)
    assert [group.name for group in built.groups] == list(things)


CODE = """
import sys
from hierarchy import TaxonomyBuilder
labels = [line for line in sys.stdin.read().split("\\n") if line]
sys.stdout.buffer.write(TaxonomyBuilder(encoder="none").build(labels).to_yaml().encode())
"""


def test_the_same_bytes_in_other_processes(shared_taxonomy):
    text = "\n".join(shared_taxonomy("google_zh/taxonomy_600.json"))
    found = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", CODE], input=text.encode(), capture_output=True, check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[3]), "PATH": ""},
        )  # fmt: skip
        found.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(found) == 1
    assert done.stdout.count(b"built: ") == 35


@pytest.mark.slow  # embeds 600 labels with the embedded encoder
def test_six_hundred_real_labels(shared_taxonomy):
    built = TaxonomyBuilder().build(list(shared_taxonomy("google_en/taxonomy_600.json")))
    assert len(built.groups) == 35
    assert sizes(built).max() <= 4 * sizes(built).min()
