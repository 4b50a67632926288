"""Edits of a taxonomy, and of the YAML file that holds it.

`edits` has what can be done, on taxonomies; `patching` brings an edited one into the owner's file, where all that the
edit does not touch stays byte for byte. `draft` and `links` serve the first, `layout`, `series`, `fields` and `pieces`
the second.
"""

from hierarchy.editing.edits import (
    add,
    merge_groups,
    merge_labels,
    move,
    place,
    rename_group,
    rename_label,
    retire,
    split_group,
    split_label,
    split_off,
)  # fmt: skip

__all__ = [
    "add", "merge_groups", "merge_labels", "move", "place", "rename_group", "rename_label", "retire", "split_group",
    "split_label", "split_off",
]  # fmt: skip
