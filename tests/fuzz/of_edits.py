"""Edits of a taxonomy file by command: done whole, with the comments kept, or not at all."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import REFUSED, Target, Wrong, answer_of_cli
from fuzz.mutation import mutated, name, text
from fuzz.trees import beside, by_hand, tree
from hierarchy import Taxonomy, TaxonomyError


def _make(rng: Random) -> dict[str, Any]:
    """Draw a file and a command; `named` are the words in it that may name labels."""
    data = tree(rng, hostile=0.3)
    file = by_hand(rng, data).encode()
    if rng.random() < 0.15:
        file = mutated(rng, file, 2)
    command = command_of(rng, data)
    if rng.random() < 0.1:
        command.insert(1, "--dry-run")
    return {"file": file, "command": command, "ids": [label[0] for label in _labels(data)]}


def command_of(rng: Random, data: dict[str, Any], name: str | None = None) -> list[str]:
    """Draw an edit of a tree as a command, without its file."""
    words = [word for label in _labels(data) for word in label[:2]] + [text(rng)]
    groups = [word for group in data["groups"] for word in group[:2]] + [text(rng)]
    return _command(rng, words, groups, name)


def _labels(data: dict[str, Any]) -> list[Any]:
    return [label for *_, inside, _ in data["groups"] for label in inside] + data["unplaced"]


def _command(rng: Random, labels: Sequence[str], groups: Sequence[str], command: str | None) -> list[str]:
    chosen = [rng.choice(labels) for _ in range(rng.choice([1, 1, 2, 3]))]
    group, new = rng.choice(groups), [name(rng) if rng.random() < 0.7 else text(rng) for _ in range(2)]
    as_group = ["--new-group"] if rng.random() < 0.3 else []
    kind = rng.choice([[], ["--kind", "label"], ["--kind", "group"]])
    if as_group:
        group = new[1]
    options: dict[str, list[str]] = {
        "add": [*rng.choice([[], [f"--id={text(rng)}"], [f"--description={text(rng)}"]]), f"--group={group}", *as_group,
                "--", *new[:1]],
        "move": [f"--to={group}", *as_group, "--", *chosen],
        "merge": [f"--into={rng.choice([*labels, *groups])}", *kind, "--",
                  *rng.choice([chosen, [rng.choice(groups)], [rng.choice(groups), rng.choice(groups)]])],
        "split": rng.choice([[f"--into={new[0]}", f"--into={new[1]}", "--", chosen[0]],
                             [*(f"--label={label}" for label in chosen), f"--into={new[0]}", "--", group]]),
        "retire": [*kind, "--", *rng.choice([chosen, [group]])],
        "pin": [*kind, "--", *rng.choice([chosen, [group], [*chosen, group]])],
        "unpin": [*kind, "--", *rng.choice([chosen, [group], [*chosen, group]])],
        "rename": [*kind, "--", rng.choice([chosen[0], group]), new[0]],
    }  # fmt: skip
    command = command or rng.choice(list(options))
    return [command, *options[command]]


def _check(case: dict[str, Any], folder: Path) -> str:
    file = folder / "taxonomy.yaml"
    file.write_bytes(case["file"])
    command, *rest = case["command"]
    at = len(rest) if "--" not in rest else rest.index("--")
    answer, _ = answer_of_cli(["taxonomy", command, str(file), *rest[:at], *rest[at:]])
    if [entry.name for entry in folder.iterdir()] != [file.name]:
        raise Wrong("an edit leaves other files", sorted(entry.name for entry in folder.iterdir()))
    if answer == REFUSED or "--dry-run" in rest:
        if file.read_bytes() != case["file"]:
            raise Wrong("an edit that was refused, or only shown, changed the file")
        return answer
    _check_done(case, command, rest, file)
    return answer


def _check_done(case: dict[str, Any], command: str, rest: list[str], file: Path) -> None:
    before, after = _read(case["file"], file.with_name("before.yaml")), _read(file.read_bytes(), file)
    expected = _expected(before, command, [word for word in rest if word != "--dry-run"])
    if expected is not None and after != expected:
        raise Wrong("the file reads as another tree than the edit made", (after, expected))
    content = file.read_text(encoding="utf-8")
    old, new = _homes(before), _homes(after)
    # What is named, or moves, may come to stand in brackets, where there is no place for a comment.
    stay = [i for i in case["ids"] if i in new and old.get(i) == new[i] and not {i, before.label_named(i)} & {*rest}]
    lost = [i for i in stay if beside(i) in case["file"].decode() and beside(i) not in content]
    if lost:
        raise Wrong("an edit loses the comment of a label that stays", lost)


def _homes(tree: Taxonomy) -> dict[str, str]:
    placed = {label.id: group.id for group in tree.groups for label in group.labels}
    return placed | {label.id: "" for label in tree.unplaced}


def _read(data: bytes, file: Path) -> Taxonomy:
    file.write_bytes(data)
    try:
        return Taxonomy.from_yaml(file)
    except TaxonomyError as error:
        raise Wrong("an edited file cannot be read", error) from error


def _expected(before: Taxonomy, command: str, rest: list[str]) -> Taxonomy | None:
    """Make the edit on the tree; None where the command leaves it open whether labels or groups are meant."""
    from hierarchy import Label
    from hierarchy.editing import edits

    words = rest[rest.index("--") + 1 :]
    options = [option.partition("=")[::2] for option in rest[: rest.index("--")]]
    given = dict(options)
    new_group = "--new-group" in given
    if command == "add":
        label = Label(given.get("--id", ""), words[0], given.get("--description", ""))
        return edits.add(before, [label], given["--group"], new_group=new_group).new
    if command == "move":
        return edits.move(before, words, given["--to"], new_group=new_group).new
    into = [value for option, value in options if option == "--into"]
    if command == "split" and "--label" in given:
        labels = [value for option, value in options if option == "--label"]
        return edits.split_off(before, words[0], labels, into[0]).new
    if command == "split":
        return edits.split_label(before, words[0], [Label("", name) for name in into]).new
    return None


EDITS = [Target("edits", _make, _check, share=2, in_suite=250)]
