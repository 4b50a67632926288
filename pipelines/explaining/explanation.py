"""What an explanation holds: paths, parts of the score difference, units, n-grams, near training documents."""

from dataclasses import asdict, dataclass
from typing import Any

from pipelines.model.prediction import Prediction

RESCALED, UNDIVIDED = "exact margins, rescaled", "not divided"
GRADIENT, ATTENTION = "gradient of presence", "attention"


@dataclass(frozen=True)
class Part:
    """One addend of the score difference.

    Attributes
    ----------
    name
        What it comes from.
    method
        How it is divided over units or n-grams. ``exact margins, rescaled``: the margin of each row is linear and
        divided exactly; what it adds to the score is a curve of it (`stages.fine.rows.log_chance`), and divided in the
        same proportions. ``gradient of presence``: evenly over the units, and then from those whose presence lowers
        the part to those whose presence raises it, to first order. ``attention``: by the attention to each unit, of an
        exported model, which has no gradients. ``not divided``: no unit or n-gram has a share of
        it.
    value
        In units of the score; all parts sum to the score difference. The value itself is always exact.
    """

    name: str
    method: str
    value: float


@dataclass(frozen=True)
class UnitShare:
    """What one unit has of the score difference.

    Attributes
    ----------
    start, end
        Its characters in the original text.
    neural
        Through its vector.
    ngrams
        Through the n-grams that stand in it; one that stands in several places or units is split evenly.
    share
        Both together.
    attention
        Of the document model's queries to it, their mean; the attentions of a document sum to 1.
    """

    start: int
    end: int
    neural: float
    ngrams: float
    share: float
    attention: float


@dataclass(frozen=True)
class NgramShare:
    """What one n-gram has of the score difference.

    Attributes
    ----------
    ngram
        As the model knows it: folded, the words of a pair with a blank between.
    spans
        (start, end) of each place in the original text.
    share
        Of all places together.
    """

    ngram: str
    spans: tuple[tuple[int, int], ...]
    share: float


@dataclass(frozen=True)
class Neighbour:
    """A training document that is near.

    Attributes
    ----------
    row
        Its place in the training documents that were given to `fit`, from 0.
    label
        Id of its fine label.
    cosine
        Of its vector with the document's.
    """

    row: int
    label: str
    cosine: float


@dataclass(frozen=True)
class Explanation:
    """Why a document gets its best label and not another.

    Attributes
    ----------
    paths
        The best path and the runner-ups, most probable first.
    label, against
        Ids of the two labels that are compared: the best one, and the runner-up or the one that was asked for.
    margin
        Score of `label` minus score of `against`: the logarithm of the ratio of their probabilities.
    parts
        Addends of `margin`. Those that are divided sum to the shares of `units`, with `outside`.
    units
        In the order of the text, a segment each where `unit_tokens` is None; empty without an encoder. With
        `max_segments` only those that were read.
    ngrams
        All that have a share, the largest for or against first.
    outside
        Share of n-grams that stand in none of `units`: of all without an encoder.
    neighbours
        Nearest training documents, nearest first; empty where the model was trained without `keep_neighbours`.
    """

    paths: tuple[Prediction, ...]
    label: str
    against: str
    margin: float
    parts: tuple[Part, ...]
    units: tuple[UnitShare, ...]
    ngrams: tuple[NgramShare, ...]
    outside: float
    neighbours: tuple[Neighbour, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)
