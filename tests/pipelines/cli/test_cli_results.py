"""What the commands write and show: never over an input, files before the report, on whatever stdout, as it stands."""

import csv
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hierarchy.nodes import Group, Label
from hierarchy.taxonomy import Taxonomy
from pipelines.cli.streams import Unfailing

ROOT = Path(__file__).parents[3]
NO_ENCODER = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")
TREE = "问题: [kettles, toasters]\n货物: [blenders]\n"
HOSTILE = (
    "=1+1 <script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "[x](javascript:alert(3)) `a` | b",
    '# $HOME ${title} --- "q"', "<!-- -->\x1b[31mred\u202eevil", "[bold]x[/close]",
)  # fmt: skip


@pytest.fixture
def files(english, fitted_lexical, tmp_path, monkeypatch):
    """A working directory with everything that a command can read."""
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        pairs = zip(*getattr(english, part), strict=True)
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in pairs]
        (tmp_path / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    english.taxonomy.to_yaml(tmp_path / "tree.yaml")
    for name in ("copy.csv", "page.html", "figures.json", "folds.parquet", "list.csv"):
        (tmp_path / name).write_text("text,label\n", encoding="utf-8")
    (tmp_path / "best.yaml").write_text("run_dir: x\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("data:\n  train: train.jsonl\n", encoding="utf-8")
    fitted_lexical.save_pretrained(tmp_path / "model")
    return tmp_path


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        "predict model test.jsonl -o test.jsonl", "predict model test.jsonl -o model/README.jsonl",
        "predict model test.jsonl -o train.jsonl --config config.yaml", "predict model copy.csv -o link.csv",
        "evaluate model test.jsonl --html page.html --label-errors page.html",
        "evaluate model test.jsonl --html test.jsonl", "evaluate model test.jsonl --html report.txt",
        "evaluate model figures.json --json figures.json", "evaluate model test.jsonl --json figures.txt",
        "evaluate model test.jsonl --train page.html --html page.html", "evaluate model test.jsonl --json model/x.json",
        "cross-validate --set data.train=folds.parquet -o folds.parquet",
        "cross-validate --set data.train=train.jsonl -o new.parquet --set run_dir=train.jsonl",
        "label-errors folds.parquet -o copy.csv --set data.train=copy.csv", "label-errors list.csv -o list.csv",
        "taxonomy build tree.yaml -o tree.yaml", "taxonomy build copy.csv --from tree.yaml -o tree.yaml",
        "taxonomy build -o ./tree.yaml --set taxonomy=tree.yaml", "taxonomy build model -o model/tree.yaml",
        "taxonomy build tree.yaml -o config.yaml --config config.yaml",
        "taxonomy show tree.yaml --html tree.yaml", "taxonomy show model --html model/taxonomy.html",
        "taxonomy show page.html --html page.html",
        "train --set data.train=model/config.json --set output=model",
        "train --set data.train=train.jsonl --set output=.",
        "train --set data.train=train.jsonl --set taxonomy=model --set output=model",
        "train --set data.train=train.jsonl --set output=new --set run_dir=new/run",
        "train --set data.train=train.jsonl --set classifier.encoder=model/encoder --set output=model",
        "calibrate model model/config.json -o model", "calibrate model test.jsonl -o model/new",
        "refit model --taxonomy model/taxonomy.yaml -o model --set data.train=train.jsonl",
        "tune tree.yaml --config best.yaml --set data.train=train.jsonl -o .",
        "tune best.yaml --set data.train=train.jsonl -o .",
        "demo --folder . --set data.test=test.jsonl", "demo --folder .", "predict model test.jsonl -o a\udcff.csv",
        "train --set data.train=train.jsonl --set output=a\udcff", "demo --folder a\udcff",
    ],
)  # fmt: skip
def test_no_output_is_an_input(cli, files, command):
    (files / "link.csv").symlink_to("copy.csv")
    (files / "model" / "encoder").mkdir()
    before = everything(files)
    done = cli(*command.split())
    assert done.exit_code == 2, done.output
    assert re.search(
        "would overwrite|lies in|must end in|is a file|demo has not written|holds no model|not UTF-8", done.stderr
    )
    assert everything(files) == before


def test_figures_may_be_written_where_no_table_can(cli, files):
    done = cli("evaluate", "model", "test.jsonl", "--json", "a\udcff.json")
    assert done.exit_code == 0, done.output
    assert (files / "a\udcff.json").exists()


