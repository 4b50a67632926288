"""Edits of the text: what they leave alone, what goes along, and what their inverse gives back."""

import re
import subprocess
import sys

import pytest
from handwritten import NAMES, written
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hierarchy import BusyError, DataError, Label, Taxonomy, TaxonomyError
from hierarchy.diff import diff
from hierarchy.disk.locks import held
from hierarchy.editing import edits as editing
from hierarchy.editing import patching
from hierarchy.editing.draft import Edited
from hierarchy.editing.patching import edit_file, patched
from hierarchy.files.reading import read_tree
from hierarchy.files.syntax import compose_yaml

many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def read(text: str) -> Taxonomy:
    return Taxonomy(**vars(read_tree(compose_yaml(text, "t"), "t")))


def labels_of(taxonomy: Taxonomy) -> list[Label]:
    return [*taxonomy.labels, *taxonomy.unplaced]


def comments(text: str) -> list[str]:
    return re.findall(r"(?:above|beside|below) (?:.*)", text.replace("\r", ""))


@st.composite
def edits(draw, taxonomy: Taxonomy):
    """Draw an edit; None where the taxonomy refuses it."""
    ids = [label.id for label in labels_of(taxonomy)]
    chosen = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=3, unique=True))
    groups = draw(st.permutations(taxonomy.group_ids)) or [None]
    new = [
        Label("", name)
        for name in draw(
            st.lists(st.sampled_from([*NAMES, "New one", "New: two"]), min_size=1, max_size=3, unique=True)
        )
    ]
    some = {"add", "add group", "move group", "retire", "rename", "merge labels", "split label"}
    some |= (
        {"move", "merge groups", "split off", "rename group", "retire group", "pin", "unpin"}
        if taxonomy.groups
        else set()
    )
    kind = draw(st.sampled_from(sorted(some)))
    try:
        return {
            "add": lambda: editing.add(taxonomy, new, groups[0]),
            "add group": lambda: editing.add(taxonomy, new, "Newly made", new_group=True),
            "move": lambda: editing.move(taxonomy, chosen, groups[0]),
            "move group": lambda: editing.move(taxonomy, chosen, "Newly made", new_group=True),
            "retire": lambda: editing.retire(taxonomy, chosen),
            "retire group": lambda: editing.retire(taxonomy, (), groups[:1]),
            "rename": lambda: editing.rename_label(taxonomy, chosen[0], new[0].name),
            "rename group": lambda: editing.rename_group(taxonomy, groups[0], new[0].name),
            "merge labels": lambda: editing.merge_labels(taxonomy, chosen[1:], chosen[0]),
            "merge groups": lambda: editing.merge_groups(taxonomy, groups[1:], groups[0]),
            "split off": lambda: editing.split_off(taxonomy, groups[0], chosen, "Newly made"),
            "split label": lambda: editing.split_label(taxonomy, chosen[0], new),
            "pin": lambda: editing.pin(taxonomy, chosen, groups[:1]),
            "unpin": lambda: editing.unpin(taxonomy, chosen[:1], groups[:1]),
        }[kind]()  # fmt: skip
    except TaxonomyError:
        return None


@given(st.data())
@many
def test_every_edit_of_every_form_reads_back(data):
    file = data.draw(written(built=True))
    assert read(file.text) == file.taxonomy
    edited = data.draw(edits(file.taxonomy))
    assume(edited is not None)
    text = patched(file.text, edited.new)
    assert read(text) == edited.new
    before, after = {label.id for label in labels_of(edited.old)}, {label.id for label in labels_of(edited.new)}
    traces = {*edited.new.retired, *edited.new.merged_into} - {*edited.old.retired, *edited.old.merged_into}
    assert before - after == traces & before
    assert traces <= {word for label in labels_of(edited.old) for word in (label.id, label.name)}
    assert diff(edited.new, read(text)).empty
    assert text.endswith("\n") == file.text.endswith("\n")
    assert ("\r\n" in text) == ("\r\n" in file.text)
    # A second edit finds a file that is as good as the first one.
    again = data.draw(edits(edited.new))
    if again is not None:
        assert read(patched(text, again.new)) == again.new


