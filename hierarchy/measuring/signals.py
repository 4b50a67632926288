"""What tells which labels are alike: their texts, their documents, and what a probe confuses them with.

Each signal gives every label a vector, all in the space of the texts, so that a label with documents and one without
can be compared. The blend takes of each signal what its evidence carries; the label's text carries the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hierarchy.embedding.label_vectors import Documents, Embed, embed_texts, means, principal_components, unit
from hierarchy.measuring.probe import Probe, probe_labels
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import suggestion

SIGNALS = {"text": 0.1, "documents": 0.7, "confusion": 0.2}
"""Default weights: agreement with human groups and routing recall on validation documents,
`benchmarks/signal_weights.py`."""

Confusions = Callable[[Sequence[str]], Probe]  # label ids -> what a model of the caller's confuses, in their order
HEAVIEST = 1e6  # weight; only their ratios matter
SMALLEST = 1e-9
DOCUMENTS_FOR_HALF = 3.0  # that make a reliability of 1/2 on most data sets, for data in which no label has two


@dataclass(frozen=True)
class Signals:
    """Vectors of labels, one kind a signal.

    Attributes
    ----------
    vectors
        {name: (labels, dimensions) with rows of length 1}: `text`, and with documents `documents` and `confusion`,
        all of the same dimensions.
    reliability
        {name: (labels,)} for `documents` and `confusion`: between 0, a label about which they say nothing, and 1.
    probe
        What the cross-fitted probe says of the documents; None without documents.
    """

    vectors: dict[str, np.ndarray]
    reliability: dict[str, np.ndarray] = field(default_factory=dict)
    probe: Probe | None = None

    def blend(self, weights: Mapping[str, float]) -> np.ndarray:
        """Add up the vectors: of each signal its weight times its reliability, and the rest of the text.

        Parameters
        ----------
        weights
            What each signal counts; only their ratios matter. A signal that is missing counts nothing.

        Returns
        -------
        np.ndarray
            (labels, dimensions), rows of length 1. A label without documents has the vector of its text.
        """
        parts = self._parts(weights)
        return unit(np.sum([part[:, None] * self.vectors[name] for name, part in parts.items()], axis=0))

    def shares(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Return what each signal counts in `blend`, as shares of 1 and means over labels."""
        return {name: float(part.mean()) for name, part in self._parts(weights).items()}

    def _parts(self, weights: Mapping[str, float]) -> dict[str, np.ndarray]:
        """Return what each signal counts for each label, (labels,); they add up to 1."""
        wanted = {name: weights.get(name, 0.0) for name in self.vectors}
        total = sum(wanted.values()) or 1.0
        parts = {name: wanted[name] / total * reliable for name, reliable in self.reliability.items() if wanted[name]}
        return {"text": 1.0 - np.sum([np.zeros(len(self.vectors["text"])), *parts.values()], axis=0), **parts}


def label_signals(
    labels: Sequence[Label],
    documents: Documents | None = None,
    embed: Embed | None = None,
    encoder: str = "embedded",
    random_state: int = 0,
    confusions: Confusions | None = None,
) -> Signals:
    """Make the vectors of all signals that there are.

    Parameters
    ----------
    labels
        The labels.
    documents
        (texts or vectors, label id of each), some of which are ids of these labels; see `by_label_id`. Bare texts are
        embedded as the labels are, whole.
    embed, encoder
        See `embed_texts`.
    random_state
        Of the n-grams' SVD and of the probe's folds.
    confusions
        What stands for the probe; None runs it on the documents.

    Returns
    -------
    Signals
        Of `labels`, in their order.
    """
    texts = [label.text for label in labels]
    if documents is None:
        return Signals({"text": embed_texts(texts, embed, encoder, random_state)})
    # 1. Which label each document has; those of other labels go.
    contents, targets = documents
    position = {label.id: i for i, label in enumerate(labels)}
    owner = np.array([position.get(str(target), -1) for target in targets], dtype=np.int64)
    known = np.flatnonzero(owner >= 0)
    # 2. Vectors of label texts and of documents, by one encoder unless documents came as vectors.
    if isinstance(contents, np.ndarray) and contents.ndim == 2:
        by_text, X = embed_texts(texts, embed, encoder, random_state), contents
    else:
        both = embed_texts([*texts, *(str(text) for text in contents)], embed, encoder, random_state)
        by_text, X = both[: len(texts)], both[len(texts) :]
    if len(known) < len(owner):
        X, owner = X[known], owner[known]
    # 3. Documents: the mean of each label's.
    centroids, counts = means(X, owner, len(labels))
    half = {"documents": documents_for_half(X, centroids, counts)}
    signals = {"text": (by_text, np.ones(len(labels))), "documents": (centroids, counts)}
    # 4. Confusions: what a probe, or the caller's model, takes each label's documents for.
    probe = None
    if (counts > 0).sum() > 1:
        probe = (
            probe_labels(X, owner, len(labels), random_state=random_state)
            if confusions is None
            else confusions([label.id for label in labels])
        )
        asked = np.bincount(probe.targets, minlength=len(labels))
        signals["confusion"] = (confusion_profiles(probe.confusion), asked)
        # The probe knows no more than the vectors do; how much a caller's model knows they do not tell.
        half["confusion"] = half["documents"] if confusions is None else DOCUMENTS_FOR_HALF
    # 5. All of them are turned into the space of the texts.
    components = {name: _components(*signal, random_state) for name, signal in signals.items()}
    width = max(vectors.shape[1] for vectors in components.values())
    reliability = {name: n / np.maximum(n + half[name], SMALLEST) for name, (_, n) in signals.items() if name != "text"}
    vectors = {"text": _widened(components["text"], width)}
    for name, reliable in reliability.items():
        vectors[name] = rotated(_widened(components[name], width), vectors["text"], reliable)
    return Signals(vectors, reliability, probe)


