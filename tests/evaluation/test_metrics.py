from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.evaluation.metrics import Figures, Share, score

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")


def figures_of(truth: list[int], said: list[int], labels: tuple[str, ...] = LABELS) -> Figures:
    probabilities = np.full((len(truth), len(labels)), 0.1)
    probabilities[np.arange(len(truth)), said] = 0.7
    return score(np.array(truth, np.int64), probabilities, labels)


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
    assert example.accuracy == Share(5, 10)
    assert example.worst_miss == Share(1, 3)
    assert example.undercall == Share(3, 6), "of the six cells worse than NILM"
    assert example.overcall == Share(2, 7), "of the seven cells less severe than HSIL"
    hsil = example.classes[-1]
    assert (hsil.support, hsil.recall, hsil.missed) == (3, Share(1, 3), Share(2, 3))
    assert (hsil.precision, hsil.specificity) == (Share(1, 2), Share(6, 7))
    assert hsil.f1 == pytest.approx(2 / 5)
    # F1: 6/9, 2/4, 0/2, 2/5
    assert example.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0 + 2 / 5) / 4)
    found = [(a.label, a.sensitivity, a.specificity) for a in example.at_least]
    assert found == [
        ("ASC-US", Share(4, 6), Share(3, 4)),
        ("LSIL", Share(3, 4), Share(6, 6)),
        ("HSIL", Share(1, 3), Share(6, 7)),
    ]
    # Weighted: observed 1 + 1 + 1 + 9 + 1 = 13; by chance, from the margins
    # 4, 2, 1, 3 and 5, 2, 1, 2: (4*22 + 2*14 + 1*25 + 3*54) / 10.
    by_chance = (4 * (2 + 4 + 18) + 2 * (5 + 1 + 8) + 1 * (20 + 2 + 2) + 3 * (45 + 8 + 1)) / 10
    assert example.kappa == pytest.approx(1 - 13 / by_chance)


def test_rows_of_shares_add_up(example: Figures) -> None:
    assert [sum(share.value or 0 for share in row) for row in example.shares] == pytest.approx(
        [1] * 4
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(0, 10_000), st.integers(2, 5))
def test_it_agrees_with_scikit_learn(n: int, seed: int, k: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    probabilities = rng.dirichlet(np.ones(k), n)
    said = probabilities.argmax(axis=1)
    found = score(truth, probabilities, [f"c{i}" for i in range(k)])
    every = list(range(k))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(truth, said, labels=every))
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(truth, said))
    present = sorted(set(truth.tolist()))
    macro = metrics.f1_score(truth, said, labels=present, average="macro", zero_division=0)
    assert found.macro_f1 == pytest.approx(macro)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, said, labels=every, zero_division=np.nan
    )
    for index, own in enumerate(found.classes):
        assert own.support == support[index]
        assert same(own.recall.value, recall[index])
        assert same(own.precision.value, precision[index])
        assert own.f1 is None if not own.support else same(own.f1, f1[index])
    if found.kappa is not None:
        theirs = metrics.cohen_kappa_score(truth, said, labels=every, weights="quadratic")
        assert found.kappa == pytest.approx(theirs)


def same(ours: float | None, theirs: float) -> bool:
    return ours is None if np.isnan(theirs) else ours == pytest.approx(theirs)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_every_cell_is_right_undercalled_or_overcalled(pairs: list[tuple[int, int]]) -> None:
    found = figures_of([t for t, _ in pairs], [s for _, s in pairs])
    assert found.accuracy.count + found.undercall.count + found.overcall.count == len(pairs)
    assert found.undercall.count == sum(s < t for t, s in pairs)
    json.dumps(found.to_json(), allow_nan=False)


def test_an_absent_class_is_named_and_not_averaged() -> None:
    found = figures_of([0, 0, 1, 2], [0, 3, 1, 2])
    hsil = found.classes[-1]
    assert found.absent == ("HSIL",)
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert hsil.f1 is None
    assert hsil.recall.value is None
    assert found.worst_miss.value is None
    assert hsil.precision == Share(0, 1)
    assert found.to_json()["most_severe_called_least_severe"]["value"] is None


def test_a_class_never_called_has_no_precision_and_f1_zero() -> None:
    hsil = figures_of([0, 3], [0, 0]).classes[-1]
    assert hsil.precision.value is None
    assert hsil.f1 == 0
    assert hsil.recall == Share(0, 1)


def test_no_cell_at_all_defines_nothing() -> None:
    found = figures_of([], [])
    assert (found.accuracy.value, found.macro_f1, found.kappa) == (None, None, None)
    assert found.absent == LABELS


def test_one_class_only_has_no_kappa() -> None:
    assert figures_of([0, 0], [0, 0]).kappa is None


def test_two_classes_are_enough() -> None:
    found = figures_of([0, 1, 1], [0, 0, 1], ("healthy", "unhealthy"))
    assert found.worst_miss == Share(1, 2)
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
        score(np.array(truth, np.int64), np.array(probabilities, np.float64), LABELS)
