"""Drawings as places of lines and texts: the template draws them, in the reader's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 24, 36

Points = tuple[tuple[float, float], ...]
Ticks = tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its name, its style, its points in units of the drawing.

    Attributes
    ----------
    style
        ``first``, ``second``, ``third``, ``quiet`` (dashed).
    dots
        Whether each point is marked.
    """

    name: str
    style: str
    points: Points
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of WIDTH x HEIGHT units.

    Attributes
    ----------
    x_name
        What is drawn to the right; the title says what is drawn upwards.
    x_ticks, y_ticks
        Place and text.
    phases
        Left edge, middle and name of each part of the drawing, where it has parts.
    """

    title: str
    x_name: str
    curves: tuple[Curve, ...]
    x_ticks: Ticks
    y_ticks: Ticks
    phases: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """Which values the edges of a drawing stand for."""

    left: float = 0.0
    right: float = 1.0
    top: float = 1.0

    def x(self, value: float) -> float:
        """Return the place of a value from the left."""
        inside = WIDTH - LEFT - RIGHT
        return round(LEFT + inside * (value - self.left) / (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """Return the place of a value from above; the lower edge is 0."""
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top, 1)

    def points(self, values: Iterable[tuple[float, float]]) -> Points:
        """Return the places of points."""
        return tuple((self.x(x), self.y(y)) for x, y in values)

    def x_ticks(self, values: Sequence[float]) -> Ticks:
        """Return places and texts below the drawing."""
        return tuple((self.x(value), f"{value:g}") for value in values)

    def y_ticks(self, values: Sequence[float]) -> Ticks:
        """Return places and texts beside the drawing."""
        return tuple((self.y(value), f"{value:g}") for value in values)


def round_numbers(top: float) -> list[float]:
    """Return 0 and round numbers up to at least `top`."""
    rough = max(top, 1e-6) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    return [index * step for index in range(math.ceil(top / step - 1e-9) + 1)]