@given(st.data())
@many
def test_what_an_edit_does_not_touch_stays(data):
    file = data.draw(written(forms=("long",)))
    edited = data.draw(edits(file.taxonomy))
    assume(edited is not None)
    found = edited.diff
    changed = {x for x, *_ in (*found.added, *found.removed, *found.moved, *found.renamed_labels)}
    changed_groups = {*found.groups_removed, *(x for x, *_ in found.renamed_groups)}
    # A list in brackets may share a line with what is touched.
    changed_groups |= set(found.heads) & file.in_brackets | {
        g for _, g, *_ in (*found.removed, *found.moved) if g in file.in_brackets
    }
    touched = [label for label in labels_of(edited.old) if label.id in changed]
    touched += [label for group in edited.old.groups if group.id in changed_groups for label in group.labels]
    words = {word for label in touched for word in (label.id, label.name, label.description) if word} | changed_groups
    # A name that stands twice from now on needs ids that are written out.
    words |= {label.name for label in labels_of(edited.new) if label.id in changed}
    words |= {group.name for group in edited.old.groups if group.id in changed_groups} | {"merged_into", "retired"}
    text = patched(file.text, edited.new)
    kept = [
        line
        for line in file.text.splitlines()
        if line.strip() and not _mentions(line, words) and line.strip() not in ("]", "groups:", "labels:", "labels: [")
    ]
    lines = iter(text.splitlines())
    for line in kept:
        assert line in lines, f"{line!r} is gone or changed"


def _mentions(line: str, words: set[str]) -> bool:
    return any(word in line.replace('\\"', '"') for word in words)


@given(st.data())
@many
def test_comments_go_with_their_labels(data):
    file = data.draw(written(built=True))
    edited = data.draw(edits(file.taxonomy))
    assume(edited is not None)
    gone = {*(label for label, _ in edited.diff.removed), *edited.diff.groups_removed}
    text = patched(file.text, edited.new)
    names = {label.id: label.name for label in labels_of(edited.old)}
    for comment in comments(file.text):
        about = comment.split(" ", 1)[1]
        if about not in gone and names.get(about, about) not in gone:
            assert comment in text


@given(st.data())
@many
def test_a_rename_and_its_inverse_give_the_file_back(data):
    # Not where the owner wrote an id that says what the name says: it goes, being needless.
    file = data.draw(written())
    label = data.draw(st.sampled_from(labels_of(file.taxonomy)))
    there = editing.rename_label(file.taxonomy, label.id, "Another name")
    text = patched(file.text, there.new)
    back = editing.rename_label(there.new, label.id, label.name)
    assert back.new == file.taxonomy
    assert patched(text, back.new) == file.text


@given(st.data())
@many
def test_a_group_renamed_and_named_back(data):
    file = data.draw(written(forms=("long",)))
    group = data.draw(st.sampled_from(file.taxonomy.groups))
    there = editing.rename_group(file.taxonomy, group.id, "Another name")
    text = patched(file.text, there.new)
    assert patched(text, editing.rename_group(there.new, group.id, group.name).new) == file.text


@given(st.data())
@many
def test_a_move_and_its_inverse_give_the_file_back(data):
    # It holds for the last label of a list, since a move puts it there, and where both lists are written alike.
    file = data.draw(written(forms=("long", "mapping", "short")))
    groups = [group for group in file.taxonomy.groups if len(group.labels) > 1]
    assume(groups and len(file.taxonomy.groups) > 1)
    source = data.draw(st.sampled_from(groups))
    alike = [
        g for g in file.taxonomy.groups if g != source and (g.id in file.in_brackets) == (source.id in file.in_brackets)
    ]
    assume(alike and not (source.id in file.in_brackets and comments(file.text)))
    target = data.draw(st.sampled_from(alike))
    there = editing.move(file.taxonomy, [source.labels[-1].id], target.id)
    text = patched(file.text, there.new)
    back = editing.move(there.new, [source.labels[-1].id], source.id)
    assert back.new == file.taxonomy
    assert patched(text, back.new) == file.text


@given(st.data())
@many
def test_a_split_and_its_inverse_give_a_canonical_file_back(data):
    file = data.draw(written(forms=("long",)))
    text = file.taxonomy.to_yaml()
    group = data.draw(st.sampled_from(file.taxonomy.groups))
    at = data.draw(st.integers(1, 3))
    assume(len(group.labels) > at)
    there = editing.split_off(file.taxonomy, group.id, [label.id for label in group.labels[at:]], "Newly made")
    back = editing.merge_groups(there.new, ["Newly made"], group.id)
    assert back.new == file.taxonomy
    assert patched(patched(text, there.new), back.new) == text


