"""Every example of README and docs runs: those of a page one after the other, in a folder with the files they name."""

import copy
import csv
import hashlib
import io
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from examples import PAGES, ROOT, commands, examples
from tiny import save_tiny_bert

from hierarchy import Taxonomy
from pipelines import HierarchicalClassifier
from pipelines.config import Config, load_config
from pipelines.demo import corpus as demo
from pipelines.settings import Settings
from pipelines.tuning.space import read_space

# How a command begins, and why it is not run.
NOT_RUN = {
    "make": "installs from the network, then runs the whole demo or these tests",
    ".ci/run": "calls make",
    "pip install": "needs the network",
    "coarsefine predict model /data/": "names a disk of several machines; test_cli_predict_folder.py does the same",
    "coarsefine train --config /data/": "names a disk of several machines; test_with_engine.py does the same",
    "torchrun": "names that disk; test_joint.py does the same",
    "python benchmarks/": "needs real data and hours; test_benchmarks.py tries the scripts",
}
# What is added to a command so that it takes seconds, and a tiny model will do.
ONE_EPOCH = ["--set", "classifier.training.num_train_epochs=1"]
SHORTER = {
    "train": ONE_EPOCH,
    "pretrain": ["--set", "pretraining.training.num_train_epochs=1"],
    "tune": [*ONE_EPOCH, "--trials", "2"],
    "cross-validate": [*ONE_EPOCH, "--folds", "2"],
    "export": ["--tolerance", "10"],  # a document more or less that a tiny encoder has right
}
# What a reader of the page has before its first example.
GIVEN = {
    "README.md": "tickets.csv test.csv new.csv labels.yaml train.jsonl test.jsonl calibration.jsonl new.jsonl "
    "bert-base-chinese",
    "deploy.md": "model valid.csv tickets.csv corrections.jsonl taxonomy.yaml",
    "data-quality.md": "train.jsonl test.jsonl labels.yaml taxonomy.yaml model",
    "pretraining.md": "train.jsonl more.jsonl",
    "publishing.md": "test.jsonl model",
    "taxonomy.md": "tickets.csv tickets_now.csv model",
    "trust.md": "calibration.jsonl new.jsonl model",
    "tuning.md": "train.jsonl test.jsonl",
}
LABELS = """groups:
  - name: Kitchen
    labels: [kettles, toasters, blenders, fridges]
labels: [mowers, hoses, seeds, fences, printers, chairs, desks, lamps]
"""


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, given, shell, free_port):
    known = given(page)
    for language, written, line in examples(page):
        where, code = f"{page.name}, line {line}", written.replace("127.0.0.1:8000", f"127.0.0.1:{free_port}")
        if language == "bash":
            for command in commands(code):
                shell(command, where)
        elif language == "python":
            exec(compile(code, where, "exec"), known)  # noqa: S102
        else:
            read(code, Path(f"line-{line}.{language}"))


def test_what_is_not_run_is_in_the_docs_and_names_what_there_is():
    shells = [code for page in PAGES for language, code, _ in examples(page) if language == "bash"]
    left_out = {start: [c for code in shells for c in commands(code) if c.startswith(start)] for start in NOT_RUN}
    assert [start for start, found in left_out.items() if not found] == []
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for command in left_out["make"]:
        assert set(shlex.split(command, comments=True)[1:]) <= set(targets), command
    for command in (*left_out["python benchmarks/"], *left_out[".ci/run"]):
        assert (ROOT / command.removeprefix("python ").split()[0]).is_file(), command


def read(text: str, file: Path) -> None:
    """Read a file's text with what reads such files: a config, a search space, or a taxonomy."""
    file.write_text(text, encoding="utf-8")
    content = yaml.safe_load(text) if file.suffix == ".yaml" else None
    if isinstance(content, dict) and content.keys() <= Config.model_fields.keys():
        load_config(file)
    elif isinstance(content, dict) and all(key.startswith("classifier.") for key in content):
        assert read_space(file, Settings()).ranges
    else:
        taxonomy = Taxonomy.from_file(file)
        assert len(taxonomy.labels) + len(taxonomy.unplaced)


@pytest.fixture
def shell(cli, hub, embedded, small_demo, monkeypatch, free_port):
    """Run one command: ours in this process, or in one of its own until it is killed; others in a shell."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")  # processes take longer to start than these rows to fit
    started = []

    def run(command: str, where: str) -> None:
        if command.startswith(tuple(NOT_RUN)):
            return
        if re.search(r"&( *#.*)?$", command):
            words = [*shlex.split(command.partition(" &")[0])[1:], "--port", str(free_port)]
            started.append(subprocess.Popen([sys.executable, "-m", "coarsefine", *words]))
            return
        if command.startswith("kill %1"):
            started[-1].terminate()
            assert started.pop().wait(60) == 0, where
            return
        if not command.startswith("coarsefine "):
            subprocess.run(["bash", "-c", command], check=True)
            return
        words = shlex.split(command, comments=True)[1:]
        of_ngrams = "classifier.encoder=none" in words or "configs/chinese_ngrams.yaml" in words  # they have no epochs
        shorter = [] if of_ngrams else SHORTER.get(words[0], [])
        done = cli(*words, *shorter)
        if not isinstance(done.exception, SystemExit | None):
            raise done.exception
        assert done.exit_code == 0, f"{where}: {command}\n{done.output}"

    yield run
    for process in started:
        process.kill()


@pytest.fixture
def free_port():
    """Find a port for what the examples start at 8000."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture
