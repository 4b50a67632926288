"""``coarsefine demo``: the whole path on a synthetic corpus, from bare labels to answers for letters."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli import options
from pipelines.cli.commands import Work, command
from pipelines.cli.console import print_lines, text, wrote
from pipelines.cli.predict import print_paths
from pipelines.demo.configs import configs_folder

CONFIG_OF = {"en": "demo.yaml", "zh": "demo_zh.yaml"}
PATHS_SHOWN = 2
logger = logging.getLogger(f"coarsefine.{__name__}")


@command("demo --language zh --folder demo_zh", goes_on="the same command goes on from what is finished in the folder")
def demo(
    folder: Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="Where everything is written.")] = Path(
        "demo"
    ),
    language: Annotated[Literal["en", "zh"], typer.Option(help="600 labels (en) or 100 (zh).")] = "en",
    baselines: options.BaselinesOption = True,
    settings: options.SetOption = None,
) -> None:
    """Train and evaluate on a synthetic corpus, with groups built from bare labels, and classify some letters."""
    import yaml

    from hierarchy.disk.output import OutputFolder
    from pipelines.cli.places import model_folder, run_folder, writing
    from pipelines.cli.train import run_training
    from pipelines.config import load_config
    from pipelines.demo.corpus import DEMO_FILES, MODEL, TAXONOMY, check_demo_folder, demo_files, write_demo_corpus

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
    check_demo_folder(folder)
    # Its own config names what the demo writes itself: only what the user adds to it is read.
    made = OutputFolder("--folder", folder, files=(*DEMO_FILES, TAXONOMY, MODEL), tables=True)
    own = (model_folder("output", Path(config.output)), run_folder(config))
    with writing(Work(load_config(None, settings or [])), made), writing(Work(config), *own):
        write_demo_corpus(folder, language)
        logger.info("a synthetic corpus, invented for this project, is in %s", folder)
        groups = folder / TAXONOMY
        groups.unlink(missing_ok=True)  # those of a model that goes now: the next demo would not know them
        classifier = run_training(config, baselines=baselines)
        classifier.taxonomy_.to_yaml(groups)
    wrote(folder)
    logger.info("the groups that were built: coarsefine taxonomy show %s", groups)
    letters = yaml.safe_load((configs_folder() / "demo" / "examples.yaml").read_text(encoding="utf-8"))[language]
    for letter, paths in zip(letters, classifier.predict_paths(letters, top_k=PATHS_SHOWN), strict=True):
        print_lines("", text(letter.strip(), style="italic"))
        print_paths("", paths, classifier.taxonomy_, ("probability", "group_probability"))