def test_a_model_may_be_replaced_by_what_comes_of_it(cli, files):
    common = ("--set", "classifier.n_jobs=1", "--set", "data.train=train.jsonl")
    assert cli("refit", "model", "--groups", "kitchen", "-o", "model", *common).exit_code == 0
    done = cli("calibrate", "./model", "test.jsonl", "-o", "model", "--precision", "0.5")
    assert done.exit_code == 0, done.output
    assert (files / "model" / "promises.json").exists()


# Streams


def run(command, cwd, **environment):
    """Run a shell command in which CF is the program."""
    return subprocess.run(
        ["bash", "-c", command.replace("CF", f"{sys.executable} -m pipelines.cli")],
        cwd=cwd, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)} | environment, check=False,
    )  # fmt: skip


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "t.yaml").write_text(TREE, encoding="utf-8")
    return tmp_path


def test_a_console_of_another_encoding_gets_escapes_and_a_program_utf_8(tree):
    done = run("CF taxonomy show t.yaml && CF taxonomy show t.yaml --json", tree, PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    shown, json_text = done.stdout.split(b"{", 1)
    assert rb"+-- \u95ee\u9898 (2)" in shown
    assert json.loads(b"{" + json_text)["groups"][0]["name"] == "问题"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_is_written_stays_written_where_the_report_cannot_be_shown(tree):
    commands = {
        "CF taxonomy rename t.yaml 问题 a >/dev/full": "No space left on device",
        "CF taxonomy rename t.yaml a b >&-": "it is closed",
        "trap '' PIPE; (sleep 0; CF taxonomy rename t.yaml b c; echo rc $? >&2) | true": "Broken pipe",
    }
    for (command, why), name in zip(commands.items(), "abc", strict=True):
        done = run(command, tree)
        told = done.stderr.decode()
        assert done.returncode == 0, told
        assert f"could not be shown on stdout ({why}); the work is done: t.yaml" in told
        assert f"name: {name}\n" in (tree / "t.yaml").read_text(encoding="utf-8")
        assert told.count("\n") == 2 + ("rc 0" in told)  # the log's line, and this one


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_is_only_shown_fails_with_one_sentence_or_ends_as_other_tools_do(tree):
    for where, code, why in ((">/dev/full", 2, "No space left"), (">&-", 2, "it is closed")):
        done = run(f"CF taxonomy show t.yaml {where}", tree)
        assert (done.returncode, done.stderr.count(b"\n")) == (code, 1)
        assert why in done.stderr.decode()
    done = run("set -o pipefail; CF taxonomy show t.yaml | true", tree)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_log_that_cannot_be_written_costs_nothing(tree):
    for where in ("2>/dev/full", "2>&-", "2>&- >&- <&-"):
        assert run(f"CF taxonomy rename t.yaml 货物 x {where}", tree).returncode == 0
        assert "name: x" in (tree / "t.yaml").read_text(encoding="utf-8")
        (tree / "t.yaml").write_text(TREE, encoding="utf-8")


def test_a_full_pipe_that_does_not_wait_is_waited_for():
    read, write = os.pipe()
    os.set_blocking(write, False)
    content = b"x" * 300_000
    reader = subprocess.Popen([sys.executable, "-c", "import sys, time; time.sleep(.2); print(len(sys.stdin.read()))"],
                              stdin=read, stdout=subprocess.PIPE)  # fmt: skip
    os.close(read)
    with open(write, "wb", buffering=0) as raw:  # noqa: PTH123 - a number
        import io

        stream = io.BufferedWriter(Unfailing(raw))
        stream.write(content)
        stream.flush()
    assert int(reader.communicate()[0]) == len(content)


def test_the_figures_are_shown_where_the_model_cannot_be_saved(cli, files, monkeypatch):
    from hierarchy.errors import ArtifactError
    from pipelines.classifier import HierarchicalClassifier

    def full(self, folder, **options):
        raise ArtifactError("the model cannot be written")

    monkeypatch.setattr(HierarchicalClassifier, "save_pretrained", full)
    settings = ("data.train=train.jsonl", "data.test=test.jsonl", "taxonomy=tree.yaml", "output=new")
    done = cli("train", *NO_ENCODER, "--no-baselines", *(word for setting in settings for word in ("--set", setting)))
    assert done.exit_code == 2
    assert "macro-F1" in done.stdout
    assert done.stderr == "coarsefine: the model cannot be written\n"


# Names


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def elements(page):
    parser = Elements()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="module")
