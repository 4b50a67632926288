"""After a rename a person reads the new name, with the id beside it, wherever a label or a group is shown."""

import csv
import json
import re
from dataclasses import replace

import pytest
from pages import Reader

from hierarchy.taxonomy import Taxonomy
from pipelines.classifier import HierarchicalClassifier
from pipelines.data.checks import check_table

ID = re.compile(r"\b[lg]-[a-z]+")  # no word of the documents looks like it


def renamed(node):
    return replace(node, name=f"New {node.id[2:]}")


def assert_named(text, *, some=True):
    """Check that no id stands without its name before it, and where wanted that there are any names."""
    text = " ".join(text.split())
    bare = ID.sub(lambda found: "" if text[: found.start()].endswith(f"New {found[0][2:]} (") else found[0], text)
    assert ID.findall(bare) == [], text
    assert bool(ID.search(text)) >= some


@pytest.fixture(scope="module")
def place(english, tmp_path_factory):
    """Documents with ids as labels, the tree before and after a rename of everything, and a model with each."""
    folder = tmp_path_factory.mktemp("renamed")
    old = Taxonomy(
        tuple(
            replace(group, id=f"g-{group.id}", name=f"g-{group.id}",
                    labels=tuple(replace(x, id=f"l-{x.id}", name=f"l-{x.id}") for x in group.labels))
            for group in english.taxonomy.groups
        )
    )  # fmt: skip
    new = Taxonomy(
        tuple(replace(renamed(group), labels=tuple(map(renamed, group.labels))) for group in old.groups)
    )  # fmt: skip
    for name, tree in (("old", old), ("new", new)):
        tree.to_yaml(folder / f"{name}.yaml")
    parts = {part: (getattr(english, part)[0], [f"l-{x}" for x in getattr(english, part)[1]]) for part in
             ("train", "valid", "test")}  # fmt: skip
    parts["test"] = (parts["test"][0], parts["test"][1][1:] + parts["test"][1][:1])  # so that there are mistakes
    for part, (texts, labels) in parts.items():
        lines = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    few = [i for i, label in enumerate(parts["train"][1]) if label != "l-lamps"]
    train = ([parts["train"][0][i] for i in few], [parts["train"][1][i] for i in few])
    classifier = HierarchicalClassifier(old, encoder="none", n_jobs=1).fit(*train, validation=parts["valid"])
    classifier.refit_groups(None, *train, new, validation=parts["valid"])
    classifier.calibrate(*parts["test"], precision=0.1).save_pretrained(folder / "model")
    return folder


NO_ENCODER = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")


@pytest.fixture
def shown(cli, place, caplog):
    """Run a command; return what a person reads of it, the log too."""

    def run(*arguments, code=0):
        caplog.clear()
        with caplog.at_level("INFO"):
            result = cli(*arguments)
        assert result.exit_code == code, result.stderr
        return "\n".join([result.stdout, result.stderr, *caplog.messages])

    return run


def test_evaluation_on_the_terminal_the_page_and_the_card(shown, place):
    assert_named(shown("evaluate", place / "model", place / "test.jsonl", "--html", place / "page.html"))
    reader = Reader((place / "page.html").read_text(encoding="utf-8"))
    assert_named("".join(reader.text))
    [data] = [json.loads(text) for text in reader.scripts if text.startswith('{"groups"')]
    for name in (*data["groups"], *data["labels"]["name"]):
        assert_named(name)
    classifier = HierarchicalClassifier.from_pretrained(place / "model")
    report = classifier.evaluate(*_part(place, "test"))
    classifier.metrics_ = report.as_dict()
    texts, labels = _part(place, "train")
    taught = [i for i, label in enumerate(labels) if label != "l-lamps"]
    train = [texts[i] for i in taught], [labels[i] for i in taught]
    classifier.refit_groups(["New kitchen"], *train, validation=_part(place, "valid"))  # by its name
    classifier.metrics_ = report.as_dict()
    classifier.save_pretrained(place / "again")
    card = (place / "again" / "README.md").read_text(encoding="utf-8")
    assert_named(card[card.index("# Hierarchical") :])
    assert "the heads of New kitchen (g-kitchen)" in card
    assert "never predicted: New lamps (l-lamps)" in card


def test_answers_and_explanations(shown, place):
    text = ("--text", "boil the water quickly")
    assert_named(shown("predict", place / "model", *text, "--sets", "labels"))
    assert_named(shown("predict", place / "model", *text, "--sets", "tree"))
    assert_named(shown("explain", place / "model", *text))
    said = shown("explain", place / "model", *text, "--against", "l-kettlse", code=2)
    assert "nearest: 'New kettles (l-kettles)'" in said


