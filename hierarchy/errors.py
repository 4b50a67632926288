"""The errors of the project: few, and each is also the built-in that a caller already catches."""

from collections.abc import Sequence
from typing import Any

from hierarchy.text.escaping import visible

PROBLEMS_SHOWN = 20  # in a message; `problems` holds them all
LONGEST, BEGINNING, END = 1000, 600, 300  # characters of a line: a value in it may be a whole document


class CoarsefineError(Exception):
    """Base of every error that the project raises on purpose.

    Parameters
    ----------
    problems
        One message, or all messages that one check found. Each says what happened, the value, the place
        (file, line or key) and the remedy.
    where
        What was read, for the first line when there are several problems.
    hint
        What all problems together speak for, such as another kind of file.
    """

    def __init__(self, problems: str | Sequence[str], where: str = "", hint: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.where = where
        self.hint = hint
        super().__init__(self._message())

    def __reduce__(self) -> tuple[Any, ...]:
        """Come out of a worker process as it went in: Python would make it of its message."""
        return type(self), (self.problems, self.where, self.hint), {**vars(self), "args": self.args}

    def _message(self) -> str:
        head, hint = f"{one_line(self.where)}: " if self.where else "", f"; {self.hint}" if self.hint else ""
        if len(self.problems) == 1:
            return f"{head}{one_line(self.problems[0])}{hint}"
        lines = [f"  - {one_line(problem)}" for problem in self.problems[:PROBLEMS_SHOWN]]
        if left := len(self.problems) - len(lines):
            lines.append(f"  and {left:,} more")
        return "\n".join([f"{head}{len(self.problems):,} problems{hint}", *lines])


def combined(errors: "Sequence[CoarsefineError]") -> "CoarsefineError":
    """Return one error, of the first one's kind, that says what all of them say; each is capped for itself."""
    if len(errors) == 1:
        return errors[0]
    whole = type(errors[0])([f"{error.where}: {problem}" for error in errors for problem in error.problems])
    lines = ("  - " + str(error).replace("\n", "\n  ") for error in errors)
    whole.args = ("\n".join([f"{len(whole.problems):,} problems", *lines]),)
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


class MissingLibraryError(CoarsefineError, ImportError):
    """A library that only an extra of the project installs is needed."""
