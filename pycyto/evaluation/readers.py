"""How far readers agree: with each other, with themselves, and with their consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import (
    Classes,
    Classified,
    Counts,
    Formula,
    Tally,
    fields,
    tally_of,
)
from pycyto.evaluation.intervals import Estimate, Floats, Resampling, estimate, resampling
from pycyto.evaluation.metrics import Figures, quadratic_kappa, score

# In the place of a class: the cell was not read, or no class was chosen.
NONE = -1


@dataclass(frozen=True, eq=False, slots=True)
class Calls:
    """What one reader called n cells.

    Attributes
    ----------
    classes
        (n,) index of the class, or `NONE`.
    is_model
        Whether a model called them rather than a person.
    trained_on
        Whether the model was trained on these cells: its word proves nothing then.
    """

    name: str
    classes: Classes
    is_model: bool = False
    trained_on: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Agreement:
    """Two sets of calls of the same cells, beside each other.

    Attributes
    ----------
    first, second
        Whose they are.
    agreement
        Share of the cells that both called that they called the same.
    kappa
        Cohen's, with quadratic weights; not defined where chance alone agrees fully.
    specific
        By class: of the calls of this class by either, the share in which the other
        said so too. Not defined for a class that neither called.
    tally
        Of the cells by the first's class, then the second's.
    with_model
        Whether one of them is a model.
    """

    first: str
    second: str
    labels: tuple[str, ...]
    agreement: Estimate
    kappa: Estimate
    specific: tuple[Estimate, ...]
    tally: Tally
    with_model: bool

    @property
    def cells(self) -> int:
        """That both called."""
        return self.agreement.cells

    @property
    def cross(self) -> tuple[tuple[int, ...], ...]:
        """``cross[first][second]``: cells."""
        return tuple(tuple(map(int, row)) for row in self.tally.total)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values; docs/agreement-schema.md explains them."""
        return {
            "first": self.first,
            "second": self.second,
            "with_model": self.with_model,
            "cells": self.cells,
            "agreement": self.agreement.to_json(),
            "quadratic_weighted_kappa": self.kappa.to_json(),
            "specific_agreement": {
                label: found.to_json()
                for label, found in zip(self.labels, self.specific, strict=True)
            },
            "cross_table": [list(row) for row in self.cross],
        }


@dataclass(frozen=True, eq=False, slots=True)
class Mean:
    """The mean over all pairs of people.

    Attributes
    ----------
    kappa
        Light's: the mean of the pairs' kappas.
    """

    pairs: int
    agreement: Estimate
    kappa: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "pairs": self.pairs,
            "agreement": self.agreement.to_json(),
            "quadratic_weighted_kappa": self.kappa.to_json(),
        }


@dataclass(frozen=True, eq=False, slots=True)
class AgainstConsensus:
    """One reader, measured by the labels that the readers came to.

    Attributes
    ----------
    figures
        Of the cells that have such a label and that the reader called; None where
        there is none.
    not_called
        Cells of the most severe class that the reader gave no class.
    """

    reader: Calls
    figures: Figures | None
    not_called: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "reader": self.reader.name,
            "is_model": self.reader.is_model,
            "trained_on_these_cells": self.reader.trained_on,
            "figures": self.figures.to_json() if self.figures else None,
            "most_severe_not_called": self.not_called,
        }


def agreement_of(
    first: Calls, second: Calls, labels: Sequence[str], drawn: Resampling
) -> Agreement:
    """Compare two readers on the cells that both called.

    References
    ----------
    Quadratic weights: Cohen, Psychological Bulletin 70 (1968) 213. Specific agreement:
    Cicchetti and Feinstein, Journal of Clinical Epidemiology 43 (1990) 551.
    """
    both = (first.classes != NONE) & (second.classes != NONE)
    tally = tally_of(first.classes, second.classes, len(labels), drawn, both)
    one, other = fields(len(labels))
    everything = np.ones_like(one, bool)
    return Agreement(
        first.name,
        second.name,
        tuple(labels),
        agreement=tally.share(one == other, everything),
        kappa=tally.ratio(quadratic_kappa, everything),
        specific=tuple(
            tally.ratio(_specific(index), (one == index) | (other == index))
            for index in range(len(labels))
        ),
        tally=tally,
        with_model=first.is_model or second.is_model,
    )


def all_pairs(
    readers: Sequence[Calls], labels: Sequence[str], drawn: Resampling
) -> list[Agreement]:
    """Compare each reader with each, the people first; a model is not compared with itself."""
    return [
        agreement_of(one, other, labels, drawn)
        for one, other in combinations(readers, 2)
        if not one.is_model
    ]


def mean_of(pairs: Sequence[Agreement]) -> Mean:
    """Return the mean agreement of some pairs, at least one.

    References
    ----------
    Light, Psychological Bulletin 76 (1971) 365: the mean kappa of all pairs.
    """
    return Mean(
        len(pairs),
        _mean([pair.agreement for pair in pairs], [pair.tally.values(_raw) for pair in pairs]),
        _mean(
            [pair.kappa for pair in pairs], [pair.tally.values(quadratic_kappa) for pair in pairs]
        ),
    )


def against_consensus(
    reader: Calls, truth: Classes, labels: Sequence[str], groups: Sequence[str], seed: int
) -> AgainstConsensus:
    """Measure a reader by labels that are known.

    Parameters
    ----------
    truth
        (n,) index of the label of each cell, or `NONE`.
    groups
        Of each cell.
    """
    called = (truth != NONE) & (reader.classes != NONE)
    not_called = int(((truth == len(labels) - 1) & (reader.classes == NONE)).sum())
    if not called.any():
        return AgainstConsensus(reader, None, not_called)
    certain = np.eye(len(labels))[reader.classes[called]]
    own = [name for name, counts in zip(groups, called, strict=True) if counts]
    cells = Classified(truth[called], certain, tuple(labels), resampling(own, seed))
    return AgainstConsensus(reader, score(cells), not_called)


def _specific(index: int) -> Formula:
    def formula(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        own = counts.sum(-1)[..., index] + counts.sum(-2)[..., index]
        return 2 * counts[..., index, index], own

    return formula


def _raw(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return np.trace(counts, axis1=-2, axis2=-1), counts.sum((-1, -2))


def _mean(values: Sequence[Estimate], drawn: Sequence[Floats]) -> Estimate:
    known = [found.value for found in values if found.value is not None]
    complete = len(values) if len(known) == len(values) else 0
    return estimate(
        (sum(known), complete),
        (np.sum(drawn, axis=0), np.full(len(drawn[0]), len(values))),
        cells=max(found.cells for found in values),
        groups=min(found.groups for found in values),
    )
