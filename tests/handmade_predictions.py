"""Out-of-fold predictions from a matrix, for tests that work a case by hand."""

import numpy as np
from scipy import sparse

from pipelines.cross_validation.out_of_fold import OutOfFold


def made(labels, probabilities, *, own=None, rows=None, **more):
    """Predictions of some documents from a dense matrix whose columns are the sorted labels."""
    names = sorted(set(labels)) if "names" not in more else more.pop("names")
    targets = np.array([names.index(label) for label in labels])
    dense = np.array(probabilities, dtype=np.float32)
    n = len(labels)
    return OutOfFold(
        label_ids=tuple(names),
        rows=np.arange(n) if rows is None else np.array(rows),
        keys=np.arange(n, dtype=np.uint64) + 2**63,
        folds=np.arange(n) % 2,
        targets=targets,
        own=dense[np.arange(n), targets] if own is None else np.array(own, dtype=np.float32),
        probabilities=sparse.csr_matrix(dense),
        **more,
    )
