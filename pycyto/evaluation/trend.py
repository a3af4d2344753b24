"""How a reader in training does from one proficiency set to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycyto.evaluation.drawing import Axes, Curve, Panel, round_numbers
from pycyto.evaluation.intervals import Estimate

_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How one reader did in one proficiency set.

    Attributes
    ----------
    date
        Of the reader's last read in it, YYYY-MM-DD.
    kappa
        Against the labels, with quadratic weights.
    found, missed
        Of the cells of the most severe class, the share that was called so, and the
        share that was called the least severe one.
    """

    reader: str
    assignment: str
    date: str
    cells: int
    kappa: Estimate
    found: Estimate
    missed: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return the point as plain values; docs/agreement-schema.md explains them."""
        return {
            "reader": self.reader,
            "assignment": self.assignment,
            "date": self.date,
            "cells": self.cells,
            "quadratic_weighted_kappa": self.kappa.to_json(),
            "most_severe_sensitivity": self.found.to_json(),
            "most_severe_called_least_severe": self.missed.to_json(),
        }


def trend_curves(points: Sequence[TrendPoint], most_severe: str) -> list[Panel]:
    """Return one drawing for each reader that has read two proficiency sets or more.

    Parameters
    ----------
    points
        In the order of time.
    """
    readers = dict.fromkeys(point.reader for point in points)
    own = [[point for point in points if point.reader == reader] for reader in readers]
    return [_panel(found, most_severe) for found in own if len(found) > 1]


def _panel(points: Sequence[TrendPoint], most_severe: str) -> Panel:
    # Each set has the middle of its own piece of the axis.
    axes = Axes(0.5, len(points) + 0.5)
    curves = (
        _curve("kappa against the labels", "first", [point.kappa for point in points], axes),
        _curve(f"{most_severe} found", "second", [point.found for point in points], axes),
    )
    step = math.ceil(len(points) / _MOST_TICKS)
    dates = [(axes.x(place), points[place - 1].date) for place in range(1, len(points) + 1, step)]
    return Panel(
        points[0].reader,
        "proficiency set, by the day it was read",
        tuple(curve for curve in curves if curve.points),
        tuple(dates),
        axes.y_ticks(round_numbers(1.0)),
    )


def _curve(name: str, style: str, values: Sequence[Estimate], axes: Axes) -> Curve:
    """Return a line through the values that are defined; below 0 it lies on the edge."""
    places = (
        (float(place), max(found.value, 0.0))
        for place, found in enumerate(values, 1)
        if found.value is not None
    )
    return Curve(name, style, axes.points(places), dots=True)
