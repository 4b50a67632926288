"""Writes the demonstration corpus: synthetic letters to an advice service, from the hand-written configs/demo."""

import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hierarchy import Taxonomy
from hierarchy.disk.paths import local_path
from hierarchy.disk.strict_json import parse_json
from hierarchy.disk.whole_files import cannot_write, write_whole
from hierarchy.errors import ConfigError, DataError
from pipelines.demo.configs import configs_folder
from pipelines.demo.letters import Letter, Sources, Style

FOLDER = configs_folder() / "demo"
DEMO_FILES = ("labels.yaml", "train.jsonl", "valid.jsonl", "test.jsonl")
TAXONOMY, MODEL = "taxonomy.yaml", "model"  # what the command makes of the corpus, beside it
_NOTE = "# Synthetic: invented by hand for this project; a bare list, for the builder to make groups of.\n"


class DemoFiles(NamedTuple):
    """The files of a demonstration corpus."""

    train: Path
    valid: Path
    test: Path
    labels: Path  # a bare list, without groups
    taxonomy: Path  # the hand-made groups of the same labels, to compare with


@dataclass(frozen=True)
class CorpusPlan:
    """Size and shape of the corpus of one language.

    Parameters
    ----------
    suffix
        Ends the names of its files in configs/demo.
    train, valid, test
        Documents of each split, about.
    largest, fewest
        Training documents of the most frequent label, and of the rarest ones.
    median, spread, shortest, limit
        Lengths of documents that are not long: a log-normal distribution between two bounds.
    long_share, long_range
        The share of long documents, and their lengths; half of them are late.
    held_out
        How many of a label's training and of its test sentences only validation documents use.
    style
        How the letters are written.
    """

    suffix: str
    train: int
    valid: int
    test: int
    largest: int
    fewest: int
    median: int
    spread: float
    shortest: int
    limit: int
    long_share: float
    long_range: tuple[int, int]
    held_out: tuple[int, int]
    style: Style


PLANS = {
    "en": CorpusPlan(
        suffix="", train=4000, valid=600, test=640, largest=32, fewest=5,
        median=70, spread=0.4, shortest=40, limit=200, long_share=0.06, long_range=(480, 900), held_out=(1, 1),
        style=Style(
            unit="words", joint=" ", quotes=('"', '"', "'"), tells=(0.3, 0.6, 0.1),
            terms=(0.1, 0.5, 0.4), asides=(0.6, 0.4), aside_every=220, sibling_share=0.7,
        ),
    ),
    "zh": CorpusPlan(
        suffix="_zh", train=1500, valid=200, test=300, largest=40, fewest=5,
        median=130, spread=0.4, shortest=70, limit=345, long_share=0.0, long_range=(0, 0), held_out=(2, 0),
        style=Style(
            unit="characters", joint="", quotes=("“", "”", "’"), tells=(0, 1),
            terms=(0.1, 0.4, 0.5), asides=(0.4, 0.45, 0.15), aside_every=100, sibling_share=0.7,
        ),
    ),
}  # fmt: skip


