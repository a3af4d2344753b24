"""What a training has come to, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pycyto.learning.sampling import Targets


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the history.

    Attributes
    ----------
    epoch
        From 1, counted through all phases.
    loss, accuracy
        Of the training patches as the network saw them: augmented, with
        dropout, and the loss weighted by class.
    val_loss, val_accuracy, val_macro_f1
        Of the validation patches, unchanged and unweighted; NaN where there are none.
    """

    epoch: int
    phase: str
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: macro-F1, and between equals the smaller loss.

        Where no validation cell could say it, the later epoch is.
        """
        if math.isnan(self.val_macro_f1):
            return float(self.epoch), 0.0
        return self.val_macro_f1, -self.val_loss


@dataclass(frozen=True, slots=True)
class Training:
    """What a training came to.

    Attributes
    ----------
    best
        The epoch whose weights the model now has.
    backbone_weights
        How many weights of the backbone learnt, by phase.
    penalty
        On the weights of a linear head.
    """

    history: tuple[Epoch, ...]
    best: Epoch
    backbone_weights: Mapping[str, int]
    penalty: float | None = None


def macro_f1(targets: Targets, predicted: Targets) -> float:
    """Return the mean F1 of the classes that occur in `targets`; both are (n,)."""
    scores = []
    for label in np.unique(targets):
        hits = np.sum((targets == label) & (predicted == label))
        scores.append(2 * hits / (np.sum(targets == label) + np.sum(predicted == label)))
    return float(np.mean(scores))
