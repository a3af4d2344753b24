"""The published figures are whole, and go by names that an evaluation has."""

from __future__ import annotations

from pycyto.evaluation.measured import names_of
from pycyto.evaluation.published import published
from pycyto.labels import BETHESDA


def test_figures_go_by_names_that_an_evaluation_has() -> None:
    names = set(names_of(BETHESDA.names[:4]))
    for paper in published():
        assert set(paper.figures) <= names
        assert set(paper.validation) <= names


def test_every_figure_is_a_share() -> None:
    for paper in published():
        shift = [value for own in paper.shift for value in (own.accuracy, own.f1)]
        networks = [v for own in paper.network for v in (own.accuracy, own.sensitivity, own.f1)]
        values = [*paper.figures.values(), *paper.validation.values(), *networks, *shift]
        assert all(value is None or 0 <= value <= 1 for value in values)


def test_what_contradicts_itself_is_named() -> None:
    (paper,) = published()
    text = " ".join(paper.contradictions)
    assert all(number in text for number in ("1532", "8763", "80/10/10", "1793", "349", "13090"))
