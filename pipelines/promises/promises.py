"""What a model promises, on calibration documents that nothing else has seen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from numbers import Real
from typing import Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field, FiniteFloat, TypeAdapter

from hierarchy.errors import ConfigError, DataError
from pipelines.promises.backoff import BackOff, Share, fit_back_off
from pipelines.promises.conformal import Conformal, document_uniforms, fit_conformal, right_scores
from stages.label_space import LabelSpace
from stages.router.router import Routed

Routing = Annotated[str, Field(pattern=r"^(exhaustive|beam: [1-9][0-9]{0,17})$")]  # as `Routed` says it


@dataclass(frozen=True)
class Decisions:
    """How far down its path each document is answered, (documents,) bool each; none of them: unsure, or unknown.

    Attributes
    ----------
    fine, group
        With the fine label; with its group.
    out_of_scope
        With nothing, since it seems to belong to no label.
    """

    fine: np.ndarray
    group: np.ndarray
    out_of_scope: np.ndarray


@dataclass(frozen=True)
class OutOfScope:
    """A limit on the energy score (Liu et al. 2020): the log of the summed exponentials of a document's fused scores.

    Attributes
    ----------
    false_alarms
        Share of documents in scope that are taken for out of scope.
    energy
        Documents below it are.
    """

    false_alarms: Share
    energy: FiniteFloat


@dataclass(frozen=True)
class Promises:
    """Thresholds, what they promise, and what they rest on.

    Attributes
    ----------
    documents
        Calibration documents.
    routing
        How they were routed: another routing gives other probabilities, for which nothing is promised.
    back_off, conformal
        Of the answers, and of the sets.
    out_of_scope
        None where no rate of false alarms was wished for.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    documents: Annotated[int, Field(ge=1)]
    routing: Routing
    back_off: BackOff
    conformal: Conformal
    out_of_scope: OutOfScope | None

    def decide(self, routed: Routed, space: LabelSpace) -> Decisions:
        """Choose the level of each answer.

        Parameters
        ----------
        routed
            Answers of the router.
        space
            The labels and their groups.

        Raises
        ------
        ConfigError
            They were routed in another way than the calibration documents.
        """
        self.check_routing(routed)
        outside = np.zeros(len(routed.energy), dtype=bool)
        if self.out_of_scope is not None:
            outside = routed.energy < self.out_of_scope.energy
        fine, group = self.back_off.levels(*confidences(routed, space))
        answered = routed.known & ~outside
        return Decisions(fine & answered, group & answered, outside)

    def check_routing(self, routed: Routed) -> None:
        """Refuse answers that were routed in another way than the calibration documents."""
        if routed.routing != self.routing:
            raise ConfigError(
                f"this model's promises were made with routing {self.routing} and do not hold with {routed.routing}: "
                "calibrate again with that routing, or leave the routing as it is"
            )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; a limit that is infinite is None."""
        return TypeAdapter(Promises).dump_python(self, mode="json")

    @classmethod
    def from_dict(cls, values: Any) -> "Promises":
        """Read what `as_dict` gave, also after a detour over JSON; raises pydantic's ValidationError."""
        return TypeAdapter(Promises).validate_json(json.dumps(values))


@dataclass(frozen=True)
class Observed:
    """What calibration needs of documents, (documents,) each.

    Attributes
    ----------
    confidence, right
        Probability of the best label, and whether it is right.
    group_confidence, group_right
        The same of that label's group.
    label_score, node_score
        Conformal scores of what is right.
    gold_group
        Group of the right label, -1 where it is none of the model's.
    energy
        Of the out-of-scope score.
    known
        Whether the model knows anything of the document: others are not answered.
    """

    confidence: np.ndarray
    right: np.ndarray
    group_confidence: np.ndarray
    group_right: np.ndarray
    label_score: np.ndarray
    node_score: np.ndarray
    gold_group: np.ndarray
    energy: np.ndarray
    known: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Observed"]) -> "Observed":
        """Put blocks of documents together."""
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.__dataclass_fields__})


