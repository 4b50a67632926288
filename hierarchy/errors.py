"""The errors of the project: few, and each is also the built-in that a caller already catches."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

from hierarchy.text.escaping import visible

PROBLEMS_SHOWN = 18  # in a message, which has 20 lines with its first and its last; `problems` holds them all
EXAMPLES = 5  # of equal problems, where not all fit
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|[\d,]*\d|; did you mean .*")  # in which equal problems differ
LONGEST, BEGINNING, END = 1000, 600, 300  # characters of a line: a value in it may be a whole document


PYTHON: Mapping[str, str] = MappingProxyType({})  # settings as the arguments of functions


class Remedy(str):
    """A problem, or a hint, that a setting solves: as text it names the argument of a function.

    Parameters
    ----------
    before, after
        What stands around the setting.
    setting
        Its name.
    value
        What it should be, as it is written.
    call
        How it is set in Python.
    """

    setting: str
    _parts: tuple[str, str, str]
    _call: str

    def __new__(cls, before: str, setting: str, after: str = "", *, value: str = "...", call: str = "{}") -> "Remedy":
        """Word it for Python."""
        made = super().__new__(cls, f"{before}{call.format(f'{setting}={value}')}{after}")
        made.setting, made._parts, made._call = setting, (before, value, after), call
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return what makes it again where it comes from another process."""
        before, value, after = self._parts
        return (before, self.setting, after), {"value": value, "call": self._call}

    def worded(self, options: Mapping[str, str]) -> str:
        """Return the text with an option, which may have a place for the value, instead of the argument."""
        before, value, after = self._parts
        return f"{before}{options[self.setting].format(value)}{after}" if self.setting in options else self


class CoarsefineError(Exception):
    """Base of every error that the project raises on purpose.

    Parameters
    ----------
    problems
        One message, or all messages that one check found. Each says what happened, the value, the place
        (file, line or key) and the remedy; it is a `Remedy` where that is a setting.
    where
        What was read, for the first line when there are several problems.
    hint
        What all problems together speak for, such as another kind of file.
    """

    def __init__(self, problems: str | Sequence[str], where: str = "", hint: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.where = where
        self.hint = hint
        self.parts: Sequence[CoarsefineError] = ()
        super().__init__(self.worded(PYTHON))

    def __reduce__(self) -> tuple[Any, ...]:
        """Come out of a worker process as it went in: Python would make it of its message."""
        return type(self), (self.problems, self.where, self.hint), {**vars(self), "args": self.args}

    def worded(self, options: Mapping[str, str]) -> str:
        """Return the message, with options instead of the arguments of functions.

        Parameters
        ----------
        options
            Setting -> what sets it; see `Remedy`.
        """
        *problems, hint = (
            said.worded(options) if isinstance(said, Remedy) else said for said in (*self.problems, self.hint)
        )
        head, hint = f"{one_line(self.where)}: " if self.where else "", f"; {hint}" if hint else ""
        if self.parts:  # each is capped for itself
            shown, unseen = self.parts[:PROBLEMS_SHOWN], len(self.parts) - PROBLEMS_SHOWN
            told = ["  - " + part.worded(options).replace("\n", "\n  ") for part in shown]
            told += [f"  and {unseen:,} more"] if unseen > 0 else []
            many = "" if len(self.problems) == 1 else "s"
            return "\n".join([f"{head}{len(self.problems):,} problem{many}{hint}", *told])
        if len(problems) == 1:
            return f"{head}{one_line(problems[0])}{hint}"
        return "\n".join([f"{head}{len(problems):,} problems{hint}", *_few_lines(problems)])


def _few_lines(problems: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a message: all problems, or so many of each kind as fit, and how many are left out."""
    if len(problems) <= PROBLEMS_SHOWN:
        yield from (f"  - {one_line(problem)}" for problem in problems)
        return
    kinds: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        kinds[_VALUES.sub("", problem)].append(problem)
    each = EXAMPLES
    while each > 1 and sum(min(len(alike), each) for alike in kinds.values()) > PROBLEMS_SHOWN:
        each -= 1
    unseen = len(problems)
    for alike in list(kinds.values())[:PROBLEMS_SHOWN]:
        left = len(alike) - each
        *before, last = map(one_line, alike[:each])
        yield from (f"  - {problem}" for problem in before)
        yield f"  - {last}" + (f" (and {left:,} more like this)" if left > 0 else "")
        unseen -= len(alike)
    if unseen:
        yield f"  and {unseen:,} more"


def combined(errors: "Sequence[CoarsefineError]", where: str = "", hint: str = "") -> "CoarsefineError":
    """Return one error, of the first one's kind, that says what all of them say, and perhaps what they mean together.

    Parameters
    ----------
    errors
        One or more.
    where, hint
        As for `CoarsefineError`.
    """
    if len(errors) == 1 and not where:
        return errors[0]
    problems = [f"{error.where}: {problem}" for error in errors for problem in error.problems]
    whole = type(errors[0])(problems, where, hint)
    whole.parts = errors
    whole.args = (whole.worded(PYTHON),)
    return whole


def one_line(problem: str) -> str:
    """Return a problem as one line that a terminal shows: names and values in it are a user's."""
    line = visible(problem)
    return line if len(line) <= LONGEST else f"{line[:BEGINNING]} … {line[-END:]}"


def first_line(error: BaseException) -> str:
    """Return the first line of what an error of others says, without its full stop; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


class TaxonomyError(CoarsefineError, ValueError):
    """A taxonomy, or the file that holds it, contradicts itself."""


class DataError(CoarsefineError, ValueError):
    """Documents or their labels cannot be used as they are."""


class ConfigError(CoarsefineError, ValueError):
    """A setting is unknown, has a wrong type, or contradicts another."""


class EncoderError(CoarsefineError, ValueError):
    """An encoder cannot be found, cannot be trusted, or cannot read the documents."""


class UnreadableError(EncoderError):
    """An encoder does not know the language or script of the documents."""


class ArtifactError(CoarsefineError, ValueError):
    """A saved model is damaged, incomplete, or of another format version."""


class BusyError(CoarsefineError, RuntimeError):
    """Another process writes to the same file or folder."""


class WorkerError(CoarsefineError, RuntimeError):
    """Processes that work for this one were ended from outside, and those in their place again."""


class MissingLibraryError(CoarsefineError, ImportError):
    """A library that only an extra of the project installs is needed."""


def need(*libraries: str, what: str) -> None:
    """Refuse work without libraries that are not installed everywhere.

    Parameters
    ----------
    libraries
        Their names, which are those of the packages too.
    what
        What they do here, for the message: ``trials are proposed by Optuna``.

    Raises
    ------
    MissingLibraryError
        Some are not installed: the message names all of these.
    """
    missing = [library for library in libraries if not _can_import(library)]
    if missing:
        raise MissingLibraryError(f"{what}, which is not installed; install it with: pip install {' '.join(missing)}")


def _can_import(library: str) -> bool:
    try:
        import_module(library)
    except ImportError:
        return False
    return True
