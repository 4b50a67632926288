"""What pydantic finds wrong with settings, in words: every problem at once, each with key, place and remedy."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hierarchy.errors import ConfigError
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import suggestion

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Mapping[str, Any], where: str, places: Mapping[str, str] | None = None) -> M:
    """Check values against a settings class, with all problems at once.

    Parameters
    ----------
    model
        The settings class.
    values
        As a user gave them.
    where
        Their source, for the message.
    places
        Where each dotted key stands (``line 12``), as far as it is known.

    Raises
    ------
    ConfigError
        Names each key that is unknown (with the nearest that is known) or has a wrong value.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        # A union reports each of its branches: one key, one line.
        merged: dict[str, list[str]] = {}
        for problem in error.errors():
            key, lead, message = _in_words(model, problem)
            place = _place(key, places or {})
            merged.setdefault(f"{place}: {lead}" if place else lead, []).append(message)
        raise ConfigError([lead + ", or ".join(messages) for lead, messages in merged.items()], where) from None


def _in_words(model: type[BaseModel], problem: Any) -> tuple[str, str, str]:
    """Return the dotted key of a problem, the words that lead to its message, and the message."""
    path = [str(step) for step in problem["loc"]]
    fields: dict[str, Any] = model.model_fields
    known: list[str] = []
    form = ""
    for step in path:  # steps that are no keys are branches of a union
        if step not in fields:
            break
        known.append(step)
        form = (fields[step].json_schema_extra or {}).get("form", "")
        inner = fields[step].annotation
        fields = inner.model_fields if isinstance(inner, type) and issubclass(inner, BaseModel) else {}
    if problem["type"] == "extra_forbidden":
        key = ".".join(path)
        return key, f"unknown key {key!r}: ", _suggestion(path, fields, model)
    key, message = ".".join(known), problem["msg"].removeprefix("Value error, ")
    if not known:
        return key, "", message
    if problem["type"] == "missing":
        return key, "", f"{key} is missing"
    if problem["type"] == "value_error":  # the validator of a whole section names its keys itself
        return key, f"{key}: ", message
    if problem["type"] == "string_pattern_mismatch":
        message = form
    if problem["type"] == "string_type":  # YAML reads no, 1.0 and null as other things than text
        message += "; put it in quotes"
    return key, f"{key} = {short_repr(problem['input'])}: ", f"{message[0].lower()}{message[1:]}"


def _suggestion(path: list[str], fields: Mapping[str, Any], model: type[BaseModel]) -> str:
    word = path[-1]
    if word in model.model_fields and len(path) > 1:
        return f"it stands at the top level: did you mean {word!r}?"
    for section, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and word in inner.model_fields:
            return f"it belongs under {section!r}: did you mean '{section}.{word}'?"
    return suggestion(word, list(fields))


def _place(key: str, places: Mapping[str, str]) -> str:
    """Return where a key stands, or the nearest key above it."""
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places.get(key, "")
