"""Colours before and after normalisation, as one self-contained HTML page and as JSON.

The page is made of plain values, those of ``colour.json`` and ``sheets.json``: so a
verdict can be put into it without looking at the patches again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jinja2

from pycyto.evaluation.report import NOTICE
from pycyto.images.stain import Statistics, Sums, rgb_of
from pycyto.labels import SCHEMES
from pycyto.pages import rendered

# Version of colour.json; docs/colour.md describes it.
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class OfSource:
    """The colours of a source.

    Attributes
    ----------
    slides
        Of so many slides, or images where no slide is known.
    left
        How many of its patches stayed as they were.
    before, after
        Over its patches as they are, and at the target.
    """

    name: str
    patches: int
    slides: int
    left: int
    before: Sums
    after: Sums

    def to_json(self, target: Statistics) -> dict[str, Any]:
        """Return the source as plain values."""
        return {
            "source": self.name,
            "patches": self.patches,
            "slides": self.slides,
            "left_as_they_were": self.left,
            "before": _look(self.before, target),
            "after": _look(self.after, target),
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell before and after, as data URIs.

    Attributes
    ----------
    left
        Whether it stayed as it was.
    """

    before: str
    after: str
    left: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """Some cells of one class of one source, drawn from so many."""

    source: str
    label: str
    cells: int
    pairs: Sequence[Pair]

    def to_json(self) -> dict[str, Any]:
        """Return the sheet as plain values."""
        return asdict(self)


def statistics_json(found: Statistics) -> dict[str, Any]:
    """Return mean and deviation of L, a and b as plain values, and the mean as 8-bit sRGB."""
    return {
        "mean": list(found.mean),
        "deviation": list(found.deviation),
        "tissue_pixels": found.pixels,
        "rgb": list(rgb_of(found.mean)),
    }


def _look(sums: Sums, target: Statistics) -> dict[str, Any]:
    found = sums.statistics
    return {
        **statistics_json(found),
        "tissue_share": sums.tissue / sums.pixels if sums.pixels else None,
        "distance_to_target": math.dist(found.mean, target.mean) if sums.tissue else None,
    }


def as_html(
    figures: Mapping[str, Any],
    sheets: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Mapping[str, str]],
) -> str:
    """Return the page.

    Parameters
    ----------
    figures
        Content of ``colour.json``.
    sheets
        Each as `Sheet.to_json` gives it.
    verdicts
        The oldest first, as they may be shown.

    Raises
    ------
    ValueError
        A value is missing, or is not what it should be.
    """
    scheme = SCHEMES.get(figures["scheme"])
    names = scheme.names if scheme else ()
    ours = {name: figures[name]["digest"] for name in ("target", "data")}
    try:
        return rendered(
            "pycyto.evaluation",
            "colour.html.j2",
            figures=figures,
            sheets=sheets,
            verdicts=[_placed(one, ours) for one in verdicts],
            notice=NOTICE,
            colours={name: "rgb({} {} {})".format(*scheme.colour_of(name)) for name in names}
            if scheme
            else {},
        )
    except (jinja2.UndefinedError, TypeError) as error:
        raise ValueError(str(error)) from error


def _placed(verdict: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return a verdict with what it is on, seen from the page: empty where it is on this page."""
    if verdict["target"] != ours["target"]:
        return {**verdict, "on": "another target"}
    return {**verdict, "on": "" if verdict["data"] == ours["data"] else "other patches"}
