from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.ranking import areas, rankings
from tests.evaluation.made import classified


@settings(deadline=None, max_examples=30)
@given(st.integers(9, 60), st.integers(0, 999), st.integers(1, 12))
def test_each_resample_is_what_scikit_learn_finds_with_its_weights(
    n: int, seed: int, levels: int
) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, levels, n) / levels, rng.random(n) < 0.4
    drawn = resampling([f"g{number // 2:02}" for number in range(n)], seed, resamples=4)
    auc, average = areas(positive, scores, drawn)
    for weights, own_auc, own_average in zip(drawn.weights, auc, average, strict=True):
        of = weights[drawn.codes].astype(float)
        if not of[positive].sum() or not of[~positive].sum():
            assert np.isnan(own_auc)
            assert np.isnan(own_average)
            continue
        theirs = metrics.roc_auc_score(positive, scores, sample_weight=of)
        assert own_auc == pytest.approx(theirs)
        theirs = metrics.average_precision_score(positive, scores, sample_weight=of)
        assert own_average == pytest.approx(theirs)


def test_many_steps_are_joined_and_the_area_stays() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(0)
    positive = rng.random(7500) < 0.1
    scores = rng.normal(0, 1, 7500) + 1.5 * positive
    drawn = resampling([f"g{n % 500}" for n in range(7500)], 0, resamples=5)
    for own, weights in zip(areas(positive, scores, drawn)[1], drawn.weights, strict=True):
        of = weights[drawn.codes].astype(float)
        theirs = metrics.average_precision_score(positive, scores, sample_weight=of)
        assert own == pytest.approx(theirs, abs=0.005)


def test_a_worked_example() -> None:
    probabilities = np.array([[0.1, 0.9], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]])
    (found,) = rankings(classified([1, 1, 0, 0], probabilities, ("NILM", "HSIL")))
    # Of four pairs one is the wrong way round; at the two hits precision is 1 and 2/3.
    assert found.auc.value == pytest.approx(3 / 4)
    assert found.average_precision.value == pytest.approx((1 + 2 / 3) / 2)
    assert found.prevalence == 0.5
    assert found.auc.withheld == "2 of at least 8 groups"
    assert found.roc[0] == (0, 0)
    assert found.roc[-1] == (1, 1)
    assert found.precision_recall[-1] == (1, 0.5)


def test_the_interval_holds_the_figure() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 300)
    sure = np.clip(rng.normal(0.35 + 0.3 * truth, 0.2), 0.01, 0.99)
    probabilities = np.stack([1 - sure, sure], axis=1)
    groups = [f"g{n % 30}" for n in range(300)]
    (found,) = rankings(classified(truth, probabilities, ("NILM", "HSIL"), groups))
    for own in (found.auc, found.average_precision):
        assert own.interval is not None
        assert own.value is not None
        assert own.interval[0] < own.value < own.interval[1]
        assert own.groups == 30


def test_with_one_side_only_nothing_is_defined() -> None:
    found = rankings(classified([0, 0, 1], np.eye(4)[[0, 0, 1]]))
    assert [own.label for own in found] == ["HSIL", "LSIL", "ASC-US"]
    assert found[0].auc.value is None
    assert found[0].roc == ()
    assert found[2].auc.value == 1
