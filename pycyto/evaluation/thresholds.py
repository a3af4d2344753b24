"""Thresholds for "this class or worse": chosen on validation, then held against the test.

A threshold that was chosen on the cells it is judged by promises what it cannot
keep, so no tested cell ever has a say here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import MIN_GROUPS, Floats, Mask
from pycyto.evaluation.screening import AtLeast, at_least
from pycyto.labels import counted

TARGETS = (0.90, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One line of the table.

    Attributes
    ----------
    label
        The question: this class or worse.
    target
        Sensitivity that validation was to reach.
    value
        The highest threshold that reaches it there: a cell is called positive when
        its probability of this class or worse is no lower. None where validation
        cannot decide; `reason` then says why.
    validation, test
        What it gives. Where the tested cells are of several folds, what thresholds give
        that the cells of all other folds fixed in the same way.
    """

    label: str
    target: float
    value: float | None
    reason: str = ""
    validation: AtLeast | None = None
    test: AtLeast | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line as plain values."""
        return {
            "at_least": self.label,
            "target_sensitivity": self.target,
            "threshold": self.value,
            "reason": self.reason or None,
            "validation": self.validation.to_json() if self.validation else None,
            "test": self.test.to_json() if self.test else None,
        }


def thresholds(
    validation: Classified, test: Classified, targets: Sequence[float] = TARGETS
) -> list[Threshold]:
    """Return the table, the most severe question first.

    Parameters
    ----------
    validation
        What thresholds are fixed on; for tested cells of a fold, those of all other folds.
    """
    return [
        _line(validation, test, index, target)
        for index in range(len(test.labels) - 1, 0, -1)
        for target in targets
    ]


def chosen(
    validation: Classified, index: int, target: float, where: Mask | slice = slice(None)
) -> float:
    """Return the highest threshold with at least this sensitivity for a class or worse.

    Parameters
    ----------
    where
        (n,) which cells decide; all by default.
    """
    positive = validation.truth[where] >= index
    scores = np.sort(validation.at_least(index)[where][positive])[::-1]
    # By the small step, 0.9 of 10 cells is 9 and not 10, whatever floating point says.
    return float(scores[math.ceil(target * len(scores) - 1e-9) - 1])


def _line(validation: Classified, test: Classified, index: int, target: float) -> Threshold:
    label = test.labels[index]
    reason = _undecided(validation, index, target)
    if reason:
        return Threshold(label, target, None, reason)
    value = chosen(validation, index, target)
    promised = at_least(validation.tally_at(index, value), 1, label)
    kept = at_least(test.tally_at(index, _for(test, validation, index, target)), 1, label)
    return Threshold(label, target, value, "", promised, kept)


def _for(test: Classified, validation: Classified, index: int, target: float) -> float | Floats:
    """Return the threshold for the tested cells; no cell of a fold has a say in that fold's."""
    if test.fold is None or validation.fold is None:
        return chosen(validation, index, target)
    folds = np.unique(test.fold)
    fixed = [chosen(validation, index, target, validation.fold != fold) for fold in folds]
    return np.array(fixed)[np.searchsorted(folds, test.fold)]


def _undecided(validation: Classified, index: int, target: float) -> str:
    """Return why validation cannot decide; empty where it can."""
    positive = validation.truth >= index
    cells, groups = int(positive.sum()), validation.resampling.holding(positive)
    what = "validation holds" if validation.fold is None else "the folds hold"
    # With fewer, that sensitivity means that none is missed, which few cells cannot show.
    needed = math.ceil(1 / (1 - target) - 1e-9)
    if cells < needed:
        return f"{what} {counted(cells, 'such cell')}, and {needed} are needed"
    if groups < MIN_GROUPS:
        return f"{what} such cells of {counted(groups, 'group')}, and {MIN_GROUPS} are needed"
    return ""
