from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.evaluation.intervals import MIN_GROUPS, RESAMPLES, interval_of, resampling
from pycyto.evaluation.metrics import score
from tests.evaluation.made import called

# Fields of a table of counts whose true class is HSIL; turned over, those called HSIL.
HSIL = np.indices((4, 4))[0] == 3


def of_groups(sizes: list[int], wrong: list[int]) -> tuple[list[int], list[int], list[str]]:
    """HSIL cells of several groups, so many of each called NILM."""
    said = [
        0 if cell < bad else 3 for n, bad in zip(sizes, wrong, strict=True) for cell in range(n)
    ]
    groups = [f"g{number}" for number, n in enumerate(sizes) for _ in range(n)]
    return [3] * len(said), said, groups


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


def test_the_interval_is_that_of_the_groups_and_not_of_the_cells() -> None:
    """Ten patients, each all right or all wrong: as good as ten cells, however many there are."""
    wrong = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    few = score(called(*_named(of_groups([1] * 10, wrong)))).worst_miss
    many = score(called(*_named(of_groups([50] * 10, [50 * w for w in wrong])))).worst_miss
    assert (many.count, many.cells, many.groups) == (150, 500, 10)
    assert many.interval == few.interval == (0.0, 0.6)
    # Every cell its own patient: far narrower.
    truth, said, _ = of_groups([500], [150])
    alone = score(called(truth, said)).worst_miss
    assert alone.interval == pytest.approx((0.26, 0.34), abs=0.015)


def _named(
    found: tuple[list[int], list[int], list[str]],
) -> tuple[list[int], list[int], tuple[str, ...], list[str]]:
    truth, said, groups = found
    return truth, said, ("NILM", "ASC-US", "LSIL", "HSIL"), groups


def test_below_eight_groups_there_is_no_interval() -> None:
    seven = score(called(*_named(of_groups([3] * 7, [1] * 7)))).worst_miss
    assert seven.interval is None
    assert seven.withheld == "7 of at least 8 groups"
    assert seven.to_json()["low"] is None
    eight = score(called(*_named(of_groups([3] * 8, [1] * 7 + [0])))).worst_miss
    assert eight.interval is not None


def test_the_groups_that_count_are_those_that_hold_such_cells() -> None:
    """Thirty patients, of whom seven have HSIL: nothing is decided about HSIL."""
    truth = [0] * 23 + [3] * 7
    found = score(called(truth, truth))
    assert found.accuracy.interval is not None
    assert found.classes[-1].recall.withheld == "7 of at least 8 groups"
    assert found.classes[-1].recall.groups == 7


@pytest.mark.parametrize("groups", [8, 12, 30, 100])
def test_none_or_all_is_not_taken_for_certain(groups: int) -> None:
    """All found in every resample: yet some might be missed, as the exact interval says."""
    found = score(called([3] * groups, [3] * groups))
    exact = 0.025 ** (1 / groups)
    recall, missed = found.classes[-1].recall, found.worst_miss
    assert recall.interval == pytest.approx((exact, 1), abs=0.025)
    assert missed.interval == pytest.approx((0, 1 - exact), abs=0.025)
    assert missed.one_otherwise
    assert not score(called([3] * 12, [3] * 11 + [0])).worst_miss.one_otherwise


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 9), min_size=8, max_size=15), st.integers(0, 14))
def test_no_miss_is_never_worse_than_one(sizes: list[int], group: int) -> None:
    """Else a model that misses a cell could keep a bound that one without a miss breaks."""
    one = [int(number == group % len(sizes)) for number in range(len(sizes))]
    none = score(called(*_named(of_groups(sizes, [0] * len(sizes))))).worst_miss
    some = score(called(*_named(of_groups(sizes, one)))).worst_miss
    assert none.interval is not None
    assert some.interval is not None
    # By chance another group may be drawn once more often.
    assert none.interval[1] <= some.interval[1] + 2 / sum(sizes)


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
    assert withheld == "not defined in 6% of the resamples"


def test_macro_f1_has_no_interval_where_resamples_lack_a_class() -> None:
    truth = [0] * 19 + [3]
    found = score(called(truth, truth)).macro_f1
    assert found.value == 1
    assert found.interval is None
    assert 0.3 < found.undefined < 0.4, "one of twenty groups is left out by 0.95 ** 20"


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        rates = rng.beta(4, 2, 25)
        wrong = [int(n) for n in rng.binomial(8, 1 - rates)]
        truth, said, groups = of_groups([8] * 25, wrong)
        tally = called(truth, said, groups=groups).tally()
        low, high = tally.share(HSIL.T, HSIL).interval or (0, 0)
        covered += low <= 4 / 6 <= high
    assert 86 <= covered <= 100
