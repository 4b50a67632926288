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
        return AS_DATA if DOCUMENT_KEYS & keys else ""
    if not isinstance(root, Pairs):
        return ""
    if any(isinstance(value, Scalar) and value.value == "coarsefine/model" for value in root.values):
        return "the file seems to be of a trained model: name the folder in which it lies"
    if CONFIG_KEYS & set(root.words):
        return "the file seems to be a config: give it with --config"
    if DOCUMENT_KEYS & set(root.words):
        return AS_DATA
    if "groups" in root.words or "labels" in root.words:
        return ""
    if {type(value) for value in root.values} >= {Scalar, Items}:
        return "write one way: all labels with their group, label: group, or all groups with a list, group: [labels]"
    return ""


def holds_documents(columns: Iterable[str]) -> bool:
    """Whether a table's columns are those of documents."""
    return not DOCUMENT_KEYS.isdisjoint(map(str.lower, columns))


def columns_seem_to_be(columns: Sequence[str]) -> str:
    """Say what the columns of a table seem to be, where they are no taxonomy's; else an empty text."""
    if holds_documents(columns):
        return AS_DATA
    if "label" not in columns and "group" not in columns:
        return "the first line must name the columns: label, and where there are groups, group"
    return ""
