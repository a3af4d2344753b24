"""The same figures for each scanner, source, preparation and site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.metrics import Figures, score
from pycyto.manifest import UNKNOWN, Row

DOMAINS = ("source", "site", "scanner", "preparation")


@dataclass(frozen=True, slots=True)
class Subset:
    """The tested cells of one scanner, say.

    Attributes
    ----------
    name
        As the rows have it, which may be a pseudonym.
    """

    name: str
    figures: Figures

    @property
    def groups(self) -> int:
        """Patients, else slides, else images among them."""
        return self.figures.accuracy.groups

    def to_json(self) -> dict[str, Any]:
        """Return the subset as plain values."""
        return {"groups": self.groups, "figures": self.figures.to_json()}


def by_domain(rows: Sequence[Row], cells: Classified) -> dict[str, list[Subset]]:
    """Return the figures of each value of each domain, the largest first.

    Parameters
    ----------
    rows
        Manifest row of each of the n cells, as it may be shown.
    """
    found: dict[str, list[Subset]] = {}
    for domain in DOMAINS:
        values = np.array([getattr(row, domain) or UNKNOWN for row in rows], np.str_)
        subsets = [Subset(str(value), score(cells, values == value)) for value in np.unique(values)]
        found[domain] = sorted(subsets, key=lambda subset: -subset.figures.n)
    return found
