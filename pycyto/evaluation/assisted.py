"""Labels that were made with a model's help, and what counting them would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pycyto.evaluation.metrics import Figures


@dataclass(frozen=True, slots=True)
class Assisted:
    """Tested cells whose label, or whose choice, a model had a part in.

    Attributes
    ----------
    cells
        How many.
    counted
        Whether the figures of the report count them.
    other
        The figures the other way: with them, or without; None where no cell is left.
    """

    cells: int
    counted: bool
    other: Figures | None

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain values; of the other figures, those that are read first."""
        return {
            "cells": self.cells,
            "counted": self.counted,
            "figures_without_them" if self.counted else "figures_with_them": None
            if self.other is None
            else {
                "n": self.other.n,
                "macro_f1": self.other.macro_f1.to_json(),
                "most_severe_sensitivity": self.other.classes[-1].recall.to_json(),
                "most_severe_called_least_severe": self.other.worst_miss.to_json(),
            },
        }
