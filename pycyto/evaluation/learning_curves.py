"""How training went, as drawings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from pycyto.evaluation.drawing import Axes, Curve, Panel, round_numbers

_PANELS = (
    ("Loss", (("loss", "training", "quiet"), ("val_loss", "validation", "first"))),
    (
        "Accuracy and macro-F1",
        (
            ("accuracy", "accuracy, training", "quiet"),
            ("val_accuracy", "accuracy, validation", "first"),
            ("val_macro_f1", "macro-F1, validation", "second"),
        ),
    ),
)


def learning_curves(history: Sequence[Mapping[str, str]]) -> list[Panel]:
    """Return the drawings of a bundle's ``history.csv``; empty when there is nothing to draw.

    A model that was fitted at once has one point and no course.

    Parameters
    ----------
    history
        One row per epoch: ``phase`` and the measured columns, as text.
    """
    if len(history) < 2:
        return []
    return [
        panel for title, columns in _PANELS if (panel := _panel(title, columns, history)).curves
    ]


def _panel(
    title: str, columns: Sequence[tuple[str, str, str]], history: Sequence[Mapping[str, str]]
) -> Panel:
    series = {column: [_number(row.get(column)) for row in history] for column, *_ in columns}
    known = [value for values in series.values() for value in values if value is not None]
    ticks = round_numbers(max(known, default=1.0) if title == "Loss" else 1.0)
    # Each epoch has the middle of its own piece of the axis.
    axes = Axes(0.5, max(len(history), 1) + 0.5, ticks[-1])
    curves = (
        Curve(name, style, axes.points(_points(series[column])), dots=True)
        for column, name, style in columns
    )
    return Panel(
        title,
        "epoch",
        tuple(curve for curve in curves if curve.points),
        axes.x_ticks(_epochs(len(history))),
        axes.y_ticks(ticks),
        tuple(_phases(history, axes)),
    )


def _points(values: Sequence[float | None]) -> Iterator[tuple[float, float]]:
    for epoch, value in enumerate(values, 1):
        if value is not None:
            yield epoch, value


def _phases(history: Sequence[Mapping[str, str]], axes: Axes) -> Iterator[tuple[float, float, str]]:
    indexed = enumerate((row.get("phase", "") for row in history), 1)
    for name, found in groupby(indexed, key=lambda item: item[1]):
        inside = [epoch for epoch, _ in found]
        yield axes.x(inside[0] - 0.5), axes.x((inside[0] + inside[-1]) / 2), name


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _epochs(count: int) -> list[float]:
    step = max(1, math.ceil(count / 8))
    return list(range(step, count + 1, step))
