"""Learning curves as points of a drawing: the template draws them, in the reader's colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT = 460, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 24, 36

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its name, its style (``train``, ``validation``, ``second``), its points."""

    name: str
    style: str
    points: Points


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of WIDTH x HEIGHT units.

    Attributes
    ----------
    x_ticks, y_ticks
        Place and text.
    phases
        Left edge, middle and name of each phase of the training.
    """

    title: str
    curves: tuple[Curve, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    phases: tuple[tuple[float, float, str], ...]


_PANELS = (
    ("Loss", (("loss", "training", "train"), ("val_loss", "validation", "validation"))),
    (
        "Accuracy and macro-F1",
        (
            ("accuracy", "accuracy, training", "train"),
            ("val_accuracy", "accuracy, validation", "validation"),
            ("val_macro_f1", "macro-F1, validation", "second"),
        ),
    ),
)


def panels(history: Sequence[Mapping[str, str]]) -> list[Panel]:
    """Return the drawings of a bundle's ``history.csv``; empty when there is nothing to draw.

    Parameters
    ----------
    history
        One row per epoch: ``phase`` and the measured columns, as text.
    """
    return [
        panel for title, columns in _PANELS if (panel := _panel(title, columns, history)).curves
    ]


def _panel(
    title: str, columns: Sequence[tuple[str, str, str]], history: Sequence[Mapping[str, str]]
) -> Panel:
    series = {column: [_number(row.get(column)) for row in history] for column, *_ in columns}
    known = [value for values in series.values() for value in values if value is not None]
    ticks = _ticks(max(known, default=1.0) if title == "Loss" else 1.0)
    curves = (
        Curve(name, style, tuple(_points(series[column], ticks[-1])))
        for column, name, style in columns
    )
    return Panel(
        title,
        tuple(curve for curve in curves if curve.points),
        tuple((_x(epoch - 1, len(history)), str(epoch)) for epoch in _epochs(len(history))),
        tuple((_y(value, ticks[-1]), f"{value:g}") for value in ticks),
        tuple(_phases(history)),
    )


def _points(values: Sequence[float | None], top: float) -> Iterator[tuple[float, float]]:
    for index, value in enumerate(values):
        if value is not None:
            yield _x(index, len(values)), _y(value, top)


def _phases(history: Sequence[Mapping[str, str]]) -> Iterator[tuple[float, float, str]]:
    indexed = enumerate(row.get("phase", "") for row in history)
    for name, found in groupby(indexed, key=lambda item: item[1]):
        inside = [index for index, _ in found]
        left = _x(inside[0] - 0.5, len(history)) if inside[0] else float(_LEFT)
        yield left, (_x(inside[0], len(history)) + _x(inside[-1], len(history))) / 2, name


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _epochs(count: int) -> list[int]:
    step = max(1, math.ceil(count / 8))
    return list(range(step, count + 1, step))


def _ticks(top: float) -> list[float]:
    """Return 0 and round numbers up to at least `top`."""
    rough = max(top, 1e-6) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    return [index * step for index in range(math.ceil(top / step - 1e-9) + 1)]


def _x(index: float, count: int) -> float:
    inside = WIDTH - _LEFT - _RIGHT
    return round(_LEFT + inside * (index + 0.5) / max(count, 1), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top, 1)
