"""What a person did with a tree and its file, and `coarsefine taxonomy build`: kept, or listed before it is undone."""

import json
import re

import pytest

from hierarchy import Taxonomy

QUIET = ("--set", "classifier.encoder=none", "--set", "classifier.n_groups=2")


@pytest.fixture
def cli(cli):
    """The commands under ``taxonomy``."""
    return lambda *arguments: cli("taxonomy", *arguments)


@pytest.fixture
def names(tmp_path):
    """Ten labels of two kinds."""
    path = tmp_path / "labels.csv"
    things = ("desk lamp light bulb", "water pump hose pressure")
    kinds = [f"{kind} {thing}" for thing in things for kind in ("red", "blue", "old", "new", "big")]
    path.write_text("label\n" + "\n".join(kinds), encoding="utf-8")
    return path


@pytest.fixture
def tree(cli, names, tmp_path):
    """What the builder makes of them."""
    path = tmp_path / "tree.yaml"
    assert cli("build", names, "-o", path, *QUIET).exit_code == 0
    return path


def homes(path):
    return {label.id: group.id for group in Taxonomy.from_yaml(path).groups for label in group.labels}


def test_what_a_person_moved_stays_in_a_rebuild(cli, tree, tmp_path):
    out, (first, second) = tmp_path / "out.yaml", Taxonomy.from_yaml(tree).groups
    mover = first.labels[0].id
    assert f"label '{mover}' is pinned where it stands" in cli("move", tree, mover, "--to", second.id).stdout
    assert cli("build", tree, "-o", out, *QUIET).exit_code == 0
    assert homes(out)[mover] == second.id
    shown = cli("show", out).stdout
    assert f"{mover}, pinned" in shown
    assert re.search(rf"{re.escape(second.name)} \(\d\), built\n", shown)
    assert cli("pin", out, mover).stdout == "nothing changes: the file says so already\n"
    assert f"label '{mover}' is no longer pinned" in cli("unpin", out, mover).stdout
    assert cli("build", out, "-o", tree, *QUIET).exit_code == 2  # where it is pinned
    assert cli("build", out, "-o", tree, *QUIET, "--force").exit_code == 0
    assert homes(tree)[mover] == first.id


def test_a_group_that_was_edited_in_an_editor_is_pinned(cli, tree):
    group = Taxonomy.from_yaml(tree).groups[1]
    text = tree.read_text(encoding="utf-8")
    tree.write_text(text.replace(f"name: {group.name}\n", "name: By hand\n"), encoding="utf-8")
    assert f"By hand ({len(group.labels)}), built, then edited by hand: pinned" in cli("show", tree).stdout
    checked = json.loads(cli("check", tree, "--json", *QUIET).stdout)
    assert (len(checked["pinned"]), checked["edited_by_hand"]) == (len(group.labels), ["By hand"])
    assert "groups built, then edited by hand" in cli("check", tree, *QUIET).stdout


def test_a_build_does_not_replace_what_a_person_did(cli, names, tree):
    def build(*more):
        return cli("build", names, "-o", tree, *QUIET, *more)

    made, group = tree.read_text(encoding="utf-8"), Taxonomy.from_yaml(tree).groups[0]
    label, other = (label.id for label in group.labels[:2])
    tree.write_text(made.replace("  - name", "  # unsorted: so says the builder\n  - name", 1), encoding="utf-8")
    assert build().exit_code == 0  # nothing of a person's is in it
    assert tree.read_text(encoding="utf-8") == made
    edits = {
        f"label '{label}', pinned in group '{group.name}', would stand in no group": lambda: cli("pin", tree, label),
        "group 'Mine": lambda: cli("rename", tree, group.id, "Mine"),
        f"'{label}' would count for '{other}' no longer": lambda: cli("merge", tree, label, "--into", other),
        "comments would be gone (1): # mine": lambda: tree.write_text(f"{made}# mine\n", encoding="utf-8"),
        "it holds something else than a taxonomy (line 1: ": lambda: tree.write_text("labels: x\n", encoding="utf-8"),
    }
    for line, edit in edits.items():
        tree.write_text(made, encoding="utf-8")
        edit()
        edited = tree.read_text(encoding="utf-8")
        result = build()
        assert result.exit_code == 2, line
        assert line in result.stderr
        assert f"{tree}, which the build would replace: " in result.stderr
        assert "allow it with --force" in result.stderr
        assert tree.read_text(encoding="utf-8") == edited
    assert build("--force").exit_code == 0
    assert tree.read_text(encoding="utf-8") == made
    tree.write_text(f"Mine: [{', '.join(f'mine {i}' for i in range(30))}]\n", encoding="utf-8")
    result = build()
    assert "31 problems; allow it with --force" in result.stderr
    assert len(result.stderr.splitlines()) <= 22
    assert "it is --force now" in build("--move-labels").stderr


def test_an_older_tree_moves_labels_only_where_it_is_told(cli, tree, tmp_path):
    out, (first, second) = tmp_path / "out.yaml", Taxonomy.from_yaml(tree).groups
    text = tree.read_text(encoding="utf-8")
    text = text.replace(f"built: {first.built}", "built: true").replace(f"built: {second.built}", "built: true")
    mover = first.labels[0].id
    tree.write_text(text.replace(f"      - {mover}\n", "") + f"      - {mover}\n", encoding="utf-8")
    result = cli("build", tree, "-o", out, *QUIET)
    assert result.exit_code == 2
    line = (
        f"label '{mover}', in group '{second.name}', maybe by hand, would stand in group '{first.name}'; allow it with"
    )
    assert line in result.stderr
    assert not out.exists()
    assert cli("add", tree, "tall lamp", *QUIET[:2]).exit_code == 0
    tree.write_text(tree.read_text(encoding="utf-8") + "labels: [tiny pump]\n", encoding="utf-8")
    assert cli("build", tree, "-o", out, *QUIET).exit_code == 0
    assert homes(out)[mover] == second.id
    result = cli("build", tree, "-o", out, "--force", *QUIET)
    assert result.exit_code == 0
    assert "Labels that moved" in result.stdout
    assert "built: true" not in out.read_text(encoding="utf-8")