def test_checks_of_a_tree(shown, place):
    out, documents = place / "built.yaml", ("--set", f"data.train={place / 'train.jsonl'}", *NO_ENCODER)
    checked = shown("taxonomy", "check", place / "new.yaml", *documents)
    assert "Groups taken for others" in checked
    assert_named(checked)
    figures = json.loads(shown("taxonomy", "check", place / "new.yaml", "--json", *NO_ENCODER))
    assert set(figures["sizes"]) == {"g-kitchen", "g-garden", "g-office"}  # for programs
    assert_named(shown("taxonomy", "show", place / "new.yaml"))
    assert_named(shown("taxonomy", "build", place / "new.yaml", "-o", out, *documents), some=False)
    shown("taxonomy", "show", place / "new.yaml", "--html", place / "tree.html", *documents)
    assert_named("".join(Reader((place / "tree.html").read_text(encoding="utf-8")).text))


def test_edits_and_differences(shown, place):
    def edit(*arguments):
        file = place / "edited.yaml"
        file.write_text((place / "new.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        said = shown("taxonomy", arguments[0], file, *arguments[1:])
        assert_named(said)
        return said

    assert "New lamps (l-lamps)' moved from group 'New office" in edit("move", "l-lamps", "--to", "g-kitchen")
    assert "'New lamps (l-lamps)' is merged into label 'New desks" in edit("merge", "l-lamps", "--into", "l-desks")
    edit("split", "l-lamps", "--into", "Bulbs", "--into", "Shades")
    edit("retire", "g-office")
    said = shown("taxonomy", "move", place / "new.yaml", "New lampsy", "--to", "New officer", code=2)
    assert "nearest: 'New lamps (l-lamps)'" in said
    edit("move", "l-lamps", "--to", "g-kitchen")
    assert_named(shown("taxonomy", "diff", place / "new.yaml", place / "edited.yaml"))
    programs = json.loads(shown("taxonomy", "diff", place / "new.yaml", place / "edited.yaml", "--json"))
    assert programs["moved"] == [["l-lamps", "g-office", "g-kitchen"]]
    assert "label_names" not in programs


def test_what_is_said_of_documents(place, english):
    import datasets

    tree = Taxonomy.from_yaml(place / "new.yaml")
    rows = [("a b", "l-lamps", "g-kitchen"), ("a b", "l-desks", None), ("c", "L-DESKS", None)]
    table = datasets.Dataset.from_list(
        [{"text": t, "label": x, "group": g, "label_count": 1, "row": i} for i, (t, x, g) in enumerate(rows)]
    )
    report = check_table(table, tree).report
    lines = report.lines(tree, training=True)
    assert len(lines) == 7
    for line in lines[1:]:
        assert_named(line.replace("'L-DESKS'", "").replace("in 'g-kitchen'", ""), some="whose text" not in line)
    assert report.few == ("l-desks", "l-lamps")  # for programs


def test_label_errors(shown, place):
    wrong = [dict(line, label="l-seeds") if i % 17 == 0 else line for i, line in enumerate(_lines(place, "train"))]
    (place / "wrong.jsonl").write_text("\n".join(map(json.dumps, wrong)), encoding="utf-8")
    documents = ("--set", f"data.train={place / 'wrong.jsonl'}", *NO_ENCODER, "--set", f"run_dir={place / 'run'}")
    predictions, out = place / "out-of-fold.parquet", place / "errors.csv"
    shown("cross-validate", "--folds", 2, "--no-baselines", "-o", predictions, *documents,
          "--set", f"taxonomy={place / 'old.yaml'}")  # fmt: skip
    listed = shown("label-errors", predictions, "-o", out, "--set", f"taxonomy={place / 'new.yaml'}")
    assert_named(listed)
    with out.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        for column in ("label", "suggested", "group", "suggested_group"):
            assert ID.fullmatch(line[column])
            assert line[f"{column}_name"] == f"New {line[column][2:]}"
    shown("label-errors", predictions, "-o", out)
    with out.open(encoding="utf-8", newline="") as file:
        assert {line["label_name"] == line["label"] for line in csv.DictReader(file)} == {True}  # as they were then


def test_refits(shown, place, caplog):
    model, new = place / "model", ("-o", place / "new-model", *NO_ENCODER)
    parts = [x for part in ("train", "valid", "test") for x in ("--set", f"data.{part}={place / f'{part}.jsonl'}")]
    assert_named(shown("refit", model, "--groups", "New office", *new, *parts))
    said = shown("refit", model, "--groups", "New ofice", *new, *parts, code=2)
    assert "nearest: New office (g-office)" in said
    classifier = HierarchicalClassifier.from_pretrained(model)
    texts, labels = _part(place, "train")
    kept = [i for i, label in enumerate(labels) if label != "l-desks"]
    tree = replace(classifier.taxonomy_, groups=classifier.taxonomy_.groups[::-1])
    caplog.clear()
    with pytest.raises(Exception, match=r"no documents \('New desks \(l-desks\)'"):
        classifier.refit_groups(["g-office"], [texts[i] for i in kept], [labels[i] for i in kept], tree)


def _lines(place, part):
    return [json.loads(line) for line in (place / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]


def _part(place, part):
    lines = _lines(place, part)
    return [line["text"] for line in lines], [line["label"] for line in lines]
