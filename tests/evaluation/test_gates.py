from __future__ import annotations

import pytest

from pycyto.errors import UsageError
from pycyto.evaluation.gates import Verdict, bounds, check_names, verdicts
from pycyto.evaluation.intervals import Estimate

NAMED = {
    "hsil_sensitivity": Estimate(0.9, 50, 12, 45, (0.81, 0.97)),
    "hsil_to_nilm": Estimate(0.04, 50, 12, 2, (0.0, 0.1)),
    "lsil_sensitivity": Estimate(1.0, 9, 3, 9, withheld="3 of at least 8 groups"),
    "lsil_to_nilm": Estimate(None, 0, 0, 0, withheld="not defined"),
}

NAMES = [*NAMED, "kappa", "log_loss", "accuracy"]


def verdict(name: str, limit: float, *, least: bool = True) -> Verdict:
    wanted = bounds({name: limit}, {}) if least else bounds({}, {name: limit})
    (found,) = verdicts(wanted, NAMED)
    return found


@pytest.mark.parametrize(
    ("name", "limit", "least", "met"),
    [
        ("hsil_sensitivity", 0.9, True, True),
        ("hsil_sensitivity", 0.91, True, False),
        ("hsil_sensitivity.low", 0.81, True, True),
        ("hsil_sensitivity.low", 0.82, True, False),
        ("hsil_sensitivity.high", 0.97, False, True),
        ("hsil_to_nilm", 0.04, False, True),
        ("hsil_to_nilm", 0.039, False, False),
        ("hsil_to_nilm.high", 0.1, False, True),
        ("hsil_to_nilm.high", 0.09, False, False),
        ("lsil_sensitivity", 0.5, True, None),
        ("lsil_to_nilm", 0.5, False, None),
    ],
)
def test_a_bound_is_met_missed_or_not_decidable(
    name: str, limit: float, least: bool, met: bool | None
) -> None:
    assert verdict(name, limit, least=least).met is met


def test_it_says_which_bound_on_how_many_cells_and_groups() -> None:
    assert verdict("hsil_sensitivity.low", 0.85).sentence == (
        "hsil_sensitivity.low (at least 0.85): missed with 0.81 on 50 cells of 12 groups."
    )
    assert verdict("lsil_sensitivity", 0.5).sentence == (
        "lsil_sensitivity (at least 0.5): not decidable on 9 cells of 3 groups (no interval: 3 of "
        "at least 8 groups)."
    )
    assert verdict("hsil_sensitivity", 0.900001).sentence.startswith(
        "hsil_sensitivity (at least 0.900001): missed with 0.90 on"
    )


def test_digits_never_hide_that_a_bound_was_missed() -> None:
    named = {"x": Estimate(0.8996, 500, 12, None, (0.8, 0.95))}
    (found,) = verdicts(bounds({"x": 0.9}, {}), named)
    assert "missed with 0.8996 on" in found.sentence or "missed with 0.900" not in found.sentence


def test_a_misspelt_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean hsil_sensitivity or lsil_sensitivity"):
        check_names(bounds({"hsil_sensitivty": 0.9}, {}), NAMED)
    with pytest.raises(UsageError, match="Known are: hsil_sensitivity, "):
        check_names(bounds({"qqqq.low": 0.9}, {}), NAMED)
    check_names(bounds({"hsil_sensitivity.low": 0.9}, {"hsil_to_nilm": 0.1}), NAMED)


def test_what_is_no_bound_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\.low or \.high end"):
        bounds({"hsil_sensitivity.lower": 0.9}, {})
    with pytest.raises(UsageError, match="not a number"):
        bounds({"hsil_sensitivity": float("nan")}, {})


def test_verdicts_are_plain_values() -> None:
    assert verdict("hsil_to_nilm.high", 0.2, least=False).to_json() == {
        "figure": "hsil_to_nilm.high", "at_most": 0.2, "value": 0.1, "met": True, "cells": 50,
        "groups": 12,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "limit", "words"),
    [
        ("hsil_to_nilm", 10, r"Did you mean hsil_to_nilm=0\.1\?"),
        ("hsil_sensitivity.low", 90, r"Did you mean hsil_sensitivity\.low=0\.9\?"),
        ("hsil_to_nilm", -0.1, "from 0 to 1"),
        ("kappa", -2, "from -1 to 1"),
        ("log_loss", -1, "from 0 to inf"),
    ],
)
def test_a_limit_that_no_figure_can_have_is_refused(name: str, limit: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_names(bounds({}, {name: limit}), NAMES)


def test_limits_at_the_ends_are_taken() -> None:
    check_names(bounds({"kappa": -1, "log_loss": 7.5, "hsil_to_nilm": 0}, {"accuracy": 1}), NAMES)