def observe(
    routed: Routed, texts: Sequence[str], gold: np.ndarray, gold_group: np.ndarray, space: LabelSpace
) -> Observed:
    """Compare answers with what is right.

    Parameters
    ----------
    routed
        Answers of the router.
    texts
        The documents.
    gold, gold_group
        (documents,) column of the right label and its group, -1 where it is none of the model's.
    space
        The labels and their groups.
    """
    best = routed.probabilities.argmax(axis=1)
    confidence, group_confidence = confidences(routed, space)
    of_label, of_node = right_scores(routed.probabilities, gold, gold_group, space, document_uniforms(texts))
    return Observed(
        confidence=confidence,
        right=best == gold,
        group_confidence=group_confidence,
        group_right=space.groups(best) == gold_group,
        label_score=of_label,
        node_score=of_node,
        gold_group=gold_group,
        energy=routed.energy,
        known=routed.known,
    )


def check_wishes(**wishes: Any) -> None:
    """Refuse, before any work, what is no number in its range.

    Parameters
    ----------
    wishes
        Shares by their names, and the percentage points of ``cascade``; ``false_alarms`` and ``cascade`` may be None.

    Raises
    ------
    ConfigError
        Names each wrong one.
    """
    most = {name: 100 if name == "cascade" else 1 for name in wishes}
    wrong = [
        f"{name} is {value!r}: it must lie between 0 and {most[name]}, both excluded"
        for name, value in wishes.items()
        if not (
            (isinstance(value, Real) and 0 < float(value) < most[name])
            or (name in ("false_alarms", "cascade") and value is None)
        )
    ]
    if wrong:
        raise ConfigError(wrong, "calibrate")


def make_promises(
    observed: Observed,
    *,
    routing: str,
    groups: int,
    precision: float,
    delta: float,
    coverage: float,
    by_group: bool,
    false_alarms: float | None,
) -> Promises:
    """Set all thresholds.

    Parameters
    ----------
    observed
        Of the calibration documents.
    routing
        How they were routed, as `Routed` says it.
    groups
        How many the model has.
    precision, delta
        As for `fit_back_off`; documents that seem out of scope, or of which nothing is known, are not among those
        that it answers.
    coverage, by_group
        As for `fit_conformal`.
    false_alarms
        As for `OutOfScope`; None sets no limit. `check_wishes` has seen all of these.

    Raises
    ------
    DataError
        There are too few documents for what is wished.
    """
    outside = None if false_alarms is None else _energy_limit(observed.energy, false_alarms)
    inside = observed.known if outside is None else observed.known & (observed.energy >= outside.energy)
    return Promises(
        documents=len(observed.energy),
        routing=routing,
        back_off=fit_back_off(
            observed.confidence[inside],
            observed.right[inside],
            observed.group_confidence[inside],
            observed.group_right[inside],
            precision=precision,
            delta=delta,
        ),
        conformal=fit_conformal(
            observed.label_score,
            observed.node_score,
            observed.gold_group,
            groups=groups,
            coverage=coverage,
            by_group=by_group,
        ),
        out_of_scope=outside,
    )


def confidences(routed: Routed, space: LabelSpace) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of the best label and of that label's group, (documents,) float64 each."""
    documents, best = np.arange(len(routed.probabilities)), routed.probabilities.argmax(axis=1)
    own = routed.probabilities[documents, best].astype(np.float64)
    return own, space.group_mass(routed.probabilities)[documents, space.groups(best)]


def _energy_limit(energy: np.ndarray, false_alarms: float) -> OutOfScope:
    """Take the k-th smallest energy, k = (n + 1) · false alarms: at most that share of new documents lies below."""
    k = int((len(energy) + 1) * false_alarms + 1e-9)
    if k < 1:
        raise DataError(
            f"{len(energy)} calibration documents are too few for a rate of false alarms of {false_alarms:g}: it takes "
            f"{ceil(1 / false_alarms) - 1} at least"
        )
    return OutOfScope(false_alarms, float(np.sort(energy)[k - 1]))
