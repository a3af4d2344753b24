"""What is gained when a human takes the cells that a model is least sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified, fields
from pycyto.evaluation.intervals import Estimate
from pycyto.evaluation.metrics import macro_f1_of

SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class Abstaining:
    """One point of the curve: so many cells go to a human, the model calls the rest.

    Attributes
    ----------
    share, cells
        That a human takes.
    most_severe
        Of them, cells of the most severe class.
    sureness
        The highest probability of the surest cell that is handed over; None where
        none is.
    worst_miss, sensitivity, macro_f1
        Of the rest: the most severe class called the least severe one, the most
        severe class found, and the mean F1.
    """

    share: float
    cells: int
    most_severe: int
    sureness: float | None
    worst_miss: Estimate
    sensitivity: Estimate
    macro_f1: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the point as plain values."""
        return {
            "share": self.share,
            "cells_to_a_human": self.cells,
            "most_severe_to_a_human": self.most_severe,
            "surest_probability_handed_over": self.sureness,
            "most_severe_called_least_severe": self.worst_miss.to_json(),
            "most_severe_sensitivity": self.sensitivity.to_json(),
            "macro_f1": self.macro_f1.to_json(),
        }


def abstaining(cells: Classified, shares: Sequence[float] = SHARES) -> list[Abstaining]:
    """Return the curve over some shares of the cells, the least sure first."""
    confidence = cells.probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    most = len(cells.labels) - 1
    true, said = fields(most + 1)
    found = []
    for share in shares:
        taken = round(share * len(cells))
        kept = np.ones(len(cells), bool)
        kept[order[:taken]] = False
        tally = cells.tally(kept)
        present = tally.total.sum(axis=1) > 0
        found.append(
            Abstaining(
                share,
                taken,
                int((cells.truth[~kept] == most).sum()),
                float(confidence[order[taken - 1]]) if taken else None,
                tally.share(said == 0, true == most),
                tally.share(said == most, true == most),
                tally.ratio(macro_f1_of(present), true >= 0),
            )
        )
    return found