LONG = """\
# The labels of the shop.
name: retail

groups:
  # what boils and bakes
  - name: Kitchen      # the largest one
    built: true
    labels:
      # coffee
      - id: espresso   # the old code
        name: 'Espresso machines'
        description: >-
          pump and
          capsule
        # still to be checked
      - Kettles   # electric only
      - "Toasters"
      # more to come

  - id: garden
    name: Garden
    labels: [Mowers, 'Hedge trimmers',  Rakes]   # by hand
must_link:
  - [espresso, Kettles]  # hot water
retired: [samovars]   # old
"""


def changes(text: str, edited) -> tuple[list[str], list[str]]:
    """Return the lines that an edit takes out and those that it puts in."""
    before, after = text.splitlines(), patched(text, edited.new).splitlines()
    return [x for x in before if x not in after], [x for x in after if x not in before]


def test_a_rename_writes_the_id():
    tree = read(LONG)
    assert changes(LONG, editing.rename_label(tree, "Kettles", "Tea: pots")) == (
        ["      - Kettles   # electric only"],
        ["      - id: Kettles", '        name: "Tea: pots"   # electric only'],
    )
    assert changes(LONG, editing.rename_label(tree, "Rakes", "Forks, rakes"))[1] == [
        "    labels: [Mowers, 'Hedge trimmers',  {id: Rakes, name: \"Forks, rakes\"}]   # by hand"
    ]
    assert changes(LONG, editing.rename_label(tree, "espresso", "Coffee makers")) == (
        ["        name: 'Espresso machines'"], ["        name: 'Coffee makers'"],
    )  # fmt: skip


def test_a_renamed_group_of_the_builder_is_frozen():
    assert changes(LONG, editing.rename_group(read(LONG), "Kitchen", "Cooking")) == (
        ["  - name: Kitchen      # the largest one"],
        ["  - id: Kitchen", "    name: Cooking      # the largest one", "    frozen_name: true"],
    )


def test_comments_of_a_label_that_goes_into_brackets_stand_above_them():
    took, put = changes(LONG, editing.move(read(LONG), ["espresso", "Kettles"], "garden"))
    assert len(took) == 9
    assert put == [
        "    # Espresso machines: coffee",
        "    # Espresso machines: the old code",
        "    # Espresso machines: still to be checked",
        "    # Kettles: electric only",
        "    labels: [Mowers, 'Hedge trimmers',  Rakes, {id: espresso, name: Espresso machines, "
        "description: pump and capsule}, Kettles]   # by hand",
    ]


def test_a_merge_rewrites_links_and_retires():
    edited = editing.merge_labels(read(LONG), ["Kettles"], "Toasters")
    assert changes(LONG, edited) == (
        ["      - Kettles   # electric only", "  - [espresso, Kettles]  # hot water"],
        ["  - [espresso, Toasters]  # hot water", "merged_into:", "  Kettles: Toasters"],
    )


def test_the_short_form_becomes_the_long_one_where_it_must():
    short = "# hot\nKitchen: [Kettles, Toasters]  # x\n\n# green\nGarden:\n- Mowers  # petrol\n- Rakes\n"
    tree = read(short)
    assert patched(short, editing.move(tree, ["Toasters"], "Garden").new) == (
        "# hot\nKitchen: [Kettles]  # x\n\n# green\nGarden:\n- Mowers  # petrol\n- Rakes\n- Toasters\n"
    )
    assert patched(short, editing.retire(tree, ["Rakes"]).new) == (
        "# hot\ngroups:\n- name: Kitchen\n  labels: [Kettles, Toasters]  # x\n\n# green\n- name: Garden\n  labels:\n"
        "  - Mowers  # petrol\nretired:\n  - Rakes\n"
    )
    assert patched("- a\n- b\n", editing.retire(read("- a\n- b\n"), ["b"]).new) == "labels:\n- a\nretired:\n  - b\n"


