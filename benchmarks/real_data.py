"""Train on a real data set and compare with all baselines on its test documents.

Example: python benchmarks/real_data.py dc_code
         python benchmarks/real_data.py dc_code --groups built
         python benchmarks/real_data.py dc_code --set negatives=candidates
         python benchmarks/real_data.py tw_laws --set encoder=none
"""

import argparse
from pathlib import Path
from typing import Any

from harness import frozen, load_data, make_parser, prepare, print_table, write_record

from pipelines.estimating.memory import PeakMemory


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
        figures = measure(options, model_folder)
    figures["peak_memory"] = memory.figures()
    model = figures["model"]
    print(f"{options.dataset}: accuracy {model['accuracy']:.4f}, macro-F1 {model['macro_f1']:.4f}")
    print(f"peak memory: {memory.gib:.2f} GiB ({figures['peak_memory']['what']})")
    print_table(
        "Time",
        ("step", "minutes"),
        [(step, f"{minutes:.2f}") for step, minutes in figures["minutes"].items()],
    )
    write_record(options, figures)
    print(f"model: {model_folder}")


def measure(options: argparse.Namespace, model_folder: Path) -> dict[str, Any]:
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
    from stages.progress import Clock

    changes = [f"classifier.{setting}" for setting in (*frozen(options.set), *options.set)]
    settings = load_config(None, changes).classifier.model_copy(update={"run_dir": str(options.run)})
    clock = Clock()
    with clock.step("reading and checking"):
        data = load_data(options.dataset, options.data, cache=options.run / "documents", limit=options.documents)
    classifier = HierarchicalClassifier(None if options.groups == "built" else data.taxonomy, **settings.model_dump())
    validation = None if data.valid is None else (data.valid.texts, data.valid.labels)
    with clock.step("fit"):
        classifier.fit(data.train.texts, data.train.labels, validation=validation)
    fit = clock.seconds.pop("fit")
    steps = dict(classifier.model_.record["seconds"])
    clock.seconds |= steps | {"checks and the rest of fit": fit - sum(steps.values())}
    with clock.step("vectors of the test documents"):
        classifier.model_.extractor.through_cache(data.test.texts, options.run)
    fitting = None if options.no_baselines else (data.train.texts, data.train.labels)
    with clock.step("evaluation with its baselines"):
        report = classifier.evaluate(data.test.texts, data.test.labels, train=fitting, data=f"{data.name} test")
    classifier.metrics_ = report.as_dict()
    classifier.save_pretrained(model_folder)
    seconds = dict(clock.seconds)
    classifier.set_params(routing="beam", beam=3)
    beam = classifier.evaluate(data.test.texts, data.test.labels, data=f"{data.name} test, beam 3")
    print_report(report)
    in_beam = beam.evaluation.coarse_in_beam
    print(f"beam 3: accuracy {beam.accuracy.value:.4f}, macro-F1 {beam.macro_f1.value:.4f}, in the beam {in_beam}")
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
    }


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
