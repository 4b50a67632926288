"""The model card: it answers an auditor, says what only its owner knows, and its lines make the model again."""

import copy
import json
import re
import shlex

import pytest

from hierarchy.errors import ConfigError
from hierarchy.taxonomy import Taxonomy
from pipelines import HierarchicalClassifier
from pipelines.card.write import model_card

SECTIONS = (
    "Use", "Model", "How good it is", "Where it fails", "Data", "Taxonomy", "Limits", "How to reproduce"
)  # fmt: skip


@pytest.fixture
def cli(cli):
    """The same, where only success will do."""

    def run(*arguments):
        result = cli(*arguments)
        assert result.exit_code == 0, result.output
        return result

    return run


@pytest.fixture(scope="module")
def files(english, tmp_path_factory):
    """Train.jsonl, valid.jsonl, test.jsonl and taxonomy.yaml of the English corpus, in a folder with a space."""
    folder = tmp_path_factory.mktemp("card") / "my data"
    folder.mkdir()
    for part in ("train", "valid", "test"):
        pairs = zip(*getattr(english, part), strict=True)
        lines = [json.dumps({"body": text, "kind": label}) + "\n" for text, label in pairs]
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    english.taxonomy.to_yaml(folder / "taxonomy.yaml")
    return folder


def section(card, name):
    return re.split(r"^## ", card.split(f"\n## {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def commands(card):
    """The shell commands of the reproduce section, as lists of words."""
    block = re.search(r"```bash\n(.*?)```", section(card, "How to reproduce"), re.DOTALL)[1]
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


def train(cli, files, folder, *settings):
    parts = [f"data.{part}={files / part}.jsonl" for part in ("train", "valid", "test")]
    always = [*parts, "data.text=[body]", "data.label=kind", f"taxonomy={files / 'taxonomy.yaml'}", f"output={folder}",
              "classifier.n_jobs=1"]  # fmt: skip
    return cli("train", *(word for setting in (*always, *settings) for word in ("--set", setting)))


def read(folder):
    names = ("README.md", "metrics.json", "run.json")
    card, metrics, record = ((folder / name).read_text(encoding="utf-8") for name in names)
    return card, json.loads(metrics), json.loads(record)


# How to reproduce


@pytest.mark.parametrize("which", ["none", "tiny"])
def test_the_reproduce_lines_make_the_same_model(cli, files, tiny_encoder, tmp_path, monkeypatch, which):
    monkeypatch.chdir(tmp_path)
    settings = ["classifier.encoder=none", "classifier.min_df=1"]
    if which == "tiny":
        settings = [
            f"classifier.encoder={tiny_encoder}", "classifier.segment_tokens=32", "classifier.overlap=8",
            'classifier.training={num_train_epochs: 2, learning_rate: 5e-3, lr_scheduler_type: "linear"}',
        ]  # fmt: skip
    printed = train(cli, files, tmp_path / "model", *settings).stdout
    card, metrics, record = read(tmp_path / "model")
    assert f"Fingerprint of the run: {record['fingerprint']}" in printed
    ((program, *arguments),) = commands(card)
    assert program == "coarsefine"
    assert "--no-baselines" not in arguments
    assert "classifier.trainable=all" in arguments or which == "none"  # what `auto` chose, on this machine
    cli(*arguments)
    again_card, again_metrics, again = read(tmp_path / "again")
    assert again["fingerprint"] == record["fingerprint"]
    assert again["fingerprints"] == record["fingerprints"]
    assert again_metrics == metrics
    assert section(again_card, "How good it is") == section(card, "How good it is")
    assert commands(again_card) == commands(card)
    assert record["fingerprint"] in section(card, "How to reproduce")


def test_a_later_calibration_has_a_line_of_its_own(cli, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(cli, files, tmp_path / "model", "classifier.encoder=none", f"data.calibration={files / 'train.jsonl'}")
    trained = read(tmp_path / "model")[2]
    columns = ("--set", "data.text=body", "--set", "data.label=kind")
    cli("calibrate", "model", files / "valid.jsonl", "-o", "model", "--precision", 0.6, "--by-group", *columns)
    card, _, record = read(tmp_path / "model")
    assert record["fingerprint"] != trained["fingerprint"]
    for _, *arguments in commands(card):
        cli(*arguments)
    assert read(tmp_path / "again")[2]["fingerprint"] == record["fingerprint"]
    assert "calibration | " in section(card, "Data")
    assert "each level keeps precision 0.6" in section(card, "How good it is")


def test_a_cascade_is_in_that_line(cli, files, tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = ("encoder", tiny_encoder), ("segment_tokens", 32), ("overlap", 8), ("training.num_train_epochs", 1)
    train(cli, files, tmp_path / "model", *(f"classifier.{name}={value}" for name, value in tiny))
    wishes = ("--precision", 0.6, "--cascade", 50, "--cascade-data", files / "train.jsonl")
    columns = ("--set", "data.text=body", "--set", "data.label=kind")
    assert cli("calibrate", "model", files / "valid.jsonl", "-o", "model", *wishes, *columns).exit_code == 0
    card, _, record = read(tmp_path / "model")
    assert record["documents"]["cascade"] == 204
    for _, *arguments in commands(card):
        cli(*arguments)
    again = read(tmp_path / "again")[2]
    assert again["fingerprint"] == record["fingerprint"]
    assert again["promised"]["cascade"] == 50


def test_a_built_tree_with_calibration_and_without_baselines_is_made_again(cli, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = [f"data.{role}={files / name}.jsonl" for role, name in (("train", "train"), ("calibration", "train"))]
    settings = [*parts, "data.text=body", "data.label=kind", "output=model", "classifier.encoder=none",
                "classifier.n_groups=3", "classifier.min_group_size=2", "classifier.n_jobs=1"]  # fmt: skip
    cli("train", "--no-baselines", *(word for setting in settings for word in ("--set", setting)))
    card, metrics, record = read(tmp_path / "model")
    assert record["fingerprints"]["taxonomy"] is not None  # the labels, which stood in no group
    ((_, *arguments),) = commands(card)
    assert "--no-baselines" in arguments
    cli(*arguments)
    assert read(tmp_path / "again")[1:2] == (metrics,)
    assert read(tmp_path / "again")[2]["fingerprint"] == record["fingerprint"]
    assert "all built from the labels by the builder" in card
    assert "a part of" in section(card, "Data")


@pytest.mark.parametrize("cut", [False, True])
def test_the_python_lines_make_the_same_model(fitted_lexical, english, cut, tmp_path, monkeypatch):
    classifier = fitted_lexical
    if cut:
        classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1, loss_weights=(1.0, 0.8))
        classifier.fit(*english.train)
    classifier = copy.copy(classifier).calibrate(*english.test, precision=0.6)
    classifier.save_pretrained(tmp_path)
    monkeypatch.chdir(tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", section(card, "How to reproduce"), re.DOTALL)[1]
    known = {
        "texts": english.train[0], "labels": english.train[1], "valid_texts": english.valid[0],
        "valid_labels": english.valid[1], "calibration_texts": english.test[0], "calibration_labels": english.test[1],
    }  # fmt: skip
    assert ("validation=" in code) is not cut
    exec(code, known)  # noqa: S102 - its own assert compares the fingerprints
    assert known["clf"].predict(english.test[0]).tolist() == classifier.predict(english.test[0]).tolist()


def test_a_refitted_model_says_what_its_lines_make(fitted_lexical, english):
    classifier = copy.copy(fitted_lexical).calibrate(*english.test, precision=0.6)
    classifier.refit_groups(["kitchen"], *english.train, validation=english.valid)
    card = model_card(classifier.model_, None)
    told = section(card, "How to reproduce")
    assert "It was refitted since" in told
    assert fitted_lexical.model_.record["fingerprint"] in told
    assert classifier.model_.record["fingerprint"] not in told
    assert "calibrat" not in told
    assert "Refitted since then: the heads of kitchen, on 204 training and 48 validation documents." in card


# What it tells


@pytest.fixture(scope="module")
def card(fitted, english):
    classifier = copy.copy(fitted)
    classifier.metrics_ = classifier.evaluate(*english.test, train=english.train, data="test.jsonl").as_dict()
    return model_card(classifier.model_, classifier.metrics_)


def test_it_answers_an_auditor(card, fitted):
    assert [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")] == list(SECTIONS)
    record = fitted.model_.record
    for told in (
        "**For** sorting documents", "**Not for** documents of another kind", "12 labels in 3 groups",
        "| training | not told | 204 |", record["fingerprints"]["train"][:16], "Language: unknown",
        "tf-idf + linear svm", "95% interval", "routing errors", "head errors", "The shortest tenth of the texts",
        "Groups with the most wrong documents", "expected calibration error", "Nothing is promised",
        "all given by people", "`mode: chained`", "trainable: frozen", f"torch {record['versions']['torch']}",
        record["hardware"]["processor"], "peak memory", record["fingerprint"],
    ):  # fmt: skip
        assert told in card, told


def test_it_is_short(card):
    words = re.sub(r"```.*?```|^\|.*$", "", card, flags=re.DOTALL | re.MULTILINE).split()
    assert len(words) < 650  # of prose; the rest is tables and commands
    assert all(len(paragraph.split()) < 80 for paragraph in re.split(r"\n\n|\n- ", re.sub(r"```.*?```", "", card,
               flags=re.DOTALL)) if not paragraph.startswith("|"))  # fmt: skip
    first = card.split("\n## ")[0]
    assert "of 48 documents right (test.jsonl)" in first
    assert "for the best of them, " in first


def test_without_figures_it_says_how_to_get_them(fitted_lexical):
    card = model_card(fitted_lexical.model_, None)
    assert "| how good it is | not measured |" in card
    assert card.count("The model was not evaluated: `coarsefine evaluate MODEL test.jsonl") == 2


def test_rare_and_silent_labels_are_named(english):
    few = [i for i, label in enumerate(english.train[1]) if label != "kettles" or i % 6 == 0]
    kept = [i for i in few if english.train[1][i] != "lamps"]
    texts, labels = ([english.train[part][i] for i in kept] for part in (0, 1))
    classifier = HierarchicalClassifier(english.taxonomy, encoder="none", n_jobs=1).fit(texts, labels)
    data = section(model_card(classifier.model_, None), "Data")
    assert re.search(r"1 label with fewer than 5 training documents: kettles \(\d\)\.", data)
    assert "1 label without training documents, never predicted: lamps." in data


def test_test_documents_among_the_training_documents_are_told(cli, files, tmp_path):
    train(cli, files, tmp_path / "model", "classifier.encoder=none", f"data.test={files / 'train.jsonl'}")
    card = read(tmp_path / "model")[0]
    assert "204 of 204 test documents stand word for word among the training documents." in card


def test_what_only_the_owner_knows(cli, files, tmp_path, fitted_lexical):
    facts = ["card.licence=cc-by-4.0", "card.language=[en, zh]", "card.contact=ml@shop.example",
             "card.notes=Made for the help desk."]  # fmt: skip
    train(cli, files, tmp_path / "model", "classifier.encoder=none", *facts)
    card, _, record = read(tmp_path / "model")
    head = card.split("---\n")[1]
    assert "license: cc-by-4.0\n" in head
    assert 'language: ["en", "zh"]\n' in head
    assert "| contact | ml@shop.example |" in card
    assert "Made for the help desk." in section(card, "Use")
    assert "- Language: en, zh." in card
    train(cli, files, tmp_path / "bare", "classifier.encoder=none")
    bare, _, other = read(tmp_path / "bare")
    assert other["fingerprint"] == record["fingerprint"]
    assert not any(word in bare for word in ("license:", "licence", "language:", "contact"))


def test_facts_in_python_stay_with_the_model(fitted_lexical, tmp_path):
    classifier = copy.copy(fitted_lexical)
    classifier.save_pretrained(tmp_path / "one", card={"licence": 'Ours: ask "legal"', "language": "en"})
    card = (tmp_path / "one" / "README.md").read_text(encoding="utf-8")
    assert "license: other\n" in card.split("---\n")[1]  # what the hub does not know as a licence
    assert '| licence | Ours: ask "legal" |' in card
    again = HierarchicalClassifier.from_pretrained(tmp_path / "one")
    again.save_pretrained(tmp_path / "two")
    assert (tmp_path / "two" / "README.md").read_text(encoding="utf-8") == card
    with pytest.raises(ConfigError, match=r"card: unknown key 'license': did you mean 'licence'"):
        again.save_pretrained(tmp_path / "two", card={"license": "mit"})


def test_names_with_bars_and_line_breaks_do_not_break_tables(fitted_lexical, english):
    from dataclasses import replace

    groups = [replace(group, name=f"{group.name} | a\nb") for group in english.taxonomy.groups]
    model = replace(fitted_lexical.model_, taxonomy=Taxonomy(groups=tuple(groups)))
    assert r"| kitchen \| a b (kitchen) | 4 | 68 |" in model_card(model, None)
