"""A training on a domain that it has not learnt from: what is scored, and what is lost."""

from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation.matrix import Field, Matrix, drop_of, field_of
from tests.evaluation.made import called

LABELS = ("NILM", "ASC-US", "HSIL")
TRUTH = [0] * 10 + [1] * 10 + [2] * 10


def field(said: list[int], *, inside: bool = False, name: str = "b") -> Field:
    cells = called(TRUTH, said, LABELS)
    return field_of("a", name, cells, {"NILM", "HSIL"}, {"LSIL": 3}, inside=inside)


def test_only_classes_that_both_have_are_scored() -> None:
    # Every ASC-US is called wrong, which must not matter.
    found = field([0] * 10 + [2] * 10 + [2] * 10)
    assert found.scored == ("NILM", "HSIL")
    assert found.not_scored == {"ASC-US": 10, "LSIL": 3}
    assert found.macro_f1.value == 1
    assert (found.macro_f1.cells, found.macro_f1.groups) == (20, 20)


def test_a_class_that_only_the_training_has_counts_as_wrong() -> None:
    found = field([1] * 5 + [0] * 5 + [1] * 10 + [2] * 10)
    # NILM: 5 of 10 found, nothing else called so.
    assert found.macro_f1.value == pytest.approx((2 * 5 / 15 + 1) / 2)


def test_the_worst_miss_is_counted() -> None:
    found = field([0] * 10 + [1] * 10 + [0] * 3 + [2] * 7)
    assert found.missed is not None
    assert found.found is not None
    assert (found.missed.count, found.missed.of) == (3, 10)
    assert (found.found.count, found.found.of) == (7, 10)


def test_without_the_worst_class_nothing_is_said_of_it() -> None:
    cells = called([0] * 10 + [1] * 10, [0] * 20, LABELS)
    found = field_of("a", "b", cells, set(LABELS), {}, inside=False)
    assert found.missed is None
    assert found.to_json()["most_severe_found"] is None


def test_the_drop_is_inside_less_outside() -> None:
    home = field(TRUTH, inside=True, name="a")
    away = [field([0] * 10 + [1] * 10 + [0] * 5 + [2] * 5, name=name) for name in ("b", "c")]
    found = drop_of("a", [home, *away])
    assert found is not None
    worth = (2 * 10 / 25 + 2 * 5 / 15) / 2
    assert found.inside == 1
    assert found.outside == pytest.approx(worth)
    assert found.drop.value == pytest.approx(1 - worth)
    assert found.drop.interval is not None
    low, high = found.drop.interval
    assert low < 1 - worth < high


def test_tests_on_several_domains_have_no_say_in_the_drop() -> None:
    """They hold cells that were learnt from, so that less would seem to be lost."""
    trained = {"a": ["a"], "b": ["b"], "c": ["c"], "group": ["a", "b"], "all": ["a", "b", "c"]}
    right, wrong = TRUTH, [0] * 30
    fields = {
        (row, test): field(
            right if set(trained[test]) & set(trained[row]) else wrong,
            inside=set(trained[test]) <= set(trained[row]), name=test,
        )
        for row in trained
        for test in trained
    }  # fmt: skip
    drops = {own.trained: own for own in Matrix("none", trained, [*trained], fields, {}).drops}
    assert set(drops) == {"a", "b", "c", "group"}
    # All NILM: half of the two classes.
    lost = 1 - (2 * 10 / 30) / 2
    for own in drops.values():
        assert own.inside == 1
        assert own.drop.value == pytest.approx(lost)


def test_a_training_without_outside_has_no_drop() -> None:
    assert drop_of("a", [field(TRUTH, inside=True)]) is None


def test_few_groups_give_no_interval() -> None:
    groups = [str(number % 3) for number in range(30)]
    few = field_of("a", "b", called(TRUTH, TRUTH, LABELS, groups), set(LABELS), {}, inside=False)
    found = drop_of("a", [field(TRUTH, inside=True), few])
    assert found is not None
    assert found.drop.value == 0
    assert found.drop.interval is None
    assert not len(few.values)
    assert np.isfinite(found.drop.value)
