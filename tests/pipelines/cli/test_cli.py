"""The command line: as a process where the process matters, else inside this one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NO_ENCODER = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")
COMMANDS = (
    "train", "tune", "evaluate", "predict", "explain", "push", "demo", "taxonomy build", "taxonomy show",
    "taxonomy check",
)  # fmt: skip


def start(*arguments, **options) -> subprocess.Popen:
    # A test may run with SIGINT ignored, and children inherit that.
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *(str(argument) for argument in arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.fixture(scope="module")
def files(english, tmp_path_factory):
    """Train.jsonl, valid.jsonl, test.jsonl and taxonomy.yaml of the English corpus."""
    folder = tmp_path_factory.mktemp("files")
    home = {label.id: group.id for group in english.taxonomy.groups for label in group.labels}
    for part in ("train", "valid", "test"):
        lines = [
            json.dumps({"text": text, "label": label, "group": home[label]}) + "\n"
            for text, label in zip(*getattr(english, part), strict=True)
        ]
        (folder / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    english.taxonomy.to_yaml(folder / "taxonomy.yaml")
    (folder / "labels.yaml").write_text("".join(f"- {label}\n" for label in home), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def model(fitted_lexical, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "model"
    fitted_lexical.save_pretrained(folder)
    return folder


def data(files, *parts):
    return [argument for part in parts for argument in ("--set", f"data.{part}={files / f'{part}.jsonl'}")]


def test_help_is_fast_and_loads_nothing_heavy():
    heavy = {"numpy", "torch", "sklearn", "datasets", "transformers", "pyarrow", "pydantic"}
    code = f"import sys, pipelines.cli.app; print(sorted({heavy} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli, command):
    result = cli(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Example: coarsefine" in result.stdout


def test_version(cli):
    assert cli("--version").stdout.startswith("coarsefine ")


def test_train_evaluate_and_predict(files, tmp_path):
    model, run = tmp_path / "model", tmp_path / "run"
    arguments = ("train", *data(files, "train", "valid", "test"), *NO_ENCODER, "--set", "data.group=group",
                 "--set", f"output={model}", "--set", f"run_dir={run}")  # fmt: skip
    code, out, err = finish(start(*arguments))
    assert code == 0, err
    for told in ("Evaluation on", "tf-idf + linear svm", "classic chain", "Time", "together"):
        assert told in out
    assert "204 documents in 12 labels" in err
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["accuracy"]["value"] > 0.5
    assert len(json.loads((model / "config.json").read_text(encoding="utf-8"))["groups"]) == 3

    figures = tmp_path / "figures.json"
    code, out, err = finish(start("evaluate", model, files / "test.jsonl", "--json", figures))
    assert code == 0, err
    assert "earlier, on" in out
    assert json.loads(figures.read_text(encoding="utf-8"))["accuracy"] == metrics["accuracy"]

    answers = tmp_path / "answers.csv"
    code, out, err = finish(start("predict", model, files / "test.jsonl", "-o", answers, "--id", "label"))
    assert (code, out) == (0, ""), err
    assert answers.read_text(encoding="utf-8").count("\n") == 49


def test_evaluate_fits_baselines_on_given_documents(cli, model, files):
    result = cli("evaluate", model, files / "test.jsonl", "--train", files / "valid.jsonl")
    assert result.exit_code == 0
    assert re.search(r"tf-idf \+ linear svm .* now", result.stdout)


def test_without_a_test_file_the_validation_part_is_evaluated(cli, files, tmp_path):
    result = cli("train", *data(files, "train"), *NO_ENCODER, "--no-baselines", "--set", f"output={tmp_path / 'm'}",
                 "--set", f"taxonomy={files / 'taxonomy.yaml'}")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "Evaluation on validation documents" in result.stdout


def test_one_text(cli, model):
    result = cli("predict", model, "--text", "boil water in the kettle")
    assert result.exit_code == 0
    assert "kettles" in result.stdout
    answer = json.loads(cli("predict", model, "--text", "boil water in the kettle", "--json", "--top-k", 2).stdout)
    assert (answer["group"], answer["label"]) == ("kitchen", "kettles")  # as a line of a file of answers
    assert len(answer["paths"]) == 2


def test_taxonomy_build_show_check(cli, files, tmp_path):
    built = tmp_path / "built.yaml"
    result = cli("taxonomy", "build", files / "labels.yaml", "-o", built, *NO_ENCODER, *data(files, "train"),
                 "--set", "classifier.n_groups=3", "--set", "classifier.min_group_size=2")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    shown = cli("taxonomy", "show", built)
    assert "12 labels in 3 groups" in shown.stdout
    assert len(json.loads(cli("taxonomy", "show", built, "--json").stdout)["groups"]) == 3
    assert "largest by smallest" in cli("taxonomy", "check", built, *NO_ENCODER).stdout
    gold = ("--reference", files / "taxonomy.yaml")
    assert "adjusted Rand index" in cli("taxonomy", "check", built, *gold, *NO_ENCODER).stdout
    checked = cli("taxonomy", "check", built, "--json", *gold, *NO_ENCODER, *data(files, "train"))
    figures = json.loads(checked.stdout)
    assert (figures["n_groups"], figures["n_documents"], figures["reference"]["n_labels"]) == (3, 204, 12)


def test_taxonomy_show_reads_a_model(cli, model):
    assert "12 labels in 3 groups" in cli("taxonomy", "show", model).stdout


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_bad_input_of_train_is_told_before_any_work(cli, files, tmp_path):
    train = files / "train.jsonl"

    def message(*overrides, config="", data_train=train):
        arguments = [argument for override in overrides for argument in ("--set", override)]
        if config:
            arguments += ["--config", write(tmp_path / "config.yaml", config)]
        if data_train:
            arguments += ["--set", f"data.train={data_train}"]
        if not any(override.startswith("output=") for override in overrides):
            arguments += ["--set", f"output={tmp_path / 'model'}"]
        result = cli("train", *NO_ENCODER, *arguments)
        assert result.exit_code == 2, result.stdout
        assert result.stdout == ""
        assert result.stderr.startswith("coarsefine: ")
        return result.stderr

    assert "no training documents are named" in message(data_train=None)
    texts = lines_of(tmp_path / "texts.jsonl", *({"text": "a", "label": f"{i}"} for i in range(9)))
    assert "no label has 3 documents (9 labels in 9 documents)" in message(data_train=texts)
    for run in (tmp_path / "model", tmp_path / "model" / "run"):
        told = message(f"run_dir={run}", f"output={tmp_path / 'model'}")
        assert f"run_dir '{run}' is the output '{tmp_path / 'model'}' or lies in it" in told
    assert "this is no valid YAML" in message(config="data: [a\n")
    assert "line 2: unknown key 'classifier.encodr': did you mean 'encoder'?" in message(
        config="classifier:\n  encodr: none\n"
    )
    taxonomy = write(tmp_path / "broken.yaml", "groups:\n  - name: a\n   labels: [x]\n")
    assert "broken.yaml: line 3" in message(f"taxonomy={taxonomy}")
    lacking = write(tmp_path / "lacking.yaml", "kitchen: [kettle, toasters, blenders, fridges]\n")
    told = message(f"taxonomy={lacking}")
    assert re.search(
        r"label 'kettles' \(17 documents, first in row \d+\) is not in the taxonomy; nearest: 'kettle'", told
    )
    assert "the file is empty" in message(data_train=write(tmp_path / "empty.jsonl", ""))
    assert "there is no column 'lable' (did you mean 'label'?)" in message("data.label=lable")
    assert "--label-column (or --set data.label=...)" in message("data.label=lable")
    assert "there is no file" in message(data_train=files / "trian.jsonl")
    assert "did you mean 'train.jsonl'" in message(data_train=files / "trian.jsonl")
    assert "is not empty and holds no model" in message(f"output={files}")
    assert "is a file" in message(f"output={train}")
    told = message("data.valid=a.jsonl", "data.test=b.jsonl")
    assert "2 problems" in told
    unlabelled = write(tmp_path / "unlabelled.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": null}\n')
    assert "1 document without a label (rows 2)" in message(data_train=unlabelled)
    assert not (tmp_path / "model").exists()


def refused(cli, *arguments):
    """Return what a command says that stops at its input."""
    result = cli(*arguments)
    assert result.exit_code == 2, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


def lines_of(path, *rows):
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def test_documents_without_one_label_are_counted(cli, tmp_path):
    two, none = {"text": "a b", "label": ["A", "A##b"]}, {"text": "c d", "label": ""}
    for number, (rows, said) in enumerate((
        ([two, two], "all 2 documents have several labels (rows 1: A + A##b, 2: A + A##b); one label a document is"),
        ([none, none, none], "the label column is empty in all 3 documents; name the right one with {label}"),
        ([two, none], "2 problems\n  - 1 document without a label (rows 2); give each one, or take it out\n"
         "  - 1 document with several labels (rows 1: A + A##b)"),
        ([{"text": "", "label": "a"}], "no document is left: 1 document read, all without text; name the right column "
         "with --text-column (or --set data.text=...)"),
    )):  # fmt: skip
        place = lines_of(tmp_path / f"{number}.jsonl", *rows)
        for label, command in (
            ("--label-column", ("train", "--set", f"output={tmp_path / 'm'}")),
            ("--set data.label=...", ("taxonomy", "build", "-o", tmp_path / "t.yaml")),
        ):
            assert f"{number}.jsonl: {said.format(label=label)}" in refused(
                cli, *command, *NO_ENCODER, "--set", f"data.train={place}"
            )


def test_a_made_id_that_meets_a_label_of_the_data_is_explained(cli, tmp_path):
    pairs = (("x", "A"), ("Other", "A"), ("Other", "B"), ("A/Other", "B"))
    rows = [{"text": "a", "label": label, "group": group} for label, group in pairs]
    told = refused(cli, "train", *NO_ENCODER, "--set", f"data.train={lines_of(tmp_path / 'made.jsonl', *rows)}",
                   "--set", "data.group=group", "--set", f"output={tmp_path / 'model'}")  # fmt: skip
    assert (
        "made.jsonl: label id 'A/Other' is used twice: label 'Other' of group 'A' gets it, since its name stands in "
        "several places; rename one of them, or give it another 'id:' in the file of the tree"
    ) in told


def test_labels_that_only_other_documents_have_are_none_of_the_training(cli, files, tmp_path):
    strange = lines_of(tmp_path / "strange.jsonl", *({"text": "a", "label": f"{i} {'long ' * 500}"} for i in range(60)))
    parts = [f"data.valid={strange}", f"output={tmp_path / 'model'}"]
    options = [*NO_ENCODER, *data(files, "train"), *(word for part in parts for word in ("--set", part))]
    told = refused(cli, "train", *options)
    assert "is no label of the training documents; nothing in it is alike" in told
    assert "46 more (46 documents) that the training documents lack" in told
    assert "taxonomy" not in told
    assert len(told) < 6000
    more = ("--set", f"data.test={strange}", "--set", f"taxonomy={files / 'taxonomy.yaml'}")
    told = refused(cli, "train", *options, *more)
    assert told.count("46 more (46 documents) that the taxonomy lacks") == 2  # neither file hides the other


def test_files_of_another_kind_are_recognised(cli, files, tmp_path):
    tree, train = files / "taxonomy.yaml", files / "train.jsonl"
    config = write(tmp_path / "config.yaml", "classifier:\n  encoder: none\n")
    header = {
        "text\tlabel": "the columns seem to be parted by tabs: name the character with --set data.delimiter=...",
        "text|label": "the columns seem to be parted by bars: name the character with --set data.delimiter=...",
        "label,group": "the file seems to be a taxonomy, not documents",
        "hello there,kettles": "the first line of the file must name the columns",
    }
    for number, (line, said) in enumerate(header.items()):
        place = write(tmp_path / f"{number}.csv", f"{line}\na,b\n")
        told = refused(cli, "train", *NO_ENCODER, "--set", f"data.train={place}", "--set", f"output={tmp_path / 'm'}")
        assert said in told
    assert "seems to be a taxonomy: give it with --set taxonomy=FILE" in refused(cli, "train", "--config", tree)
    assert "give documents with --set data.train=FILE" in refused(cli, "train", "--config", train)
    assert "is a folder: name a config file" in refused(cli, "train", "--config", files)
    flat = write(tmp_path / "flat.yaml", "encoder: none\n")
    assert "it belongs under 'classifier'" in refused(cli, "train", "--config", flat)
    assert "seems to be a config: give it with --config" in refused(cli, "taxonomy", "show", config)
    assert "seems to hold documents: give it as data.train" in refused(cli, "taxonomy", "show", train)
    assert "it has no taxonomy.yaml: name a taxonomy file" in refused(cli, "taxonomy", "show", tmp_path)


def test_bad_input_of_evaluate_and_predict(cli, model, files, tmp_path):
    def message(*arguments):
        result = cli(*arguments)
        assert result.exit_code == 2, result.stdout
        return result.stderr

    test, out = files / "test.jsonl", tmp_path / "out.jsonl"
    assert "give a file with documents, or --text" in message("predict", model)
    assert "name the output file" in message("predict", model, test)
    assert "--id" in message("predict", model, test, "-o", out, "--id", "key")
    assert "--text-column" in message("predict", model, test, "-o", out, "--set", "data.text=body")
    assert "is not one of 'auto', 'exhaustive', 'beam'" in message("predict", model, "--text", "x", "--routing", "best")
    assert "no folder" in message("predict", tmp_path / "none", "--text", "x")
    assert "holds no model" in message("evaluate", tmp_path, test)
    strange = write(tmp_path / "strange.jsonl", '{"text": "a", "label": "kettle"}\n')
    assert "label 'kettle' (1 document, first in row 1) is not in the taxonomy" in message("evaluate", model, strange)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for entry in model.iterdir():
        (damaged / entry.name).write_bytes(entry.read_bytes())
    (damaged / "model.safetensors").write_bytes(b"cut")
    assert "model.safetensors is damaged" in message("predict", damaged, "--text", "x")


def test_an_error_ends_the_process_with_one_message(model, tmp_path):
    code, out, err = finish(start("predict", model, tmp_path / "none.csv", "-o", tmp_path / "out.csv"))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


@pytest.fixture
def many(english, tmp_path):
    """Enough documents that a prediction can be caught in the middle."""
    path = tmp_path / "many.jsonl"
    texts = english.train[0]
    with path.open("w", encoding="utf-8") as file:
        for place in range(6_000):
            file.write(json.dumps({"text": f"{texts[place % len(texts)]} {place}"}) + "\n")
    return path


def wait_for_parts(process, parts, least):
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.jsonl"))) < least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_prediction_goes_on_without_a_line_twice_or_missing(model, many, tmp_path):
    out = tmp_path / "out.jsonl"
    parts = out.with_name("out.jsonl.parts")
    killed = start("predict", model, many, "-o", out)
    wait_for_parts(killed, parts, 2)
    killed.kill()
    killed.communicate()
    assert not out.exists()
    done = len(list(parts.glob("*.jsonl")))

    interrupted = start("predict", model, many, "-o", out)
    wait_for_parts(interrupted, parts, done + 2)
    interrupted.send_signal(signal.SIGINT)
    code, _, err = finish(interrupted)
    assert code == 130
    assert "the same command goes on" in err
    assert not out.exists()

    code, _, err = finish(start("predict", model, many, "-o", out))
    assert code == 0, err
    assert "shards are there already" in err
    with out.open(encoding="utf-8") as lines:
        rows = [json.loads(line)["row"] for line in lines]
    assert rows == list(range(1, 6_001))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["many.jsonl", "out.jsonl"]


def test_an_interrupted_training_says_how_it_goes_on(files, tmp_path):
    arguments = ("train", *data(files, "train", "valid", "test"), *NO_ENCODER, "--no-baselines",
                 "--set", f"taxonomy={files / 'taxonomy.yaml'}", "--set", f"output={tmp_path / 'model'}")  # fmt: skip
    process = start(*arguments)
    assert process.stderr is not None
    for line in process.stderr:
        if "rows ..." in line:
            break
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert "the same command goes on" in err
    assert not (tmp_path / "model").exists()
    code, _, err = finish(start(*arguments))
    assert code == 0, err
    assert (tmp_path / "model" / "manifest.json").exists()


def test_a_second_prediction_into_one_output_is_refused(cli, model, files, tmp_path):
    from hierarchy.disk.locks import held

    out, parts = tmp_path / "answers.jsonl", tmp_path / "answers.jsonl.parts"
    command = ("predict", model, files / "test.jsonl", "-o", out)
    with held(out):
        (parts / "documents").mkdir(parents=True)
        for more in ((), ("--restart",), ("--top-k", "1")):
            told = refused(cli, *command, *more)
            assert f"is writing '{out}' at this moment: wait for its end, or name another place" in told
        assert [entry.name for entry in parts.iterdir()] == ["documents"]
        assert not out.exists()
    assert cli(*command).exit_code == 0
    assert not parts.exists()
