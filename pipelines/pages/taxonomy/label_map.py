"""Places labels on a plane so that labels that are alike stand near each other."""

import numpy as np

from hierarchy.embedding.label_vectors import principal_components

EXACT = 3000  # labels; above, fewer rounds: the map settles slowly and is read at a glance
PERPLEXITY = 20
DIMENSIONS = 50  # principal components that the map is made from


def label_map(vectors: np.ndarray, random_state: int = 0) -> np.ndarray:
    """Reduce label vectors to two dimensions: t-SNE (van der Maaten and Hinton, 2008) from the principal components.

    Parameters
    ----------
    vectors
        (labels, dimensions).
    random_state
        The same seed gives the same map.

    Returns
    -------
    np.ndarray
        (labels, 2), float32, between 0 and 1.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n = len(vectors)
    if n < 3:
        return np.linspace(0.25, 0.75, n, dtype=np.float32)[:, None] * np.ones(2, dtype=np.float32)
    with threadpool_limits(1):
        short = principal_components(vectors, DIMENSIONS, random_state)
        start = np.zeros((n, 2))
        components = min(2, *short.shape)
        start[:, :components] = PCA(components, svd_solver="full").fit_transform(short)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)
        places = TSNE(
            perplexity=min(PERPLEXITY, (n - 1) / 3), init=start, random_state=random_state,
            max_iter=1000 if n <= EXACT else 400,
        ).fit_transform(short)  # fmt: skip
    low, high = places.min(axis=0), places.max(axis=0)
    return ((places - low) / np.maximum(high - low, 1e-12)).astype(np.float32)
