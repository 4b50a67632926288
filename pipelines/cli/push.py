"""``coarsefine push``: a trained model goes to the Hugging Face hub."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.commands import command
from pipelines.cli.console import print_lines, wrote

logger = logging.getLogger(f"coarsefine.{__name__}")


@command("push model my-org/tickets --private", goes_on="give the same command again")
def push(
    model: Annotated[Path, typer.Argument(help="Folder that train wrote.")],
    repo_id: Annotated[str, typer.Argument(metavar="ORG/NAME", help="Where to on the hub; made where there is none.")],
    private: Annotated[
        bool | None,
        typer.Option("--private/--public", help="Of a new repository; by default as the organisation has it."),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, made where there is none; by default main.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Of the commit.")] = None,
) -> None:
    """Upload a model, in place of an earlier one of that name.

    Log in first with `hf auth login`, or set HF_TOKEN. Only the files that the model's manifest lists are uploaded.
    """
    from pipelines.model.artifact.hub import push_folder

    where = push_folder(model, repo_id, private=private, revision=revision, commit_message=message)
    wrote(where)
    print_lines(where)
    name = repo_id if revision is None else f"{repo_id}@{revision}"
    logger.info("use it by its name: coarsefine predict %s --text ...", name)
