from __future__ import annotations

import numpy as np

from pycyto.evaluation import curves
from pycyto.evaluation.abstaining import abstaining
from pycyto.evaluation.calibration import calibrated
from pycyto.evaluation.drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Panel, round_numbers
from pycyto.evaluation.ranking import rankings
from tests.evaluation.made import classified


def check_inside(panel: Panel) -> None:
    for curve in panel.curves:
        for x, y in curve.points:
            assert LEFT <= x <= WIDTH - RIGHT, panel.title
            assert TOP <= y <= HEIGHT - BOTTOM, panel.title


def test_everything_lies_inside_the_drawing() -> None:
    rng = np.random.default_rng(0)
    test = classified(rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300))
    for panel in (
        *curves.ranking_curves(rankings(test)),
        curves.reliability(calibrated(test, test)),
        curves.abstaining_curve(abstaining(test), "HSIL", "NILM"),
    ):
        assert panel.curves
        check_inside(panel)


def test_a_perfect_model_goes_up_at_once() -> None:
    cells = classified([0, 0, 3, 3], np.eye(4)[[0, 0, 3, 3]] * 0.8 + 0.05)
    roc, precision = curves.ranking_curves(rankings(cells))
    (hsil, *_) = roc.curves
    assert (LEFT, TOP) in hsil.points, "no false positive, all found"
    assert [curve.name for curve in roc.curves] == [
        "HSIL", "LSIL or worse", "ASC-US or worse", "chance",
    ]  # fmt: skip
    assert precision.curves[0].points[0] == (LEFT, TOP)


def test_what_is_not_defined_is_not_drawn() -> None:
    cells = classified([0, 0], np.eye(4)[[0, 1]])
    assert curves.ranking_curves(rankings(cells)) == []
    panel = curves.abstaining_curve(abstaining(cells), "HSIL", "NILM")
    assert [curve.name for curve in panel.curves] == ["macro-F1"]


def test_ticks_are_round_and_reach_the_top() -> None:
    assert round_numbers(2.3) == [0, 0.5, 1, 1.5, 2, 2.5]
    assert round_numbers(1) == [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
