"""A tree → YAML or JSON text that reads back as the same tree, byte for byte the same on every machine."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from hierarchy.files.reading import FORMAT, GROUP_KEYS, LABEL_KEYS
from hierarchy.nodes import Group, Label, Tree

_UNSORTED = "  # unsorted: these labels have little in common"
_PLAIN = re.compile(r"[^\W\d_](?:[\w &/,.()+'-]*[\w)+.])?")
_RESERVED = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|nan|inf|\.nan|\.inf")  # other YAML readers convert these
_LONGEST_KEY = 1000  # YAML allows 1024 characters
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def yaml_text(tree: Tree, unsorted: Collection[str] = ()) -> str:
    """Write a tree as YAML, in the long form of the file format, with a comment above the groups that are unsorted."""
    groups, lines, within = iter(tree.groups), [], False
    for line in block_lines(as_data(tree), 0):
        within = line == "groups:" or (within and line.startswith(" "))
        if within and line.startswith("  - ") and next(groups).id in unsorted:
            lines.append(_UNSORTED)
        lines.append(line)
    return "\n".join(lines) + "\n"


def json_text(tree: Tree) -> str:
    """Write a tree as JSON, with the same structure as the YAML."""
    return json.dumps(as_data(tree), ensure_ascii=False, indent=1) + "\n"


def as_data(tree: Tree) -> dict[str, Any]:
    """Return the tree as plain dictionaries and lists, with what is empty or default left out."""
    names = Counter(label.name for label in tree.all_labels)

    def written(label: Label) -> str | dict[str, Any]:
        # A name that stands in several places would get the id group/name when it is read.
        return label_data(label, label.id != label.name or names[label.name] > 1)

    groups = [_filled(group_fields(group) | {"labels": list(map(written, group.labels))}) for group in tree.groups]
    lists = {
        "groups": groups,
        "labels": list(map(written, tree.unplaced)),
        "must_link": list(map(list, tree.must_link)),
        "cannot_link": list(map(list, tree.cannot_link)),
        "merged_into": dict(tree.merged_into),
        "retired": list(tree.retired),
    }
    return _filled({"format": FORMAT, "name": tree.name} | lists)


def label_data(label: Label, with_id: bool) -> str | dict[str, Any]:
    """Return a label as it is written: its name alone where that is enough."""
    if not with_id and not label.description and not label.pinned:
        return label.name
    return _filled({"id": label.id if with_id else ""} | label_fields(label))


def label_fields(label: Label) -> dict[str, Any]:
    """Return what is written of a label beside its id; what is empty is left out in a file."""
    return {key: getattr(label, key) for key in LABEL_KEYS if key != "id"}


def group_fields(group: Group) -> dict[str, Any]:
    """Return what is written of a group beside its labels; what is empty or None is left out in a file."""
    fields = {key: getattr(group, key) for key in GROUP_KEYS if key not in ("id", "labels")}
    return {"id": group.id if group.id != group.name else ""} | fields


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}


def block_lines(data: dict[str, Any], indent: int) -> Iterator[str]:
    """Yield the lines of a mapping; what is nested in it stands two columns further in."""
    blank = " " * indent
    for key, value in data.items():
        if not isinstance(value, list | dict):
            yield f"{blank}{key}: {scalar(value)}"
            continue
        yield f"{blank}{key}:"
        if isinstance(value, dict):
            yield from (line for word, text in value.items() for line in _pair_lines(f"{blank}  ", word, text))
            continue
        for item in value:
            if isinstance(item, dict):
                first, *rest = block_lines(item, indent + 4)
                yield f"{blank}  - {first.lstrip()}"
                yield from rest
            else:
                yield f"{blank}  - {inline(item) if isinstance(item, list) else scalar(item)}"


def _pair_lines(blank: str, word: str, text: str) -> Iterator[str]:
    """Write a user's text as a key with a value; YAML wants a long one marked."""
    key = scalar(word)
    yield from [f"{blank}{key}: {scalar(text)}"] if len(key) <= _LONGEST_KEY else [
        f"{blank}? {key}", f"{blank}: {scalar(text)}"
    ]  # fmt: skip


def inline(data: Any) -> str:
    """Write a value, a list or a mapping as it stands in brackets."""
    if isinstance(data, list):
        return f"[{', '.join(map(inline, data))}]"
    if isinstance(data, dict):
        return f"{{{', '.join(f'{key}: {inline(value)}' for key, value in data.items())}}}"
    return scalar(data, inside=True)


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
