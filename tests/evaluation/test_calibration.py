from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.evaluation.calibration import Calibrated, calibrated, calibration
from pycyto.evaluation.curves import reliability
from pycyto.temperature import at_temperature
from tests.evaluation.made import classified

TWO = ("NILM", "HSIL")


def test_the_worked_example() -> None:
    """Four cells in two bins: 0.95 twice, once right; 0.65 twice, both right."""
    probabilities = np.array([[0.95, 0.05], [0.05, 0.95], [0.65, 0.35], [0.35, 0.65]])
    cells = classified([0, 0, 0, 1], probabilities, TWO)
    found = calibration(cells, probabilities)
    assert found.error.value == pytest.approx(2 / 4 * (0.95 - 0.5) + 2 / 4 * (1 - 0.65))
    expected = -(np.log(0.95) + np.log(0.05) + 2 * np.log(0.65)) / 4
    assert found.log_loss.value == pytest.approx(expected)
    squares = 2 * (0.05**2 + 0.95**2 + 0.35**2 + 0.35**2)
    assert found.brier.value == pytest.approx(squares / 4)
    filled = {number: own for number, own in enumerate(found.bins) if own.cells}
    assert {number: own.cells for number, own in filled.items()} == {9: 2, 14: 2}
    assert filled[14].accuracy == pytest.approx(0.5)
    assert filled[14].confidence == pytest.approx(0.95)
    assert found.bins[0].accuracy is None


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 80), st.integers(0, 999), st.integers(2, 5))
def test_losses_agree_with_scikit_learn(n: int, seed: int, k: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    truth, probabilities = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)
    cells = classified(truth, probabilities, [f"c{i}" for i in range(k)], ["one"] * n)
    found = calibration(cells, probabilities)
    assert found.log_loss.value == pytest.approx(
        metrics.log_loss(truth, probabilities, labels=range(k))
    )
    assert sum(own.cells for own in found.bins) == n
    assert 0 <= (found.error.value or 0) <= 1


@pytest.mark.parametrize(
    ("temperature", "needless"), [(0.996, True), (1.004, True), (0.99, False), (1.01, False)]
)
def test_a_temperature_of_one_is_none_and_has_no_line(temperature: float, needless: bool) -> None:
    cells = classified([0, 1], np.array([[0.9, 0.1], [0.4, 0.6]]), TWO)
    own = calibration(cells, cells.probabilities)
    found = Calibrated(own, temperature, own)
    assert found.needs_none is needless
    assert len(reliability(found).curves) == (2 if needless else 3)


def test_without_a_temperature_none_is_said_to_be_needless() -> None:
    cells = classified([0, 1], np.array([[0.9, 0.1], [0.4, 0.6]]), TWO)
    found = Calibrated(calibration(cells, cells.probabilities), None, None, "why")
    assert not found.needs_none


def test_too_sure_a_model_is_better_calibrated_afterwards() -> None:
    rng = np.random.default_rng(4)
    honest = rng.dirichlet(np.ones(4) * 0.7, 1200)
    truth = (rng.random((1200, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    sure = at_temperature(honest, 0.4)
    groups = [f"g{n % 20}" for n in range(600)]
    validation, test = (
        classified(truth[half], sure[half], groups=groups)
        for half in (slice(600), slice(600, None))
    )
    found = calibrated(validation, test)
    assert found.temperature == pytest.approx(2.5, rel=0.2)
    assert not found.needs_none
    assert len(reliability(found).curves) == 3
    assert found.after is not None
    assert (found.after.error.value or 1) < (found.before.error.value or 0) / 2
    assert (found.after.log_loss.value or 9) < (found.before.log_loss.value or 0)
    low, high = found.before.log_loss.interval or (9, 0)
    assert low < (found.before.log_loss.value or 0) < high


def test_without_a_temperature_it_says_why() -> None:
    test = classified([0, 1], np.eye(2) * 0.8 + 0.1, TWO)
    none = calibrated(classified([], np.zeros((0, 2)), TWO), test)
    assert none.after is None
    assert none.reason == "there is no validation cell to fit it on"
    perfect = calibrated(test, test)
    assert perfect.temperature is None
    assert "ask for none" in perfect.reason
