"""Files of edits: made all or none, and what the file of the tree holds is what they make of the tree."""

import shlex
from pathlib import Path
from random import Random
from typing import Any

from fuzz.cases import REFUSED, Target, Wrong, answer_of_cli
from fuzz.mutation import mutated
from fuzz.of_edits import command_of
from fuzz.trees import by_hand, tree
from hierarchy import Taxonomy, TaxonomyError


def _make(rng: Random) -> dict[str, Any]:
    """Draw a file, and some edits of it; most are of one kind, so that not all files are refused."""
    data = tree(rng, hostile=0.3)
    commands = [command_of(rng, data, rng.choice([None, "move", "rename"])) for _ in range(rng.choice([1, 2, 3, 5]))]
    lines = [rng.choice(["# a comment\n", "\n", ""]) + shlex.join(command) for command in commands]
    edits = "".join(f"{line}\n" for line in lines).encode()
    if rng.random() < 0.1:
        edits = mutated(rng, edits, 2)
    return {"file": by_hand(rng, data).encode(), "edits": edits}


def _check(case: dict[str, Any], folder: Path) -> str:
    file, edits = folder / "taxonomy.yaml", folder / "edits.txt"
    file.write_bytes(case["file"])
    edits.write_bytes(case["edits"])
    tried, _ = answer_of_cli(["taxonomy", "apply", str(file), str(edits), "--dry-run"])
    if file.read_bytes() != case["file"]:
        raise Wrong("edits that were only shown changed the file")
    answer, _ = answer_of_cli(["taxonomy", "apply", str(file), str(edits)])
    if answer != tried:
        raise Wrong("a dry run answers otherwise", (tried, answer))
    if sorted(entry.name for entry in folder.iterdir()) != [edits.name, file.name]:
        raise Wrong("edits leave other files", sorted(entry.name for entry in folder.iterdir()))
    if answer == REFUSED:
        if file.read_bytes() != case["file"]:
            raise Wrong("edits that were refused changed the file")
        return answer
    try:
        Taxonomy.from_yaml(file)
    except TaxonomyError as error:
        raise Wrong("an edited file cannot be read", error) from error
    return answer


EDIT_FILES = [Target("edit files", _make, _check, share=1, in_suite=60)]
