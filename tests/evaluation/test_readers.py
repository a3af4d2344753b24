from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.evaluation.intervals import MIN_GROUPS, resampling
from pycyto.evaluation.readers import (
    NONE,
    Agreement,
    Calls,
    against_consensus,
    agreement_of,
    all_pairs,
    mean_of,
)
from tests.evaluation.made import LABELS

calls = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 3)), min_size=1, max_size=60)


def reader(name: str, classes: Sequence[int], *, is_model: bool = False) -> Calls:
    return Calls(name, np.array(classes, np.int64), is_model=is_model)


def compared(
    first: Sequence[int], second: Sequence[int], groups: Sequence[str] | None = None
) -> Agreement:
    names = groups or [f"g{number:03}" for number in range(len(first))]
    return agreement_of(reader("A", first), reader("B", second), LABELS, resampling(names, 0))


def from_table(table: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    pairs = [
        (row, column)
        for row, counts in enumerate(table)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    return [one for one, _ in pairs], [other for _, other in pairs]


def test_an_example_worked_by_hand() -> None:
    """30 cells; seven are one class apart.

    Row sums 12, 7, 6, 5 and column sums 11, 8, 6, 5: chance would give
    sum r_i c_j (i - j)^2 / 30 = 2210 / 30 squared steps where there are 7.
    """
    table = [[10, 2, 0, 0], [1, 5, 1, 0], [0, 1, 4, 1], [0, 0, 1, 4]]
    found = compared(*from_table(table))

    assert found.cross == tuple(map(tuple, table))
    assert found.agreement.count == 23
    assert found.agreement.value == pytest.approx(23 / 30)
    assert found.kappa.value == pytest.approx(1 - 7 / (2210 / 30))
    assert [own.value for own in found.specific] == pytest.approx(
        [20 / 23, 10 / 15, 8 / 12, 8 / 10]
    )


@given(calls)
def test_kappa_is_that_of_scikit_learn(said: list[tuple[int, int]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    found = compared([one for one, _ in said], [other for _, other in said])
    both = [pair for pair in said if NONE not in pair]
    assert found.cells == len(both)
    if len({call for pair in both for call in pair}) < 2:
        assert found.kappa.value is None  # chance alone agrees fully
        return
    first, second = zip(*both, strict=True)
    expected = cohen_kappa_score(first, second, labels=range(4), weights="quadratic")
    assert found.kappa.value == pytest.approx(expected)


@given(calls)
def test_it_does_not_matter_who_is_first(said: list[tuple[int, int]]) -> None:
    first, second = [one for one, _ in said], [other for _, other in said]
    one, other = compared(first, second), compared(second, first)
    assert one.agreement == other.agreement
    assert one.kappa.value == pytest.approx(other.kappa.value)
    assert [own.value for own in one.specific] == [own.value for own in other.specific]
    assert one.cross == tuple(zip(*other.cross, strict=True))


def test_intervals_are_by_group_and_withheld_for_few() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 4, 400)
    first = drawn.tolist()
    second = np.where(rng.random(400) < 0.3, rng.integers(0, 4, 400), drawn).tolist()
    few = compared(first, second, [f"patient {number % (MIN_GROUPS - 1)}" for number in range(400)])
    assert few.kappa.interval is None
    assert "7 of at least 8" in few.kappa.withheld

    many = compared(first, second, [f"patient {number % 40}" for number in range(400)])
    assert many.kappa.interval is not None
    low, high = many.kappa.interval
    assert low < float(many.kappa.value or 0) < high
    assert high - low < 0.25


def test_the_mean_is_over_people_and_the_model_stands_beside_them() -> None:
    drawn = resampling([f"g{number}" for number in range(8)], 0)
    said = {
        "A": [0, 0, 1, 1, 2, 2, 3, 3],
        "B": [0, 0, 1, 1, 2, 2, 3, 2],
        "C": [0, 1, 1, 1, 2, 3, 3, 3],
    }
    people = [reader(name, classes) for name, classes in said.items()]
    model = reader("model", [3] * 8, is_model=True)
    pairs = all_pairs([*people, model], LABELS, drawn)
    assert [(pair.first, pair.second) for pair in pairs] == [
        ("A", "B"), ("A", "C"), ("A", "model"), ("B", "C"), ("B", "model"), ("C", "model"),
    ]  # fmt: skip

    among = all_pairs(people, LABELS, drawn)
    mean = mean_of(among)
    assert mean.pairs == 3
    assert mean.agreement.value == pytest.approx((7 + 6 + 5) / 24)
    assert mean.kappa.value == pytest.approx(np.mean([pair.kappa.value for pair in among]))
    assert mean.kappa.interval is not None
    low, high = mean.kappa.interval
    assert low < (mean.kappa.value or 0) < high


def test_a_mean_of_what_is_not_defined_is_not_defined() -> None:
    drawn = resampling([f"g{number}" for number in range(8)], 0)
    people = [reader("A", [0] * 8), reader("B", [0] * 8), reader("C", [0, 1] * 4)]
    mean = mean_of(all_pairs(people, LABELS, drawn))
    assert mean.kappa.value is None
    assert mean.agreement.value == pytest.approx(2 / 3)


def test_a_reader_is_measured_by_the_cells_that_have_a_label_and_were_called() -> None:
    truth = np.array([3, 3, 3, 3, 0, 0, NONE])
    own = reader("A", [3, 0, 2, NONE, 0, 1, 3])
    found = against_consensus(own, truth, LABELS, [f"g{n}" for n in range(7)], 0)

    assert found.figures is not None
    assert found.figures.n == 5
    assert found.figures.classes[-1].recall.count == 1
    assert found.figures.worst_miss.count == 1
    assert found.figures.undercall.count == 2
    assert found.not_called == 1
    assert found.figures.kappa.value == compared([3, 3, 3, 0, 0], [3, 0, 2, 0, 1]).kappa.value


def test_a_reader_without_labels_has_no_figures() -> None:
    found = against_consensus(reader("A", [0, 1]), np.array([NONE, NONE]), LABELS, ["a", "b"], 0)
    assert found.figures is None
    assert found.not_called == 0
