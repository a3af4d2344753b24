"""How far a figure may be off: intervals from drawing the groups anew.

Cells of one patient resemble each other, so that a thousand cells of five
patients say little more than five observations do. What is drawn, with
replacement, is therefore the group: a patient, else a slide, else an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

# With fewer, the ends of an interval are mostly chance themselves.
MIN_GROUPS = 8
RESAMPLES = 2000
# What an interval leaves out at each side.
TAIL = 0.025
# What reports tell of intervals; docs/metrics-schema.md explains it.
METHODS = {
    "method": "percentile bootstrap by group",
    "method_of_shares": "Clopper-Pearson at the effective number of cells",
    "level": 0.95,
    "resamples": RESAMPLES,
    "least_groups": MIN_GROUPS,
}

# Leaving resamples out bends an interval; with more of them undefined it is not shown.
_MOST_UNDEFINED = 0.05
_ELEMENTS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, what it rests on, and its 95 % interval.

    Attributes
    ----------
    value
        None where it is not defined, as a share of no cell.
    cells, groups
        That the figure is about: the HSIL cells, and the groups that hold one,
        for the sensitivity for HSIL.
    count
        Of a share: how many of the cells.
    interval
        Its ends, or None; `withheld` then says why.
    undefined
        Share of the resamples that were left out, since the figure is not
        defined in them.
    """

    value: float | None
    cells: int
    groups: int
    count: int | None = None
    interval: tuple[float, float] | None = None
    withheld: str = ""
    undefined: float = 0.0

    @property
    def of(self) -> int:
        """The cells of which `count` is a part."""
        return self.cells

    def to_json(self) -> dict[str, Any]:
        """Return the figure as plain values; docs/metrics-schema.md explains them."""
        low, high = self.interval or (None, None)
        share = {} if self.count is None else {"count": self.count, "of": self.cells}
        return {
            "value": self.value,
            **share,
            "cells": self.cells,
            "groups": self.groups,
            "low": low,
            "high": high,
            "no_interval": self.withheld or None,
            "resamples_left_out": self.undefined,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Resampling:
    """Which group each cell is of, and how often each resample holds each group.

    Attributes
    ----------
    codes
        (n,) index of the group of each cell.
    weights
        (resamples, groups) uint8; no resample where there are too few groups.
    """

    codes: npt.NDArray[np.intp]
    weights: npt.NDArray[np.uint8]

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.weights.shape[1])

    def by_group(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the sums of (n, ...) values of cells over each group, (groups, ...)."""
        sums = np.zeros((self.groups, *values.shape[1:]), values.dtype)
        np.add.at(sums, self.codes, values)
        return sums

    def holding(self, cells: Mask) -> int:
        """Return how many groups hold one of the cells of a mask, (n,)."""
        return len(np.unique(self.codes[cells]))

    def drawn(self, by_group: npt.NDArray[Any]) -> Floats:
        """Return the sums of (groups, ...) values in each resample, (resamples, ...) float64."""
        width = math.prod(by_group.shape[1:])
        flat = by_group.reshape(self.groups, width).astype(np.float64)
        sums = np.zeros((len(self.weights), width))
        for some in self.pieces(self.groups):
            sums[some] = self.weights[some].astype(np.float64) @ flat
        return sums.reshape(len(self.weights), *by_group.shape[1:])

    def pieces(self, width: int) -> Iterator[slice]:
        """Yield slices of the resamples, so that (piece, width) numbers take little memory."""
        step = max(1, _ELEMENTS_AT_ONCE // max(width, 1))
        for start in range(0, len(self.weights), step):
            yield slice(start, start + step)


def resampling(groups: Sequence[str], seed: int, resamples: int = RESAMPLES) -> Resampling:
    """Draw the groups of some cells anew, as many as there are, with replacement.

    Parameters
    ----------
    groups
        Name of the group of each of n cells.

    References
    ----------
    Field and Welsh, Journal of the Royal Statistical Society B 69 (2007) 369:
    resampling of whole clusters.
    """
    names, codes = np.unique(np.array(groups, np.str_), return_inverse=True)
    size = len(names)
    count = resamples if size >= MIN_GROUPS else 0
    rng = np.random.default_rng(seed)
    # A group is drawn 256 times with a chance below 10 to the minus 500.
    drawn = Resampling(codes.astype(np.intp), np.zeros((count, size), np.uint8))
    for some in drawn.pieces(size):
        own = drawn.weights[some]
        places = rng.integers(0, size, own.shape) + size * np.arange(len(own))[:, None]
        own[:] = np.bincount(places.ravel(), minlength=own.size).reshape(own.shape)
    return drawn


def estimate(
    point: tuple[float, float],
    drawn: tuple[Floats, Floats],
    *,
    cells: int,
    groups: int,
) -> Estimate:
    """Return a figure with its percentile interval; a share of cells has another, of `share_of`.

    Parameters
    ----------
    point, drawn
        What is divided by what: of the cells, and in each resample,
        (resamples,). The figure is not defined where the divisor is 0.
    cells, groups
        That it is about.
    """
    above, below = point
    value = float(above / below) if below else None
    interval, withheld, undefined = interval_of(divided(*drawn), groups)
    if value is None:
        interval, withheld = None, "not defined"
    return Estimate(value, cells, groups, None, interval, withheld, undefined)


def interval_of(values: Floats, groups: int) -> tuple[tuple[float, float] | None, str, float]:
    """Return the ends of the 95 % interval or None, why there is none, and the share left out.

    Parameters
    ----------
    values
        (resamples,); NaN where the figure is not defined.
    groups
        That the figure is about.
    """
    withheld, undefined = undecided(values, groups)
    if withheld:
        return None, withheld, undefined
    low, high = np.nanquantile(values, (TAIL, 1 - TAIL))
    return (float(low), float(high)), "", undefined


def undecided(values: Floats, groups: int) -> tuple[str, float]:
    """Return why there is no interval, empty where there is one, and the share left out."""
    if groups < MIN_GROUPS or not len(values):
        return f"{groups} of at least {MIN_GROUPS} groups", 0.0
    undefined = float(np.isnan(values).mean())
    if undefined > _MOST_UNDEFINED:
        return f"not defined in {_above(undefined)} % of the resamples", undefined
    return "", undefined


def _above(undefined: float) -> str:
    """Return a share that is above the limit in per cent, and never as the limit."""
    text = f"{100 * undefined:.0f}"
    if text != f"{100 * _MOST_UNDEFINED:.0f}":
        return text
    # Of so many resamples one more is five hundredths of a per cent.
    return f"{100 * undefined:.2f}"


def divided(above: Floats, below: Floats) -> Floats:
    """Return the quotients, NaN where the divisor is 0."""
    found = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=found, where=below != 0)
    return found
