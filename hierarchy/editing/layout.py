"""Where in a taxonomy's YAML text its groups, labels, links and retired ids stand, in every form of the format."""

from dataclasses import dataclass

from hierarchy.editing.series import CannotPatch, Page
from hierarchy.files.reading import is_long
from hierarchy.files.syntax import Entry, Items, Pairs, Scalar, compose_yaml
from hierarchy.nodes import Tree


@dataclass(frozen=True)
class GroupPlace:
    """Where a group stands: its mapping (None in the short form, where it is a key with labels) and its labels."""

    entry: Pairs | None
    labels: Items


class Layout:
    """The entries of a valid taxonomy, in the order in which it is read.

    Attributes
    ----------
    is_long
        Whether it is in the long form.
    top
        Key of the long form → its value; in the short forms that of `groups` or `labels`.
    groups, groups_entry
        The places of the groups, and the list or mapping that holds them; None where there is none.
    unplaced
        The list of labels that stand in no group; None where there is none.
    """

    def __init__(self, page: Page) -> None:
        root = compose_yaml(page.text, "taxonomy")
        if root is None or isinstance(root, Scalar):
            raise CannotPatch("there is no list or mapping")
        self.root: Items | Pairs = root
        self.is_long = is_long(root)
        self.top: dict[str, Entry] = {"labels" if isinstance(root, Items) else "groups": root}
        if self.is_long and isinstance(root, Pairs):
            self.top = dict(zip(root.words, root.values, strict=True))
        groups, labels = self.top.get("groups"), self.top.get("labels")
        self.groups_entry = groups if isinstance(groups, (Items, Pairs)) and groups.values else None
        self.unplaced = labels if isinstance(labels, Items) else None
        self.groups = [_place(part) for part in (self.groups_entry.values if self.groups_entry else ())]

    @property
    def labels(self) -> list[tuple[Entry, bool]]:
        """All labels, group by group and then the unplaced ones, each with whether it stands in brackets."""
        lists = [place.labels for place in self.groups] + ([self.unplaced] if self.unplaced else [])
        return [(item, entry.flow) for entry in lists for item in entry.values]


def to_long_form(text: str, new: Tree) -> str:
    """Write the short form as the long one where an edited taxonomy needs it; labels stay on their lines as they are.

    Parameters
    ----------
    text
        The file.
    new
        What it shall hold in the end: retired ids and unplaced labels have no place in the short form, nor has a group
        with an id or settings of its own.
    """
    page = Page(text)
    layout = Layout(page)
    root, groups = layout.root, layout.groups_entry
    bare = all(group == type(group)(group.name, group.name, labels=group.labels) for group in new.groups)
    more = bool(new.must_link or new.cannot_link or new.merged_into or new.retired)
    if isinstance(root, Items):
        if new.groups or more:
            at = root.start if root.flow else page.start(page.line(root.start))
            page.replace(at, at, "labels: " if root.flow else "labels:\n")
    elif isinstance(groups, Pairs) and not (bare and (layout.is_long or not (more or new.unplaced))):
        if groups.flow:
            raise CannotPatch("groups in the short form stand in braces")
        if not layout.is_long:
            at = page.start(page.line(root.start))
            page.replace(at, at, "groups:\n")
        for key, value in groups.pairs:
            _name_the_group(page, key, value)
    return page.changed()


def _name_the_group(page: Page, key: Entry, value: Entry) -> None:
    """Turn `Kitchen: [...]` into `- name: Kitchen` and, on the next line, `labels: [...]`."""
    column = page.column(key.start) + 2
    page.replace(key.start, key.start, "- name: ")
    page.replace(key.end, key.end, f"\n{' ' * column}labels")
    missing = column - page.column(value.start)
    if isinstance(value, Items) and not value.flow and missing > 0:
        for line in range(page.line(value.start), page.line(page.content_end(value) - 1) + 1):
            page.replace(page.start(line), page.start(line), " " * missing)


def _place(part: Entry) -> GroupPlace:
    labels = part.get("labels") if isinstance(part, Pairs) else part
    if not isinstance(labels, Items):
        raise CannotPatch("a group holds no list of labels")
    return GroupPlace(part if isinstance(part, Pairs) else None, labels)
