"""Which column of a table holds what: as it is named, or as its header says plainly."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hierarchy.errors import Remedy, TaxonomyError
from hierarchy.files.mistaken import columns_seem_to_be, holds_documents
from hierarchy.files.shape import Shape
from hierarchy.matching import match_key
from hierarchy.text.likeness import nearest_hints

logger = logging.getLogger(f"coarsefine.{__name__}")

COLUMNS = ("label", "group", "name", "description", "group name", "group description")  # of the tables that we write
# What a header may say, folded, of each role; the first that a table has is taken.
WORDS = {
    "id": ("id", "label id", "unique id", "category id", "node id", "child", "code", "key", "编号", "编码", "代码"),
    "parent": ("parent", "parent id", "parentid", "parent code", "parent name", "父级", "上级", "父id", "上级编码"),
    "label": ("label", "labels", "fine label", "intent", "leaf", "subcategory", "标签", "小类", "子类"),
    "group": ("group", "groups", "coarse label", "category", "分组", "组", "大类", "类别"),
    "name": ("name", "title", "名称"),
    "description": ("description", "definition", "desc", "描述", "说明", "定义"),
    "group name": ("group name",),
    "group description": ("group description",),
}
PATHS = ("path", "full path", "category path", "taxonomy path", "breadcrumb", "product type", "路径", "类目路径")
ALONE = ("category", "class", "类别")  # hold labels where no other column does
NAMED = 10  # columns that a message names
_LEVEL = re.compile(
    r"(?:(?:category |product )?(?:level|lvl|l|tier|depth|ebene|niveau|nivel|livello)|category|cat) ?(\d+)(?: name)?"
    r"|第?([\d一二三四五六七八九]+)级(?:类目|分类|类别|目录)?|(?:层级|级别) ?(\d+)"
)
_DIGITS = str.maketrans("一二三四五六七八九", "123456789")


@dataclass(frozen=True)
class TreeColumns:
    """The roles of a table's columns.

    Parameters
    ----------
    places
        Role, of `WORDS`, to the places of its columns; `group` may have several, from the top down.
    levels
        Whether paths stand in columns, one a level, of which the last may be empty.
    """

    places: Mapping[str, Sequence[int]]
    levels: bool

    def cells(self, role: str, row: Sequence[str]) -> list[str]:
        """Return the cells of a role's columns; a row may be too short for the last."""
        return [row[at] if at < len(row) else "" for at in self.places.get(role, ())]

    def cell(self, role: str, row: Sequence[str]) -> str:
        """Return the cell of a role's one column; an empty text where there is none."""
        return "".join(self.cells(role, row))


def columns_of(header: Sequence[str], shape: Shape, where: str) -> TreeColumns:
    """Find out what the columns are for.

    Parameters
    ----------
    header
        The columns' names, as the file has them.
    shape
        Names some of them, in any case and width.
    where
        The file's name, for messages.

    Raises
    ------
    TaxonomyError
        A column that is named is missing or stands twice, or nothing says where the labels are.
    """
    roles = _Roles(header)
    for role, words in shape.named_columns.items():
        roles.take(role, words)
    roles.guess("id")
    roles.guess("parent")
    if levels := roles.levels():
        roles.take("group", levels)
    roles.guess("label", *(() if levels else (*PATHS, *WORDS["name"])))
    if not levels and "label" not in roles.places and "id" not in roles.places:
        roles.guess("label", *ALONE)
    # Beside levels a name may be that of a leaf: nothing says it plainly.
    own = ("group", *(() if levels else ("name",)), "description", "group name", "group description")
    for role in own["parent" in roles.places :]:
        roles.guess(role)
    roles.check(where, named=bool(shape.named_columns))
    return TreeColumns(roles.places, len(roles.places.get("group", ())) > 1)


class _Roles:
    """The roles that columns of a header have got so far, and what is wrong."""

    def __init__(self, header: Sequence[str]) -> None:
        self.header = header
        self.folded = list(map(_folded, header))
        self.places: dict[str, list[int]] = {}
        self.problems: list[str] = []

    @property
    def unread(self) -> list[int]:
        """The places of columns without a role."""
        taken = {at for places in self.places.values() for at in places}
        return [at for at, column in enumerate(self.header) if column and at not in taken]

    def take(self, role: str, words: Iterable[str]) -> None:
        """Give columns, as they are named, a role."""
        self.places[role] = [self._place(word, role) for word in words]

    def guess(self, role: str, *more: str) -> None:
        """Give a column a role that it says itself, where no other has it."""
        free = {self.folded[at]: self.header[at] for at in self.unread}
        word = next((word for word in (*WORDS[role], *more) if word in free), None)
        if word is not None and role not in self.places:
            self.take(role, [free[word]])

    def levels(self) -> list[str]:
        """Return the columns that are called as levels of a tree, from the top down, where other columns hold none."""
        if {"group", "parent"} & self.places.keys():
            return []
        found = {at: match for at in self.unread if (match := _LEVEL.fullmatch(self.folded[at]))}
        ordered = sorted(found, key=lambda at: int("".join(filter(None, found[at].groups())).translate(_DIGITS)))
        return [self.header[at] for at in ordered] if len(ordered) > 1 else []

    def check(self, where: str, *, named: bool) -> None:
        """Refuse a table without labels, or one of documents; log which columns are not read."""
        unread = [self.header[at] for at in self.unread]
        if {"parent", "group"} <= self.places.keys():
            self.problems.append(Remedy("a row has a group or one above it, not both: leave out ", "parent_column"))
        if not {"label", "id"} & self.places.keys() and len(self.places.get("group", ())) < 2:
            missing = (
                f"line 1: no column says that it holds the labels, there are {_listed(self.header)}; name it with "
            )
            self.problems.append(Remedy(missing, "label_column"))
        elif not named and holds_documents(column for column in unread if _folded(column) not in WORDS["name"]):
            text = f"line 1: documents seem to stand in the columns {_listed(unread)}; name that of the labels with "
            self.problems.append(Remedy(text, "label_column", ", if this is a taxonomy"))
        if self.problems:
            raise TaxonomyError(self.problems, where, columns_seem_to_be(self.folded))
        if unread:
            missed = [role for role in COLUMNS[:4] if role not in self.places]
            hints = nearest_hints([_folded(column) for column in unread[:NAMED]], missed)
            told = "".join(dict.fromkeys(hints.values()))
            logger.info("%s: columns that are not read: %s%s", where, _listed(unread), told)

    def _place(self, word: str, role: str) -> int:
        found = [at for at, column in enumerate(self.folded) if column == _folded(word)]
        if len(found) == 1:
            return found[0]
        what = f"stands {len(found)} times; keep one" if found else f"is missing, there are {_listed(self.header)}"
        problem, option = f"line 1: column '{word}' {what}", f"{role}_column"
        has_option = option in Shape.__dataclass_fields__
        self.problems.append(Remedy(f"{problem}, or name another with ", option) if has_option else problem)
        return -1


def _folded(word: str) -> str:
    return " ".join(re.sub("[-_]", " ", match_key(word)).split())


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:NAMED])) or "none"
    return f"{shown} and {len(columns) - NAMED:,} more" if len(columns) > NAMED else shown