def hostile(english, tmp_path_factory):
    """Names that are markup everywhere, a model of them, and its working directory; a third of the labels is wrong."""
    from pipelines.classifier import HierarchicalClassifier

    folder = tmp_path_factory.mktemp("hostile")
    names = dict(zip(sorted(set(english.train[1])), HOSTILE, strict=False))
    groups = (
        Group("G1 <b>|`[/x]\x1b[2J", "G1 <b>|`[/x]\x1b[2J", labels=tuple(Label(x, x) for x in HOSTILE[:3])),
        Group("---: x\nnl", "---: x\nnl", labels=tuple(Label(x, x) for x in HOSTILE[3:])),
    )
    taxonomy = Taxonomy(groups, name="</title><script>x</script> $x [bold]")
    parts = {
        part: [(text, names[label]) for text, label in zip(*getattr(english, part), strict=True) if label in names]
        for part in ("train", "valid", "test")
    }
    turned = dict(zip(HOSTILE, HOSTILE[1:] + HOSTILE[:1], strict=True))
    wrong = [(text, turned[label] if i % 3 == 0 else label) for i, (text, label) in enumerate(parts["test"])]
    (folder / "x[").mkdir()
    lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in wrong]
    (folder / "x[" / "] [v2].jsonl").write_text("".join(lines), encoding="utf-8")
    train, valid = (tuple(map(list, zip(*parts[part], strict=True))) for part in ("train", "valid"))
    classifier = HierarchicalClassifier(taxonomy, encoder="none", n_jobs=1).fit(*train, validation=valid)
    texts, labels = map(list, zip(*wrong, strict=True))
    classifier.metrics_ = classifier.evaluate(texts, labels, data="a|b.jsonl").as_dict()
    card = {"notes": "# no heading\n<b>x</b>", "contact": "[x](javascript:y)", "language": "de: ---"}
    classifier.save_pretrained(folder / "model", card=card)
    taxonomy.to_yaml(folder / "tree.yaml")
    return folder


