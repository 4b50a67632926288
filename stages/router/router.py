"""The router: group scores and fine scores into probabilities of fine labels.

    log P_c(g | x) = log softmax(a_g · neural + c_g · n-gram)      floored at 0.001 / groups
    score(f)       = a · z_f + c · s_f + b · log P_c(g(f) | x)

z_f and s_f are what the rows say on a log scale: `stages.fine.rows.log_chance` of a margin, or a logit after joint
training. The weights are a `Fusion`, which `stages.router.fusion` fits.

``exhaustive`` scores every label. ``beam`` scores the labels of the k most probable groups only; outside the beam the
probability is 0, inside it sums to 1.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

from hierarchy.arguments import whole_number
from hierarchy.errors import ArtifactError, ConfigError
from stages.fine.rows import Rows, log_chance
from stages.label_space import LabelSpace

ROUTINGS = ("auto", "exhaustive", "beam")
AUTO_LIMIT = 10_000  # labels up to which every label is scored
FLOOR = 0.001  # of P_c, divided by the number of groups: a confident wrong turn stays repairable


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
    blank
        (documents,) bool, whether the text has no character that says anything; None where all say something.
    """

    vectors: np.ndarray | None = None
    group_logits: np.ndarray | None = None
    ngrams: sparse.csr_matrix | None = None
    blank: np.ndarray | None = None

    @classmethod
    def joined(cls, parts: Sequence["Inputs"]) -> "Inputs":
        """Put blocks of documents together, which have the same experts."""
        of = {name: [getattr(part, name) for part in parts] for name in cls.__dataclass_fields__}
        whole = {
            name: None if each[0] is None else np.concatenate(each) for name, each in of.items() if name != "ngrams"
        }
        ngrams = None if of["ngrams"][0] is None else sparse.vstack(of["ngrams"], format="csr")
        return cls(**whole, ngrams=ngrams)

    def __len__(self) -> int:
        present = next(x for x in (self.vectors, self.group_logits, self.ngrams) if x is not None)
        return int(present.shape[0])

    def __getitem__(self, documents: np.ndarray | slice) -> "Inputs":
        parts = (self.vectors, self.group_logits, self.ngrams, self.blank)
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
        (documents,) bool, whether an expert that counts knows anything of the document; else the answer says nothing
        of it.
    by_ngrams
        (documents,) bool, whether n-grams answered alone: no encoder has read the document.
    """

    probabilities: np.ndarray
    coarse: np.ndarray
    in_beam: np.ndarray
    energy: np.ndarray
    routing: str
    known: np.ndarray
    by_ngrams: np.ndarray

    def replaced(self, places: np.ndarray, answers: "Routed") -> "Routed":
        """Return these answers with others in the places of some, (others,) each once."""
        arrays: dict[str, Any] = {n: own.copy() for n, own in vars(self).items() if isinstance(own, np.ndarray)}
        for name, own in arrays.items():
            own[places] = getattr(answers, name)
        return replace(self, **arrays)

    @property
    def beam_mass(self) -> np.ndarray:
        """(documents,) probability that the coarse stage gives to the groups in the beam."""
        mass: np.ndarray = (self.coarse * self.in_beam).sum(1)
        return mass.clip(max=1.0)


@dataclass(frozen=True)
class Fusion:
    """Weights of the experts.

    Attributes
    ----------
    neural
        a: of the neural scores; 0 where there is no encoder.
    lexical
        c: of the n-gram scores; 0 where they are off or do not help.
    coarse
        b: of log P_c; 0 for the coarse stage itself and for a flat model.
    """

    neural: float = 0.0
    lexical: float = 0.0
    coarse: float = 0.0


@dataclass(frozen=True)
class Router:
    """Scores of both stages into probabilities.

    Attributes
    ----------
    space
        Labels and their groups.
    neural, lexical
        Rows of all labels, group after group: the head bank of each expert; None where there is none.
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

    space: LabelSpace
    neural: Rows | None
    lexical: Rows | None
    group_rows: Rows | None
    coarse_fusion: Fusion = Fusion()
    fusions: dict[str, Fusion] = field(default_factory=dict)
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
        routing = resolve_routing(routing, len(self.space.label_ids))
        if routing == "exhaustive":
            in_beam = np.ones(coarse.shape, dtype=bool)
            probabilities, energy = normalised(self.scores(inputs, fusion, coarse[:, self.space.group_of]))
        else:
            routing = f"beam: {beam}"
            in_beam = best_groups(coarse, beam)
            probabilities, energy = self._within_beam(inputs, fusion, coarse, in_beam)
        if not np.isfinite(energy).all():
            raise ArtifactError(
                "the model's scores are no numbers: its weights are damaged, or its training went astray: copy the "
                "model again, or train again with a lower learning rate"
            )
        known = _known(inputs, self.heard(fusion, groups=not in_beam.all()))
        by_ngrams = np.full(len(inputs), self.neural is None)
        return Routed(probabilities, np.exp(coarse), in_beam, energy, routing, known, by_ngrams)

    def heard(self, fusion: Fusion, *, groups: bool = False) -> set[str]:
        """Experts that have a say in the labels, by the names of `Fusion` fields.

        Parameters
        ----------
        fusion
            Of the labels.
        groups
            Whether the coarse stage chooses the groups whose labels are scored; else it has a say by its own weight.
        """
        stages = [fusion, self.coarse_fusion] if groups or fusion.coarse else [fusion]
        return {name for name in ("neural", "lexical") if any(getattr(stage, name) for stage in stages)}

    def log_coarse(self, inputs: Inputs) -> np.ndarray:
        """Log-probability of each group by the coarse stage, (documents, groups) float32."""
        return log_coarse(self.coarse_experts(inputs), self.coarse_fusion)

    def coarse_experts(self, inputs: Inputs) -> dict[str, np.ndarray]:
        """Scores (documents, groups) of each expert of the coarse stage, by the name of a `Fusion` field."""
        experts = {}
        if inputs.group_logits is not None:
            experts["neural"] = inputs.group_logits
        if self.group_rows is not None:
            experts["lexical"] = log_chance(self.group_rows.score(inputs.ngrams))
        return experts

    def fine_experts(
        self, inputs: Inputs, labels: slice | None = None, names: Collection[str] = ("neural", "lexical")
    ) -> dict[str, np.ndarray]:
        """Scores (documents, labels) float32 of each expert on a log scale, by its name.

        Parameters
        ----------
        inputs
            What the experts read.
        labels
            Neighbouring labels; None for all.
        names
            Of the experts that are asked.
        """
        experts = {}
        for name, rows, features, gives_margins in (
            ("neural", self.neural, inputs.vectors, self.neural_margins),
            ("lexical", self.lexical, inputs.ngrams, True),
        ):
            if rows is not None and name in names:
                scores = (rows if labels is None else rows.head(labels)).score(features)
                experts[name] = log_chance(scores) if gives_margins else scores
        return experts

    def scores(self, inputs: Inputs, fusion: Fusion, coarse: np.ndarray, labels: slice | None = None) -> np.ndarray:
        """Scores of neighbouring labels (None for all), (documents, labels) float32.

        `coarse` (documents, labels) is log P_c of each label's group.
        """
        named = [name for name, weight in asdict(fusion).items() if weight]  # a weight of 0 spares a product
        experts = self.fine_experts(inputs, labels, named)
        return fuse(experts, fusion) + np.float32(fusion.coarse) * coarse

    def _within_beam(
        self, inputs: Inputs, fusion: Fusion, coarse: np.ndarray, in_beam: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (documents, labels), 0 outside the beam, and energies (documents,), as `normalised` has them.

        What a document costs goes with the labels in its beam, not with all that there are.
        """
        # 1. A row for each document with room for the labels of its groups alone, one group behind the other.
        sizes = in_beam * self.space.group_sizes  # (documents, groups)
        ends = np.cumsum(sizes, axis=1)
        scores = np.full((len(inputs), int(ends[:, -1].max(initial=0))), -np.inf, dtype=np.float32)
        columns = np.zeros(scores.shape, dtype=np.int64)  # of these labels
        # 2. Group after group, its labels are scored for all documents that have it in their beam: one product.
        for group in np.flatnonzero(in_beam.any(0)).tolist():
            documents, labels = np.flatnonzero(in_beam[:, group]), self.space.under(group)
            asked = inputs if len(documents) == len(inputs) else inputs[documents]
            places = (ends - sizes)[documents, group, None] + np.arange(labels.stop - labels.start)
            scores[documents[:, None], places] = self.scores(asked, fusion, coarse[documents, group, None], labels)
            columns[documents[:, None], places] = np.arange(labels.start, labels.stop)
        # 3. The softmax, and each probability to the column of its label.
        within, energy = normalised(scores)
        probabilities = np.zeros((len(inputs), len(self.space.label_ids)), dtype=np.float32)
        document, place = np.nonzero(np.arange(scores.shape[1]) < ends[:, -1:])
        probabilities[document, columns[document, place]] = within[document, place]
        return probabilities, energy


def _known(inputs: Inputs, heard: Collection[str]) -> np.ndarray:
    """Whether an expert that has a say knows anything of a document, (documents,) bool.

    The encoder knows something of every text but a blank one, the n-grams where one of the vocabulary stands in it.
    """
    known = np.zeros(len(inputs), dtype=bool)
    if "neural" in heard:
        known |= True if inputs.blank is None else ~inputs.blank
    if "lexical" in heard and inputs.ngrams is not None:
        known |= inputs.ngrams.getnnz(1) > 0
    return known


def fuse(experts: Mapping[str, np.ndarray], fusion: Fusion) -> np.ndarray:
    """Weighted sum of the experts' scores, (documents, classes)."""
    weights = asdict(fusion)
    return sum(np.float32(weights[name]) * scores for name, scores in experts.items())  # type: ignore[return-value]


def normalised(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn scores (documents, classes) into probabilities: the softmax of each row.

    Returns
    -------
    tuple[numpy.ndarray, numpy.ndarray]
        (documents, classes) probabilities, and the log of the summed exponentials (documents,).
    """
    # 1. Take the highest score of a row from all: no exponential overflows, and what is -inf becomes 0.
    highest = scores.max(axis=1, keepdims=True)  # (documents, 1)
    with np.errstate(invalid="ignore"):  # scores that are no numbers stay none; the caller refuses them
        powers = np.exp(scores - highest)  # (documents, classes)
    # 2. Divide by the sum, and put the highest score back into its log.
    total = powers.sum(axis=1, keepdims=True)  # (documents, 1)
    return powers / total, (highest + np.log(total))[:, 0]


def log_coarse(experts: Mapping[str, np.ndarray], fusion: Fusion) -> np.ndarray:
    """Log-probability P_c of each group, (documents, groups) float32, floored and summing to 1 again."""
    probabilities, _ = normalised(fuse(experts, fusion))
    floored = np.maximum(probabilities, FLOOR / probabilities.shape[1])
    return np.log(floored / floored.sum(1, keepdims=True)).astype(np.float32)


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
