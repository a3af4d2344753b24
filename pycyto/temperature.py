"""One number that makes probabilities less sure, or surer, and never changes the class called.

It stands below training, which keeps a temperature in the model, and evaluation,
which tells what one would mend: neither knows the other.

References
----------
Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.integer[Any]]
Probabilities = npt.NDArray[np.floating[Any]]

# Beyond these a temperature is none: all probabilities would be equal, or all 0 or 1.
COLDEST, HOTTEST = 0.05, 20.0

# As it is told, kept in a model and used.
_DECIMALS = 4

# A network may round a probability to 0, whose logarithm would be infinite.
_SMALLEST = 1e-12


def best_temperature(
    truth: Classes, probabilities: Probabilities, weights: Probabilities | None = None
) -> float | None:
    """Return the temperature with the least log loss, or None where none is between the limits.

    The loss is convex in 1 / temperature, so that its slope has one zero at most.

    Parameters
    ----------
    truth, probabilities
        (n,) and (n, k) of cells that the model has not learnt from.
    weights
        How much each cell counts, (n,); by default all alike.
    """
    logits = _logits(probabilities)
    own = logits[np.arange(len(truth)), truth]

    def slope(sharpness: float) -> float:
        given = _softmax(logits * sharpness)
        return float(np.average((given * logits).sum(axis=1) - own, weights=weights))

    low, high = 1 / HOTTEST, 1 / COLDEST
    if slope(low) >= 0 or slope(high) <= 0:
        return None
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return round(1 / low, _DECIMALS)


def at_temperature(probabilities: Probabilities, by: float) -> npt.NDArray[np.float64]:
    """Return probabilities, (n, k), at a temperature: above 1 they are less sure, below 1 surer."""
    return _softmax(_logits(probabilities) / by)


def _logits(probabilities: Probabilities) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))


def _softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
