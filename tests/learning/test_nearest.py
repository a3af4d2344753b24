"""The nearest references are the nearest, in an order that chance has no part in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.learning.nearest import Features, nearest, unit_vectors


def shown(*rows: tuple[float, ...]) -> Features:
    return np.array(rows, np.float32)


def nothing_hidden(cells: int, references: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return np.zeros((cells, references), np.bool_)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 7), st.integers(0, 2**16))
def test_nothing_nearer_is_left_out_and_nothing_hidden_is_shown(
    cells: int, references: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(cells, 5)).astype(np.float32)
    others = rng.normal(size=(references, 5)).astype(np.float32)
    hidden = rng.random((cells, references)) < 0.3

    indices, similarities = nearest(features, unit_vectors(others), hidden, count)

    for cell in range(cells):
        cosines = others.astype(float) @ features[cell].astype(float)
        cosines /= np.linalg.norm(others, axis=1) * np.linalg.norm(features[cell])
        allowed = sorted(cosines[~hidden[cell]], reverse=True)[:count]
        found = np.isfinite(similarities[cell])
        assert not hidden[cell][indices[cell][found]].any()
        np.testing.assert_allclose(similarities[cell][found], allowed, atol=2e-6)


def test_of_equally_similar_ones_the_earlier_comes_first() -> None:
    others = unit_vectors(shown((2, 0), (0, 1), (1, 0), (3, 0)))
    indices, similarities = nearest(shown((5, 0)), others, nothing_hidden(1, 4), 3)
    assert indices.tolist() == [[0, 2, 3]]
    assert similarities.tolist() == [[1, 1, 1]]


def test_length_does_not_count() -> None:
    others = unit_vectors(shown((100, 100), (1, 0)))
    (order,), _ = nearest(shown((1, 0.1)), others, nothing_hidden(1, 2), 2)
    assert order.tolist() == [1, 0]


def test_a_cell_of_which_the_network_sees_nothing_is_like_no_other() -> None:
    others = unit_vectors(shown((1, 0), (0, 0)))
    _, similarities = nearest(shown((0, 0)), others, nothing_hidden(1, 2), 2)
    assert similarities.tolist() == [[0, 0]]