def test_hostile_names_on_the_terminal(cli, hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    shown = [
        cli("explain", "model", "--text", "kettle water", "--against", HOSTILE[5]),
        cli("evaluate", "model", "x[/] [v2].jsonl"),
        cli("taxonomy", "show", "tree.yaml"),
        cli("predict", "model", "--text", "kettle"),
        cli("taxonomy", "rename", "tree.yaml", HOSTILE[4], "new\x1b[1mname", "--dry-run"),
    ]
    for done in shown:
        assert done.exit_code == 0, done.output
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", done.stdout + done.stderr)
    assert " against [bold]x[/close]: score difference" in " ".join(shown[0].stdout.split())
    assert "Evaluation on x[/] [v2].jsonl" in shown[1].stdout
    assert r"---: x\nnl (3)" in shown[2].stdout


def test_hostile_names_on_the_pages(cli, hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    done = cli("evaluate", "model", "x[/] [v2].jsonl", "--html", "e.html", "--json", "e.json")
    assert done.exit_code == 0, done.output
    done = cli("taxonomy", "show", "tree.yaml", "--html", "t.html", *NO_ENCODER)
    assert done.exit_code == 0, done.output
    for page in ("e.html", "t.html"):
        text = (hostile / page).read_text(encoding="utf-8")
        found = elements(text)
        assert not {"img", "b", "a"} & {tag for tag, _ in found}
        assert not [attrs for _, attrs in found if any(name.startswith("on") for name in attrs)]
        assert "alert(1)</script>" not in text
        assert "<!-- -->" not in text


def test_hostile_names_on_the_card(hostile):
    card = (hostile / "model" / "README.md").read_text(encoding="utf-8")
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    import yaml

    assert yaml.safe_load(head)["language"] == ["de: ---"]
    prose = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", body.replace("\\`", ""), flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<[a-z/!]|(?<!\\)\]\(|\x1b|\u202e", prose)
    assert [line for line in body.splitlines() if line.startswith("# ")] == [
        r"# \</title>\<script>x\</script> $x \[bold\]"
    ]
    for rows in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows.splitlines()}) == 1, rows
    assert "\\# no heading\n\\<b>x\\</b>\n" in body


def test_a_spreadsheet_computes_nothing_of_the_list_of_label_errors(tmp_path):
    from pipelines.cross_validation.label_errors import LabelError
    from pipelines.cross_validation.label_review import read_review, write_review

    names = ["=1+1", '=HYPERLINK("http://x/?"&A1)', "@SUM(1)", "+1", "-1", "\tx", "'=1", "a;=1+1", "plain"]
    found = [LabelError(1, name, 5, name, name, name, None, 0.1, 0.9) for name in names]
    write_review(found, tmp_path / "list.csv", {5: "=cmd|'/c calc'!A1"})
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)]
    assert read_review(tmp_path / "list.csv") == [(one, "=cmd|'/c calc'!A1") for one in found]


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8-sig")])
def test_the_list_of_label_errors_is_read_as_a_spreadsheet_saves_it(tmp_path, delimiter, encoding):
    from pipelines.cross_validation.label_errors import LabelError
    from pipelines.cross_validation.label_review import read_review, write_review

    one = LabelError(1, None, 5, "k1", "k2", "g", "g", 0.1, 0.9, label_name="=水壶", suggested_name="b")
    write_review([one], tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    with (tmp_path / "saved.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)
    assert read_review(tmp_path / "saved.csv") == [(one, "")]


@pytest.mark.parametrize(
    ("encoding", "added"), [("utf-16", b""), ("gb18030", b""), ("utf-8", b"\xff"), ("utf-8", b"x" * 200_000)]
)
def test_a_list_of_label_errors_that_cannot_be_read_is_told(tmp_path, encoding, added):
    from hierarchy.errors import DataError
    from pipelines.cross_validation.label_errors import LabelError
    from pipelines.cross_validation.label_review import read_review, write_review

    write_review([LabelError(1, "表", 5, "a", "b", "g", "g", 0.1, 0.9)], tmp_path / "list.csv")
    text = (tmp_path / "list.csv").read_text(encoding="utf-8")
    (tmp_path / "list.csv").write_bytes(text.encode(encoding) + added)
    with pytest.raises(DataError, match=r"list\.csv: .*(save|restore)"):
        read_review(tmp_path / "list.csv")


@pytest.mark.parametrize(
    "command",
    [
        "predict model LONG", "predict model LONG -o a.jsonl", "predict LONG test.jsonl -o a.jsonl",
        "predict model test.jsonl -o LONG.jsonl", "explain model LONG --row 1", "evaluate model LONG",
        "evaluate model test.jsonl --html p.html --label-errors LONG", "label-errors LONG", "tune LONG",
        "taxonomy show LONG", "taxonomy build LONG", "taxonomy add LONG x", "taxonomy diff LONG LONG",
        "train --config LONG", "train --set data.train=LONG", "train --set data.train=train.jsonl --set output=LONG",
        "train --set data.train=train.jsonl --set taxonomy=LONG", "demo --folder LONG", "push LONG a/b",
    ],
)  # fmt: skip
def test_a_path_that_none_can_have_is_told_in_one_line(cli, files, command):
    done = cli(*(word.replace("LONG", "a document " * 400) for word in command.split()))
    assert done.exit_code == 2, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert len(done.stderr) < 4000


def test_a_log_line_is_one_line():
    import logging

    from pipelines.cli.console import OneLine

    record = logging.LogRecord("pipelines", logging.INFO, "", 0, "%s: read", ("a\nb\x1b[2J",), None)
    assert OneLine("%(message)s").format(record) == r"a\nb\x1b[2J: read"
    record.args = ("a label that is a letter " * 400,)
    assert len(OneLine("%(message)s").format(record)) < 1000


def test_a_path_that_is_no_text_does_not_cost_the_model(fitted_lexical, tmp_path):
    from pipelines.model.artifact.saving import save_model

    folder, path = tmp_path / "model", "b\udcff.jsonl"
    save_model(fitted_lexical.model_, folder, metrics={"data": path}, card=f"# {path}\n")
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["data"] == path
    assert (folder / "README.md").read_text(encoding="utf-8") == "# b\\udcff.jsonl\n"


@pytest.mark.parametrize(
    "arguments",
    [("x\x1b]0;t\x07",), ("--set", "x"), ("--x\x1b]0;t\x07",), ("taxonomy", "x\x1b]0;t\x07"),
     ("predict", "model", "f", "-o", "o.csv", "--routing", "x\x1b]0;t\x07"), ("predict", "m", "x\x1b]0;t\x07", "f"),
     ("taxonomy", "show", "--set", "x\x1b]0;t\x07=1", "no\x1b[2J.yaml"), ("train", "--set", "x\x1b]0;t\x07=1"),
     ("taxonomy", "rename", "no\x1b[2J.yaml", "a", "b"), ("evaluate", "m\x1b[2J", "f\x1b[2J")],
)  # fmt: skip
def test_what_an_error_quotes_of_the_command_line_is_escaped(cli, arguments):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "\x07" not in result.output
    assert ("\\x1b" in result.output) == any("\x1b" in argument for argument in arguments)
