r"""What reading the whole document is worth, for its group and for its fine label.

Each reading of the documents is a training of its own with the same settings: all of the document, and its first 512
tokens in training, validation and test alike. The encoder is frozen and there are no n-grams unless --set says
otherwise. --variant adds a reading: settings of the classifier that it changes, and `first_tokens=N` for a cut.
The first reading is compared with every other one, paired over seeds and documents, also on the test documents over
512 tokens and on those that are no near duplicates; what is chosen is chosen on validation documents. Answers are kept
in the run folder and not given anew: after a change of code, name a new one.

Example: python benchmarks/long_text.py usajobs_questions --seeds 0 1 2
         python benchmarks/long_text.py usajobs_questions --set lexical=true
         python benchmarks/long_text.py dc_code --variant "no aggregator: aggregator=false" \
             --variant "four segments: max_segments=4" --variant "the first 128 tokens: first_tokens=128"
"""

import argparse
import json
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from compare import LONG, long_documents, validation_cut
from harness import DataSet, frozen, load_data, make_parser, prepare, print_table, write_record
from near_duplicates import near_duplicates_of_test
from paired import ALL, FIGURES, difference, parts_of_test, resampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.data.documents import Documents
    from pipelines.model.model import Model
    from pipelines.settings import Settings

Answers = dict[str, dict[str, list[str]]]  # valid and test -> what was asked for -> an id a document


@dataclass(frozen=True)
class Reading:
    """What of a document is read, and with which settings.

    Attributes
    ----------
    name
        In tables.
    first_tokens
        How many tokens of a document are read; None reads all.
    settings
        ``KEY=VALUE`` of the classifier, over those of all readings.
    """

    name: str
    first_tokens: int | None = None
    settings: tuple[str, ...] = ()


ASKED = ("fine", "group", "coarse")  # the label, its group, and the group by the coarse stage alone
READINGS = (Reading("all of the document"), Reading(f"the first {LONG} tokens", LONG))


def main() -> None:
    """Train each reading with each seed and compare them."""
    parser = make_parser(__doc__, "long_text-DATASET")
    parser.add_argument("dataset", help="folder under --data; it must have groups")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one training of each reading a seed")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all readings alike")
    parser.add_argument("--variant", action="append", default=[], type=parse_reading, metavar="NAME: KEY=VALUE ...",
                        help="one more reading")  # fmt: skip
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    readings = (*READINGS, *options.variant)
    options.variant = [reading.name for reading in options.variant]
    if len({reading.name for reading in readings}) < len(readings):
        parser.error(f"--variant: two readings have one name: {', '.join(reading.name for reading in readings)}")
    settings = {reading: settings_of(options, reading) for reading in readings}  # refused now or never
    name = "-".join(["long_text", options.dataset, *(change.replace("=", "-") for change in options.set)])
    run = prepare(options, name, run=options.dataset)
    data = load_data(options.dataset, options.data, cache=run / "documents", limit=options.documents)
    if data.taxonomy is None:
        parser.error(f"{options.dataset} has no groups, and the coarse stage is half of what is measured")
    train, valid = validation_cut(data)
    data = replace(data, train=train, valid=valid)
    answers = {
        reading: {
            seed: answer(data, reading, settings[reading].resolved(random_state=seed), run) for seed in options.seeds
        }
        for reading in readings
    }
    figures = summary(data, answers)
    first = READINGS[0].name
    for part in figures["parts"]:
        print_table(
            f"{options.dataset}, {part}: accuracy / macro-F1",
            ("reading", *ASKED, "first - this, fine"),
            [(reading, *(_pair(scores) for scores in found["parts"][part]["scores"].values()),
              "" if reading == first else _points(found["parts"][part]["difference"]["fine"]))
             for reading, found in figures["readings"].items()],
        )  # fmt: skip
    write_record(options, figures)


