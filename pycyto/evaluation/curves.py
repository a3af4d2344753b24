"""ROC, precision-recall, calibration and abstaining, as drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pycyto.evaluation.abstaining import Abstaining
from pycyto.evaluation.calibration import Calibrated, Calibration
from pycyto.evaluation.drawing import Axes, Curve, Panel
from pycyto.evaluation.ranking import Points, Ranking

_UNIT = Axes()
_FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_STYLES = ("first", "second", "third")
_CHANCE = Curve("chance", "quiet", _UNIT.points(((0, 0), (1, 1))))


def ranking_curves(rankings: Sequence[Ranking]) -> list[Panel]:
    """Return the ROC and the precision-recall curves; empty where none is defined.

    Three questions have a colour; of a scheme with more, the most severe are drawn.
    """
    defined = [own for own in rankings if own.roc][: len(_STYLES)]
    if not defined:
        return []
    roc = [(own.label, own.roc) for own in defined]
    precision = [(own.label, own.precision_recall) for own in defined]
    return [
        _unit(
            "Sensitivity (ROC)", "false positive rate (1 - specificity)", [*_lines(roc), _CHANCE]
        ),
        _unit("Precision", "sensitivity (recall)", _lines(precision)),
    ]


def reliability(calibrated: Calibrated) -> Panel:
    """Return how often the model is right at each confidence."""
    curves = [_bins("as it is", "first", calibrated.before)]
    if calibrated.after and not calibrated.needs_none:
        curves.append(_bins("with the temperature", "second", calibrated.after))
    honest = Curve("perfectly calibrated", "quiet", _CHANCE.points)
    return _unit("Share called right", "highest probability", [*curves, honest])


def abstaining_curve(points: Sequence[Abstaining], most: str, least: str) -> Panel:
    """Return what the model does on the cells that no human takes."""
    axes = Axes(0, 0.5)
    values: tuple[tuple[str, str, Callable[[Abstaining], float | None]], ...] = (
        (f"{most} found", "first", lambda point: point.sensitivity.value),
        (f"{most} called {least}", "second", lambda point: point.worst_miss.value),
        ("macro-F1", "third", lambda point: point.macro_f1.value),
    )
    curves = (
        Curve(
            name,
            style,
            axes.points((own.share, v) for own in points if (v := value(own)) is not None),
            dots=True,
        )
        for name, style, value in values
    )
    return Panel(
        "Of the cells left to the model",
        "share of the cells that a human takes, the least sure first",
        tuple(curve for curve in curves if curve.points),
        axes.x_ticks((0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        axes.y_ticks(_FIFTHS),
    )


def _lines(curves: Sequence[tuple[str, Points]]) -> list[Curve]:
    return [
        # The question of the most severe class is that class alone.
        Curve(label if style == _STYLES[0] else f"{label} or worse", style, _UNIT.points(points))
        for (label, points), style in zip(curves, _STYLES, strict=False)
    ]


def _bins(name: str, style: str, calibration: Calibration) -> Curve:
    points = [
        (own.confidence, own.accuracy)
        for own in calibration.bins
        if own.confidence is not None and own.accuracy is not None
    ]
    return Curve(name, style, _UNIT.points(points), dots=True)


def _unit(title: str, x_name: str, curves: Sequence[Curve]) -> Panel:
    return Panel(title, x_name, tuple(curves), _UNIT.x_ticks(_FIFTHS), _UNIT.y_ticks(_FIFTHS))
