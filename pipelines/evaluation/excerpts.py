"""Excerpts of documents that were answered wrongly, with the evidence for the wrong answer marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hierarchy.errors import DataError
from pipelines.evaluation.figures import Evaluation
from pipelines.evaluation.sources import ConfusedPair

if TYPE_CHECKING:
    from pipelines.explaining.explain import Explanation
    from pipelines.model.model import Model

CHARACTERS = 300
EXCERPTS = 3  # of a pair
SPANS = 300  # the strongest that are looked at
MARKS = 8  # n-grams of an excerpt that are marked at most
FAINT = 0.2  # of the strongest one: what is weaker is not marked


@dataclass(frozen=True)
class Material:
    """What excerpts are made from: the model and the texts that were evaluated, and how they were routed."""

    model: "Model"
    texts: Sequence[str]
    routing: str
    beam: int


@dataclass(frozen=True)
class Excerpt:
    """A piece of a document.

    `marks` are (start, end) in `text`, without overlaps; `before` and `after` tell whether the document goes on there.
    `confidence` is the probability of the wrong answer.
    """

    text: str
    marks: tuple[tuple[int, int], ...]
    before: bool
    after: bool
    confidence: float


def pair_excerpts(material: Material, evaluation: Evaluation, pair: ConfusedPair) -> list[Excerpt]:
    """Show documents of `pair.gold` that were answered with `pair.predicted`, those with the surest answer first.

    Nothing is shown where the model has never seen the right label: it then has no evidence for it to compare with.
    """
    from pipelines.explaining.explain import explain

    if pair.gold not in material.model.label_ids:
        return []
    gold, predicted, _ = evaluation.answers
    ids = [row.id for row in evaluation.labels]
    confidence = np.zeros(len(gold)) if evaluation.confidence is None else evaluation.confidence
    members = np.flatnonzero((gold == ids.index(pair.gold)) & (predicted == ids.index(pair.predicted)))
    made = []
    for document in members[np.argsort(-confidence[members], kind="stable")].tolist():
        text = material.texts[document]
        if not text.strip():
            continue
        try:
            found = explain(
                material.model, text, against=pair.gold, top_k=1, routing=material.routing, beam=material.beam
            )
        except DataError:  # two labels level, and for this document alone rounding prefers the right one
            continue
        if found.label == pair.predicted:  # or a third one
            made.append(cut_excerpt(text, found, float(confidence[document])))
        if len(made) == EXCERPTS:
            break
    return made


def cut_excerpt(text: str, explanation: "Explanation", confidence: float) -> Excerpt:
    """Cut the `CHARACTERS` that hold most of the evidence for the answer, and mark it.

    Parameters
    ----------
    text
        The whole document.
    explanation
        Its n-grams with a positive share speak for the answer. Where there are none, the excerpt is the beginning of
        the strongest unit, without marks.
    confidence
        Probability of the answer.
    """
    spans = [
        (start, end, ngram.share / len(ngram.spans))
        for ngram in explanation.ngrams
        if ngram.share > 0
        for start, end in ngram.spans
        if end - start <= CHARACTERS
    ]
    spans = sorted(sorted(spans, key=lambda span: -span[2])[:SPANS])
    if not spans:
        strongest = max(explanation.units, key=lambda unit: unit.share, default=None)
        return _cut(text, 0 if strongest is None else strongest.start, [], confidence)
    starts, ends, weights = (np.array(column) for column in zip(*spans, strict=True))
    # A window that begins with each span in turn: the heaviest of them is moved so that its evidence stands mid-way.
    inside = (starts[None] >= starts[:, None]) & (ends[None] <= starts[:, None] + CHARACTERS)  # (windows, spans)
    held = inside[int((inside @ weights).argmax())]
    first, last = int(starts[held].min()), int(ends[held].max())
    least = max(FAINT * weights[held].max(), np.sort(weights[held])[-MARKS:][0])
    marked = held & (weights >= least)
    marks = [(int(start), int(end)) for start, end in zip(starts[marked], ends[marked], strict=True)]
    return _cut(text, first - (CHARACTERS - (last - first)) // 2, marks, confidence)


def _cut(text: str, start: int, marks: list[tuple[int, int]], confidence: float) -> Excerpt:
    start = max(0, min(start, len(text) - CHARACTERS))
    end = min(len(text), start + CHARACTERS)
    # Whole words, where a blank is near and no mark is lost.
    if start and not text[start - 1].isspace():
        blank = text.find(" ", start, min((mark[0] for mark in marks), default=end))
        start = blank + 1 if 0 <= blank < start + 20 else start
    if end < len(text) and not text[end].isspace():
        blank = text.rfind(" ", max((mark[1] for mark in marks), default=start), end)
        end = blank if blank > end - 20 else end
    merged: list[tuple[int, int]] = []
    for first, last in sorted((a - start, b - start) for a, b in marks):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return Excerpt(text[start:end], tuple(merged), start > 0, end < len(text), confidence)
