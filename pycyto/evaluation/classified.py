"""Cells beside what a classifier said of them, and the counts that figures are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError
from pycyto.evaluation.intervals import Estimate, Floats, Mask, Resampling, divided, estimate
from pycyto.evaluation.shares import share_of

Classes = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]

# From counts (..., k, k) to what is divided by what, (...) each.
Formula = Callable[[npt.NDArray[Any]], tuple[npt.NDArray[Any], npt.NDArray[Any]]]


@dataclass(frozen=True, eq=False, slots=True)
class Tally:
    """Cells of each true class that were called each class.

    Attributes
    ----------
    by_group
        (groups, k, k) counts: true class, then class called.
    drawn
        (resamples, k, k) the same in each resample.
    """

    by_group: Counts
    drawn: Floats
    resampling: Resampling

    @property
    def total(self) -> Counts:
        """(k, k) counts of all groups."""
        total: Counts = self.by_group.sum(axis=0)
        return total

    def share(self, hits: Mask, of: Mask) -> Estimate:
        """Return which share of the cells in some fields of the table is in some of these.

        Parameters
        ----------
        hits, of
            (k, k) masks over true class and class called.
        """
        count = int((self.total * (hits & of)).sum())
        above, below = ((self.drawn * mask).sum((-1, -2)) for mask in (hits & of, of))
        return share_of(count, self._held(of), divided(above, below))

    def ratio(self, formula: Formula, *about: Mask) -> Estimate:
        """Return a figure that is no share of cells.

        Parameters
        ----------
        about
            (k, k) masks of the fields that it needs cells in. It rests on as many
            groups as the least of these has.
        """
        above, below = formula(self.total)
        return estimate(
            (float(above), float(below)),
            formula(self.drawn),
            cells=int((self.total * np.logical_or.reduce(about)).sum()),
            groups=min(int((self._held(mask) > 0).sum()) for mask in about),
        )

    def values(self, formula: Formula) -> Floats:
        """Return a figure in each resample, (resamples,), NaN where it is not defined."""
        return divided(*formula(self.drawn))

    def _held(self, mask: Mask) -> Counts:
        """Return how many cells of some fields each group holds, (groups,)."""
        held: Counts = (self.by_group * mask).sum((1, 2))
        return held


@dataclass(frozen=True, eq=False, slots=True)
class Classified:
    """n cells of known class, and what a classifier gave each of k classes.

    Attributes
    ----------
    truth
        (n,) index of the true class in `labels`.
    probabilities
        (n, k). A cell is called what has the highest.
    labels
        The least severe first.
    fold
        (n,) number of the fold that each cell is of, where models of several folds classified
        them: nothing that is fixed for the cells of a fold may rest on these. None elsewhere.
    """

    truth: Classes
    probabilities: Probabilities
    labels: tuple[str, ...]
    resampling: Resampling
    fold: Classes | None = None

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def called(self) -> Classes:
        """The class of the highest probability of each cell, (n,)."""
        return called(self.probabilities)

    def at_least(self, index: int) -> Floats:
        """Return the probability that a cell is of a class or worse, (n,)."""
        sums: Floats = self.probabilities[:, index:].sum(axis=1)
        return sums

    def tally(self, where: Mask | None = None) -> Tally:
        """Count the cells, or those of a mask (n,), by true class and class called."""
        return tally_of(self.truth, self.called, len(self.labels), self.resampling, where)

    def tally_at(self, index: int, threshold: float | Floats) -> Tally:
        """Count the cells by whether they are of a class or worse, and whether they reach this.

        Parameters
        ----------
        threshold
            One for all, or (n,) one for each.

        Returns
        -------
        Tally
            k is 2: no, yes.
        """
        reached = self.at_least(index) >= threshold
        return tally_of((self.truth >= index) * 1, reached * 1, 2, self.resampling)


def tally_of(
    true: Classes, said: Classes, size: int, resampling: Resampling, where: Mask | None = None
) -> Tally:
    """Count cells by two classes, (n,) each, of `size` classes.

    Parameters
    ----------
    where
        (n,) mask of the cells to count; all by default.
    """
    counts = np.zeros((resampling.groups, size, size), np.int64)
    cells = slice(None) if where is None else where
    np.add.at(counts, (resampling.codes[cells], true[cells], said[cells]), 1)
    return Tally(counts, resampling.drawn(counts), resampling)


def fields(size: int) -> tuple[Classes, Classes]:
    """Return the true class and the class called of each field of a (size, size) table."""
    rank = np.arange(size)
    true, said = np.meshgrid(rank, rank, indexing="ij")
    return true, said


def called(probabilities: Probabilities) -> Classes:
    """Return the class of the highest probability for each row, (n,) int64."""
    return np.asarray(np.argmax(probabilities, axis=1), np.int64)


def _check(cells: Classified) -> None:
    """Raise `BadInputError` when shapes do not fit, or a value is none that it could be."""
    truth, probabilities, labels = cells.truth, cells.probabilities, cells.labels
    if len(labels) < 2 or truth.ndim != 1 or probabilities.shape != (len(truth), len(labels)):
        raise BadInputError(
            f"{truth.shape} true classes and {probabilities.shape} probabilities do not fit "
            f"{len(labels)} classes."
        )
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities).all(axis=1)).sum())
        raise BadInputError(
            f"The model gave {bad} cells a probability that is not a number.",
            remedy="Train it again: its weights are not usable.",
        )
    if len(truth) and not 0 <= truth.min() <= truth.max() < len(labels):
        raise BadInputError(f"A true class is outside the {len(labels)} classes.")
    if cells.fold is not None and len(cells.fold) != len(truth):
        raise BadInputError(f"{len(truth)} cells, folds of {len(cells.fold)}.")
    if len(cells.resampling.codes) != len(truth):
        raise BadInputError(f"{len(truth)} cells, groups of {len(cells.resampling.codes)}.")