def embedded(tiny_encoder, tmp_path_factory, monkeypatch):
    """Put a tiny encoder in the place of MiniLM, which would read for minutes and need not be installed."""
    from hierarchy.embedding import embedded

    package = tmp_path_factory.mktemp("wheel") / embedded.PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    vocabulary = (Path(tiny_encoder) / "vocab.txt").read_text(encoding="utf-8").splitlines()
    model = save_tiny_bert(vocabulary, package / "model", length=512)
    weights = (Path(model) / "model.safetensors").read_bytes()
    monkeypatch.setattr(embedded, "WEIGHTS_SHA256", hashlib.sha256(weights).hexdigest())
    monkeypatch.syspath_prepend(package.parent)
    embedded.embedded_encoder_path.cache_clear()
    yield
    embedded.embedded_encoder_path.cache_clear()


@pytest.fixture
def small_demo(tmp_path_factory, monkeypatch):
    """Leave the Chinese demo two of its groups, and few letters."""
    folder = tmp_path_factory.mktemp("demo")
    for file in demo.FOLDER.glob("*_zh.yaml"):
        shutil.copy(file, folder)
    whole = Taxonomy.from_yaml(folder / "taxonomy_zh.yaml")
    replace(whole, groups=whole.groups[:2]).to_yaml(folder / "taxonomy_zh.yaml")
    monkeypatch.setattr(demo, "FOLDER", folder)
    monkeypatch.setitem(demo.PLANS, "zh", replace(demo.PLANS["zh"], train=200, valid=40, test=60))


@pytest.fixture
def given(tmp_path, monkeypatch, english, saved, fitted_lexical):
    """Lay out the files of a page in a folder of its own, go there, and return the names that its Python knows."""
    monkeypatch.chdir(tmp_path)
    Path("configs").symlink_to(ROOT / "configs")
    held_out = [*english.valid[0], *english.test[0]], [*english.valid[1], *english.test[1]]
    documents = {"train": english.train, "tickets": english.train, "calibration": held_out}

    def lay_out(page: Path) -> dict:
        model = saved
        if page.name == "taxonomy.md":
            documents["tickets"] = tickets(page)
            documents["tickets_now"] = with_new_labels(*documents["tickets"])
            model = tmp_path / "first"
            HierarchicalClassifier(encoder="none", min_group_size=3).fit(*documents["tickets"]).save_pretrained(model)
        if page.name == "trust.md":
            documents["calibration"] = tuple(part * 24 for part in held_out)  # a cascade takes many
        for name in GIVEN.get(page.name, "").split():
            file = Path(name)
            if name == "model":
                shutil.copytree(model, file)
            elif name == "bert-base-chinese":  # a folder of that name goes before the hub
                save_tiny_bert(chinese_vocabulary(), file, length=512)
            elif name == "labels.yaml":
                file.write_text(LABELS, encoding="utf-8")
            elif name == "taxonomy.yaml":
                english.taxonomy.to_yaml(file)
            else:
                write(file, *documents.get(file.stem, english.test))
        return {
            "HierarchicalClassifier": HierarchicalClassifier,
            "taxonomy": english.taxonomy,
            "edited_taxonomy": english.taxonomy,
            "clf": copy.copy(fitted_lexical),
            "text": english.test[0][0],
            "texts": english.train[0],
            "labels": english.train[1],
            "valid_texts": english.valid[0],
            "valid_labels": english.valid[1],
            "held_out_texts": held_out[0],
            "held_out_labels": held_out[1],
            "test_texts": english.test[0],
            "test_labels": english.test[1],
            "customers": [f"customer {number // 2}" for number in range(len(english.train[0]))],
        }

    return lay_out


def tickets(page: Path) -> tuple[list[str], list[str]]:
    """Make documents of the labels that the first example of a page writes into a table."""
    table = next(commands(examples(page)[0].code)).split("\n", 1)[1]
    described = {label: meant for label, _, meant in list(csv.reader(io.StringIO(table)))[1:-1]}
    return _letters(described)


def with_new_labels(texts: list[str], labels: list[str]) -> tuple[list[str], list[str]]:
    """Add documents of the labels that are new on the page; those of merged and retired labels stay as they are."""
    new = ("Pick-up point closed", "Data request", "Parcel locker full", "Loyalty points missing")
    more = _letters({label: label.lower() for label in new})
    return [*texts, *more[0]], [*labels, *more[1]]


def _letters(described: dict[str, str]) -> tuple[list[str], list[str]]:
    pairs = [
        (f"{start} {text}", label) for label, text in described.items() for start in ("Hello,", "Please:", "Again:")
    ]
    return [text for text, _ in pairs], [label for _, label in pairs]


def chinese_vocabulary() -> list[str]:
    """Return every character of the demo's Chinese."""
    written = "".join(file.read_text(encoding="utf-8") for file in demo.FOLDER.glob("*_zh.yaml"))
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(written.split())))]


def write(file: Path, texts: list[str], labels: list[str]) -> None:
    """Write documents as CSV or JSON lines, by the suffix."""
    rows = [{"id": str(n), "text": t, "label": label} for n, (t, label) in enumerate(zip(texts, labels, strict=True))]
    with file.open("w", encoding="utf-8", newline="") as out:
        if file.suffix == ".jsonl":
            out.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            table = csv.DictWriter(out, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
