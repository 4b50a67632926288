"""What tells which labels are alike: their texts, their documents, and what a probe confuses them with.

Each signal gives every label a vector of length 1; the blend puts the vectors side by side, weighted, so that a dot
product of two blended vectors is the weighted mean of the signals' cosines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hierarchy.embedding.label_vectors import Documents, Embed, embed_texts, means, principal_components, unit
from hierarchy.measuring.probe import Probe, probe_labels
from hierarchy.nodes import Label
from hierarchy.taxonomy import Taxonomy
from hierarchy.text.escaping import short_repr
from hierarchy.text.likeness import suggestion

SIGNALS = {"text": 0.25, "documents": 0.5, "confusion": 0.25}
"""Default weights: the best mean routing recall on validation documents, `benchmarks/signal_weights.py`."""

Confusions = Callable[[Sequence[str]], Probe]  # label ids -> what a model of the caller's confuses, in their order
NEIGHBOURS = 5  # labels with documents that stand in for those of a label without any
HEAVIEST = 1e6  # weight; only their ratios matter
PROFILE = 256  # dimensions to which confusion profiles are reduced: what is beyond is noise, and 10,000 labels fit


@dataclass(frozen=True)
class Signals:
    """Vectors of labels, one kind a signal.

    Attributes
    ----------
    vectors
        {name: (labels, dimensions) with rows of length 1}: `text`, and with documents `documents` and `confusion`.
    probe
        What the cross-fitted probe says of the documents; None without documents.
    """

    vectors: dict[str, np.ndarray]
    probe: Probe | None = None

    def blend(self, weights: Mapping[str, float]) -> np.ndarray:
        """Put the vectors side by side.

        Parameters
        ----------
        weights
            What each signal counts; only their ratios matter. A signal that is missing counts nothing; where none of
            the wanted ones is there, texts stand in.

        Returns
        -------
        np.ndarray
            (labels, dimensions), rows of length 1.
        """
        return np.hstack([np.sqrt(share) * self.vectors[name] for name, share in self.shares(weights).items()])

    def shares(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Return what each signal counts in `blend`, as shares of 1."""
        wanted = {name: weights.get(name, 0.0) for name in self.vectors if weights.get(name, 0.0) > 0} or {"text": 1.0}
        total = sum(wanted.values())
        return {name: weight / total for name, weight in wanted.items()}


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
        embedded as the labels are, whole. A label without documents takes the documents and confusions of the labels
        whose texts are nearest.
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
    # 3. Documents: the mean of each label's, less the mean of all.
    centroids, counts = means(X, owner, len(labels))
    # Encoders give all documents a large common part; what tells labels apart is the rest.
    vectors = {"text": by_text, "documents": unit(centroids - centroids[counts > 0].mean(axis=0))}
    # 4. Confusions: what a probe, or the caller's model, takes each label's documents for.
    probe = None
    if (counts > 0).sum() > 1:
        probe = (
            probe_labels(X, owner, len(labels), random_state=random_state)
            if confusions is None
            else confusions([label.id for label in labels])
        )
        vectors["confusion"] = confusion_profiles(probe.confusion, random_state)
        _fill(vectors["confusion"], by_text, np.bincount(probe.targets, minlength=len(labels)))
    # 5. Labels without documents take after those whose texts are nearest.
    _fill(vectors["documents"], by_text, counts)
    return Signals(vectors, probe)


def by_label_id(documents: Documents, taxonomy: Taxonomy) -> Documents:
    """Give the label of each document by its id: the empty one where the taxonomy has no such label."""
    contents, targets = documents
    ids = {target: taxonomy.resolve(target) or "" for target in dict.fromkeys(targets)}
    return contents, [ids[target] for target in targets]


def confusion_profiles(confusion: np.ndarray, random_state: int = 0) -> np.ndarray:
    """Make each label's row of confusions a vector: labels that are taken for each other, or for the same, are near.

    Parameters
    ----------
    confusion
        (labels, labels), rows sum to 1.
    random_state
        Of the reduction.

    Returns
    -------
    np.ndarray
        (labels, at most 256), rows of length 1. Before the reduction a dot product is the Bhattacharyya (1943)
        coefficient of two labels' confusions, made symmetric.
    """
    profiles = np.sqrt((confusion + confusion.T) / 2)
    return principal_components(unit(profiles), PROFILE, random_state)


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


def _fill(vectors: np.ndarray, by_text: np.ndarray, counts: np.ndarray) -> None:
    missing, present = np.flatnonzero(counts == 0), np.flatnonzero(counts)
    if len(missing):
        likeness = by_text[missing] @ by_text[present].T  # (missing, present)
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
        vectors[missing] = unit(vectors[present[nearest]].mean(axis=1))
