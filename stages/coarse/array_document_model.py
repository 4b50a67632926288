"""The document model in NumPy: what `stages.coarse.document_model.DocumentModel` answers, where torch is not installed.

It is small beside an encoder: a document costs it as much as some tokens cost the encoder.
"""

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import erf, softmax

EPSILON = 1e-5  # of torch's layer norm


class ArrayDocumentModel:
    """Everything above the encoder, for prediction alone.

    Parameters
    ----------
    weights
        Name -> array float32, as the state of a `DocumentModel` has them.
    heads
        Attention heads of a layer of the aggregator, where it has layers.

    Attributes
    ----------
    has_gradients
        False: of what a unit does, its attention is all that is known.
    """

    has_gradients = False

    def __init__(self, weights: Mapping[str, np.ndarray], *, heads: int) -> None:
        self.weights = dict(weights)
        self.heads = heads
        self._layers = sum(name.endswith("self_attn.in_proj_weight") for name in weights)

    @property
    def width(self) -> int:
        """Dimensions of a document vector."""
        return self.weights["head.weight"].shape[1]

    @property
    def head_bias(self) -> np.ndarray:
        """(groups,) what each group logit starts from."""
        return self.weights["head.bias"]

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights by their names."""
        return self.weights

    def answer(self, units: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read documents, one after the other: an attention costs little, and padding would cost more.

        Parameters
        ----------
        units
            (units of all documents, hidden) unit vectors, document after document.
        counts
            (documents,) units of each document, at least 1.

        Returns
        -------
        vectors, logits, shares : numpy.ndarray
            (documents, width) document vectors, (documents, groups) group logits, and (units of all documents,) the
            share of each unit in its document's vector, the mean over the queries; float32.
        """
        x = self._norm(units.astype(np.float32, copy=False), "scale_in")
        ends = np.cumsum(counts)[:-1]
        if self._layers:
            x = np.concatenate([self._aggregated(one) for one in np.split(x, ends)])
        x = self._norm(x + self._linear(_gelu(self._linear(x, "pooling.feed_forward.0")), "pooling.feed_forward.3"),
                       "pooling.norm")  # fmt: skip
        match = np.tanh(self._linear(x, "pooling.key")) @ self.weights["pooling.queries"].T  # (units, queries)
        found, shares = [], []
        for own, states in zip(np.split(match, ends), np.split(x, ends), strict=True):
            attention = softmax(own, axis=0)  # (units, queries)
            found.append((attention.T @ states).ravel())
            shares.append(attention.mean(1))
        vectors = self._norm(self._linear(np.array(found), "pooling.together"), "pooling.scale_out")
        vectors = self._with_labels(vectors)
        return vectors, self._linear(vectors, "head"), np.concatenate(shares)

    def unit_effects(
        self, units: np.ndarray, *, on_vector: np.ndarray, on_logits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the attention of each unit of one document, which sums to 1; what else it does is not known here.

        Parameters
        ----------
        units
            (units, hidden) unit vectors of the document.
        on_vector, on_logits
            Directions along which `DocumentModel.unit_effects` gives effects, which are 0 here.
        """
        _, _, shares = self.answer(units, np.array([len(units)]))
        return shares.astype(np.float64), np.zeros(len(units)), np.zeros(len(units))

    def _aggregated(self, x: np.ndarray) -> np.ndarray:
        """Read each unit of one document beside the others, (units, hidden)."""
        x = x + self.weights["aggregator.position_strength"] * positions(*x.shape)
        for layer in range(self._layers):
            name = f"aggregator.transformer.layers.{layer}"
            x = x + self._attended(self._norm(x, f"{name}.norm1"), f"{name}.self_attn")
            inner = _gelu(self._linear(self._norm(x, f"{name}.norm2"), f"{name}.linear1"))
            x = x + self._linear(inner, f"{name}.linear2")
        return x

    def _attended(self, x: np.ndarray, name: str) -> np.ndarray:
        size = x.shape[1] // self.heads
        joined = x @ self.weights[f"{name}.in_proj_weight"].T + self.weights[f"{name}.in_proj_bias"]
        # (heads, units, size) each
        query, key, value = (part.reshape(len(x), self.heads, size).swapaxes(0, 1) for part in np.split(joined, 3, 1))
        weights = softmax(query @ key.swapaxes(1, 2) / math.sqrt(size), axis=2)  # (heads, units, units)
        return self._linear((weights @ value).swapaxes(0, 1).reshape(x.shape), f"{name}.out_proj")

    def _with_labels(self, vectors: np.ndarray) -> np.ndarray:
        embeddings = self.weights.get("label_attention.group_embeddings")  # (groups, label hidden)
        if embeddings is None:
            return vectors
        match = self._linear(vectors, "label_attention.query") @ embeddings.T / math.sqrt(embeddings.shape[1])
        found = softmax(match, axis=1) @ self._linear(embeddings, "label_attention.value")
        return self._norm(vectors + found, "label_attention.norm")

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        result: np.ndarray = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(EPSILON))
        result: np.ndarray = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return result


def weight_shapes(
    hidden: int, groups: int, *, queries: int, layers: int, label_hidden: int | None
) -> dict[str, tuple[int, ...]]:
    """Name the weights of a document model, with their shapes; a lone number is a list of one.

    Parameters
    ----------
    hidden
        Dimensions of a unit vector, and of a document vector.
    groups, queries, layers
        How many groups, queries of the attention pooling, and layers of the aggregator there are.
    label_hidden
        Dimensions of the group embeddings of the label attention; None without it.
    """

    def linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(name: str) -> dict[str, tuple[int, ...]]:
        return {f"{name}.weight": (hidden,), f"{name}.bias": (hidden,)}

    shapes = norm("scale_in")
    if layers:
        shapes["aggregator.position_strength"] = (1,)
    for layer in range(layers):
        name = f"aggregator.transformer.layers.{layer}"
        shapes |= {
            f"{name}.self_attn.in_proj_{part}": (3 * hidden, hidden)[:n] for part, n in (("weight", 2), ("bias", 1))
        }
        shapes |= linear(f"{name}.self_attn.out_proj", hidden, hidden)
        shapes |= linear(f"{name}.linear1", 2 * hidden, hidden) | linear(f"{name}.linear2", hidden, 2 * hidden)
        shapes |= norm(f"{name}.norm1") | norm(f"{name}.norm2")
    shapes["pooling.queries"] = (queries, hidden)
    shapes |= linear("pooling.feed_forward.0", 2 * hidden, hidden) | linear(
        "pooling.feed_forward.3", hidden, 2 * hidden
    )
    shapes |= norm("pooling.norm") | linear("pooling.key", hidden, hidden)
    shapes |= linear("pooling.together", hidden, queries * hidden) | norm("pooling.scale_out")
    if label_hidden is not None:
        shapes["label_attention.group_embeddings"] = (groups, label_hidden)
        shapes |= linear("label_attention.query", label_hidden, hidden)
        shapes |= linear("label_attention.value", hidden, label_hidden) | norm("label_attention.norm")
    return shapes | linear("head", groups, hidden)


def positions(length: int, hidden: int) -> np.ndarray:
    """Sinusoidal positions (Vaswani et al. 2017), (length, hidden) float32: no longest document."""
    place = np.arange(length, dtype=np.float32)[:, None]
    rate = np.exp(np.arange(0, hidden, 2, dtype=np.float32) * np.float32(-math.log(10_000.0) / hidden))
    table = np.zeros((length, hidden), dtype=np.float32)
    table[:, 0::2] = np.sin(place * rate)
    table[:, 1::2] = np.cos(place * rate)[:, : hidden // 2]
    return table


def _gelu(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = x * (0.5 * (1 + erf(x * np.float32(math.sqrt(0.5)))))
    return result
