"""``coarsefine serve``: a model behind HTTP, with a page to try it."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from hierarchy.disk.paths import local_path
from hierarchy.errors import ConfigError, DataError
from pipelines.cli import options
from pipelines.cli.commands import command

TOKEN = "COARSEFINE_TOKEN"  # noqa: S105 - the name of a variable
SHORTEST_TOKEN = 16
LOOPBACK = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - no names that a client could call
MEGABYTE = 1 << 20
DAY = 86_400.0
logger = logging.getLogger(f"coarsefine.{__name__}")


@command("serve model", "serve model --watch --corrections corrections.jsonl")
def serve(
    model: options.ModelArgument,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where it listens; 0.0.0.0 is everywhere.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What clients call it; by default the name of MODEL.")
    ] = None,
    corrections: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take corrections, and append them to this .jsonl.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Take a new model when MODEL is replaced.")] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Bearer token that clients must send; or in the variable {TOKEN}."),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that clients call it by, beside localhost; repeated; * for any."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A site whose pages may ask it (CORS); repeated.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=DAY, help="Seconds in which a request is answered or given up.")
    ] = 60.0,
    documents: Annotated[int, typer.Option(min=1, help="Documents of a request at most.")] = 1_000,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of a request at most, by estimate.")] = 200_000,
    body: Annotated[int, typer.Option(min=1, help="Megabytes of a request at most.")] = 8,
    queue_tokens: Annotated[int, typer.Option(min=1, help="Tokens that wait at most; then clients get 429.")] = 400_000,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens that are computed at once.")] = 16_384,
    device: options.DeviceOption = None,
) -> None:
    """Answer texts over HTTP: a page at /, the interface at /docs, health, metrics.

    It listens on this machine alone unless --host says otherwise. SIGTERM ends it when all are answered.
    """
    from hierarchy.disk.output import OutputFile, check_outputs
    from pipelines.model.artifact.hub import local_folder
    from pipelines.pages.service.page import service_page
    from pipelines.serving.http.app import check_serving, make_app
    from pipelines.serving.http.corrections import Corrections
    from pipelines.serving.http.guards import checked_hosts, checked_origins
    from pipelines.serving.http.limits import Limits
    from pipelines.serving.http.reloading import Watch
    from pipelines.serving.http.server import bound, run_server
    from pipelines.serving.http.service import Service
    from pipelines.serving.served_model import read_served

    check_serving()
    token = _token(token_file)
    called = _checked(name or _name_of(model))
    hosts, origins = checked_hosts(allow_host or []), checked_origins(allow_origin or [])
    limits = Limits(
        documents=documents, tokens=tokens, body=body * MEGABYTE, batch_tokens=batch_tokens, queue_tokens=queue_tokens,
        seconds=timeout,
    )  # fmt: skip
    if watch and not model.is_dir():
        raise ConfigError(f"--watch looks at a folder, and there is none at {str(model)!r}: name one, or leave it out")
    if host not in LOOPBACK and token is None:
        logger.warning("whoever reaches %s may ask: set a token, see docs/security.md", host)
    if corrections is not None:
        check_outputs([OutputFile("--corrections", corrections, (".jsonl",))], {"MODEL": model})
    with bound(host, port) as taken:
        folder = local_folder(model)
        served = read_served(folder, name=called, device=device)
        service = Service(served, limits, None if corrections is None else Corrections(corrections))
        known = [*hosts, *([] if host in EVERYWHERE else [host.lower()])]
        app = make_app(service, token=token, hosts=known, origins=origins, pages=service_page())
        watching = Watch(service, folder, device=device)
        if watch:
            watching.start()
        try:
            run_server(app, service, taken)
        finally:
            watching.close()


def _checked(name: str) -> str:
    """Return a name that can stand in a path; raises ConfigError where it cannot."""
    if not name.strip(". ") or "/" in name or not name.isprintable():
        raise ConfigError(f"clients cannot call a model {name!r}: give it a --name, without '/'")
    return name


def _name_of(model: Path) -> str:
    """Return a folder's own name, also where it is a link, which may lead elsewhere soon; of the hub, the model's."""
    path = Path(os.path.abspath(local_path(model)))  # noqa: PTH100 - it takes `..` away and follows no link
    return path.name if path.is_dir() else path.name.partition("@")[0]


def _token(file: Path | None) -> str | None:
    """Read the token, from a file or the environment; None where neither is there."""
    where, token = TOKEN, os.environ.get(TOKEN)
    if file is not None:
        try:
            where, token = str(file), file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"the token cannot be read from {str(file)!r} ({error}): name a file with one line"
            ) from error
    if token is None:
        return None
    token = token.strip()
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"the token in {where} is no good: give {SHORTEST_TOKEN} or more letters and digits, such as those of "
            "`openssl rand -hex 32`"
        )
    return token
