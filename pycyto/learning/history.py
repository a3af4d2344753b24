"""What a training has come to, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


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
    """

    history: tuple[Epoch, ...]
    best: Epoch
    backbone_weights: Mapping[str, int]