def write_demo_corpus(folder: str | Path, language: str = "en", random_state: int = 0) -> DemoFiles:
    """Write a synthetic corpus of letters with 600 English or 100 Chinese labels.

    Nothing in it is real: the sentences were invented for this project, and a seeded generator puts them
    together. A letter holds one to three passages that tell its label, sentences with words that
    the label's writers share, asides about somebody else's problem (mostly of a sibling label), and neutral
    sentences. No letter contains the name or description of its label. In half of the long letters all
    that tells the label stands behind the first 512 tokens.

    The splits differ in wording: what tells a label in one split, or is quoted in its asides, stands in no
    other. A recombination of training sentences would be recognised by heart, and settings chosen on it would
    be wrong, so a label sets two sentences apart for its validation letters (English: one of its five
    training and one of its three test sentences; Chinese: two of its four training sentences). A
    linear model is four to twelve points less accurate on validation than on test letters, over a few seeds.
    Neutral sentences are different in training and test letters; validation letters share those of
    the test letters.

    Parameters
    ----------
    folder
        Where train.jsonl, valid.jsonl, test.jsonl (with the fields text, label and group) and labels.yaml are
        written; it is made where needed.
    language
        ``en`` or ``zh``.
    random_state
        The same seed gives the same bytes.

    Returns
    -------
    DemoFiles
        The paths.

    Raises
    ------
    ConfigError
        Where the language is another one, or the folder holds files of these names with another content.
    DataError
        The files cannot be written.
    """
    if language not in PLANS:
        raise ConfigError(f"language={language!r}: the demo corpus is there in {' and '.join(PLANS)}")
    plan, folder = PLANS[language], local_path(folder)
    taxonomy_path = FOLDER / f"taxonomy{plan.suffix}.yaml"
    taxonomy = Taxonomy.from_yaml(taxonomy_path)
    bare = Taxonomy(unplaced=tuple(sorted(taxonomy.labels, key=lambda label: label.id)), name=taxonomy.name)
    contents = {DEMO_FILES[0]: (_NOTE + bare.to_yaml()).encode()}
    for split, records in _splits(taxonomy, plan, random_state):
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        contents[f"{split}.jsonl"] = "".join(lines).encode()
    _refuse(folder, [name for name, content in contents.items() if not _may_become(folder / name, content)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise DataError(cannot_write(folder, error)) from error
    return demo_files(folder, language)


def demo_files(folder: Path, language: str) -> DemoFiles:
    """Return the paths of a demonstration corpus."""
    labels, train, valid, test = (folder / name for name in DEMO_FILES)
    return DemoFiles(train, valid, test, labels, FOLDER / f"taxonomy{PLANS[language].suffix}.yaml")


def check_demo_folder(folder: Path) -> None:
    """Refuse a folder in which a demo would replace a model or groups that no demo has made.

    Raises
    ------
    ConfigError
        Names them.
    """
    model, taken = folder / MODEL, []
    if model.exists() and not _is_of_demo(model, folder / "train.jsonl"):
        taken.append(MODEL)
    groups = model / TAXONOMY  # what a demo puts beside its model is the same
    if not _may_become(folder / TAXONOMY, groups.read_bytes() if groups.is_file() else None):
        taken.append(TAXONOMY)
    _refuse(folder, taken)


def _refuse(folder: Path, taken: list[str]) -> None:
    if taken:
        raise ConfigError(
            f"{folder} holds {', '.join(taken)}, which this demo has not written, or which was changed since: name "
            "another folder"
        )


def _may_become(file: Path, content: bytes | None) -> bool:
    """Whether nothing is lost where a file gets this content."""
    return not os.path.lexists(file) or (file.is_file() and file.read_bytes() == content)


def _is_of_demo(model: Path, train: Path) -> bool:
    """Whether a model tells that it was trained on the corpus beside it."""
    record = model / "run.json"
    if not record.is_file():
        return not model.is_dir() or not any(model.iterdir())
    try:
        said = parse_json(record.read_bytes())["config"]["data"]["train"]
        return local_path(said).resolve() == train.resolve() or Path(said).parts[-2:] == train.resolve().parts[-2:]
    except (OSError, ValueError, KeyError, TypeError):  # it names no file
        return False


def _splits(taxonomy: Taxonomy, plan: CorpusPlan, random_state: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the name and the records of each split."""
    content: dict[str, dict[str, list[str]]] = {}
    for path in sorted(FOLDER.glob("passages*.yaml")):
        if ("_zh" in path.stem) == (plan.suffix == "_zh"):
            content |= _load(path)
    frames = _load(FOLDER / f"letters{plan.suffix}.yaml")
    rng = random.Random(f"{random_state}/labels")  # noqa: S311
    ranked = list(taxonomy.label_ids)
    rng.shuffle(ranked)
    terms = {label: content[label]["terms"] for label in ranked}
    groups = {label: taxonomy.groups[g].id for label, g in zip(taxonomy.label_ids, taxonomy.group_of, strict=True)}
    telling: dict[str, dict[str, list[str]]] = {"train": {}, "valid": {}, "test": {}}
    for label in taxonomy.label_ids:
        for split, count in zip(("train", "test"), plan.held_out, strict=True):
            own = rng.sample(content[label][split], len(content[label][split]))
            telling[split][label] = own[count:]
            telling["valid"].setdefault(label, []).extend(own[:count])
    sizes = {
        "train": _long_tail(len(ranked), plan.train, plan.largest, plan.fewest),
        "valid": _evenly(len(ranked), plan.valid),
        "test": _evenly(len(ranked), plan.test),
    }
    for split, counts in sizes.items():
        side = "train" if split == "train" else "test"
        sources = Sources({role: both[side] for role, both in frames.items()}, telling[split], terms, groups)
        labels = [label for label, count in zip(ranked, counts, strict=True) for _ in range(count)]
        yield split, _records(labels, sources, plan, random.Random(f"{random_state}/{split}"))  # noqa: S311


def _records(labels: list[str], sources: Sources, plan: CorpusPlan, rng: random.Random) -> list[dict[str, str]]:
    """Write one letter for each entry of `labels`, in random order."""
    rng.shuffle(labels)
    long_letters = round(plan.long_share * len(labels))
    records = []
    for position, label in enumerate(labels):
        long = position < long_letters
        if long:
            length = round(math.exp(rng.uniform(*map(math.log, plan.long_range))))
        else:
            length = round(plan.median * math.exp(rng.gauss(0, plan.spread)))
            length = min(max(length, plan.shortest), plan.limit)
        text = Letter(label, sources, plan.style, rng).write(length, long, late=long and position % 2 == 0)
        records.append({"text": text, "label": label, "group": sources.groups[label]})
    rng.shuffle(records)
    return records


def _long_tail(labels: int, documents: int, largest: int, fewest: int) -> list[int]:
    """Return falling document counts: a power law from `largest` down to `fewest`, with about this sum."""

    def counts(steepness: float) -> list[int]:
        return [max(fewest, round(largest * (1 + rank / 20) ** -steepness)) for rank in range(labels)]

    flat, steep = 0.0, 10.0
    for _ in range(50):  # bisection: the sum falls as the steepness grows
        middle = (flat + steep) / 2
        flat, steep = (middle, steep) if sum(counts(middle)) > documents else (flat, middle)
    return counts(steep)


def _evenly(labels: int, documents: int) -> list[int]:
    """Return counts that differ by at most one, the larger ones first."""
    each, more = divmod(documents, labels)
    return [each + (rank < more) for rank in range(labels)]


def _load(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C reader is not in every build of PyYAML
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=loader)  # noqa: S506
