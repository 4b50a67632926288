"""What `kills.py` and `disturb.py` do to commands: which ones, on which small data, and what must come out."""

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from forked import Forked, command_line
from harness import ROOT

WORDS = {
    "kitchen": {"kettles": "kettle boil steam spout", "toasters": "toaster bread slice crumb",
                "fridges": "fridge shelf cold freezer"},
    "garden": {"mowers": "mower lawn grass petrol", "hoses": "hose tap nozzle spray", "seeds": "seed sow soil sprout"},
    "office": {"printers": "printer ink toner page", "chairs": "chair seat back wheel", "lamps": "lamp bulb light dim"},
}  # fmt: skip
FILLER = ["the", "a", "of", "to", "we", "it", "was", "that", "order", "please", "today", "again", "about", "with"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FOREIGN = {"notes.txt": "my notes\n", ".git/config": "[core]\n"}  # in the folder of a model, and not of it
DATA = ("train.jsonl", "valid.jsonl", "test.jsonl")
NGRAMS = ("--set", "classifier.encoder=none", "--set", "classifier.n_jobs=1")
TINY = (
    "--set", "classifier.encoder=encoder", "--set", "classifier.n_jobs=1", "--set", "classifier.dtype=float32",
    "--set", "classifier.segment_tokens=32", "--set", "classifier.overlap=8",
    "--set", "classifier.training.num_train_epochs=3", "--set", "classifier.training.learning_rate=0.005",
)  # fmt: skip
TRAIN = (
    "train", "--no-baselines", "--set", "data.train=train.jsonl", "--set", "data.valid=valid.jsonl",
    "--set", "data.test=test.jsonl", "--set", "taxonomy=taxonomy.yaml",
)  # fmt: skip
# What differs between two undisturbed runs: the clock, and the memory that other processes leave.
CLOCK = {"seconds", "peak_memory_mb", "made"}
CLOCK_ENDINGS = ("_runtime", "_per_second")
LINE_OF_CLOCK = b"- Training took "  # of a model card


@dataclass(frozen=True)
class Work:
    """A command that is killed or disturbed.

    Attributes
    ----------
    name
        As the record has it.
    run
        What its process does.
    needs
        Files and folders that it finds; all others are made by it.
    results
        Files and folders that it makes, or makes anew.
    model
        The folder of a model that it replaces; it must be there at any moment, as it was or as it will be.
    once
        Whether the command cannot be given twice: an edit that is done is refused the second time.
    """

    name: str
    run: Callable[[], None]
    needs: Sequence[str]
    results: Sequence[str]
    model: str = ""
    once: bool = False


def make_works() -> dict[str, Work]:
    """Return all works, by their short names."""
    calibrate = ("calibrate", "model", "test.jsonl", "-o", "model", "--precision", "0.8")
    refit = ("refit", "model", "--groups", "kitchen", "-o", "model", "--set", "data.train=train.jsonl",
             "--set", "classifier.n_jobs=1", "--set", "run_dir=refit.run")  # fmt: skip
    tune = ("tune", "space.yaml", "--trials", "4", "-o", "tuned", "--set", "run_dir=tune.run",
            *TRAIN[2:8], *TRAIN[10:], *NGRAMS)  # fmt: skip
    folds = ("cross-validate", "--folds", "3", "--no-baselines", "-o", "folds.parquet", "--set", "run_dir=folds.run",
             *TRAIN[2:4], *TRAIN[8:], *NGRAMS)  # fmt: skip
    trained = (*DATA, "taxonomy.yaml")
    works = {
        "train-ngrams": Work(
            "train (n-grams)", command_line(*TRAIN, *NGRAMS, "--set", "output=new"), trained, ("new",)
        ),
        "train-processes": Work(
            "train (n-grams, 2 processes)",
            command_line(*TRAIN, *NGRAMS[:2], "--set", "classifier.n_jobs=2", "--set", "output=new"),
            trained, ("new",),
        ),
        "train-over": Work(
            "train over a model", command_line(*TRAIN, *NGRAMS, "--set", "output=model"), (*trained, "model"),
            ("model",), "model",
        ),
        "train-chained": Work(
            "train (tiny encoder, chained)",
            command_line(*TRAIN, *TINY, "--set", "output=new", "--set", "classifier.trainable=all"),
            (*trained, "encoder"), ("new",),
        ),
        "train-joint": Work(
            "train (tiny encoder, joint)",
            command_line(*TRAIN, *TINY, "--set", "output=new", "--set", "classifier.mode=joint"),
            (*trained, "encoder"), ("new",),
        ),
        "calibrate": Work("calibrate", command_line(*calibrate), ("model", "test.jsonl"), ("model",), "model"),
        "refit": Work("refit", command_line(*refit), ("model", *trained), ("model",), "model"),
        "save": Work("save_pretrained", save_over, ("model", "other"), ("model",), "model"),
        "tune": Work("tune", command_line(*tune), (*trained, "space.yaml"), ("tuned",)),
        "cross-validate": Work("cross-validate", command_line(*folds), trained, ("folds.parquet",)),
        "build": Work(
            "taxonomy build",
            command_line("taxonomy", "build", "labels.yaml", "-o", "built.yaml", "--set", "data.train=train.jsonl",
                         "--set", "classifier.encoder=none", "--set", "classifier.n_groups=3"),
            ("labels.yaml", "train.jsonl"), ("built.yaml",),
        ),
    }  # fmt: skip
    for suffix in ("jsonl", "csv", "parquet"):
        command = command_line("predict", "model", "new.jsonl", "-o", f"answers.{suffix}", "--id", "id")
        works[f"predict-{suffix}"] = Work(
            f"predict (.{suffix})", command, ("model", "new.jsonl"), (f"answers.{suffix}",)
        )
    edits = {
        "rename": ("kettles", "Electric kettles"), "move": ("lamps", "--to", "kitchen"),
        "merge": ("seeds", "--into", "hoses"), "retire": ("chairs",),
    }  # fmt: skip
    for edit, arguments in edits.items():
        command = command_line("taxonomy", edit, "taxonomy.yaml", *arguments)
        works[edit] = Work(f"taxonomy {edit}", command, ("taxonomy.yaml",), ("taxonomy.yaml",), once=True)
    return works


def save_over() -> None:
    """Load a model and save it over another one; an error that is ours ends it as it ends a command."""
    from hierarchy.errors import CoarsefineError
    from pipelines.classifier import HierarchicalClassifier

    try:
        HierarchicalClassifier.from_pretrained("other").save_pretrained("model")
    except CoarsefineError as error:
        print(f"coarsefine: {error}", file=sys.stderr)
        sys.exit(2)


def make_base(base: Path, *, anew: bool) -> None:
    """Write what the works need, unless it is there: documents, trees, an encoder, two trained models."""
    if (base / "done").exists() and not anew:
        return
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(parents=True)
    chance = random.Random(0)  # noqa: S311 - of documents
    for name, per_label in (("train", 17), ("valid", 4), ("test", 25)):
        _write_documents(base / f"{name}.jsonl", [label for label in _labels() for _ in range(per_label)], chance)
    _write_documents(base / "new.jsonl", chance.choices(list(_labels()), k=1600), chance, ids=True)
    tree = {g: [{"id": label, "name": label.title()} for label in labels] for g, labels in WORDS.items()}
    groups = [{"id": group, "name": group.title(), "labels": labels} for group, labels in tree.items()]
    (base / "taxonomy.yaml").write_text(_yaml({"groups": groups}), encoding="utf-8")
    (base / "labels.yaml").write_text(_yaml([label.title() for label in _labels()]), encoding="utf-8")
    space = {"classifier.lexical_C": [0.3, 1.0, 3.0], "classifier.prior_correction": [0.0, 0.2]}
    (base / "space.yaml").write_text(_yaml(space), encoding="utf-8")
    # In processes of their own, as this one, which is forked, must have no threads.
    steps = {"encoder": _save_encoder}
    for name, strength in (("model", "1"), ("other", "3")):
        settings = ("--set", f"output={name}", "--set", f"classifier.lexical_C={strength}")
        steps[name] = command_line(*TRAIN, *NGRAMS, *settings)
    for name, step in steps.items():
        ended = Forked(step, base).end()
        if ended.code != 0:
            sys.exit(f"the {name} of all runs cannot be made ({ended.code}): {ended.said}")
        shutil.rmtree(base / f"{name}.run", ignore_errors=True)
    for name, content in FOREIGN.items():
        (base / "model" / name).parent.mkdir(exist_ok=True)
        (base / "model" / name).write_text(content, encoding="utf-8")
    (base / "done").touch()


def fresh_copy(base: Path, work: Work, folder: Path) -> None:
    """Make a new folder with what a work needs, and nothing else."""
    remove(folder)
    folder.mkdir(parents=True)
    for name in work.needs:
        source = base / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copyfile(source, folder / name)


def remove(folder: Path) -> None:
    """Remove a folder of a work, and the log beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.stderr").unlink(missing_ok=True)


def results_of(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Hash what a work has made, file by file, without the times of day and the seconds that it took."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(_without_times(file)).hexdigest()
        for name in names
        for file in _files(folder / name)
    }


def differences(ours: dict[str, str], reference: dict[str, str]) -> list[str]:
    """Name the files that are missing, that are too many, and that differ."""
    return sorted(
        f"{name} {'is missing' if name not in ours else 'is too much' if name not in reference else 'differs'}"
        for name in ours.keys() | reference.keys()
        if ours.get(name) != reference.get(name)
    )


def foreign_lost(folder: Path, work: Work) -> list[str]:
    """Name the files in the folder of a model that are not of it, and are gone or changed."""
    if not work.model:
        return []
    files = {name: folder / work.model / name for name in FOREIGN}
    return [n for n, file in files.items() if not file.is_file() or file.read_text(encoding="utf-8") != FOREIGN[n]]


def model_problem(folder: Path) -> str:
    """Say why a folder holds no whole model; empty where it does."""
    from hierarchy.errors import CoarsefineError
    from pipelines.model.artifact.manifest import check_manifest

    try:
        check_manifest(folder)
    except CoarsefineError as error:
        return str(error)
    return ""


def names_in(folder: Path) -> set[str]:
    """Return all names under a folder, but those in the folders of runs, where names are hashes."""
    names = (str(place.relative_to(folder)) for place in folder.rglob("*"))
    return {name for name in names if ".run/" not in name or name.endswith((".part", ".tmp", ".lock", ".old"))}


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for file in sorted(place.rglob("*")):
        parts = file.relative_to(place).parts
        if file.is_file() and file.name != "manifest.json" and "/".join(parts) not in FOREIGN:
            yield file


def _without_times(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix == ".md":
        return b"\n".join(line for line in content.split(b"\n") if not line.startswith(LINE_OF_CLOCK))
    if file.suffix != ".json":
        return content
    return json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()


def _timeless(content: Any) -> Any:
    if isinstance(content, dict):
        kept = {key: _timeless(value) for key, value in content.items() if not key.endswith(CLOCK_ENDINGS)}
        return {key: value for key, value in kept.items() if key not in CLOCK}
    return [_timeless(one) for one in content] if isinstance(content, list) else content


def _labels() -> Iterator[str]:
    return (label for labels in WORDS.values() for label in labels)


def _write_documents(file: Path, labels: Sequence[str], chance: random.Random, *, ids: bool = False) -> None:
    words = {label: text.split() for labels in WORDS.values() for label, text in labels.items()}
    every = [word for telling in words.values() for word in telling]
    with file.open("w", encoding="utf-8") as stream:
        for number, label in enumerate(labels):
            # One telling word in four speaks of some other label: nothing is learned by heart.
            telling = chance.choices(words[label], k=4) + chance.choices(every, k=4)
            text = chance.choices(FILLER, k=chance.randint(6, 60)) + telling
            chance.shuffle(text)
            row = {"text": " ".join(text), **({"id": f"d{number}"} if ids else {"label": label})}
            stream.write(json.dumps(row) + "\n")


def _save_encoder() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from tiny import save_tiny_bert

    words = {word for labels in WORDS.values() for text in labels.values() for word in text.split()}
    save_tiny_bert([*SPECIAL, *sorted({*words, *FILLER, *_labels(), *WORDS})], Path("encoder"))


def _yaml(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False)
