"""Train on a real data set and compare with all baselines on its test documents, near duplicates in and out.

The record holds the answers as well, so that `paired.py` can set two trainings, of two versions too, side by side.

Example: python benchmarks/real_data.py dc_code
         python benchmarks/real_data.py dc_code --groups built
         python benchmarks/real_data.py dc_code --set negatives=candidates
         python benchmarks/real_data.py tw_laws --set encoder=none
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from harness import DataSet, frozen, load_data, make_parser, prepare, print_table, write_record
from near_duplicates import near_duplicates_of_test
from paired import FIGURES, difference, resampled

from pipelines.estimating.memory import PeakMemory

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier


def main() -> None:
    """Train, evaluate, and write what it cost."""
    parser = make_parser(__doc__, "real_data-DATASET")
    parser.add_argument("dataset", help="folder under --data")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the classifier")
    parser.add_argument("--groups", choices=("given", "built"), default="given", help="built: from the documents")
    parser.add_argument("--no-baselines", action="store_true", help="only the model and its variants")
    parser.add_argument("--documents", type=int, help="at most this many of each part, for a quick look")
    options = parser.parse_args()
    changes = [setting.replace("=", "-") for setting in options.set]
    built = ["built"] if options.groups == "built" else []
    name = "-".join([options.dataset, *built, *changes])
    model_folder = prepare(options, f"real_data-{name}", run=options.dataset) / f"model-{name}"
    with PeakMemory() as memory:
        figures, answers = measure(options, model_folder)
    figures["peak_memory"] = memory.figures()
    figures |= without_near_duplicates(answers)
    model = figures["model"]
    print(f"{options.dataset}: accuracy {model['accuracy']:.4f}, macro-F1 {model['macro_f1']:.4f}")
    of_fit = figures["peak_memory_of_fit"]["gib"]
    print(f"peak memory: {memory.gib:.2f} GiB, of the training {of_fit:.2f} ({figures['peak_memory']['what']})")
    print_table(
        "Time",
        ("step", "minutes"),
        [(step, f"{minutes:.2f}") for step, minutes in figures["minutes"].items()],
    )
    write_record(options, figures)
    print(f"model: {model_folder}")


@dataclass(frozen=True)
class Answers:
    """What the test documents were answered with.

    Attributes
    ----------
    data
        The data set.
    labels
        Ids by their numbers in the arrays.
    gold, predicted
        (documents,) right labels, and the model's answers.
    others
        Variants of the model and baselines: name -> (documents,) answers.
    """

    data: DataSet
    labels: tuple[str, ...]
    gold: np.ndarray
    predicted: np.ndarray
    others: dict[str, np.ndarray]


def measure(options: argparse.Namespace, model_folder: Path) -> tuple[dict[str, Any], Answers]:
    """Train and evaluate; every step is timed.

    Parameters
    ----------
    options
        As parsed.
    model_folder
        Where the model is saved.
    """
    from pipelines.classifier import HierarchicalClassifier
    from pipelines.cli.console import print_report
    from pipelines.config import load_config
    from pipelines.evaluation.comparison import compare
    from stages.progress import Clock

    changes = [f"classifier.{setting}" for setting in (*frozen(options.set), *options.set)]
    settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(options.run)})
    clock = Clock()
    with clock.step("reading and checking"):
        data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    classifier = HierarchicalClassifier(None if options.groups == "built" else data.taxonomy, **settings.model_dump())
    validation = None if data.valid is None else (data.valid.texts, data.valid.labels)
    with clock.step("fit"), PeakMemory() as memory:
        classifier.fit(data.train.texts, data.train.labels, validation=validation)
    fit = clock.seconds.pop("fit")
    steps = dict(classifier.model_.record["seconds"])
    clock.seconds |= steps | {"checks and the rest of fit": fit - sum(steps.values())}
    with clock.step("vectors of the test documents"):
        classifier.model_.extractor.through_cache(data.test.texts, options.run)
    with clock.step("evaluation with its baselines"):
        report = classifier.evaluate(data.test.texts, data.test.labels, data=f"{data.name} test")
        others = answers_of_others(classifier, data, options.run, fitted=not options.no_baselines)
        report = replace(report, baselines=compare(report.evaluation, report.data, answers=others).baselines)
    classifier.metrics_ = report.as_dict()
    classifier.save_pretrained(model_folder)
    seconds = dict(clock.seconds)
    classifier.set_params(routing="beam", beam=3)
    beam = classifier.evaluate(data.test.texts, data.test.labels, data=f"{data.name} test, beam 3")
    print_report(report)
    in_beam = beam.evaluation.coarse_in_beam
    print(f"beam 3: accuracy {beam.accuracy.value:.4f}, macro-F1 {beam.macro_f1.value:.4f}, in the beam {in_beam}")
    gold, predicted, _ = report.evaluation.answers
    answers = Answers(data, classifier.model_.label_ids, gold, predicted, others)
    return {
        "model": _figures(report),
        "beam_3": _figures(beam),
        "baselines": report.as_dict()["baselines"],
        "verdict": report.verdict,
        "fusion": {name: vars(fusion) for name, fusion in classifier.model_.router.fusions.items()},
        "groups": len(classifier.model_.group_ids),
        "labels": len(classifier.model_.label_ids),
        "documents": classifier.model_.record["documents"] | {"test": len(data.test.texts)},
        "settings": classifier.model_.settings.model_dump(exclude={"run_dir"}),
        "minutes": _minutes(seconds),
        "peak_memory_of_fit": memory.figures(),
    }, answers


def answers_of_others(
    classifier: "HierarchicalClassifier", data: DataSet, folder: Path, *, fitted: bool
) -> dict[str, np.ndarray]:
    """Answer the test documents with the model's variants and with the baselines.

    Parameters
    ----------
    classifier
        The trained one.
    data
        The data set.
    folder
        Run folder, whose cache is used.
    fitted
        Fit those baselines that need training as well.

    Returns
    -------
    dict[str, numpy.ndarray]
        Name -> (test documents,) columns of its answers, numbered as in the model.
    """
    from pipelines.evaluation.assessment import VARIANT_NAMES, fitted_baselines

    model = classifier.model_
    inputs = model.extractor.through_cache(data.test.texts, folder)
    answers = {
        VARIANT_NAMES[variant]: model.router.route(inputs, variant=variant).probabilities.argmax(1)
        for variant in model.router.fusions
        if variant in VARIANT_NAMES
    }
    return answers | fitted_baselines(model, data.train, data.test, inputs, folder) if fitted else answers


def without_near_duplicates(answers: Answers) -> dict[str, Any]:
    """Score the test documents that are no near duplicates, with the model's lead over each other system there.

    Beside the scores stand the places of the near duplicates, and right labels and answers as places in the sorted
    labels, as in the records of `compare.py`.
    """
    near = np.flatnonzero(near_duplicates_of_test(answers.data).sum(1))
    rest = np.setdiff1d(np.arange(len(answers.gold)), near)
    scores: dict[str, Any] = {"documents": len(rest)}
    if len(rest):
        own = resampled(answers.gold[rest], answers.predicted[rest])
        scores |= {"model": _values(own), "baselines": {}}
        for name, others in answers.others.items():
            other = resampled(answers.gold[rest], others[rest])
            leads = {f"{figure}_difference": lead for figure, lead in difference({0: own}, {0: other}).items()}
            scores["baselines"][name] = _values(other) | leads
    parts = [part for part in (answers.data.train, answers.data.valid, answers.data.test) if part is not None]
    place = {label: i for i, label in enumerate(sorted({label for part in parts for label in part.labels}))}
    return {
        "without_near_duplicates": scores,
        "near_duplicates": near.tolist(),
        "gold": [place[label] for label in answers.data.test.labels],
        "predicted": [place[answers.labels[number]] for number in answers.predicted],
    }


def _values(scores: np.ndarray) -> dict[str, float]:
    return dict(zip(FIGURES, scores[:, 0].tolist(), strict=True))


def _figures(report: Any) -> dict[str, Any]:
    own = report.as_dict()
    evaluation = own["evaluation"]
    names = ("group_accuracy", "coarse_accuracy", "coarse_in_beam", "routing_errors", "head_errors", "thirds", "top_k")
    return {
        "accuracy": own["accuracy"]["value"],
        "macro_f1": own["macro_f1"]["value"],
        "intervals": {name: own[name] for name in ("accuracy", "macro_f1")},
        **{name: evaluation[name] for name in names},
    }


def _minutes(seconds: dict[str, float]) -> dict[str, float]:
    """Add up what comes after the vectors; steps that the run folder had finished earlier took no time."""
    encoding = ("reading and checking", "encoder", "vectors", "vectors of the test documents")
    after = sum(spent for step, spent in seconds.items() if step not in encoding)
    minutes = {step: round(spent / 60, 3) for step, spent in seconds.items()}
    return minutes | {"all after the vectors": round(after / 60, 3), "together": round(sum(seconds.values()) / 60, 3)}


if __name__ == "__main__":
    main()