def parse_reading(told: str) -> Reading:
    """Read ``NAME: KEY=VALUE KEY=VALUE``; refuse what has another form."""
    name, colon, changes = told.partition(":")
    settings = shlex.split(changes)
    cuts = [change for change in settings if change.startswith("first_tokens=")]
    numbers = [change.partition("=")[2] for change in cuts]
    if not (name.strip() and colon and settings) or not all("=" in change for change in settings):
        raise argparse.ArgumentTypeError(f"{told!r} is not of the form 'NAME: KEY=VALUE KEY=VALUE'")
    if len(cuts) > 1 or not all(number.isdecimal() and int(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"{told!r}: first_tokens is one number from 1")
    rest = tuple(change for change in settings if change not in cuts)
    return Reading(name.strip(), int(numbers[0]) if numbers else None, rest)


def settings_of(options: argparse.Namespace, reading: Reading) -> "Settings":
    """Return the settings of a reading."""
    from pipelines.config import load_config

    changes = (*frozen(options.set), "lexical=false", *options.set, *reading.settings)
    return load_config(None, [f"classifier.{change}" for change in changes]).classifier


def answer(data: DataSet, reading: Reading, settings: "Settings", run: Path) -> Answers:
    """Train a reading and answer the validation and test documents, or give the answers that the run folder holds.

    Parameters
    ----------
    data
        With its validation part.
    reading
        What is read.
    settings
        Its settings, with the seed.
    run
        Run folder.
    """
    from pipelines import HierarchicalClassifier
    from pipelines.data.splits import fingerprint
    from stages.run_folder import cache_key

    assert data.valid is not None  # noqa: S101 - main has cut it; this tells the type checker
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    asked = settings.model_dump(mode="json", exclude={"run_dir", "device", "n_jobs"})
    documents = [fingerprint(part.texts, part.labels) for part in parts.values()]
    key = cache_key(settings=asked, first_tokens=reading.first_tokens, documents=documents)[:16]
    file = run / "readings" / f"{key}.json"
    if not file.exists():
        print(f"{reading.name}, seed {settings.random_state}", flush=True)
        if reading.first_tokens is not None:
            parts = {name: first_tokens(part, reading.first_tokens) for name, part in parts.items()}
        train, valid = parts["train"], parts["valid"]
        classifier = HierarchicalClassifier(data.taxonomy, **settings.resolved(run_dir=str(run)).model_dump())
        classifier.fit(train.texts, train.labels, validation=(valid.texts, valid.labels))
        found = {name: answered(classifier.model_, parts[name].texts, run) for name in ("valid", "test")}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(file)
    kept: Answers = json.loads(file.read_text(encoding="utf-8"))
    return kept


def first_tokens(documents: "Documents", tokens: int) -> "Documents":
    """Cut each document after so many tokens of the embedded encoder, where it has more."""
    from transformers import AutoTokenizer

    from hierarchy.embedding.embedded import embedded_encoder_path

    tokenizer = AutoTokenizer.from_pretrained(embedded_encoder_path())

    def cut(text: str) -> str:
        ends = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
        return text if len(ends) <= tokens else text[: ends[tokens - 1][1]]

    return replace(documents, texts=[cut(text) for text in documents.texts])


def answered(model: "Model", texts: "Sequence[str]", run: Path) -> dict[str, list[str]]:
    """Answer documents, their vectors through the cache of the run folder: ids by what is asked for."""
    routed = model.router.route(model.extractor.through_cache(texts, run))
    group_of = {label.id: group.id for group in model.taxonomy.groups for label in group.labels}
    fine = [model.label_ids[column] for column in routed.probabilities.argmax(1)]
    coarse = [model.group_ids[column] for column in routed.coarse.argmax(1)]
    return {"fine": fine, "group": [group_of[label] for label in fine], "coarse": coarse}


def summary(data: DataSet, answers: dict[Reading, dict[int, Answers]]) -> dict[str, Any]:
    """Score each reading on validation and test documents, and the first one's lead over it, as means over the seeds.

    Parameters
    ----------
    data
        With its validation part.
    answers
        Reading -> seed -> answers.
    """
    assert data.valid is not None and data.taxonomy is not None  # noqa: S101, PT018 - main has seen to both
    group_of = {label.id: group.id for group in data.taxonomy.groups for label in group.labels}
    number = {one: place for place, one in enumerate([*group_of, *group_of.values()])}

    def right(part: str, asked: str) -> list[str]:
        labels = getattr(data, part).labels
        return list(labels) if asked == "fine" else [group_of[label] for label in labels]

    def scored(part: str, asked: str, places: Any = slice(None)) -> dict[Reading, dict[int, np.ndarray]]:
        gold = np.array([number[one] for one in right(part, asked)])[places]
        return {
            reading: {seed: resampled(gold, np.array([number[one] for one in of_seed[part][asked]])[places])
                      for seed, of_seed in of_reading.items()}
            for reading, of_reading in answers.items()
        }  # fmt: skip

    apart = {
        "gold": data.test.labels,
        "long": np.flatnonzero(long_documents(data.test.texts)).tolist(),
        "near_duplicates": np.flatnonzero(near_duplicates_of_test(data).sum(1)).tolist(),
    }
    parts = {ALL: np.arange(len(data.test)), **parts_of_test([apart])}
    readings: dict[Reading, dict[str, Any]] = {
        reading: {"first_tokens": reading.first_tokens, "settings": reading.settings, "valid": {},
                  "parts": {part: {"scores": {}, "difference": {}} for part in parts}}
        for reading in answers
    }  # fmt: skip
    whole = next(iter(answers))
    for asked in ASKED:
        for reading, scores in scored("valid", asked).items():
            readings[reading]["valid"][asked] = _mean(scores)
        for part, places in parts.items():
            of_readings = scored("test", asked, places)
            for reading, scores in of_readings.items():
                found = readings[reading]["parts"][part]
                found["scores"][asked] = _mean(scores)
                found["difference"][asked] = difference(of_readings[whole], scores)
    return {
        "parts": {part: len(places) for part, places in parts.items()},
        "readings": {reading.name: found for reading, found in readings.items()},
        "documents": {name: len(getattr(data, name)) for name in ("train", "valid", "test")},
    }


def _mean(scores: dict[int, np.ndarray]) -> dict[str, float]:
    return dict(zip(FIGURES, np.mean([of_seed[:, 0] for of_seed in scores.values()], axis=0).tolist(), strict=True))


def _pair(scores: dict[str, float]) -> str:
    return " / ".join(f"{100 * scores[figure]:.1f}" for figure in FIGURES)


def _points(lead: dict[str, dict[str, float]]) -> str:
    return " / ".join("{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in lead[f].values())) for f in FIGURES)


if __name__ == "__main__":
    main()
