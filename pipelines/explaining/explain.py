"""Evidence: what in a document speaks for its best label and against another.

The score difference of the two is a sum of parts, and each part is divided over units or n-grams, or stands alone
(biases, the floor of P_c). Where an expert is linear, in n-grams or in pooled vectors, its margins are divided exactly,
and the scores in the same proportions. Where attention stands between the units and the score, a unit's share is
an even one, raised or lowered by the gradient of the unit's presence, or, of an exported model, which has no gradients,
its attention. The result says which it is. All shares and the parts that stand alone sum to the score difference.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hierarchy.arguments import whole_number
from hierarchy.errors import DataError
from hierarchy.text.characters import is_blank
from pipelines.data.given import check_text
from pipelines.explaining.explanation import (
    ATTENTION,
    GRADIENT,
    RESCALED,
    UNDIVIDED,
    Explanation,
    Neighbour,
    NgramShare,
    Part,
    UnitShare,
)
from pipelines.explaining.shares import Span, chords, divide_over_units, pooled_shares, row_of, spans_of_ngrams
from pipelines.model.model import Model
from pipelines.model.prediction import paths_of
from stages.features import run_document_model
from stages.fine.rows import log_chance
from stages.router.router import FLOOR, Inputs, normalised

if TYPE_CHECKING:
    from stages.coarse.segment_encoder import SegmentEncoder

__all__ = ["Explanation", "explain"]


def explain(
    model: Model,
    text: str,
    *,
    against: str | None = None,
    top_k: int = 3,
    routing: str | None = None,
    beam: int | None = None,
) -> Explanation:
    """Explain why a document gets its best label and not another.

    Parameters
    ----------
    model
        The trained model.
    text
        One document.
    against
        Fine label to compare with, by id or by name; None takes the runner-up.
    top_k
        Paths listed.
    routing, beam
        As in the settings of the model where None. They choose the paths; the scores of the two labels do not depend
        on them.

    Raises
    ------
    ConfigError
        `top_k` is no whole number from 1 up.
    DataError
        The text is empty, or `against` is no label that the model answers with, or the best one itself.
    """
    top_k = whole_number(top_k, "top_k")
    text = check_text(text)
    if is_blank(text):
        raise DataError("the text is empty: give one document with words")
    how: dict[str, Any] = {
        "routing": model.settings.routing if routing is None else routing,
        "beam": model.settings.beam if beam is None else beam,
    }
    document = _Document(model, text, how)
    inputs, router = document.inputs, document.router
    routed = router.route(inputs, **how)
    coarse = router.log_coarse(inputs)[:, router.space.group_of]
    scores = router.scores(inputs, router.fusions["full"], coarse)[0]
    best, other = _pair(model, routed.probabilities[0], scores, against)
    contrast = np.zeros(len(model.label_ids))
    contrast[best], contrast[other] = 1.0, -1.0
    groups = np.bincount(model.space.group_of, contrast, minlength=len(model.group_ids))

    neural_parts, neural, attention = document.neural(contrast, groups)
    ngram_parts, ngrams = document.ngrams(contrast, groups)
    spans = document.spans
    of_ngrams = divide_over_units(
        [span for ngram in ngrams for span in ngram.spans],
        [ngram.share / len(ngram.spans) for ngram in ngrams for _ in ngram.spans],
        spans,
    )
    figures = np.column_stack([neural, of_ngrams, neural + of_ngrams, attention]).tolist()
    return Explanation(
        paths=tuple(paths_of(model, routed, top_k)[0]),
        label=model.label_ids[best],
        against=model.label_ids[other],
        margin=float(scores[best]) - float(scores[other]),
        parts=(*neural_parts, *ngram_parts, Part("floor of P_c", UNDIVIDED, document.floor(groups))),
        units=tuple(UnitShare(*span, *row) for span, row in zip(spans, figures, strict=True)),
        ngrams=tuple(ngrams),
        outside=sum(ngram.share for ngram in ngrams) - float(of_ngrams.sum()),
        neighbours=_nearest(model, inputs),
    )


class _Document:
    """One document as the experts read it, and what they make of a contrast of labels and of their groups."""

    def __init__(self, model: Model, text: str, how: Mapping[str, Any]) -> None:
        self.text = text
        self.router, self.features = model.router, model.extractor.neural
        ngrams = model.extractor.ngrams([text])
        if model.cascade is not None and not len(model.cascade.answer(Inputs(ngrams=ngrams), **how)[1]):
            self.router, self.features = model.cascade.router, None  # n-grams have answered alone
        self.fusion = self.router.fusions["full"]
        self.vectorizer = model.extractor.vectorizer
        self.spans: list[Span] = []
        self.units: dict[SegmentEncoder, np.ndarray] = {}
        neural = None
        if self.features is not None:
            self.spans = self.features.segmenter.spans(text)
            vectors = self.features.unit_vectors([text])
            self.units = {encoder: own[0] for encoder, own in vectors.items()}
            neural = self.features.read(vectors)
        self.inputs = model.extractor.inputs([text], neural, ngrams=ngrams)

    def neural(self, contrast: np.ndarray, groups: np.ndarray) -> tuple[list[Part], np.ndarray, np.ndarray]:
        """Parts of the neural expert; what each unit has of them, and its attention, (units,) both."""
        features, bank, vectors, logits = (
            self.features, self.router.neural, self.inputs.vectors, self.inputs.group_logits,
        )  # fmt: skip
        if features is None or bank is None or vectors is None or logits is None:
            return [], np.zeros(0), np.zeros(0)
        slopes, starts = np.ones(len(contrast)), bank.bias
        if self.router.neural_margins:
            slopes, starts = chords(bank, vectors)
        row = self.fusion.neural * row_of(bank, contrast * slopes)
        of_group = self.fusion.coarse * self.router.coarse_fusion.neural * groups
        head_bias = features.document_model.head_bias
        # 1. Through attention: the document vector, to which a row is one direction, and the group logits.
        document = vectors[0, -features.document_model.width :]  # of length 1 where rows were fitted on it
        on_vector = row[-len(document) :]
        attended = float(on_vector @ document)
        if features.fine_encoders is not None:  # how a vector that is brought to length 1 moves with what it was
            raw, _ = run_document_model(features.document_model, [self.units[features.encoder]])
            on_vector = (on_vector - attended * document) / np.linalg.norm(raw)
        model, units = features.document_model, self.units[features.encoder]
        attention, of_vector, coarse = model.unit_effects(units, on_vector=on_vector, on_logits=of_group)
        whole = np.full(len(attention), 1 / len(attention)) if model.has_gradients else attention
        of_vector += attended * whole
        coarse += float(of_group @ (logits[0] - head_bias)) * whole
        # 2. Through the pooled vectors, exactly.
        pooled, of_pooled = np.zeros(len(coarse)), []
        if features.fine_encoders is not None:
            each = np.split(row[: -len(document)], len(features.fine_encoders))
            for encoder, weights in zip(features.fine_encoders, each, strict=True):
                pooled += pooled_shares(weights, self.units[encoder])
            of_pooled = [Part("neural rows, pooled vectors", RESCALED, float(pooled.sum()))]
        divided = GRADIENT if model.has_gradients else ATTENTION
        parts = [
            Part("neural rows, document vector", divided, float(of_vector.sum())),
            *of_pooled,
            Part("biases of the neural rows", UNDIVIDED, self.fusion.neural * float(contrast @ starts)),
            Part("coarse stage, neural", divided, float(coarse.sum())),
            Part("biases of the coarse stage, neural", UNDIVIDED, float(of_group @ head_bias)),
        ]
        return parts, of_vector + pooled + coarse, attention

    def ngrams(self, contrast: np.ndarray, groups: np.ndarray) -> tuple[list[Part], list[NgramShare]]:
        """Parts of the lexical expert, and the n-grams that have a share of them, the largest first."""
        bank, group_rows, read = self.router.lexical, self.router.group_rows, self.inputs.ngrams
        if bank is None or group_rows is None or read is None or self.vectorizer is None:
            return [], []
        weight, of_group = self.fusion.lexical, self.fusion.coarse * self.router.coarse_fusion.lexical
        slopes, starts = chords(bank, read)
        group_slopes, group_starts = chords(group_rows, read)
        rows = weight * row_of(bank, contrast * slopes)[read.indices] * read.data
        coarse = of_group * row_of(group_rows, groups * group_slopes)[read.indices] * read.data
        parts = [
            Part("n-gram rows", RESCALED, float(rows.sum())),
            Part("biases of the n-gram rows", UNDIVIDED, weight * float(contrast @ starts)),
            Part("coarse stage, n-grams", RESCALED, float(coarse.sum())),
            Part("biases of the coarse stage, n-grams", UNDIVIDED, of_group * float(groups @ group_starts)),
        ]
        shares = dict(zip(read.indices.tolist(), (rows + coarse).tolist(), strict=True))
        found = spans_of_ngrams(self.text, self.vectorizer.columns, [c for c, share in shares.items() if share])
        ngrams = [NgramShare(ngram, tuple(spans), shares[column]) for column, (ngram, spans) in found.items()]
        return parts, sorted(ngrams, key=lambda ngram: -abs(ngram.share))

    def floor(self, groups: np.ndarray) -> float:
        """Return what the floor of P_c changes in a contrast of the groups; 0 where both are above it."""
        fusion = self.router.coarse_fusion
        logits = np.zeros(len(groups))
        if self.inputs.group_logits is not None:
            logits += fusion.neural * self.inputs.group_logits[0]
        if self.router.group_rows is not None:
            logits += fusion.lexical * log_chance(self.router.group_rows.score(self.inputs.ngrams)[0])
        floored = np.log(np.maximum(normalised(logits[None])[0][0], FLOOR / len(groups)))
        return self.fusion.coarse * float(groups @ (floored - logits))


def _pair(model: Model, probabilities: np.ndarray, scores: np.ndarray, against: str | None) -> tuple[int, int]:
    """Columns of the best label and of the one that it is compared with."""
    best = int(probabilities.argmax())
    if against is not None:
        other = _column(model, against)
        if other == best:
            raise DataError(
                f"{against!r} is the best label of this document: name another one to compare it with, or none"
            )
        return best, other
    # A beam may hold one label only: then the runner-up is the best of all others.
    rest = np.where(np.arange(len(scores)) == best, -np.inf, scores)
    in_beam = np.where(probabilities > 0, rest, -np.inf)
    return best, int((in_beam if np.isfinite(in_beam).any() else rest).argmax())


def _column(model: Model, label: str) -> int:
    found = model.taxonomy.resolve(label)
    if found in model.label_ids:
        return model.label_ids.index(found)
    if found is not None:
        raise DataError(f"label {label!r} had no training documents, so it has no score to compare with: name another")
    nearest = ", ".join(repr(model.taxonomy.label_named(near)) for near in model.taxonomy.nearest(label)) or "none"
    raise DataError(f"label {label!r} is not in the taxonomy; nearest: {nearest}")


def _nearest(model: Model, inputs: Inputs) -> tuple[Neighbour, ...]:
    if model.neighbours is None or inputs.vectors is None:
        return ()
    found = model.neighbours.nearest(inputs.vectors[0])
    return tuple(Neighbour(row, model.label_ids[column], cosine) for row, column, cosine in found)
