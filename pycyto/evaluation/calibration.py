"""Whether a probability of 0.9 is right nine times in ten, and one temperature that mends it.

References
----------
Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML
2017: expected calibration error in 15 bins of equal width, temperature scaling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import Classified, Probabilities
from pycyto.evaluation.intervals import Estimate, estimate
from pycyto.temperature import at_temperature, best_temperature

BINS = 15

# A network may round a probability to 0, whose logarithm would be infinite.
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Bin:
    """Cells whose highest probability lies in one range.

    Attributes
    ----------
    confidence, accuracy
        Mean of that probability, and share of the cells called right; None without cells.
    """

    cells: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far probabilities are from what happens.

    Attributes
    ----------
    error
        Expected calibration error: mean distance of confidence and accuracy.
    log_loss
        Mean negative logarithm of the probability that the true class was given.
    brier
        Mean squared distance of the probabilities from the truth, over all classes: 0 to 2.
    bins
        Of equal width from 0 to 1.
    """

    error: Estimate
    log_loss: Estimate
    brier: Estimate
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "expected_calibration_error": self.error.to_json(),
            "log_loss": self.log_loss.to_json(),
            "brier": self.brier.to_json(),
            "bins": [
                {"cells": own.cells, "confidence": own.confidence, "accuracy": own.accuracy}
                for own in self.bins
            ],
        }


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Calibration on the tested cells as the model is, and with a temperature.

    Attributes
    ----------
    temperature
        Fitted on validation; None where there is none, and `reason` says why.
    after
        With it.
    """

    before: Calibration
    temperature: float | None
    after: Calibration | None
    reason: str = ""

    @property
    def needs_none(self) -> bool:
        """Whether the temperature is 1 in the digits that are shown: it changes nothing."""
        return self.temperature is not None and f"{self.temperature:.2f}" == "1.00"

    def to_json(self) -> dict[str, Any]:
        """Return both as plain values."""
        return {
            "before": self.before.to_json(),
            "temperature": self.temperature,
            "after": self.after.to_json() if self.after else None,
            "reason": self.reason or None,
        }


def calibrated(validation: Classified, test: Classified) -> Calibrated:
    """Return how well a model is calibrated, and would be with a temperature from validation."""
    before = calibration(test, test.probabilities)
    if test.fold is not None:
        reason = "the probabilities are told at a temperature that the other folds have fixed"
        return Calibrated(before, None, None, reason)
    if not len(validation):
        return Calibrated(before, None, None, "there is no validation cell to fit it on")
    found = best_temperature(validation.truth, validation.probabilities)
    if found is None:
        reason = "the validation cells ask for none: they are all but right, or all but guesses"
        return Calibrated(before, None, None, reason)
    return Calibrated(before, found, calibration(test, at_temperature(test.probabilities, found)))


def calibration(cells: Classified, probabilities: Probabilities) -> Calibration:
    """Compare probabilities, (n, k), of some cells with what they are."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == cells.truth
    # A bin holds its upper end, as in the paper.
    number = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    inside = np.eye(BINS)[number]
    sums = np.stack([inside, inside * confidence[:, None], inside * right[:, None]], axis=1)
    truth = np.eye(len(cells.labels))[cells.truth]
    given = (probabilities * truth).sum(axis=1)
    return Calibration(
        error=_mean(cells, sums, _distance),
        log_loss=_mean(cells, -np.log(np.maximum(given, _SMALLEST)), np.asarray),
        brier=_mean(cells, ((probabilities - truth) ** 2).sum(axis=1), np.asarray),
        bins=tuple(map(_bin, sums.sum(axis=0).T)),
    )


def _mean(cells: Classified, values: npt.NDArray[Any], distance: Any) -> Estimate:
    """Return a figure per cell from sums of values, (n, ...)."""
    drawing = cells.resampling
    ones = drawing.by_group(np.ones(len(cells)))
    sums = drawing.by_group(values.astype(np.float64))
    return estimate(
        (float(distance(sums.sum(axis=0))), float(len(cells))),
        (distance(drawing.drawn(sums)), drawing.drawn(ones)),
        cells=len(cells),
        groups=drawing.groups,
    )


def _distance(sums: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the sum over bins of what confidence and accuracy differ by, from (..., 3, bins)."""
    distance: npt.NDArray[Any] = np.abs(sums[..., 1, :] - sums[..., 2, :]).sum(axis=-1)
    return distance


def _bin(sums: npt.NDArray[Any]) -> Bin:
    count, confidence, right = map(float, sums)
    if not count:
        return Bin(0, None, None)
    return Bin(int(count), confidence / count, right / count)
