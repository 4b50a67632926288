"""The section with the label pairs that are confused most, and what in the documents misled the model."""

from collections.abc import Callable, Mapping
from html import escape

from hierarchy.nodes import named
from pipelines.data.report import count
from pipelines.evaluation.excerpts import CHARACTERS, EXCERPTS, Excerpt
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.sources import ConfusedPair
from pipelines.pages.shell import section
from pipelines.pages.words import name, share

SHOWN = 12  # pairs


def confused_pairs(
    own: Evaluation, names: Mapping[str, str], excerpts: Callable[[ConfusedPair], list[Excerpt]] | None
) -> str:
    """Draw a block a pair.

    Parameters
    ----------
    own
        Its `pairs` are shown.
    names
        Label id -> name.
    excerpts
        Gives the excerpts of a pair; None draws the pairs without.
    """
    if not own.pairs:
        return ""
    text = "<p>The right label, the wrong one that was given instead, and how often.</p>"
    if excerpts is not None:
        text += (
            f"<p>Up to {EXCERPTS} documents each, cut to the {CHARACTERS} characters that misled the model most; the "
            "words that speak for the wrong label and against the right one are marked.</p>"
        )
    rows = {row.id: row for row in own.labels}
    groups = {row.id: name(named(row)) for row in own.groups}
    blocks = []
    for pair in own.pairs[:SHOWN]:
        right, wrong = rows[pair.gold], rows[pair.predicted]
        where = (
            f"both in the group {groups[right.group]}"
            if right.group == wrong.group
            else f"from the group {groups[right.group]} to {groups[wrong.group]}"
        )
        shown = "" if excerpts is None else "".join(map(_quoted, excerpts(pair)))
        blocks.append(
            f'<div class="pair"><h3>{name(names[pair.gold])} → {name(names[pair.predicted])}</h3>'
            f"<p>{pair.count:,} of {count(right.support, 'document')}; {where}</p>{shown}</div>"
        )
    grid = f'<div class="two">{"".join(blocks)}</div>'
    return section("Labels most often taken for another", text, grid)


def _quoted(excerpt: Excerpt) -> str:
    pieces, at = [], 0
    for start, end in excerpt.marks:
        pieces += [escape(excerpt.text[at:start]), f"<mark>{escape(excerpt.text[start:end])}</mark>"]
        at = end
    pieces.append(escape(excerpt.text[at:]))
    before, after = ("… " if excerpt.before else ""), (" …" if excerpt.after else "")
    return (
        f'<blockquote dir="auto">{before}{"".join(pieces)}{after}'
        f'<small dir="ltr">stated probability of the wrong label: {share(excerpt.confidence)}</small></blockquote>'
    )
