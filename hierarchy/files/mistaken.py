"""What a file that is no taxonomy seems to be, for a hint beside its problems."""

from collections.abc import Iterable, Sequence

from hierarchy.files.syntax import Entry, Items, Pairs, Scalar

CONFIG_KEYS = {"data", "classifier", "card", "run_dir", "output"}
DOCUMENT_KEYS = {"text", "title", "body", "sentence", "content", "document"}
AS_DATA = "the file seems to hold documents: give it as data.train"


def seems_to_be(root: Entry) -> str:
    """Say what the entries of a YAML or JSON file seem to be, where that is no taxonomy; else an empty text."""
    if isinstance(root, Items):
        keys = {key for item in root.values if isinstance(item, Pairs) for key in item.words}
        as_table = "the file seems to be a table: save it as CSV with the columns label and group"
        return AS_DATA if DOCUMENT_KEYS & keys else as_table if "label" in keys else ""
    if not isinstance(root, Pairs):
        return ""
    if any(isinstance(value, Scalar) and value.value == "coarsefine/model" for value in root.values):
        return "the file seems to be of a trained model: name the folder in which it lies"
    if CONFIG_KEYS & set(root.words):
        return "the file seems to be a config: give it with --config"
    if DOCUMENT_KEYS & set(root.words):
        return AS_DATA
    if "children" in root.words:
        return "a taxonomy has no 'children': write 'groups:', and in each group 'name:' and 'labels:'"
    if "groups" in root.words or "labels" in root.words:
        return ""
    if _most(isinstance(value, Scalar) and bool(value.value) for value in root.values):
        return (
            "the file seems to map each label to its group: write each group with a list of its labels, "
            "group: [label, label], or a CSV with the columns label and group"
        )
    if _most(_has_levels(value) for value in root.values):
        return "the tree seems to have more than two levels: a taxonomy has groups and in each its labels"
    return ""


def columns_seem_to_be(columns: Sequence[str]) -> str:
    """Say what the columns of a table seem to be, where they are no taxonomy's; else an empty text."""
    if DOCUMENT_KEYS & set(columns):
        return AS_DATA
    if "label" not in columns and "group" not in columns:
        return "the first line must name the columns: label, and where there are groups, group"
    return ""


def _most(marks: Iterable[bool]) -> bool:
    found = list(marks)
    return 2 * sum(found) > len(found)


def _has_levels(value: Entry) -> bool:
    if isinstance(value, Pairs):
        return True
    return isinstance(value, Items) and _most(
        isinstance(item, Pairs) and any(not isinstance(inner, Scalar) for inner in item.values) for item in value.values
    )
