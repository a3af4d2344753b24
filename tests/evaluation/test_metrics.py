from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.evaluation.intervals import Estimate
from pycyto.evaluation.metrics import Figures, score
from tests.evaluation.made import LABELS, called, classified


def figures_of(truth: list[int], said: list[int], labels: tuple[str, ...] = LABELS) -> Figures:
    return score(called(truth, said, labels))


def share(found: Estimate) -> tuple[int | None, int]:
    return found.count, found.of


@pytest.fixture
def example() -> Figures:
    """Ten cells, worked by hand below.

    ::

                  NILM  ASC-US  LSIL  HSIL
        NILM         3       1     0     0
        ASC-US       1       1     0     0
        LSIL         0       0     0     1
        HSIL         1       0     1     1
    """
    return figures_of([0, 0, 0, 0, 1, 1, 2, 3, 3, 3], [0, 0, 0, 1, 0, 1, 3, 0, 2, 3])


def test_the_worked_example(example: Figures) -> None:
    assert example.confusion == ((3, 1, 0, 0), (1, 1, 0, 0), (0, 0, 0, 1), (1, 0, 1, 1))
    assert share(example.accuracy) == (5, 10)
    assert share(example.worst_miss) == (1, 3)
    assert share(example.undercall) == (3, 6), "of the six cells worse than NILM"
    assert share(example.overcall) == (2, 7), "of the seven cells less severe than HSIL"
    hsil = example.classes[-1]
    assert (hsil.support, share(hsil.recall), share(hsil.missed)) == (3, (1, 3), (2, 3))
    assert (share(hsil.precision), share(hsil.specificity)) == ((1, 2), (6, 7))
    assert hsil.f1.value == pytest.approx(2 / 5)
    # F1: 6/9, 2/4, 0/2, 2/5
    assert example.macro_f1.value == pytest.approx((2 / 3 + 1 / 2 + 0 + 2 / 5) / 4)
    asked = [(a.label, share(a.sensitivity), share(a.specificity)) for a in example.at_least]
    assert asked == [
        ("ASC-US", (4, 6), (3, 4)),
        ("LSIL", (3, 4), (6, 6)),
        ("HSIL", (1, 3), (6, 7)),
    ]
    predictive = [(share(a.ppv), share(a.npv)) for a in example.at_least]
    assert predictive == [((4, 5), (3, 5)), ((3, 3), (6, 7)), ((1, 2), (6, 8))]
    # Weighted: observed 1 + 1 + 1 + 9 + 1 = 13; by chance, from the margins
    # 4, 2, 1, 3 and 5, 2, 1, 2: (4*22 + 2*14 + 1*25 + 3*54) / 10.
    by_chance = (4 * (2 + 4 + 18) + 2 * (5 + 1 + 8) + 1 * (20 + 2 + 2) + 3 * (45 + 8 + 1)) / 10
    assert example.kappa.value == pytest.approx(1 - 13 / by_chance)


def test_rows_of_shares_add_up(example: Figures) -> None:
    assert [sum(own.value or 0 for own in row) for row in example.shares] == pytest.approx([1] * 4)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(0, 10_000), st.integers(2, 5))
def test_it_agrees_with_scikit_learn(n: int, seed: int, k: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    probabilities = rng.dirichlet(np.ones(k), n)
    said = probabilities.argmax(axis=1)
    found = score(classified(truth, probabilities, [f"c{i}" for i in range(k)], ["one"] * n))
    every = list(range(k))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(truth, said, labels=every))
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(truth, said))
    present = sorted(set(truth.tolist()))
    macro = metrics.f1_score(truth, said, labels=present, average="macro", zero_division=0)
    assert found.macro_f1.value == pytest.approx(macro)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, said, labels=every, zero_division=np.nan
    )
    for index, own in enumerate(found.classes):
        assert own.support == support[index]
        assert same(own.recall.value, recall[index])
        assert same(own.precision.value, precision[index])
        assert own.f1.value is None if not own.support else same(own.f1.value, f1[index])
    if found.kappa.value is not None:
        theirs = metrics.cohen_kappa_score(truth, said, labels=every, weights="quadratic")
        assert found.kappa.value == pytest.approx(theirs)


