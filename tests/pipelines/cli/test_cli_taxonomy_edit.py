"""`coarsefine taxonomy add|move|merge|split|retire|rename|diff`, inside this process."""

import json

import pytest

from hierarchy import Taxonomy

TEXT = """\
groups:
  - name: Kitchen   # first
    labels: [Kettles, Toasters, Blenders]
  - name: Garden
    labels:
      - Mowers   # petrol
      - Hoses
"""
COMMANDS = ("add", "move", "merge", "split", "retire", "rename", "apply", "diff")


@pytest.fixture
def cli(cli):
    """The commands under ``taxonomy``."""
    return lambda *arguments: cli("taxonomy", *arguments)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tree.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(cli, command):
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert f"Example: coarsefine taxonomy {command}" in result.stdout


def test_every_edit_changes_the_file_and_says_what_to_refit(cli, file):
    def edit(*arguments):
        result = cli(arguments[0], file, *arguments[1:])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    told = edit("add", "Rakes", "--group", "Garden")
    assert "label 'Rakes' is new in group 'Garden'" in told
    assert f"refit: heads of 'Garden' and the coarse stage: coarsefine refit MODEL --taxonomy {file}" in told
    edit("move", "Toasters", "--to", "Hot things", "--new-group")
    assert edit("rename", "Kettles", "Kettle pots").endswith("refit: nothing, since no label came, went or moved\n")
    edit("merge", "Hot things", "--into", "Kitchen")
    told = edit("merge", "Blenders", "--into", "Hoses")
    assert "label 'Blenders' is merged into label 'Hoses' and gone from group 'Kitchen'" in told
    assert "refit: heads of 'Kitchen', 'Garden'" in told
    edit("split", "Garden", "--label", "Rakes", "--into", "Tools")
    edit("split", "Rakes", "--into", "Leaf rakes", "--into", "Hay rakes")
    edit("retire", "Tools", "Hoses")
    assert (
        file.read_text(encoding="utf-8")
        == """\
groups:
  - name: Kitchen   # first
    labels: [{id: Kettles, name: Kettle pots}, Toasters]
  - name: Garden
    labels:
      - Mowers   # petrol
merged_into:
  Blenders: Hoses
retired:
  - Rakes
  - Hoses
  - Leaf rakes
  - Hay rakes
"""
    )


def test_the_builder_places_and_splits(cli, file, tmp_path):
    tickets = tmp_path / "train.csv"
    tickets.write_text("text,label\nboil tea,Kettles\nboil tea now,Tea kettles\ncut grass,Mowers\n", encoding="utf-8")
    settings = ("--set", "classifier.encoder=none", "--set", f"data.train={tickets}")
    result = cli("add", file, "Tea kettles", *settings)
    assert result.exit_code == 0, result.stderr
    assert "label 'Tea kettles' is new in group 'Kitchen'" in result.stdout
    result = cli("split", file, "Kitchen", "--parts", "2", *settings)
    assert result.exit_code == 0, result.stderr
    assert len(Taxonomy.from_yaml(file).groups) == 3


def test_a_dry_run_writes_nothing(cli, file):
    result = cli("move", file, "Hoses", "--to", "Kitchen", "--dry-run")
    assert "-      - Hoses" in result.stdout
    assert "+    labels: [Kettles, Toasters, Blenders, Hoses]" in result.stdout
    assert file.read_text(encoding="utf-8") == TEXT
    assert cli("move", file, "Hoses", "--to", "Garden").stdout == "nothing changes: the file says so already\n"


def test_bad_input(cli, file, tmp_path):
    def message(*arguments):
        result = cli(*arguments)
        assert result.exit_code == 2
        assert file.read_text(encoding="utf-8") == TEXT
        return result.stderr

    assert "nearest: 'Kettles'" in message("retire", file, "Ketles")
    assert "did you mean 'Garden'?" in message("move", file, "Kettles", "--to", "Gardn")
    assert "say how: --parts N" in message("split", file, "Garden")
    assert "for one label" in message("add", file, "a", "b", "--id", "x", "--group", "Garden")
    assert "--new-group needs the name" in message("add", file, "a", "--new-group")
    assert "'Garden' is a group and 'Kettles' a label" in message("merge", file, "Kettles", "--into", "Garden")
    assert "only YAML is edited in place" in message("retire", tmp_path / "t.csv", "x")
    assert "there is no taxonomy file" in message("retire", tmp_path / "t.yaml", "x")
    both = tmp_path / "both.yaml"
    both.write_text("Pens: [Pens, Paper]\n", encoding="utf-8")
    assert "add --kind label or --kind group" in message("rename", both, "Pens", "Ink")
    assert cli("rename", both, "Pens", "Ink", "--kind", "label").exit_code == 0
    assert both.read_text(encoding="utf-8") == "Pens: [{id: Pens, name: Ink}, Paper]\n"


def test_diff(cli, file, tmp_path):
    new = tmp_path / "new.json"
    new.write_text('{"Kitchen": ["Kettles", "Toasters", "Blenders", "Hoses"], "Garden": ["Mowers"]}', encoding="utf-8")
    told = cli("diff", file, new).stdout
    assert "label 'Hoses' moved from group 'Garden' to group 'Kitchen'" in told
    assert "refit: heads of 'Kitchen', 'Garden' and the coarse stage" in told
    found = json.loads(cli("diff", file, new, "--json").stdout)
    assert (found["moved"], found["coarse"]) == ([["Hoses", "Garden", "Kitchen"]], True)
    assert cli("diff", file, file).stdout == "the two trees are equal\n"
