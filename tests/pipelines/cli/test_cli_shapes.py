"""Trees of any shape at the command line: how a sheet's owner and the owner of a deep tree go on to a model."""

import logging
import subprocess
import sys

import openpyxl
import pytest

from hierarchy import Taxonomy

QUIET = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")
SHEET = [("Intent", "Team", "What it means", "Owner"), ("Kettles", "Kitchen", "they boil", "me"),
         ("Pans", "Kitchen", "they fry", "me"), ("Hoses", "Garden", "=1+1", None)]  # fmt: skip
DEEP = "Home > Kitchen > Kettles\nHome > Kitchen > Pans\nHome > Garden > Hoses\nOffice > Desk > Pens\nOffice > Paper\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    book = openpyxl.Workbook()
    for line in SHEET:
        book.active.append(line)
    book["Sheet"]["C4"].data_type = "s"  # a text that looks like a formula
    book.create_sheet("other")
    book.save("sheet.xlsx")
    (tmp_path / "sheet.csv").write_text("".join(f"{','.join(map(str, line))}\n" for line in SHEET), encoding="utf-8")
    (tmp_path / "deep.txt").write_text(DEEP, encoding="utf-8")
    rows = [f"{' > '.join(path.split(' > '))},about {path.split()[-1].lower()} {n}\n"
            for path in DEEP.splitlines() for n in range(6)]  # fmt: skip
    (tmp_path / "documents.csv").write_text("what,said\n" + "".join(rows), encoding="utf-8")
    return tmp_path


COLUMNS = ("--group-column", "Team", "--description-column", "What it means")


def test_a_sheet_goes_to_yaml_and_back(cli, here):
    for name, more in (("sheet.xlsx", ("--sheet", "Sheet")), ("sheet.csv", ())):
        done = cli("taxonomy", "build", name, *COLUMNS, *more, *QUIET, "-o", "t.yaml")
        assert done.exit_code == 0, done.stderr
        tree = Taxonomy.from_yaml("t.yaml")
        assert tree.homes == {"Kettles": "Kitchen", "Pans": "Kitchen", "Hoses": "Garden"}
        assert tree.labels[2].description == "=1+1"
        for suffix in ("xlsx", "csv", "tsv", "json", "yml"):
            out = f"out.{suffix}"
            assert cli("taxonomy", "show", "t.yaml", "-o", out).exit_code == 0
            assert "equal" in cli("taxonomy", "diff", "t.yaml", out).stdout


def test_a_deep_tree_is_cut_and_documents_name_whole_paths(cli, here, caplog):
    caplog.set_level(logging.INFO)
    shown = cli("taxonomy", "show", "deep.txt")
    assert "5 labels in 2 groups" in shown.stdout
    assert "deep.txt: a tree of 3 levels, cut at level 1: 5 labels in 2 groups" in caplog.messages
    assert "Kettles (Kitchen > Kettles)" in shown.stdout
    (here / "lone.txt").write_text("Home > Kitchen > Kettles\n", encoding="utf-8")
    assert cli("taxonomy", "show", "lone.txt", "--separator", ">").exit_code == 0
    assert "lone.txt: a tree of 3 levels, cut at level 1: 1 label in 1 group" in caplog.messages
    done = cli("taxonomy", "show", "deep.txt", "--coarse-level", 2, "--inner-nodes", "-o", "t.yaml")
    assert done.exit_code == 0, done.stderr
    assert len(Taxonomy.from_yaml("t.yaml").labels) == 8
    done = cli("taxonomy", "check", "deep.txt", "--coarse-level", 1, *QUIET, "--set", "data.train=documents.csv",
               "--set", "data.label=what", "--text-column", "said", "--json")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    done = cli("train", *QUIET, "--set", "taxonomy=deep.txt", "--set", "data.train=documents.csv", "--text-column",
               "said", "--label-column", "what", "--no-baselines", "--set", "output=model")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "is also written" not in done.stderr  # a path is a name as good as any
    assert Taxonomy.from_yaml("model/taxonomy.yaml") == Taxonomy.from_file("deep.txt")


def test_without_a_file_of_labels_the_columns_are_those_of_the_documents(cli, here):
    (here / "more.csv").write_text("kind,team,text\na,A,x y\nb,A,y z\nc,B,z z\n", encoding="utf-8")
    documents = ("--set", "data.train=more.csv", *QUIET, "-o", "t.yaml")
    done = cli("taxonomy", "build", *documents, "--label-column", "kind", "--group-column", "team")
    assert done.exit_code == 0, done.stderr
    assert Taxonomy.from_yaml("t.yaml").homes == {"a": "A", "b": "A", "c": "B"}
    for more in (("--id-column", "x"), ("--group-column", "team", "--group-column", "kind")):
        assert "none is named: name it" in cli("taxonomy", "build", *documents, *more).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "sheet.csv", "--group-column", "Dept"), "column 'Dept' is missing, there are 'Intent', 'Team'"),
        (("show", "sheet.csv", "--group-column", "Dept"), "or name another with --group-column COLUMN"),
        (("show", "sheet.xlsx", "--sheet", "Sheets"), "did you mean 'Sheet'?: name another with --sheet ..."),
        (("show", "deep.txt", "--coarse-level", "3"), "give at most --coarse-level 2"),
        (("show", "deep.txt", "--coarse-level", "0"), "Input should be greater than or equal to 1"),
        (("show", "deep.txt", "-o", "deep.txt"), "must end in one of .yaml, .yml, .json, .csv, .tsv, .xlsx"),
        (("show", "sheet.csv", "-o", "sheet.csv"), "would overwrite what is read"),
        (("show", "sheet.csv", "--id-column", "Owner", "-o", "new.csv"), "label id 'me' is used twice"),
    ],
)
def test_bad_options(cli, here, arguments, said):
    done = cli("taxonomy", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 20


def test_a_command_without_these_options_names_one_that_has_them(cli, here):
    (here / "odd.csv").write_text("a,b\nx,y\n", encoding="utf-8")
    done = cli("train", *QUIET, "--set", "taxonomy=odd.csv", "--set", "data.train=documents.csv")
    assert done.exit_code == 2
    assert "name it with coarsefine taxonomy show FILE --label-column COLUMN -o taxonomy.yaml" in done.stderr


def test_without_openpyxl_the_process_ends_with_one_line(here):
    code = "import sys; sys.modules['openpyxl'] = None; from coarsefine.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "taxonomy", "show", "sheet.xlsx"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "coarsefine: Excel files are read by openpyxl, which is not installed; install it with: pip install openpyxl\n"
    )
