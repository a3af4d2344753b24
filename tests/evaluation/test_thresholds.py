from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.thresholds import chosen, thresholds
from tests.evaluation.made import classified

TWO = ("NILM", "HSIL")


def sure(truth: list[int], of_hsil: list[float], groups: list[str] | None = None) -> Classified:
    probabilities = np.stack([1 - np.array(of_hsil), np.array(of_hsil)], axis=1)
    return classified(truth, probabilities, TWO, groups)


def test_the_worked_example() -> None:
    """Ten HSIL cells; nine of them reach 0.2, so that 0.2 it is."""
    of_hsil = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    validation = sure([1] * 10 + [0, 0], [*of_hsil, 0.15, 0.25])
    test = sure([1, 1, 0, 0], [0.2, 0.19, 0.5, 0.0])
    line, *rest = thresholds(validation, test)
    assert (line.label, line.target) == ("HSIL", 0.9)
    assert line.value == pytest.approx(0.2)
    assert line.validation is not None
    assert line.test is not None
    found = line.validation.sensitivity, line.validation.specificity
    assert [(own.count, own.of) for own in found] == [(9, 10), (1, 2)]
    found = line.test.sensitivity, line.test.specificity
    assert [(own.count, own.of) for own in found] == [(1, 2), (1, 2)]
    assert [own.value for own in rest] == [None, None]
    assert rest[0].reason == "validation holds 10 such cells, and 20 are needed"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.95]))
def test_it_is_the_highest_that_reaches_the_target(levels: list[int], target: float) -> None:
    scores = [level / 20 for level in levels]
    cells = sure([1] * len(scores), scores, ["one"] * len(scores))
    found = chosen(cells, 1, target)
    given = cells.at_least(1)
    assert (given >= found).mean() >= target - 1e-9
    assert (given > found).mean() < target


def test_the_test_has_no_say() -> None:
    rng = np.random.default_rng(0)
    validation = classified(rng.integers(0, 4, 400), rng.dirichlet(np.ones(4), 400))
    one, other = (
        classified(rng.integers(0, 4, 90), rng.dirichlet(np.ones(4), 90)) for _ in range(2)
    )
    first, second = thresholds(validation, one), thresholds(validation, other)
    assert [own.value for own in first] == [own.value for own in second]
    assert [own.validation for own in first] == [own.validation for own in second]
    assert [own.test for own in first] != [own.test for own in second]
    assert [(own.label, own.target) for own in first[:3]] == [
        ("HSIL", 0.9), ("HSIL", 0.95), ("HSIL", 0.99),
    ]  # fmt: skip


def test_validation_without_or_with_too_few_cells_or_groups_decides_nothing() -> None:
    test = sure([1, 0], [0.9, 0.1])
    nothing = thresholds(sure([], []), test)
    assert all(own.value is None for own in nothing)
    assert nothing[0].reason == "validation holds 0 such cells, and 10 are needed"
    few = thresholds(sure([1] * 30, [0.5] * 30, [f"g{n % 7}" for n in range(30)]), test)
    assert few[0].reason == "validation holds such cells of 7 groups, and 8 are needed"
    assert few[2].reason == "validation holds 30 such cells, and 100 are needed"


def test_no_cell_has_a_say_in_the_threshold_of_its_own_fold() -> None:
    # The HSIL of the second fold score lower: the first fold's threshold finds none of them,
    # and theirs, which the first fold would not have chosen, finds all of that.
    folds = np.repeat([1, 2], 20)
    scores = [0.8] * 10 + [0.1] * 10 + [0.4] * 10 + [0.1] * 10
    cells = replace(sure(([1] * 10 + [0] * 10) * 2, scores), fold=folds)
    line = thresholds(cells, cells)[0]
    assert line.value == pytest.approx(0.4)
    assert line.test is not None
    assert (line.test.sensitivity.count, line.test.sensitivity.of) == (10, 20)
    one_source = replace(sure([1] * 10, [0.8] * 10), fold=np.full(10, 1))
    (found, *_) = thresholds(cells, one_source)
    assert found.test is not None
    assert found.test.sensitivity.count == 10
    # Cells of no fold are held against what all cells fixed.
    (new, *_) = thresholds(cells, sure([1, 1], [0.5, 0.3]))
    assert new.test is not None
    assert (new.test.sensitivity.count, new.test.sensitivity.of) == (1, 2)