def test_blank_lines_do_not_pile_up():
    text = "groups:\n\n  - {name: A, labels: [a]}\n\n  # free\n\n  - {name: B, labels: [b]}\n\n"
    text += "  - {name: C, labels: [c]}\n"
    assert patched(text, editing.retire(read(text), (), ["A", "C"]).new) == (
        "groups:\n\n  # free\n\n  - {name: B, labels: [b]}\nretired:\n  - a\n  - c\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{Kitchen: [Kettles, Toasters], Garden: [Mowers]}\n",  # the short form in braces has no place for ids
        "? Kitchen\n: - Kettles\n  - Toasters\n",
    ],
)
def test_what_cannot_be_edited_in_place_is_refused(text):
    with pytest.raises(TaxonomyError, match="cannot be edited in place"):
        patched(text, editing.retire(read(text), ["Kettles"]).new)


def test_a_file_is_replaced_at_once(tmp_path):
    path = tmp_path / "t.yaml"
    link = tmp_path / "link.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + LONG.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    link.symlink_to(path)

    def rename(tree: Taxonomy) -> Edited:
        return editing.rename_label(tree, "Kettles", "Pots")

    edited, before, after = edit_file(link, rename, write=False)
    assert path.read_bytes().count(b"Pots") == 0
    assert edit_file(link, rename) == (edited, before, after)
    assert path.read_bytes() == b"\xef\xbb\xbf" + after.encode()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.yaml", "t.yaml"]
    assert Taxonomy.from_yaml(path) == edited.new
    with pytest.raises(TaxonomyError, match="the file was changed while the edit was made"):
        edit_file(path, lambda _: edited)


