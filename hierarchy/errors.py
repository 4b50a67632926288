"""The errors of the project: few, and each is also the built-in that a caller already catches."""

from collections.abc import Sequence

from hierarchy.escaping import visible


class CoarsefineError(Exception):
    """Base of every error that the project raises on purpose.

    Parameters
    ----------
    problems
        One message, or all messages that one check found. Each says what happened, the value, the place
        (file, line or key) and the remedy.
    where
        What was read, for the first line when there are several problems.
    """

    def __init__(self, problems: str | Sequence[str], where: str = "") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.where = where
        super().__init__(self._message())

    def _message(self) -> str:
        head = f"{visible(self.where)}: " if self.where else ""
        lines = [visible(problem) for problem in self.problems]  # names and values in them are a user's
        if len(lines) == 1:
            return head + lines[0]
        return f"{head}{len(lines)} problems\n" + "\n".join(f"  - {line}" for line in lines)


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


class MissingLibraryError(CoarsefineError, ImportError):
    """A library that only an extra of the project installs is needed."""
