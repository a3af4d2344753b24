"""A matrix of trainings and tests as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pycyto.evaluation import words
from pycyto.evaluation.intervals import MIN_GROUPS, RESAMPLES
from pycyto.evaluation.matrix import Matrix
from pycyto.evaluation.report import NOTICE
from pycyto.pages import rendered

FILTERS: Mapping[str, Callable[..., object]] = {
    "percent": words.percent,
    "percent_between": words.percent_between,
    "two_digits": words.two_digits,
    "whole": words.whole,
    "of": words.of,
    "number": words.number,
    "between": words.between,
    "lost": words.lost,
    "lost_between": words.lost_between,
}


def as_html(matrices: Sequence[Matrix], by: str, record: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    record
        What `pycyto.provenance.record` gives.
    """
    return rendered(
        "pycyto.evaluation",
        "cross_domain.html.j2",
        FILTERS,
        matrices=matrices,
        by=by,
        record=record,
        notice=NOTICE,
        min_groups=MIN_GROUPS,
        resamples=RESAMPLES,
        colours={},
        size=None,
    )