@pytest.mark.parametrize("name", ["t.yaml", "link.yaml"])
def test_a_file_that_cannot_be_written_has_the_name_that_it_was_given(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(patching, "TURN", 0.0)
    (tmp_path / "t.yaml").write_text(LONG)
    (tmp_path / "link.yaml").symlink_to("t.yaml")

    def rename(tree: Taxonomy) -> Edited:
        return editing.rename_label(tree, "Kettles", "Pots")

    with held("t.yaml"), pytest.raises(BusyError, match=f"is writing '{name}' at"):
        edit_file(name, rename)
    (tmp_path / ".t.yaml.lock").mkdir()
    with pytest.raises(DataError, match=f"where the lock of '{name}' belongs"):
        edit_file(name, rename)


def test_only_yaml_is_edited(tmp_path):
    def rename(tree: Taxonomy) -> Edited:
        return editing.rename_label(tree, "a", "b")

    Taxonomy(unplaced=(Label("a", "a"),)).to_json(tmp_path / "t.json")
    with pytest.raises(TaxonomyError, match=r"taxonomy show .*t\.json -o .*t\.yaml"):
        edit_file(tmp_path / "t.json", rename)
    for text in ("a: A\nc: A\n", "H:\n  K: [a, c]\n", "- A > a\n- A > c\n", "- {label: a, group: A}\n"):
        (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(TaxonomyError, match=r"not edited in place: .*taxonomy show t\.yaml -o tree\.yaml"):
            edit_file(tmp_path / "t.yaml", lambda tree: editing.rename_label(tree, tree.all_labels[0].id, "b"))
        assert (tmp_path / "t.yaml").read_text(encoding="utf-8") == text
    with pytest.raises(TaxonomyError, match="there is no taxonomy file"):
        edit_file(tmp_path / "none.yaml", rename)
    with pytest.raises(TaxonomyError, match="is a folder"):
        edit_file(tmp_path, rename)


def test_the_taxonomy_of_a_model_is_not_edited_in_place(tmp_path):
    tree = Taxonomy(unplaced=(Label("a", "a"),))
    tree.to_yaml(tmp_path / "taxonomy.yaml")
    before = (tmp_path / "taxonomy.yaml").read_bytes()
    (tmp_path / "manifest.json").write_text('{"sha256": {"taxonomy.yaml": ""}}')
    with pytest.raises(TaxonomyError, match=r"which would be damaged; edit the taxonomy file .*, or a copy"):
        edit_file(tmp_path / "taxonomy.yaml", lambda tree: editing.rename_label(tree, "a", "b"))
    with pytest.raises(DataError, match="which would be damaged"):
        tree.to_yaml(tmp_path / "taxonomy.yaml")
    assert (tmp_path / "taxonomy.yaml").read_bytes() == before


HABITS = {
    "a dash alone": "groups:\n  -\n    name: K\n    labels:\n      -\n        name: a\n        description: |\n"
    "          x\n          # no comment\n\n      - # hm\n        id: b\n        name: B\n      - c\n"
    "  - name: G\n    labels: [d, e]\n",
    "marks": "%YAML 1.1\n---\ngroups:\n- name: K\n  labels:\n  - a\n  - b\n  - c\n- name: G\n  labels: [d, e]\n...\n",
    "quoted keys": "\"K\": ['a', \"b\", c]\n'G':\n  - d\n  - e\n",
    "groups in brackets": "groups: [{name: K, labels: [a, b, c]}, "
    "{name: G, built: true, labels: [{id: d, name: D}, e]}]\n",
    "JSON": '{\n "groups": [\n  {"name": "K",\n   "labels": ["a", "b",\n    "c"]},\n'
    '  {"name": "G", "labels": ["d", "e"]}\n ]\n}\n',
    "folded texts": "groups:\n- name: K\n  description: some words\n    go on\n  labels:\n  - name: a\n"
    "    description: some words\n      go on here\n  - b\n  - c\n- name: G\n  labels:\n  - d\n  - e  \n\n\n# end",
    "empty keys": "groups:\n- name: K\n  description:\n  labels: [a,b,c]\n- name: G\n  frozen_name: no\n"
    "  labels: [ d , e ]\nlabels:\nretired: []\nmust_link: ~\n",
    "labels before names": "groups:\n  - labels:\n      - a\n      - b\n      - c\n    name: K\n"
    "  - labels: [d, e]\n    name: G\n",
    "an indented root": "  K: [a, b, c]\n  G: [d, e]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HABITS.values(), ids=HABITS.keys())
def test_habits_of_hands_and_programs(text):
    tree = read(text)
    new = Label("", "New", "what is new")
    for edited in (
        editing.add(tree, [new], "K"),
        editing.add(tree, [new], "G"),
        editing.add(tree, [new]),
        editing.add(tree, [new], "New group", new_group=True),
        editing.move(tree, ["a", "c"], "G"),
        editing.move(tree, ["e"], "K"),
        editing.merge_groups(tree, ["K"], "G"),
        editing.merge_groups(tree, ["G"], "K"),
        editing.merge_labels(tree, ["b"], "c"),
        editing.split_off(tree, "K", ["a", "b"], "Part"),
        editing.split_label(tree, "a", [new, Label("", "Newer")]),
        editing.retire(tree, ["a", "e"]),
        editing.retire(tree, (), ["K"]),
        editing.rename_label(tree, "a", "A: a"),
        editing.rename_group(tree, "K", "Kay"),
        editing.rename_group(tree, "G", "Gee"),
    ):
        assert read(patched(text, edited.new)) == edited.new


def test_no_edit_is_lost_where_many_edit_one_file(tmp_path):
    path = tmp_path / "t.yaml"
    names = [f"label{place}" for place in range(24)]
    path.write_text("groups:\n  - name: G\n    labels:\n" + "".join(f"      - {name}\n" for name in names))
    code = (
        "import sys; from hierarchy.editing import edits as editing; from hierarchy.editing.patching import edit_file\n"
        "for name in sys.argv[2:]: edit_file(sys.argv[1], lambda tree: editing.rename_label(tree, name, name.upper()))"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, path, *names[start::4]]) for start in range(4)]
    assert [run.wait() for run in runs] == [0] * 4
    assert sorted(label.name for label in Taxonomy.from_yaml(path).labels) == sorted(name.upper() for name in names)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.yaml"]


def test_a_file_that_another_keeps_for_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(patching, "TURN", 0.05)
    path = tmp_path / "t.yaml"
    path.write_text("groups:\n  - name: G\n    labels: [a, b]\n")
    with held(path), pytest.raises(BusyError, match=r"is writing .*t\.yaml"):
        patching.edit_file(path, lambda tree: editing.rename_label(tree, "a", "A"))
    with held(path):  # what writes nothing waits for nobody
        edited, before, after = patching.edit_file(path, lambda tree: editing.rename_label(tree, "a", "A"), write=False)
    assert (edited.new.labels[0].name, before != after, path.read_text()) == ("A", True, before)
