"""Random trees, and the ways in which people write one down."""

from collections.abc import Iterator
from random import Random
from typing import Any

from fuzz.mutation import name
from hierarchy import Group, Label, Taxonomy
from hierarchy.files.writing import quoted, scalar


def tree(rng: Random, hostile: float = 0.5) -> dict[str, Any]:
    """Draw the arguments of a `Taxonomy`, as plain data; it may contradict itself."""
    names = [name(rng) if rng.random() < hostile else f"Label {place}" for place in range(rng.randint(1, 8))]
    ids = [rng.choice([word, f"id{place}"]) for place, word in enumerate(names)]
    labels = [(i, word, rng.choice(["", "", name(rng)])) for i, word in zip(ids, names, strict=True)]
    groups: list[Any] = []
    while labels and rng.random() < 0.8:
        taken = [labels.pop() for _ in range(rng.randint(1, len(labels)))]
        word = name(rng) if rng.random() < hostile else f"Group {len(groups)}"
        built = rng.random() < 0.2 and rng.choice([True, "abcdefgh"])
        groups.append((rng.choice([word, f"g{len(groups)}"]), word, taken, built))
    links = [tuple(rng.sample(ids, 2))] if len(ids) > 2 and rng.random() < 0.15 else []
    gone = {"merged_into": rng.choice([{}, {}, {"former": rng.choice(ids), "before it": "former"}])}
    gone |= {"retired": rng.choice([[], [], ["gone", "left"]])}
    return {"groups": groups, "unplaced": labels, "must_link": links} | gone


def taxonomy(data: dict[str, Any]) -> Taxonomy:
    """Make the taxonomy; raises TaxonomyError where it contradicts itself."""
    groups = tuple(
        Group(group_id, word, labels=tuple(Label(*label) for label in labels), built=built)
        for group_id, word, labels, built in data["groups"]
    )
    unplaced = tuple(Label(*label) for label in data["unplaced"])
    gone = {"merged_into": data["merged_into"], "retired": tuple(data["retired"])}
    return Taxonomy(groups, unplaced, must_link=tuple(data["must_link"]), **gone)


def by_hand(rng: Random, data: dict[str, Any]) -> str:
    """Write a tree as YAML in the long form, with a comment beside each label, group and list."""
    newline = rng.choice(["\n", "\n", "\n", "\r\n"])
    text = newline.join([*rng.choice([[], ["---"], ["# at the top", ""]]), *_lines(rng, data)])
    return text + rng.choice([newline, newline, "", newline * 2, f"{newline}# at the end{newline}"])


def _lines(rng: Random, data: dict[str, Any]) -> Iterator[str]:
    if data["groups"]:
        yield "groups:  # of groups"
    for group_id, word, labels, built in data["groups"]:
        yield f"  - name: {_written(rng, word)}  # beside group {_plain(group_id)}"
        if group_id != word:
            yield f"    id: {_written(rng, group_id)}"
        if built:
            yield f"    built: {scalar(built)}"
        yield from _labels(rng, labels, "    ")
    if data["unplaced"]:
        yield from _labels(rng, data["unplaced"], "")
    for key in ("must_link", "cannot_link"):
        if data.get(key):
            yield f"{key}: [{', '.join('[' + ', '.join(map(quoted, link)) + ']' for link in data[key])}]"
    if data["merged_into"]:
        yield "merged_into:  # of merged labels"
        yield from (f"  {word}: {quoted(heir)}" for word, heir in data["merged_into"].items())
    if data["retired"]:
        yield f"retired: [{', '.join(map(quoted, data['retired']))}]  # of retired"


def _labels(rng: Random, labels: list[Any], lead: str) -> Iterator[str]:
    bare = all(label_id == word and not told for label_id, word, told in labels)
    if bare and rng.random() < 0.4:
        yield f"{lead}labels: [{', '.join(quoted(word) for _, word, _ in labels)}]"
        return
    yield f"{lead}labels:"
    for label_id, word, told in labels:
        beside = f"  # beside {_plain(label_id)}"
        if label_id == word and not told:
            yield f"{lead}  - {_written(rng, word)}{beside}"
            continue
        yield f"{lead}  - name: {_written(rng, word)}{beside}"
        yield f"{lead}    id: {_written(rng, label_id)}"
        if told:
            yield f"{lead}    description: {_written(rng, told)}"


def beside(label_id: str) -> str:
    """Return the comment that stands beside a label."""
    return f"# beside {_plain(label_id)}"


def _plain(word: str) -> str:
    """Write a word so that it can stand in a comment, and is no other word's beginning."""
    return f"<{word.encode().hex()}>"


def _written(rng: Random, word: str) -> str:
    if "'" not in word and word.isprintable() and rng.random() < 0.3:
        return f"'{word}'"
    return scalar(word) if rng.random() < 0.7 else quoted(word)
