"""The questions of screening: is a cell of a class or worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import Counts, Formula, Tally, fields
from pycyto.evaluation.intervals import Estimate


@dataclass(frozen=True, slots=True)
class AtPrevalence:
    """Predictive values where another share of the cells is of a class or worse."""

    prevalence: float
    ppv: Estimate
    npv: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "prevalence": self.prevalence,
            "ppv": self.ppv.to_json(),
            "npv": self.npv.to_json(),
        }


@dataclass(frozen=True, slots=True)
class AtLeast:
    """How well cells of a class or worse are told from the less severe ones.

    Attributes
    ----------
    ppv, npv
        Predictive values among the tested cells, whose mix is not that of practice.
    elsewhere
        The same at a prevalence that was asked for.
    """

    label: str
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    elsewhere: AtPrevalence | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "sensitivity": self.sensitivity.to_json(),
            "specificity": self.specificity.to_json(),
            "ppv": self.ppv.to_json(),
            "npv": self.npv.to_json(),
            "at_prevalence": self.elsewhere.to_json() if self.elsewhere else None,
        }


def at_least(tally: Tally, index: int, label: str, prevalence: float | None = None) -> AtLeast:
    """Return the figures of one question.

    Parameters
    ----------
    index
        Of the class in the order of severity.
    prevalence
        Share of the cells in practice that are of this class or worse.
    """
    true, said = fields(len(tally.total))
    is_so, called_so = true >= index, said >= index
    return AtLeast(
        label,
        sensitivity=tally.share(called_so, is_so),
        specificity=tally.share(~called_so, ~is_so),
        ppv=tally.share(is_so, called_so),
        npv=tally.share(~is_so, ~called_so),
        elsewhere=None if prevalence is None else _elsewhere(tally, index, prevalence),
    )


def _elsewhere(tally: Tally, index: int, prevalence: float) -> AtPrevalence:
    is_so = fields(len(tally.total))[0] >= index
    ppv = tally.ratio(_predictive(index, prevalence, positive=True), is_so, ~is_so)
    npv = tally.ratio(_predictive(index, prevalence, positive=False), is_so, ~is_so)
    return AtPrevalence(prevalence, ppv, npv)


def _predictive(index: int, prevalence: float, *, positive: bool) -> Formula:
    """Return a predictive value by the theorem of Bayes."""

    def formula(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        above, below = counts[..., index:, :].sum(-2), counts[..., :index, :].sum(-2)
        has, lacks = above.sum(-1), below.sum(-1)
        said = slice(index, None) if positive else slice(None, index)
        # Each side stands for its share of practice, whatever its size among the tested cells.
        ill = prevalence * above[..., said].sum(-1) / np.maximum(has, 1)
        well = (1 - prevalence) * below[..., said].sum(-1) / np.maximum(lacks, 1)
        right = ill if positive else well
        return right, np.where((has > 0) & (lacks > 0), ill + well, 0)

    return formula
