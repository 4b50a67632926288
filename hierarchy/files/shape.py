"""How a file holds a tree, as far as its reader is told: names of columns, the separator, where a deep tree is cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from hierarchy.arguments import whole_number
from hierarchy.errors import Remedy, TaxonomyError

WHOLE = "none"  # the separator of names that are not to be cut


@dataclass(frozen=True)
class Shape:
    """What a reader is told of a file; what it is not told it guesses from a header that says it plainly.

    Parameters
    ----------
    label_column
        Of a table, the column of the labels; paths from the top may stand in it.
    group_column
        The column of the group, or several, from the top of the tree down.
    id_column
        The column of the ids, where the label column holds names.
    parent_column
        The column that holds, of each row, the id of the one above it.
    description_column
        The column of the descriptions.
    sheet
        Of an Excel file; None takes the first that is not hidden.
    separator
        What parts the names of a path, such as ``>`` or ``##``; ``none`` where names are not cut.
    coarse_level
        The level of a deeper tree, from 1 at the top, whose nodes become the groups.
    inner_nodes
        Whether inner nodes become labels as well as leaves, from the coarse level down.

    Raises
    ------
    ConfigError
        `coarse_level` is no whole number of at least 1.
    TaxonomyError
        `separator` is empty.
    """

    label_column: str | None = None
    group_column: str | Sequence[str] | None = None
    id_column: str | None = None
    parent_column: str | None = None
    description_column: str | None = None
    sheet: str | None = None
    separator: str | None = None
    coarse_level: int = 1
    inner_nodes: bool = False

    def __post_init__(self) -> None:
        whole_number(self.coarse_level, "coarse_level")
        if self.separator == "":
            raise TaxonomyError(Remedy("an empty separator parts nothing: give ", "separator", value=repr(WHOLE)))

    @property
    def named_columns(self) -> Mapping[str, Sequence[str]]:
        """What the columns are for (label, group, ...), each with those that are named."""
        named = {
            field.name.removesuffix("_column"): getattr(self, field.name)
            for field in fields(self)
            if field.name.endswith("_column")
        }
        return {role: [one] if isinstance(one, str) else list(one) for role, one in named.items() if one}

    def check_used(self, where: str, what: str, *used: str) -> None:
        """Refuse what has no effect on a file.

        Parameters
        ----------
        where
            The file's name, for messages.
        what
            The file is.
        used
            Names of the parameters that have one.

        Raises
        ------
        TaxonomyError
            Another one was given.
        """
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        idle = {field.name for field in fields(self) if given[field.name] != field.default} - {*used}
        said = f" has no effect on {what}: leave it out"
        if problems := [Remedy("", name, said, value=repr(given[name])) for name in given if name in idle]:
            raise TaxonomyError(problems, where)
