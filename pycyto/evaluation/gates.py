"""Bounds that a model must keep: met, missed, or not decidable, which is not met."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pycyto.errors import UsageError
from pycyto.evaluation.intervals import Estimate
from pycyto.labels import counted

_ENDS = ("low", "high")


# What figures other than shares can be.
_RANGES = {"kappa": (-1.0, 1.0), "log_loss": (0.0, float("inf")), "brier": (0.0, 2.0)}


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound.

    Attributes
    ----------
    figure
        As in `Measured.named`.
    end
        ``low`` or ``high`` for an end of its interval, else empty.
    is_least
        Whether the figure may not be below `limit`, else not above.
    """

    figure: str
    end: str
    limit: float
    is_least: bool

    @property
    def name(self) -> str:
        """As it was asked for."""
        return f"{self.figure}.{self.end}" if self.end else self.figure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a bound.

    Attributes
    ----------
    value
        Of the figure or the end of its interval; None where it is not decidable.
    met
        None where it is not decidable.
    """

    bound: Bound
    value: float | None
    met: bool | None
    estimate: Estimate

    @property
    def sentence(self) -> str:
        """The verdict in words, with what it rests on."""
        bound, found = self.bound, self.estimate
        asked = f"at {'least' if bound.is_least else 'most'} {bound.limit:g}"
        basis = f"{counted(found.cells, 'cell')} of {counted(found.groups, 'group')}"
        if self.value is None:
            why = f"no interval: {found.withheld}" if found.withheld else "not defined"
            return f"{bound.name} ({asked}): not decidable on {basis} ({why})."
        said = "met" if self.met else "missed"
        return f"{bound.name} ({asked}): {said} with {_digits(self)} on {basis}."

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain values."""
        return {
            "figure": self.bound.name,
            "at_least" if self.bound.is_least else "at_most": self.bound.limit,
            "value": self.value,
            "met": self.met,
            "cells": self.estimate.cells,
            "groups": self.estimate.groups,
        }


def bounds(at_least: Mapping[str, float], at_most: Mapping[str, float]) -> list[Bound]:
    """Return bounds from names such as ``hsil_sensitivity`` or ``hsil_sensitivity.low``.

    Raises
    ------
    UsageError
        A limit that is no number, or an end of an interval that there is none of.
    """
    return [
        _bound(name, limit, is_least=is_least)
        for wanted, is_least in ((at_least, True), (at_most, False))
        for name, limit in wanted.items()
    ]


def check_names(wanted: Sequence[Bound], names: Collection[str]) -> None:
    """Raise `UsageError` for a figure that there is none of, or a limit that it cannot have."""
    for bound in wanted:
        _refuse_impossible(bound)
        if bound.figure not in names:
            near = get_close_matches(bound.figure, names, n=3, cutoff=0.5)
            raise UsageError(
                f"There is no figure {bound.figure!r} of this model.",
                remedy=f"Did you mean {' or '.join(near)}?"
                if near
                else f"Known are: {', '.join(names)}.",
            )


def _refuse_impossible(bound: Bound) -> None:
    """Refuse a limit that every model meets, or none: mostly a percentage."""
    lowest, highest = _RANGES.get(bound.figure, (0.0, 1.0))
    if lowest <= bound.limit <= highest:
        return
    share = f"{bound.name}={bound.limit / 100:g}"
    raise UsageError(
        f"The bound {bound.name}={bound.limit:g} cannot be: the figure is from {lowest:g} to "
        f"{highest:g}.",
        remedy=f"Did you mean {share}?" if 1 < bound.limit <= 100 else "Give a share, such as 0.9.",
    )


def verdicts(wanted: Sequence[Bound], named: Mapping[str, Estimate]) -> list[Verdict]:
    """Return what became of each bound.

    A figure without an interval decides nothing, whatever its value: it rests on
    too few groups, or is not defined.
    """
    return [_verdict(bound, named[bound.figure]) for bound in wanted]


def _verdict(bound: Bound, found: Estimate) -> Verdict:
    if found.value is None or found.interval is None:
        return Verdict(bound, None, None, found)
    low, high = found.interval
    value = {"": found.value, "low": low, "high": high}[bound.end]
    met = value >= bound.limit if bound.is_least else value <= bound.limit
    return Verdict(bound, value, met, found)


def _bound(name: str, limit: float, *, is_least: bool) -> Bound:
    figure, dot, end = name.partition(".")
    if dot and end not in _ENDS:
        raise UsageError(
            f"A bound is set for a figure, or for its .low or .high end, not for {name}.",
            remedy=f"{figure}.low or {figure}.high",
        )
    if not math.isfinite(limit):
        raise UsageError(f"The bound {limit} for {name} is not a number to compare with.")
    return Bound(figure, end, limit, is_least)


def _digits(found: Verdict) -> str:
    """Return the value with as many digits as tell it from the limit."""
    value = found.value or 0.0
    for digits in range(2, 7):
        text = f"{value:.{digits}f}"
        if (float(text) >= found.bound.limit) == (value >= found.bound.limit):
            return text
    return f"{value!r}"
