"""What every command does alike: its options become a config, its work is a session, and its paths are looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer
from typer.models import OptionInfo

from hierarchy.disk.paths import expanded, local_path
from pipelines.cli.console import session
from pipelines.cli.options import (
    TREE_OPTIONS,
    TREE_REMEDIES,
    ConfigOption,
    LabelColumnOption,
    SetOption,
    TextColumnOption,
)

if TYPE_CHECKING:
    from hierarchy.disk.output import Place
    from pipelines.config import Config

WORK = "work"  # the argument of a command that has a config
COLUMNS = {"text": TextColumnOption, "label": LabelColumnOption}


@dataclass(frozen=True)
class Work:
    """What a command was asked for.

    Parameters
    ----------
    config
        File, ``--set`` and columns in one.
    paths
        What its arguments and options name, by their names; what it writes among it.
    shape
        How the file of a tree is read, as far as options say it: arguments of `Taxonomy.from_file`.
    """

    config: "Config"
    paths: "dict[str, Place | None]" = field(default_factory=dict)
    shape: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A command, as `command` makes it of a function.

    Parameters
    ----------
    function
        What typer calls.
    examples
        Command lines without the name of the program.
    """

    function: Callable[..., None]
    examples: tuple[str, ...]

    def add_to(self, app: typer.Typer, group: str = "") -> None:
        """Register it with the examples under its help."""
        epilog = "\n\n".join(f"Example: coarsefine {group}{example}" for example in self.examples)
        app.command(self.function.__name__.replace("_", "-"), epilog=epilog)(self.function)


def command(
    *examples: str,
    goes_on: str | Callable[[dict[str, Any]], str] = "",
    columns: tuple[str, ...] = tuple(COLUMNS),
    reads_tree: bool = False,
) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function: a session around it and, where it takes `work`, the options of a config.

    In its paths ``~`` is the home folder; a shell leaves it as it is in ``--out=~/x``.

    Parameters
    ----------
    examples
        See `Command`.
    goes_on
        What a person does after an interruption, for the message; or what says it of the options given.
    columns
        Which of the documents' columns can be named by an option.
    reads_tree
        Whether options say how the file of a tree is read, that of its label column among them.
    """
    if reads_tree:
        columns = tuple(name for name in columns if f"{name}_column" not in TREE_OPTIONS)

    def made(function: Callable[..., None]) -> Command:
        own = list(signature(function).parameters.values())
        parameters = [parameter for parameter in own if parameter.name != WORK]
        takes_work = len(parameters) < len(own)
        if takes_work:
            shared = {f"{name}_column": COLUMNS[name] for name in columns}
            shared |= TREE_OPTIONS if reads_tree else {}
            options = {**shared, "config": ConfigOption, "settings": SetOption}.items()
            parameters += [Parameter(key, Parameter.KEYWORD_ONLY, default=None, annotation=o) for key, o in options]
        places = dict(_places(parameters))

        def run(**given: Any) -> None:
            named = {"split": "--split"} if "split" in given else {}
            if reads_tree:  # whose label column is not that of the documents
                named |= {**TREE_REMEDIES, "label": "--set data.label=..."}
            with session(goes_on(given) if callable(goes_on) else goes_on, named):
                if takes_work:
                    shape = {key: value for key in TREE_OPTIONS if reads_tree and (value := given.pop(key))}
                    paths = dict(_named(given, places))
                    given[WORK] = Work(_config(given, columns), paths, shape)
                function(**given)

        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return Command(run, examples)

    return made


def _named(given: "dict[str, Any]", places: dict[str, str]) -> "Iterator[tuple[str, Place | None]]":
    """Give what arguments name, each of several by its number."""
    for key, name in places.items():
        if isinstance(given[key], list):
            yield from ((f"{name}[{number}]", place) for number, place in enumerate(given[key]))
        else:
            yield name, given[key]


def _config(given: dict[str, Any], columns: tuple[str, ...]) -> "Config":
    from pipelines.config import load_config

    config = load_config(given.pop("config"), given.pop("settings") or [])
    named = {name: value for name in columns if (value := given.pop(f"{name}_column"))}
    if len(named.get("text", ())) == 1:
        named["text"] = named["text"][0]
    if named:
        config = config.model_copy(update={"data": config.data.model_copy(update=named)})
    return config


def _places(parameters: list[Parameter]) -> Iterator[tuple[str, str]]:
    """Give the parameters that are places, with the names that a person knows; let each be read as one."""
    for parameter in parameters:
        kind, described = get_args(parameter.annotation)
        if Path in (kind, *get_args(kind)):
            described.parser = local_path
        if described.parser in (local_path, expanded):
            # Typer takes the first declaration for a default until it reads the annotation itself.
            is_option = isinstance(described, OptionInfo)
            yield (
                parameter.name,
                described.default if is_option else (described.metavar or parameter.name.upper()).strip("[]"),
            )