def same(ours: float | None, theirs: float) -> bool:
    return ours is None if np.isnan(theirs) else ours == pytest.approx(theirs)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_every_cell_is_right_undercalled_or_overcalled(pairs: list[tuple[int, int]]) -> None:
    found = score(called([t for t, _ in pairs], [s for _, s in pairs], groups=["one"] * len(pairs)))
    assert sum(e.count or 0 for e in (found.accuracy, found.undercall, found.overcall)) == len(
        pairs
    )
    assert found.undercall.count == sum(s < t for t, s in pairs)
    json.dumps(found.to_json(), allow_nan=False)


def test_an_absent_class_is_named_and_not_averaged() -> None:
    found = figures_of([0, 0, 1, 2], [0, 3, 1, 2])
    hsil = found.classes[-1]
    assert found.absent == ("HSIL",)
    assert found.macro_f1.value == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert hsil.f1.value is None
    assert hsil.recall.value is None
    assert found.worst_miss.value is None
    assert share(hsil.precision) == (0, 1)
    assert found.to_json()["most_severe_called_least_severe"]["value"] is None


def test_a_class_never_called_has_no_precision_and_f1_zero() -> None:
    hsil = figures_of([0, 3], [0, 0]).classes[-1]
    assert hsil.precision.value is None
    assert hsil.f1.value == 0
    assert share(hsil.recall) == (0, 1)


def test_no_cell_at_all_defines_nothing() -> None:
    found = figures_of([], [])
    assert (found.accuracy.value, found.macro_f1.value, found.kappa.value) == (None, None, None)
    assert found.absent == LABELS


def test_one_class_only_has_no_kappa() -> None:
    assert figures_of([0, 0], [0, 0]).kappa.value is None


def test_two_classes_are_enough() -> None:
    found = figures_of([0, 1, 1], [0, 0, 1], ("healthy", "unhealthy"))
    assert share(found.worst_miss) == (1, 2)
    assert [a.label for a in found.at_least] == ["unhealthy"]


@pytest.mark.parametrize(
    ("truth", "probabilities", "message"),
    [
        ([0], [[0.5, 0.5]], "do not fit 4 classes"),
        ([0, 1], [[0.7, 0.1, 0.1, 0.1]], "do not fit 4 classes"),
        ([0], [[np.nan, 0.1, 0.1, 0.1]], "1 cells a probability that is not a number"),
        ([4], [[0.7, 0.1, 0.1, 0.1]], "outside the 4 classes"),
        ([-1], [[0.7, 0.1, 0.1, 0.1]], "outside the 4 classes"),
    ],
)
def test_what_does_not_fit_is_refused(
    truth: list[int], probabilities: npt.ArrayLike, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        classified(truth, np.array(probabilities, np.float64))


def test_predictive_values_elsewhere_follow_from_bayes() -> None:
    cells = called([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], ("NILM", "HSIL"))
    (found,) = score(cells, prevalence={"HSIL": 0.02}).at_least
    assert found.elsewhere is not None
    # Sensitivity 1/2, specificity 3/4.
    positive = 0.02 * 0.5 / (0.02 * 0.5 + 0.98 * 0.25)
    negative = 0.98 * 0.75 / (0.98 * 0.75 + 0.02 * 0.5)
    assert found.elsewhere.ppv.value == pytest.approx(positive)
    assert found.elsewhere.npv.value == pytest.approx(negative)
    assert (found.elsewhere.ppv.cells, found.elsewhere.ppv.groups) == (6, 2)
    # At the prevalence of the test they are those of the test.
    (same,) = score(cells, prevalence={"HSIL": 2 / 6}).at_least
    assert same.elsewhere is not None
    assert same.elsewhere.ppv.value == pytest.approx(same.ppv.value)
    assert same.elsewhere.npv.value == pytest.approx(same.npv.value)


def test_without_a_positive_cell_no_predictive_value_elsewhere_is_defined() -> None:
    (found,) = score(called([0, 0], [0, 1], ("NILM", "HSIL")), prevalence={"HSIL": 0.1}).at_least
    assert found.elsewhere is not None
    assert found.elsewhere.ppv.value is None


def test_a_part_of_the_cells_has_its_own_figures() -> None:
    cells = called([0, 3, 3, 3], [0, 3, 0, 0])
    found = score(cells, np.array([True, True, True, False]))
    assert share(found.worst_miss) == (1, 2)
    assert found.n == 3
