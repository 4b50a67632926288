"""Taxonomies as people write them: every form and habit, with comments, drawn at random."""

from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import strategies as st

from hierarchy import Group, Label, Taxonomy
from hierarchy.files.writing import scalar

NAMES = [
    "Kettles", "Lawn mowers", "Tea, pots", "no", "007", "a: b", "it's", '"quoted"', "- dash", "[bracket]", "茶壶",
    "Grün", "C#", "x # y", "Pens & ink", "100%", "Über uns", "T-shirts", "@home", "Saws", "Rakes", "Hoses", "Lamps",
    "Chairs",
]  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A file's text, the taxonomy that it holds, and which groups have their labels in brackets."""

    text: str
    taxonomy: Taxonomy
    in_brackets: frozenset[str]
    form: str


class _Hand:
    """Writes with habits that are drawn once a file, or once an entry."""

    def __init__(self, draw) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def text(self, value: str, inside: bool = False) -> str:
        if "'" not in value and self.draw(st.integers(0, 4)) == 0:
            return f"'{value}'"
        plain = scalar(value, inside)
        return f'"{value}"' if plain == value and self.draw(st.integers(0, 4)) == 0 else plain

    def above(self, column: int, about: str) -> None:
        if self.draw(st.integers(0, 3)) == 0:
            self.lines.append(f"{' ' * column}# above {about}")

    def beside(self, about: str) -> str:
        return f"  # beside {about}" if self.draw(st.integers(0, 3)) == 0 else ""

    def mapping(self, fields: dict[str, str], lead: str, about: str) -> None:
        column = len(lead)
        for i, (key, value) in enumerate(fields.items()):
            self.lines.append(f"{' ' * column if i else lead}{key}: {self.text(value)}{self.beside(about)}")
        if self.draw(st.integers(0, 5)) == 0:
            self.lines.append(f"{' ' * column}# below {about}")

    def labels(self, key: str, column: int, labels: tuple[Label, ...], brackets: bool, step: int) -> None:
        if brackets and self.maybe():
            self.lines.append(f"{' ' * column}{key}: [{', '.join(self.inline(label) for label in labels)}]")
        elif brackets:
            self.lines.append(f"{' ' * column}{key}: [")
            comma_at_end = self.maybe()
            for label in labels:
                self.above(column + 2, label.id)
                comma = "," if comma_at_end or label is not labels[-1] else ""
                self.lines.append(f"{' ' * (column + 2)}{self.inline(label)}{comma}{self.beside(label.id)}")
            self.lines.append(f"{' ' * column}  ]")
        else:
            if key:
                self.lines.append(f"{' ' * column}{key}:")
            for label in labels:
                self.label(label, column + step)

    def label(self, label: Label, column: int) -> None:
        self.above(column, label.id)
        fields = _fields(label)
        if len(fields) == 1 and "name" in fields:
            self.lines.append(f"{' ' * column}- {self.text(label.name)}{self.beside(label.id)}")
        else:
            self.mapping(fields, f"{' ' * column}- ", label.id)

    def inline(self, label: Label) -> str:
        fields = _fields(label)
        if len(fields) == 1 and "name" in fields:
            return self.text(label.name, inside=True)
        return "{" + ", ".join(f"{key}: {self.text(value, inside=True)}" for key, value in fields.items()) + "}"


def _fields(label: Label) -> dict[str, str]:
    fields = {"id": label.id if label.id != label.name else "", "name": label.name, "description": label.description}
    fields["pinned"] = "true" if label.pinned else ""
    return {key: value for key, value in fields.items() if value}


@st.composite
def written(draw, forms=("long", "mapping", "short", "list"), built=False) -> Written:
    """Draw a taxonomy in one of the forms of the file format; in the long one groups may be the builder's."""
    form = draw(st.sampled_from(forms))
    hand = _Hand(draw)
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=12, unique=True))
    rich = draw(st.booleans())

    def label(i: int, name: str) -> Label:
        own = rich and draw(st.booleans())
        return Label(f"id-{i}" if own else name, name, f"about {i}" if rich and draw(st.booleans()) else "")

    labels = [label(i, name) for i, name in enumerate(names)]
    if form == "list":
        hand.labels("", 0, tuple(labels), False, 0)
        return _done(hand, Taxonomy(unplaced=tuple(labels)), frozenset(), form)
    cuts = sorted(draw(st.sets(st.integers(1, len(labels)), max_size=3)))
    edges = [0, *(cut for cut in cuts if cut < len(labels)), len(labels)]
    parts = [tuple(labels[a:b]) for a, b in pairwise(edges)]
    unplaced = parts.pop() if form == "long" and len(parts) > 1 and hand.maybe() else ()
    own = [form == "long" and hand.maybe() for _ in parts]
    groups = [Group(f"g-{i}" if own[i] else f"Group {i}", f"Group {i}", labels=x) for i, x in enumerate(parts)]
    if form == "long" and built:
        groups = [_by_the_builder(draw, group) if hand.maybe() else group for group in groups]
    step, spaced, column = draw(st.sampled_from([0, 2, 4])), hand.maybe(), 0 if form == "short" else 2
    if hand.maybe():
        hand.lines += ["# the labels of a shop", ""]
    if form == "long":
        hand.lines += ["format: coarsefine/taxonomy/1"] if hand.maybe() else []
    if form != "short":
        hand.lines.append("groups:")
    brackets = [hand.draw(st.integers(0, 2)) == 0 for _ in groups]
    for i, group in enumerate(groups):
        hand.lines += [""] if spaced and i else []
        hand.above(column, group.id)
        if form == "long":
            fields = {"id": group.id, "name": group.name} if own[i] else {"name": group.name}
            fields |= {"built": str(group.built).lower()} if group.built else {}
            hand.mapping(fields, " " * column + "- ", group.id)
            hand.labels("labels", column + 2, group.labels, brackets[i], step)
        else:
            hand.labels(scalar(group.name), column, group.labels, brackets[i], step)
    if unplaced:
        hand.labels("labels", 0, unplaced, False, 2)
    retired, merged = (), {}
    if form == "long" and hand.maybe():
        merged = {"former: one": labels[0].id, "before it": "former: one"}
        words = ", ".join(f"{scalar(a, True)}: {scalar(b, True)}" for a, b in merged.items())
        lines = [f"  {scalar(a)}: {hand.text(b)}" for a, b in merged.items()]
        hand.lines += [f"merged_into: {{{words}}}"] if hand.maybe() else ["merged_into:", *lines]
    if form == "long" and hand.maybe():
        retired = ("old one",)
        hand.lines.append("retired: [old one]  # long ago")
    if hand.maybe():
        hand.lines.append("# the end")
    chosen = frozenset(group.id for group, flow in zip(groups, brackets, strict=True) if flow)
    tree = Taxonomy(groups=tuple(groups), unplaced=tuple(unplaced), merged_into=merged, retired=retired)
    return _done(hand, tree, chosen, form)


def _by_the_builder(draw, group: Group) -> Group:
    """The group with the builder's mark, or as an older version wrote it, and with some pins."""
    labels = tuple(replace(label, pinned=draw(st.booleans())) for label in group.labels)
    made = replace(group, labels=labels).as_built()
    return draw(st.sampled_from([made, replace(made, built=True), replace(made, built="abcdefgh")]))


def _done(hand: _Hand, taxonomy: Taxonomy, in_brackets: frozenset[str], form: str) -> Written:
    text = hand.newline.join(hand.lines) + (hand.newline if hand.maybe() else "")
    return Written(text, taxonomy, in_brackets, form)
