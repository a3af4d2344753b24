"""What a dishonest split would have claimed: shown beside the honest figures, never instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pycyto.evaluation.metrics import Figures

MARK = "LEAKING"


@dataclass(frozen=True, slots=True)
class Leaking:
    """One variant of the data set's own split that leaks.

    Attributes
    ----------
    name, description
        What it is called, and what is wrong with it.
    figures
        Of a model trained and tested on it; None where it could not be made.
    reason
        Why not; empty where it could.
    by_source
        The same of the cells of each source.
    """

    name: str
    description: str
    figures: Figures | None = None
    reason: str = ""
    by_source: Mapping[str, Figures] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the variant as plain values, marked so that nobody takes it for a result."""
        return {
            "mark": MARK,
            "description": self.description,
            "figures": self.figures.to_json() if self.figures else None,
            "reason": self.reason,
            "by_source": {name: own.to_json() for name, own in self.by_source.items()},
        }
