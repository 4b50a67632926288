"""``coarsefine demo``: the whole path on a synthetic corpus, from bare labels to answers for letters."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hierarchy.errors import ConfigError
from pipelines.cli.console import SetOption, print_lines, print_table, session, text, wrote
from pipelines.demo.configs import configs_folder

if TYPE_CHECKING:
    from pipelines.classifier import HierarchicalClassifier

CONFIG_OF = {"en": "demo.yaml", "zh": "demo_zh.yaml"}
PATHS_SHOWN = 2
logger = logging.getLogger(f"coarsefine.{__name__}")

EPILOG = "Example: coarsefine demo --language zh --folder demo_zh"


def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where everything is written.")] = Path(
        "demo"
    ),
    language: Annotated[str, typer.Option("--language", help="en (600 labels) or zh (100 labels).")] = "en",
    baselines: Annotated[bool, typer.Option(help="Fit the flat models and the classic chain beside the model.")] = True,
    settings: SetOption = None,
) -> None:
    """Train and evaluate on a synthetic corpus, with groups built from bare labels, and classify some letters."""
    with session(goes_on="the same command goes on from what is finished in the folder"):
        from hierarchy.disk.output import OutputFolder
        from pipelines.cli.places import check_places
        from pipelines.cli.train import run_training
        from pipelines.config import load_config
        from pipelines.demo.corpus import DEMO_FILES, MODEL, TAXONOMY, check_demo_folder, demo_files, write_demo_corpus
        from pipelines.model.artifact.replacement import check_replaceable, model_place, run_place

        if language not in CONFIG_OF:
            raise ConfigError(f"--language {language}: the demo is there in {' and '.join(CONFIG_OF)}")
        # Its own config names what the demo writes itself: only what the user adds to it is read.
        made = OutputFolder("--folder", folder, files=(*DEMO_FILES, TAXONOMY, MODEL), tables=True)
        check_places([made], None, load_config(None, settings or []))
        check_demo_folder(folder)
        files = demo_files(folder, language)
        places = {
            "taxonomy": files.labels,
            "data.train": files.train,
            "data.valid": files.valid,
            "data.test": files.test,
            "run_dir": folder / "run",
            "output": folder / MODEL,
        }
        overrides = [f"{key}={place}" for key, place in places.items()]
        config = load_config(configs_folder() / CONFIG_OF[language], [*overrides, *(settings or [])])
        check_replaceable(Path(config.output))
        with run_place(folder):
            write_demo_corpus(folder, language)
            logger.info("a synthetic corpus, invented for this project, is in %s", folder)
            with model_place(Path(config.output)), run_place(config.run_folder):
                groups = folder / TAXONOMY
                groups.unlink(missing_ok=True)  # those of a model that goes now: the next demo would not know them
                classifier = run_training(config, baselines=baselines)
                classifier.taxonomy_.to_yaml(groups)
        wrote(folder)
        logger.info("the groups that were built: coarsefine taxonomy show %s", groups)
        _classify(classifier, _letters(language))


def _letters(language: str) -> list[str]:
    import yaml

    letters: dict[str, Any] = yaml.safe_load((configs_folder() / "demo" / "examples.yaml").read_text(encoding="utf-8"))
    return letters[language]


def _classify(classifier: "HierarchicalClassifier", letters: list[str]) -> None:
    taxonomy = classifier.taxonomy_
    for letter, paths in zip(letters, classifier.predict_paths(letters, top_k=PATHS_SHOWN), strict=True):
        print_lines("", text(letter.strip(), style="italic"))
        rows = []
        for path in paths:
            group = taxonomy.groups[taxonomy.group_index(path.path[0])]
            label = taxonomy.labels[taxonomy.label_index(path.path[-1])]
            rows.append((label.name, group.name, f"{path.probability:.3f}", f"{path.group_probability:.3f}"))
        print_table("", ("label", "group", "probability", "of the group"), rows)
