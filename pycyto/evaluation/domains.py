"""The same figures for each scanner, source, preparation and site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.metrics import Figures, Probabilities, score
from pycyto.manifest import UNKNOWN, Row

DOMAINS = ("source", "site", "scanner", "preparation")


@dataclass(frozen=True, slots=True)
class Subset:
    """The tested cells of one scanner, say.

    Attributes
    ----------
    name
        As the rows have it, which may be a pseudonym.
    groups
        Patients, else slides, else images among them.
    """

    name: str
    groups: int
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Return the subset as plain values."""
        return {"groups": self.groups, "figures": self.figures.to_json()}


def by_domain(
    rows: Sequence[Row],
    groups: Sequence[str],
    truth: npt.NDArray[np.integer[Any]],
    probabilities: Probabilities,
    labels: Sequence[str],
) -> dict[str, list[Subset]]:
    """Return the figures of each value of each domain, the largest first.

    Parameters
    ----------
    rows, groups, truth, probabilities
        Of the n tested cells: manifest row as it may be shown, name of the group, class index
        (n,), and what the model gave (n, k).
    """
    found: dict[str, list[Subset]] = {}
    for domain in DOMAINS:
        values = np.array([getattr(row, domain) or UNKNOWN for row in rows], np.str_)
        subsets = [
            Subset(
                str(value),
                len({group for group, own in zip(groups, values, strict=True) if own == value}),
                score(truth[values == value], probabilities[values == value], labels),
            )
            for value in np.unique(values)
        ]
        found[domain] = sorted(subsets, key=lambda subset: -subset.figures.n)
    return found
