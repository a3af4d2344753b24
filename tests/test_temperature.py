from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.temperature import at_temperature, best_temperature


@settings(deadline=None, max_examples=25)
@given(st.floats(0.3, 4), st.integers(0, 99))
def test_the_temperature_is_where_the_loss_is_least(true: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet(np.ones(3), 2000)
    truth = (rng.random((2000, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    found = best_temperature(truth, at_temperature(honest, 1 / true))
    assert found is not None
    assert found == pytest.approx(true, rel=0.15)
    assert found == round(found, 4)
    sharpened = at_temperature(honest, 1 / true)

    def loss(by: float) -> float:
        return float(-np.log(at_temperature(sharpened, by)[np.arange(2000), truth]).mean())

    assert loss(found) <= min(loss(found * 1.01), loss(found / 1.01))


def test_scaling_leaves_what_a_cell_is_called() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    for by in (0.5, 1, 3):
        found = at_temperature(probabilities, by)
        assert found.sum(axis=1) == pytest.approx(np.ones(50))
        assert (found.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert at_temperature(probabilities, 1) == pytest.approx(probabilities)
    assert np.isfinite(at_temperature(np.array([[1.0, 0.0]]), 2)).all()


def test_cells_count_by_their_weight() -> None:
    rng = np.random.default_rng(2)
    truth, probabilities = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    sure = np.linspace(0, 1, 60)[:, None] * np.eye(3)[truth] + 0.3 * probabilities
    answers = sure / sure.sum(axis=1, keepdims=True)
    twice = np.r_[0:60, 0:20]
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    weighted = best_temperature(truth, answers, weights)
    assert weighted == pytest.approx(best_temperature(truth[twice], answers[twice]))
    assert weighted != pytest.approx(best_temperature(truth, answers), rel=0.01)


def test_where_all_is_right_or_all_a_guess_there_is_none() -> None:
    truth = np.arange(3)
    assert best_temperature(truth, np.eye(3) * 0.9 + 0.1 / 3) is None
    assert best_temperature(truth, np.full((3, 3), 1 / 3)) is None
