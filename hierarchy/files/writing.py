"""A tree → YAML or JSON text that reads back as the same tree, byte for byte the same on every machine."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hierarchy.files.reading import FORMAT
from hierarchy.nodes import Group, Label, Tree

_PLAIN = re.compile(r"[^\W\d_](?:[\w &/,.()+'-]*[\w)+.])?")
_RESERVED = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|nan|inf|\.nan|\.inf")  # other YAML readers convert these
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_text(tree: Tree) -> str:
    """Write a tree as YAML, in the long form of the file format."""
    return "\n".join(block_lines(as_data(tree), 0)) + "\n"


def json_text(tree: Tree) -> str:
    """Write a tree as JSON, with the same structure as the YAML."""
    return json.dumps(as_data(tree), ensure_ascii=False, indent=1) + "\n"


def as_data(tree: Tree) -> dict[str, Any]:
    """Return the tree as plain dictionaries and lists, with what is empty or default left out."""
    labels = [label for group in tree.groups for label in group.labels] + list(tree.unplaced)
    names = Counter(label.name for label in labels)

    def label_data(label: Label) -> str | dict[str, Any]:
        # A name that stands in several places would get the id group/name when it is read.
        given_id = label.id != label.name or names[label.name] > 1
        if not given_id and not label.description:
            return label.name
        return _filled(id=label.id if given_id else "", name=label.name, description=label.description)

    def group_data(group: Group) -> dict[str, Any]:
        return _filled(
            id=group.id if group.id != group.name else "",
            name=group.name,
            description=group.description,
            built=group.built,
            frozen_name=group.frozen_name,
            min_size=group.min_size,
            max_size=group.max_size,
            labels=[label_data(label) for label in group.labels],
        )

    return {"format": FORMAT} | _filled(
        name=tree.name,
        groups=[group_data(group) for group in tree.groups],
        labels=[label_data(label) for label in tree.unplaced],
        must_link=[list(link) for link in tree.must_link],
        cannot_link=[list(link) for link in tree.cannot_link],
        retired=list(tree.retired),
    )


def _filled(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def block_lines(data: dict[str, Any], indent: int) -> Iterator[str]:
    """Yield the lines of a mapping; what is nested in it stands two columns further in."""
    blank = " " * indent
    for key, value in data.items():
        if not isinstance(value, list):
            yield f"{blank}{key}: {scalar(value)}"
            continue
        yield f"{blank}{key}:"
        for item in value:
            if isinstance(item, dict):
                first, *rest = block_lines(item, indent + 4)
                yield f"{blank}  - {first.lstrip()}"
                yield from rest
            elif isinstance(item, list):
                yield f"{blank}  - [{', '.join(scalar(part, inside=True) for part in item)}]"
            else:
                yield f"{blank}  - {scalar(item)}"


def scalar(value: str | int | bool, inside: bool = False) -> str:
    """Write one value, in quotes only where it needs them; `inside` brackets a comma needs them, too."""
    if not isinstance(value, str):
        return str(value).lower()
    if _PLAIN.fullmatch(value) and not _RESERVED.fullmatch(value) and not (inside and "," in value):
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """Write a text in double quotes."""
    # Double-quoted YAML is JSON but for line breaks and controls that JSON lets stand.
    text = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
