"""Which reference cells a network sees as most like a given one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]

# Decimals of a similarity. Float32 in another order of summation differs beyond them, and
# would rank cells that are equally similar by chance.
DECIMALS = 6


def unit_vectors(features: Features) -> Features:
    """Return features, (n, d) float32, at length 1, so that a product of two is their cosine.

    Features that are all zero stay so: their cosine with whatever is 0.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def nearest(
    features: Features, references: Features, hidden: npt.NDArray[np.bool_], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return the most similar references of each cell, the nearest first.

    Parameters
    ----------
    features
        Of the cells, (n, d).
    references
        Unit vectors, (m, d), with m of at least 1.
    hidden
        (n, m): True where a cell must not be shown a reference.
    count
        How many are wanted.

    Returns
    -------
    tuple
        Indices of references and their cosine similarities, both (n, min(count, m)).
        Of equally similar ones the earlier comes first; where too few are left
        the similarity is minus infinity.
    """
    similarity = np.round(unit_vectors(features) @ references.T, DECIMALS)
    similarity[hidden] = -np.inf
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return order.astype(np.int32), np.take_along_axis(similarity, order, axis=1)
