from __future__ import annotations

from pycyto.evaluation.drawing import HEIGHT, TOP
from pycyto.evaluation.intervals import Estimate
from pycyto.evaluation.trend import TrendPoint, trend_curves


def point(reader: str, date: str, kappa: float | None, found: float | None = 0.5) -> TrendPoint:
    share = Estimate(found, 10, 9)
    return TrendPoint(reader, f"{date}_aaaaaa", date, 20, Estimate(kappa, 20, 9), share, share)


def test_each_reader_has_a_drawing_with_a_point_for_each_set() -> None:
    days = ("2026-01-01", "2026-02-01", "2026-03-01")
    points = [point("T", day, 0.2 * number) for number, day in enumerate(days)]
    once = point("U", days[0], 0.5)
    (panel,) = trend_curves([*points, once], "HSIL")

    assert panel.title == "T"
    assert [text for _, text in panel.x_ticks] == list(days)
    kappa, found = panel.curves
    assert "HSIL" in found.name
    assert [x for x, _ in kappa.points] == [x for x, _ in panel.x_ticks]
    heights = [y for _, y in kappa.points]
    assert heights == sorted(heights, reverse=True)


def test_what_is_not_defined_has_no_point_and_what_is_below_0_lies_on_the_edge() -> None:
    points = [point("T", "2026-01-01", -0.4, None), point("T", "2026-02-01", None, None)]
    (panel,) = trend_curves(points, "HSIL")
    (kappa,) = panel.curves
    ((_, y),) = kappa.points
    assert TOP < y <= HEIGHT
    assert y == panel.y_ticks[0][0]


def test_many_sets_do_not_crowd_the_axis() -> None:
    points = [point("T", f"2026-01-{day:02}", 0.5) for day in range(1, 31)]
    (panel,) = trend_curves(points, "HSIL")
    assert len(panel.x_ticks) == 6
    assert len(panel.curves[0].points) == 30
