from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation.measured import measured, names_of
from tests.evaluation.made import LABELS, called, classified


def test_every_figure_has_a_name() -> None:
    truth, said = [0] * 10 + [1] * 10 + [3] * 10, [3] + [0] * 10 + [1] * 9 + [3] * 7 + [0, 0, 2]
    cells = called(truth, said)
    found = measured(cells, cells, {"HSIL": 0.1})
    named = found.named
    assert (named["hsil_to_nilm"].count, named["hsil_to_nilm"].of) == (2, 10)
    assert named["hsil_to_lsil"].count == 1
    assert named["hsil_sensitivity"] == found.figures.classes[-1].recall
    assert named["hsil_plus_sensitivity"] == named["hsil_sensitivity"]
    assert named["asc_us_plus_sensitivity"].count == 17
    assert named["asc_us_precision"].count == 9
    assert named["hsil_plus_ppv_at_prevalence"].value != named["hsil_plus_ppv"].value
    assert named["macro_f1"] == found.figures.macro_f1
    assert named["calibration_error"] == found.calibrated.before.error
    assert named["lsil_sensitivity"].value is None


def test_the_names_are_known_before_anything_is_measured() -> None:
    rng = np.random.default_rng(0)
    cells = classified(rng.integers(0, 4, 40), rng.dirichlet(np.ones(4), 40))
    for prevalence in ({}, {"LSIL": 0.1}):
        assert names_of(LABELS, prevalence) == list(measured(cells, cells, prevalence).named)


def test_without_validation_all_that_needs_none_is_measured() -> None:
    rng = np.random.default_rng(0)
    cells = classified(rng.integers(0, 4, 40), rng.dirichlet(np.ones(4), 40))
    none = classified([], np.zeros((0, 4)))
    found = measured(cells, none)
    assert found.validation is None
    assert found.figures.n == 40
    assert all(line.value is None and line.reason for line in found.thresholds)
    assert found.calibrated.after is None
    assert found.calibrated.before.error.value == pytest.approx(
        measured(cells, cells).calibrated.before.error.value
    )
