"""Names of what a run folder keeps: each is a hash of all that the thing depends on, so another one is never read.

A key is made of named parts. An array goes in with its type and shape and a text with its length, so that no two
different things look alike. Where settings are a part, all of them are, but for those that a list names because they do
not matter: a new setting then cannot be forgotten.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse


def cache_key(**parts: Any) -> str:
    """Return the SHA-256 of named parts, 64 hexadecimal digits.

    Parameters
    ----------
    parts
        Arrays, dense or sparse, and whatever JSON can hold. Texts go in as `texts_digest` gives them.
    """
    named = {name: array_digest(part) if _is_array(part) else part for name, part in parts.items()}
    return hashlib.sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()


def array_digest(array: Any) -> str:
    """Return the SHA-256 of an array, dense or CSR: of its type, its shape and its numbers."""
    if sparse.issparse(array):
        return cache_key(shape=array.shape, data=array.data, indices=array.indices, indptr=array.indptr)
    digest = hashlib.sha256(json.dumps([array.dtype.str, array.shape]).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def texts_digest(texts: Iterable[str]) -> str:
    """Return the SHA-256 of texts in their order; nothing but the current one is in memory."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray) or sparse.issparse(part)
