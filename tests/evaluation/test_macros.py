"""Pieces that all pages of figures are made of."""

from __future__ import annotations

import jinja2
import pytest

from pycyto.evaluation import words
from pycyto.evaluation.intervals import MIN_GROUPS, Estimate

LONG = "not defined in 35 % of the resamples"


def drawn(call: str, found: Estimate) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pycyto.evaluation"), autoescape=True
    )
    environment.filters.update(
        percent=words.percent,
        percent_between=words.percent_between,
        of=words.of,
        number=words.number,
        between=words.between,
    )
    asked = '{% import "macros.html.j2" as draw with context %}{{ ' + call + " }}"
    return environment.from_string(asked).render(found=found, min_groups=MIN_GROUPS).strip()


def test_why_there_is_no_interval_may_wrap_and_an_interval_does_not() -> None:
    told = drawn("draw.interval(found)", Estimate(0.5, 20, 10, 10, withheld=LONG))
    assert told == f'<small class="why">no interval: {LONG}</small>'
    told = drawn("draw.interval(found)", Estimate(0.5, 20, 10, 10, (0.25, 0.75)))
    assert told == '<small class="interval">25 to 75 %</small>'
    few = Estimate(0.5, 20, 3, 10, withheld="3 of at least 8 groups")
    assert drawn("draw.interval(found)", few) == "<small>no interval</small>"


@pytest.mark.parametrize("value", [0.99557, 0.0079])
def test_a_rate_lies_inside_its_interval(value: float) -> None:
    told = drawn("draw.rate(found)", Estimate(value, 54, 36, None, (value - 0.005, value + 0.004)))
    assert f"<b>{100 * value:.1f} %</b>" in told
    assert f"{100 * value - 0.5:.1f} to " in told
