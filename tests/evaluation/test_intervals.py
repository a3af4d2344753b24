from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.evaluation.intervals import MIN_GROUPS, RESAMPLES, interval_of, resampling
from pycyto.evaluation.metrics import score
from tests.evaluation.made import called, hsil_of


def test_every_resample_holds_as_many_groups_as_there_are() -> None:
    drawn = resampling([f"g{n % 11}" for n in range(100)], seed=3)
    assert drawn.weights.shape == (RESAMPLES, 11)
    assert (drawn.weights.sum(axis=1) == 11).all()
    assert drawn.weights.mean(axis=0) == pytest.approx(np.ones(11), abs=0.1)


def test_the_seed_decides_and_the_order_of_the_cells_does_not() -> None:
    names = [f"g{n % 9}" for n in range(40)]
    one, other = resampling(names, 5), resampling(names[::-1], 5)
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.codes, other.codes[::-1])
    assert not np.array_equal(one.weights, resampling(names, 6).weights)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.integers(0, 99))
def test_sums_over_resamples_are_those_of_the_cells_drawn(of: list[int], seed: int) -> None:
    """The quick way agrees with drawing the cells of each group, one resample at a time."""
    drawn = resampling([f"g{number:02}" for number in of], seed, resamples=20)
    values = np.random.default_rng(seed).integers(0, 9, (len(of), 3))
    found = drawn.drawn(drawn.by_group(values))
    for weights, sums in zip(drawn.weights, found, strict=True):
        cells = np.repeat(np.arange(len(of)), weights[drawn.codes])
        assert sums.tolist() == values[cells].sum(axis=0).tolist()


def test_below_eight_groups_there_is_no_interval() -> None:
    seven = score(hsil_of([3] * 7, [1] * 7)).worst_miss
    assert seven.interval is None
    assert seven.withheld == "7 of at least 8 groups"
    assert seven.to_json()["low"] is None
    eight = score(hsil_of([3] * 8, [1] * 7 + [0])).worst_miss
    assert eight.interval is not None


def test_the_groups_that_count_are_those_that_hold_such_cells() -> None:
    """Thirty patients, of whom seven have HSIL: nothing is decided about HSIL."""
    truth = [0] * 23 + [3] * 7
    found = score(called(truth, truth))
    assert found.accuracy.interval is not None
    assert found.classes[-1].recall.withheld == "7 of at least 8 groups"
    assert found.classes[-1].recall.groups == 7


def test_the_interval_is_the_middle_of_the_resamples() -> None:
    assert interval_of(np.arange(1001.0), MIN_GROUPS) == ((25, 975), "", 0)


def test_resamples_without_a_value_are_left_out_or_too_many() -> None:
    values = np.arange(100.0)
    values[:4] = np.nan
    interval, withheld, undefined = interval_of(values, MIN_GROUPS)
    assert interval is not None
    assert not withheld
    assert undefined == pytest.approx(0.04)
    values[:6] = np.nan
    interval, withheld, _ = interval_of(values, MIN_GROUPS)
    assert interval is None
    assert withheld == "not defined in 6 % of the resamples"


def test_what_is_above_the_limit_does_not_read_as_the_limit() -> None:
    values = np.arange(2000.0)
    values[:100] = np.nan
    assert interval_of(values, MIN_GROUPS)[0] is not None
    values[:101] = np.nan
    assert interval_of(values, MIN_GROUPS)[1] == "not defined in 5.05 % of the resamples"
    values[:140] = np.nan
    assert interval_of(values, MIN_GROUPS)[1] == "not defined in 7 % of the resamples"


def test_macro_f1_has_no_interval_where_resamples_lack_a_class() -> None:
    truth = [0] * 19 + [3]
    found = score(called(truth, truth)).macro_f1
    assert found.value == 1
    assert found.interval is None
    assert 0.3 < found.undefined < 0.4, "one of twenty groups is left out by 0.95 ** 20"