def documents_for_half(X: np.ndarray, centroids: np.ndarray, counts: np.ndarray) -> float:
    """Estimate how many documents of a label make the mean of their vectors half reliable.

    The reliability of a mean over n documents is n / (n + h), where h is the variance of documents within a label over
    the variance of labels, both by the analysis of variance of one random factor (Searle, Casella and McCulloch,
    Variance components, 1992, ch. 3), summed over dimensions. Short clear queries have an h of 1, letters with asides
    or statutes 3.

    Parameters
    ----------
    X
        Vectors of the documents, (documents, dimensions).
    centroids, counts
        Mean vector and number of documents of each label, (labels, dimensions) and (labels,).

    Returns
    -------
    float
        At least 0; infinite where documents of one label are no more alike than others. `DOCUMENTS_FOR_HALF` where
        that cannot be told: no label has two documents, or a single label has any.
    """
    counts, centroids = counts[counts > 0].astype(np.float64), centroids[counts > 0]
    documents, labels = counts.sum(), len(counts)
    if labels < 2 or documents == labels:
        return DOCUMENTS_FOR_HALF
    mean = counts @ centroids / documents
    explained = float(counts @ np.square(centroids - mean).sum(axis=1))
    whole = float(np.einsum("ij,ij->", X, X, dtype=np.float64)) - documents * float(mean @ mean)
    within = max(whole - explained, 0.0) / (documents - labels)
    per_label = (documents - np.square(counts).sum() / documents) / (labels - 1)
    between = (explained / (labels - 1) - within) / per_label
    return within / between if between > 0 else float("inf")


def rotated(vectors: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rotate vectors onto others as a whole, so that the two can be added: cosines among them stay as they are.

    Orthogonal Procrustes analysis (Schönemann, 1966).

    Parameters
    ----------
    vectors, target
        (labels, dimensions).
    weights
        What each label counts, (labels,).

    Returns
    -------
    np.ndarray
        (labels, dimensions).
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # sums come out the same whatever the number of cores
        left, _, right = np.linalg.svd((weights[:, None] * vectors).T @ target)
        return np.asarray(vectors @ (left @ right))


def by_label_id(documents: Documents, taxonomy: Taxonomy) -> Documents:
    """Give the label of each document by its id: the empty one where the taxonomy has no such label."""
    contents, targets = documents
    ids = {target: taxonomy.resolve(target) or "" for target in dict.fromkeys(targets)}
    return contents, [ids[target] for target in targets]


def confusion_profiles(confusion: np.ndarray) -> np.ndarray:
    """Make each label's row of confusions a vector: labels that are taken for each other, or for the same, are near.

    Parameters
    ----------
    confusion
        (labels, labels), rows sum to 1.

    Returns
    -------
    np.ndarray
        (labels, labels), rows of length 1. A dot product is the Bhattacharyya (1943) coefficient of two labels'
        confusions, made symmetric.
    """
    return unit(np.sqrt((confusion + confusion.T) / 2))


def signal_problems(signals: Mapping[str, float] | None) -> list[str]:
    """Say what is wrong with the weights of signals.

    Parameters
    ----------
    signals
        As a user gave them; None takes the default ones.
    """
    if signals is None:
        return []
    if not isinstance(signals, Mapping):
        return [f"signals is {short_repr(signals)}; it must be names with weights, as {SIGNALS}"]
    problems = []
    for name, weight in signals.items():
        if name not in SIGNALS:
            problems.append(f"signals has {name!r}: {suggestion(str(name), list(SIGNALS))}")
        elif isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= HEAVIEST:
            problems.append(f"signals.{name} is {short_repr(weight)}; it must be a number from 0 up")
    if not problems and not sum(signals.values()):
        problems.append("signals are all 0; at least one must count")
    return problems


def _components(vectors: np.ndarray, counts: np.ndarray, random_state: int) -> np.ndarray:
    """Reduce the vectors of labels that have any: less what they have in common, rows of length 1; zeros for others."""
    from threadpoolctl import threadpool_limits

    known = np.flatnonzero(counts)
    # Encoders give all texts a large common part; what tells labels apart is the rest.
    found = principal_components(unit(vectors[known] - vectors[known].mean(axis=0)), random_state=random_state)
    if found.shape[1] > len(found):  # n-grams have thousands of dimensions, labels span no more than there are labels
        with threadpool_limits(1):
            found = np.linalg.qr(found.T).R.T
    components = np.zeros((len(vectors), found.shape[1]))
    components[known] = found
    return components


def _widened(vectors: np.ndarray, width: int) -> np.ndarray:
    return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))
