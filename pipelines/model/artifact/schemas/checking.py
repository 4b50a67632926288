"""Values that several files of a model have, and how they are compared with a schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hierarchy.errors import ArtifactError

REMEDY = "copy the model again, or train again"
M = TypeVar("M", bound=BaseModel)
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """A schema that takes no value for another, and no key that it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def checked(schema: type[M], content: Any, where: Path) -> M:
    """Compare what a file holds with its schema.

    Raises
    ------
    ArtifactError
        Names each key that is missing, unknown or has a wrong value.
    """
    with refusing(where):
        return schema.model_validate(content)


@contextmanager
def refusing(where: Path) -> Iterator[None]:
    """Name each key of a file that pydantic refuses, with the remedy."""
    try:
        yield
    except ValidationError as error:
        problems = []
        for problem in error.errors(include_url=False, include_context=False):
            key = ".".join(map(str, problem["loc"]))
            message = problem["msg"].removeprefix("Value error, ")
            lead = f"{key}: " if key else ""
            value = "" if isinstance(problem["input"], dict | list) else f", not {problem['input']!r}"
            problems.append(f"{lead}{message[0].lower()}{message[1:]}{value if key else ''}: {REMEDY}")
        raise ArtifactError(problems, str(where)) from None
