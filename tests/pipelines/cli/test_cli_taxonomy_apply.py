"""`coarsefine taxonomy apply`, inside this process."""

import shlex

import pytest

from hierarchy import Taxonomy
from hierarchy.editing.edit_files import MARK, tree_mark

TEXT = """\
groups:
  - name: Kitchen   # first
    built: true
    labels: [Kettles, Toasters, Blenders]
  - name: Garden
    labels:
      - Mowers   # petrol
      - Hoses
      - 'C# & "D"'
"""
STRANGE = ['q"q', "it's", "#1", "a\nb", "$(x) `y`", "\\", "--to", "-x", "<img onerror=alert(1)>", "\u202ertl", "名 字"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tree.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def apply(cli, folder):
    def run(text, *options):
        (folder / "edits.txt").write_text(text, encoding="utf-8", newline="")
        return cli("taxonomy", "apply", folder / "tree.yaml", folder / "edits.txt", *options)

    return run


def test_a_file_does_what_the_commands_do(cli, apply, folder, tmp_path):
    lines = [
        ["add", "Rakes", "--group", "Garden", "--description", "for leaves"],
        ["move", "Toasters", "--to", "Hot things", "--new-group"],
        ["rename", "--kind", "group", "Kitchen", 'The "kitchen" #1'],
        ["rename", "Kettles", "Kettle pots"],
        ["merge", "Blenders", "--into", "Hoses"],
        ["unpin", "--kind", "group", "Garden"],
        ["pin", "Mowers"],
        ["split", "Garden", "--label", "Rakes", "--into", "Tools"],
        ["retire", 'C# & "D"'],
    ]
    one = tmp_path / "one.yaml"
    one.write_text(TEXT, encoding="utf-8")
    for command, *words in lines:
        assert cli("taxonomy", command, one, *words).exit_code == 0
    text = "".join(f"{shlex.join(line)}\n" for line in lines)
    tried = apply(text, "--dry-run")
    assert (tried.exit_code, (folder / "tree.yaml").read_text(encoding="utf-8")) == (0, TEXT)
    assert "+  - name: Hot things" in tried.stdout
    done = apply(text)
    assert done.exit_code == 0, done.stderr
    assert Taxonomy.from_yaml(folder / "tree.yaml") == Taxonomy.from_yaml(one)
    assert "label 'Toasters' moved from group" in done.stdout
    assert "refit: heads of" in done.stdout


def test_wrong_lines_are_told_at_once_and_nothing_is_changed(apply, folder):
    said = apply(
        'move Hoses --to Kitchen\nmov Hoses\nmove Hoses\nmove Ketles --to Kitchen\nmove Hoses --to "Kitchn"\n'
        "rename Driver's licence\nretire --help\n# a note\nsplit Garden\nmove Hoses --to Kitchen --force\n--help\n--\n"
    )
    assert said.exit_code == 2
    assert (folder / "tree.yaml").read_text(encoding="utf-8") == TEXT
    assert "edits.txt: nothing is changed: 10 problems" in said.stderr
    for told in (
        "line 2: No such command 'mov'. Did you mean 'move'?",
        "line 3: Missing option '--to'.",
        "line 4: there is no label 'Ketles'; nearest: 'Kettles'",
        "line 5: there is no group 'Kitchn'; did you mean 'Kitchen'?",
        "line 6: a quotation mark is not closed",
        "line 7: No such option: --help",
        "line 9: say how: --parts N",
        "line 10: No such option: --force",
        "line 11: No such option: --help",
        "line 12: Missing command",
    ):
        assert told in said.stderr
    many = apply("".join(f"retire nothing{i}\n" for i in range(500)))
    assert len(many.stderr.strip().splitlines()) <= 22
    assert "more like this" in many.stderr


def test_what_cannot_be_read(cli, apply, folder):
    assert "there is no edit in it" in apply("# nothing\n").stderr
    missing = cli("taxonomy", "apply", folder / "tree.yaml", folder / "none.txt")
    assert (missing.exit_code, "none.txt" in missing.stderr) == (2, True)
    (folder / "tree.csv").write_text("label\na\n", encoding="utf-8")
    sheet = cli("taxonomy", "apply", folder / "tree.csv", folder / "edits.txt")
    assert "only YAML is edited in place" in sheet.stderr


def test_edits_of_another_tree_are_told(apply, folder, caplog):
    other = f"{MARK}0123456789ab\nmove Hoses --to Kitchen\n"
    assert apply(other, "--dry-run").exit_code == 0
    assert "its edits were made for another tree" in caplog.text
    caplog.clear()
    mark = tree_mark(Taxonomy.from_yaml(folder / "tree.yaml"))
    mine = apply(f"{MARK}{mark}\nmove Hoses --to Kitchen\n")
    assert (mine.exit_code, caplog.text.count("another tree")) == (0, 0)
    assert Taxonomy.from_yaml(folder / "tree.yaml").groups[0].labels[-1].pinned
    again = apply(f"{MARK}{mark}\nmove Hoses --to Kitchen\n")
    assert "nothing changes: the file says so already" in again.stdout
    assert "before this one was edited" in caplog.text


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(apply, folder, name):
    words = shlex.join(["--", "Garden", name])
    done = apply(f"rename --kind group {words}\nmove Kettles --to {shlex.quote(name)}\n")
    assert done.exit_code == 0, done.stderr
    new = Taxonomy.from_yaml(folder / "tree.yaml")
    assert new.groups[1].name == name
    assert new.homes["Kettles"] == "Garden"
