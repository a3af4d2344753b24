from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from pycyto.evaluation.intervals import TAIL, Estimate, divided, resampling
from pycyto.evaluation.metrics import score
from pycyto.evaluation.shares import exact, share_of
from tests.evaluation.made import called, hsil_of

Ends = tuple[float, float]


def ends(found: Estimate) -> Ends:
    assert found.interval is not None
    return found.interval


def missed(sizes: list[int], wrong: list[int]) -> Ends:
    """Return the interval of the share of HSIL cells that were called NILM."""
    return ends(score(hsil_of(sizes, wrong)).worst_miss)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 300), st.integers(1, 300))
def test_of_independent_cells_it_is_the_interval_of_clopper_and_pearson(n: int, of: int) -> None:
    count = min(n, of)
    known = binomtest(count, of).proportion_ci(0.95, "exact")
    assert exact(count / of, of) == pytest.approx((known.low, known.high))


@pytest.mark.parametrize("count", [0, 1, 2, 34, 35])
def test_few_events_have_the_exact_interval_where_each_cell_is_a_group(count: int) -> None:
    wrong = [1] * count + [0] * (35 - count)
    # The resamples themselves vary a little more or less than independent cells do.
    assert missed([1] * 35, wrong) == pytest.approx(exact(count / 35, 35), abs=0.01)


def test_many_cells_have_the_middle_of_the_resamples() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.integers(5, 40, 200)
    wrong = rng.binomial(sizes, rng.beta(3, 7, 200))
    drawn = resampling([f"g{number}" for number in range(200)], 0)
    values = divided(drawn.drawn(wrong), drawn.drawn(sizes))
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    assert ends(share_of(int(wrong.sum()), sizes, values)) == pytest.approx(
        (low, high), abs=0.05 * (high - low)
    )


def test_the_interval_is_that_of_the_groups_and_not_of_the_cells() -> None:
    """Ten patients, each all right or all wrong: as good as ten cells, however many there are."""
    wrong = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    few, many = missed([1] * 10, wrong), missed([50] * 10, [50 * own for own in wrong])
    assert many == pytest.approx(few, abs=0.01)
    assert few == pytest.approx(exact(0.3, 10), abs=0.01)
    # Every cell its own patient: far narrower.
    assert missed([1] * 500, [1] * 150 + [0] * 350) == pytest.approx((0.26, 0.34), abs=0.015)


@pytest.mark.parametrize("wrong", [[1] * 20, [1] * 19 + [0]])
def test_groups_that_are_all_alike_say_no_more_than_their_cells(wrong: list[int]) -> None:
    """One of two cells missed in every patient: drawn anew, the share hardly varies."""
    assert missed([2] * 20, wrong) == pytest.approx(exact(sum(wrong) / 40, 40))


def test_no_miss_in_large_groups_shows_less_than_in_small_ones() -> None:
    """What resampling cannot see: that the cells of a group have their errors together."""
    alone, together = missed([1] * 120, [0] * 120), missed([10] * 12, [0] * 12)
    assert alone == pytest.approx((0, 1 - TAIL ** (1 / 120)))
    # Of an intraclass correlation of 0.2, ten cells are worth 10 / 2.8.
    assert together == pytest.approx((0, 1 - TAIL ** (2.8 / 120)))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=8, max_size=15), st.integers(0, 14))
def test_no_miss_is_never_worse_than_one(sizes: list[int], group: int) -> None:
    """Else a model that misses a cell could keep a bound that one without a miss breaks."""
    one = [int(number == group % len(sizes)) for number in range(len(sizes))]
    assert missed(sizes, [0] * len(sizes))[1] <= missed(sizes, one)[1]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=8, max_size=15),
)
def test_it_holds_the_share_and_that_of_the_other_cells_is_its_mirror(
    groups: list[tuple[int, int]],
) -> None:
    found = score(hsil_of([n for n, _ in groups], [min(n, bad) for n, bad in groups]))
    low, high = ends(found.worst_miss)
    assert 0 <= low <= (found.worst_miss.value or 0) <= high <= 1
    assert ends(found.classes[-1].recall) == pytest.approx((1 - high, 1 - low))


def test_of_no_cell_nothing_is_known() -> None:
    none = score(called([0] * 20, [0] * 20)).worst_miss
    assert (none.value, none.count, none.cells, none.groups) == (None, 0, 0, 0)
    assert (none.interval, none.withheld) == (None, "not defined")


@pytest.mark.parametrize(
    ("size", "groups", "share", "correlation"),
    [
        (1, 35, 0.1, 0),
        (3, 12, 0.1, 0.2),
        (25, 12, 0.03, 0.2),
        (5, 60, 0.01, 0.2),
        (8, 25, 0.3, 0.1),
    ],
)
def test_it_covers_the_truth_as_often_as_it_says(
    size: int, groups: int, share: float, correlation: float
) -> None:
    """Of all these the middle of the resamples has too low an upper end up to 30 times in 100."""
    rng = np.random.default_rng(1)
    drawn = resampling([f"g{number:02}" for number in range(groups)], 0, 500)
    sizes, tries = np.full(groups, size), 200
    rates = np.full((tries, groups), share)
    if correlation:
        spread = 1 / correlation - 1
        rates = rng.beta(share * spread, (1 - share) * spread, (tries, groups))
    below = 0
    for counts in rng.binomial(size, rates):
        values = divided(drawn.drawn(counts), drawn.drawn(sizes))
        low, high = ends(share_of(int(counts.sum()), sizes, values))
        below += high < share
        assert low <= share or counts.sum() > share * size * groups
    assert below <= 0.05 * tries
