"""The router: group scores and fine scores into probabilities of fine labels.

``exhaustive`` scores every label. ``beam`` scores the labels of the k most probable groups only; outside the beam the
probability is 0, inside it sums to 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from hierarchy.arguments import whole_number
from hierarchy.errors import ArtifactError, ConfigError
from stages.fine.bank import HeadBank
from stages.fine.rows import Rows, log_chance
from stages.router.fusion import Fusion, fit_fusion, fit_variants, log_coarse
from stages.router.label_space import LabelSpace

ROUTINGS = ("auto", "exhaustive", "beam")
AUTO_LIMIT = 10_000  # labels up to which every label is scored


@dataclass(frozen=True)
class Inputs:
    """What the router reads of some documents; a part is None where its expert does not exist.

    Attributes
    ----------
    vectors
        (documents, features) what the neural rows read: pooled vectors, or document vectors after joint training.
    group_logits
        (documents, groups) of the document model.
    ngrams
        (documents, n-grams) for the lexical expert.
    known
        (documents,) bool, whether an expert knows anything of the document.
    """

    vectors: np.ndarray | None = None
    group_logits: np.ndarray | None = None
    ngrams: sparse.csr_matrix | None = None
    known: np.ndarray | None = None

    def __len__(self) -> int:
        present = next(x for x in (self.vectors, self.group_logits, self.ngrams) if x is not None)
        return int(present.shape[0])

    def __getitem__(self, documents: np.ndarray | slice) -> "Inputs":
        parts = (self.vectors, self.group_logits, self.ngrams, self.known)
        return Inputs(*(None if part is None else part[documents] for part in parts))


@dataclass(frozen=True)
class Routed:
    """The answer for some documents.

    Attributes
    ----------
    probabilities
        (documents, labels) float32, labels group after group; rows sum to 1.
    coarse
        (documents, groups) what the coarse stage alone says.
    in_beam
        (documents, groups) groups whose labels were scored.
    energy
        (documents,) log of the summed exponentials of the scores: low where no label has a high score.
    routing
        ``exhaustive``, or ``beam`` with its width.
    known
        (documents,) bool, whether an expert knows anything of the document; else the answer says nothing of it.
    """

    probabilities: np.ndarray
    coarse: np.ndarray
    in_beam: np.ndarray
    energy: np.ndarray
    routing: str
    known: np.ndarray

    @property
    def beam_mass(self) -> np.ndarray:
        """(documents,) probability that the coarse stage gives to the groups in the beam."""
        return (self.coarse * self.in_beam).sum(1)


@dataclass(frozen=True)
class Router:
    """Scores of both stages into probabilities.

    Attributes
    ----------
    group_of
        (labels,) group of each label, ascending.
    neural, lexical
        Head banks of the experts; None where there is none.
    group_rows
        n-gram rows of the groups; None where there are no n-grams.
    coarse_fusion
        Of the coarse stage.
    fusions
        Of the labels: ``full``, and the variants that evaluation compares it with.
    neural_margins
        Whether the neural rows give margins, which go through `log_chance` as those of the n-gram rows do; after joint
        training they give logits.
    """

    group_of: np.ndarray
    neural: HeadBank | None
    lexical: HeadBank | None
    group_rows: Rows | None
    coarse_fusion: Fusion
    fusions: dict[str, Fusion]
    neural_margins: bool = True

    def route(self, inputs: Inputs, *, routing: str = "exhaustive", beam: int = 3, variant: str = "full") -> Routed:
        """Score and normalise.

        Parameters
        ----------
        inputs
            What the experts read.
        routing
            ``auto``, ``exhaustive`` or ``beam``.
        beam
            Groups in the beam.
        variant
            Which of `fusions`.

        Raises
        ------
        ArtifactError
            The weights give scores that are no numbers.
        """
        coarse = self.log_coarse(inputs)
        fusion = self.fusions[variant]
        routing = resolve_routing(routing, len(self.group_of))
        if routing == "exhaustive":
            scores = self.scores(inputs, coarse, fusion)
            in_beam = np.ones(coarse.shape, dtype=bool)
        else:
            routing = f"beam: {beam}"
            in_beam = best_groups(coarse, beam)
            scores = self._score_beam(inputs, fusion, coarse, in_beam)
        energy = logsumexp(scores, axis=1, keepdims=True)
        if not np.isfinite(energy).all():
            raise ArtifactError(
                "the model's scores are no numbers: its weights are damaged, or its training went astray: copy the "
                "model again, or train again with a lower learning rate"
            )
        known = np.ones(len(inputs), dtype=bool) if inputs.known is None else inputs.known
        return Routed(np.exp(scores - energy), np.exp(coarse), in_beam, energy[:, 0], routing, known)

    def scores(self, inputs: Inputs, coarse: np.ndarray, fusion: Fusion) -> np.ndarray:
        """Scores of all labels, (documents, labels) float32; `coarse` is what `log_coarse` gives."""
        scores = self._score(inputs, fusion, self.neural, self.lexical)
        scores += np.float32(fusion.coarse) * coarse[:, self.group_of]
        return scores

    def log_coarse(self, inputs: Inputs) -> np.ndarray:
        """Log-probability of each group by the coarse stage, (documents, groups) float32."""
        experts = {}
        if inputs.group_logits is not None:
            experts["neural"] = inputs.group_logits
        if self.group_rows is not None:
            experts["lexical"] = log_chance(self.group_rows.score(inputs.ngrams))
        return log_coarse(experts, self.coarse_fusion)

    def _score(
        self, inputs: Inputs, fusion: Fusion, neural: HeadBank | Rows | None, lexical: HeadBank | Rows | None
    ) -> np.ndarray:
        # A weight of 0 spares the product.
        parts = []
        if neural is not None and fusion.neural:
            scores = neural.score(inputs.vectors)
            parts.append(np.float32(fusion.neural) * (log_chance(scores) if self.neural_margins else scores))
        if lexical is not None and fusion.lexical:
            parts.append(np.float32(fusion.lexical) * log_chance(lexical.score(inputs.ngrams)))
        if not parts:
            rows = next(r for r in (neural, lexical) if r is not None)
            labels = len((rows.rows if isinstance(rows, HeadBank) else rows).bias)
            return np.zeros((len(inputs), labels), dtype=np.float32)
        return sum(parts[1:], parts[0])

    def _score_beam(self, inputs: Inputs, fusion: Fusion, coarse: np.ndarray, in_beam: np.ndarray) -> np.ndarray:
        scores = np.full((len(inputs), len(self.group_of)), -np.inf, dtype=np.float32)
        for group in np.flatnonzero(in_beam.any(0)).tolist():
            documents = np.flatnonzero(in_beam[:, group])
            labels = np.flatnonzero(self.group_of == group)
            neural = self.neural.head(group) if self.neural else None
            lexical = self.lexical.head(group) if self.lexical else None
            head = self._score(inputs[documents], fusion, neural, lexical)
            head += np.float32(fusion.coarse) * coarse[documents, group, None]
            scores[documents[:, None], labels] = head
        return scores


def fit_router(
    space: LabelSpace,
    *,
    neural: HeadBank | None,
    lexical: HeadBank | None,
    group_rows: Rows | None,
    valid: Inputs,
    valid_targets: np.ndarray,
    coarse_fusion: Fusion | None = None,
    neural_margins: bool = True,
) -> Router:
    """Fit the router's numbers on validation documents.

    Parameters
    ----------
    space
        Labels and groups.
    neural, lexical, group_rows
        Rows of the experts; None where there is none.
    valid, valid_targets
        What the experts read of the validation documents, and the label of each or -1.
    coarse_fusion
        Fusion of a coarse stage that has not changed; None fits it too.
    neural_margins
        As for `Router`.
    """
    experts: dict[str, np.ndarray] = {}
    coarse_experts: dict[str, np.ndarray] = {}
    if neural is not None and valid.group_logits is not None:
        coarse_experts["neural"] = valid.group_logits
        scores = neural.score(valid.vectors)
        experts["neural"] = log_chance(scores) if neural_margins else scores
    if lexical is not None and group_rows is not None:
        coarse_experts["lexical"] = log_chance(group_rows.score(valid.ngrams))
        experts["lexical"] = log_chance(lexical.score(valid.ngrams))
    if coarse_fusion is None:
        coarse_fusion = fit_fusion(coarse_experts, space.groups(valid_targets))
    experts["coarse"] = log_coarse(coarse_experts, coarse_fusion)[:, space.group_of]
    fusions = fit_variants(experts, valid_targets)
    return Router(space.group_of, neural, lexical, group_rows, coarse_fusion, fusions, neural_margins)


def resolve_routing(routing: str, n_labels: int) -> str:
    """Turn ``auto`` into ``exhaustive`` or ``beam`` by the number of labels."""
    if routing not in ROUTINGS:
        raise ConfigError(f"routing {routing!r} is not known: choose one of {', '.join(ROUTINGS)}")
    if routing != "auto":
        return routing
    return "exhaustive" if n_labels <= AUTO_LIMIT else "beam"


def best_groups(coarse: np.ndarray, k: int) -> np.ndarray:
    """Mark the k best groups of each document; of equals the first.

    Parameters
    ----------
    coarse
        (documents, groups) scores.
    k
        Groups to keep; more than there are keeps all.

    Returns
    -------
    numpy.ndarray
        (documents, groups) bool with k True in each row.

    Raises
    ------
    ConfigError
        `k` is no whole number from 1 up.
    """
    k = whole_number(k, "beam")
    order = np.argsort(-coarse, axis=1, kind="stable")[:, :k]
    marked = np.zeros(coarse.shape, dtype=bool)
    np.put_along_axis(marked, order, True, axis=1)
    return marked
