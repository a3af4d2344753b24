from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation import controls
from pycyto.evaluation.metrics import Share
from pycyto.manifest import Row

LABELS = ("NILM", "LSIL", "HSIL")


def coloured(truth: np.ndarray, seed: int) -> controls.Features:
    """Patches whose colour gives the class away."""
    rng = np.random.default_rng(seed)
    return truth[:, None] * [20.0, 10.0, 5.0] + rng.normal(100, 2, (len(truth), 3))


def test_majority_knows_the_training_part_only() -> None:
    found = controls.majority(np.array([0, 0, 2]), np.array([2, 2, 0, 1]), LABELS).figures
    assert found is not None
    assert found.accuracy == Share(1, 4)
    assert found.worst_miss == Share(2, 2)


def test_colour_is_learnt_from_training_and_applied_to_the_test() -> None:
    train, test = np.repeat([0, 1, 2], 20), np.repeat([0, 1, 2], 5)
    found = controls.colour((coloured(train, 1), train), (coloured(test, 2), test), LABELS, 0)
    assert found.figures is not None
    assert found.figures.accuracy.count == 15
    # What the test says of its own classes does not reach the control.
    other = controls.colour((coloured(train, 1), train), (coloured(test, 2), test * 0), LABELS, 0)
    assert other.figures is not None
    assert [sum(column) for column in zip(*other.figures.confusion, strict=True)] == [5, 5, 5]


def test_a_class_that_training_lacks_is_never_called() -> None:
    train = np.repeat([0, 2], 9)
    found = controls.colour((coloured(train, 1), train), (coloured(train, 2), train), LABELS, 0)
    assert found.figures is not None
    assert found.figures.classes[1].precision.of == 0


def test_without_training_cells_a_control_says_why_it_is_missing() -> None:
    nothing, none = np.empty((0, 3)), np.empty(0, np.int64)
    test = np.array([0, 2])
    for control in (
        controls.majority(none, test, LABELS),
        controls.colour((nothing, none), (coloured(test, 0), test), LABELS, 0),
    ):
        assert control.figures is None
        assert control.reason


def test_points_have_no_outline() -> None:
    row = Row(
        "p", "1", "o", None, "k", "", "", 0.0, 0.0, 0, 0, 448, 2.0, "NILM", "NILM", "", "",
        outline_width=20.0, outline_height=10.0, outline_area=160.0,
    )  # fmt: skip
    point = Row("p", "1", "q", 0, "k", "", "", 0.0, 0.0, 0, 0, 448, 2.0, "NILM", "NILM", "", "")
    sizes = controls.outline_sizes([row, point])
    assert sizes[0].tolist() == [10, 5, 40], "in patch pixels"
    train = np.repeat([0, 2], 9)
    found = controls.outline((coloured(train, 1), train), (sizes, np.array([0, 0])), LABELS, 0)
    assert found.figures is None
    assert found.reason == "1 of 2 cells have no outline"


def test_training_cells_without_outline_are_left_out() -> None:
    train = np.repeat([0, 1, 2], 9)
    sizes = coloured(train, 1)
    sizes[::3] = np.nan
    found = controls.outline((sizes, train), (coloured(train, 2), train), LABELS, 0)
    assert found.figures is not None
    assert found.figures.accuracy.value == pytest.approx(1, abs=0.1)


def test_mean_colours() -> None:
    patch = np.zeros((224, 224, 3), np.uint8)
    patch[:112] = 100, 50, 10
    assert controls.mean_colours([patch]).tolist() == [[50, 25, 5]]
    assert controls.mean_colours([]).shape == (0, 3)
