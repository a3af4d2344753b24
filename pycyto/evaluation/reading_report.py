"""How far readers agree, as one HTML page and as JSON.

As in the report of an evaluation, the page needs nothing else and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pycyto.evaluation import drawing, reading_words, words
from pycyto.evaluation.intervals import METHODS, MIN_GROUPS, RESAMPLES
from pycyto.evaluation.readers import AgainstConsensus, Agreement, Mean
from pycyto.evaluation.report import NOTICE
from pycyto.evaluation.trend import TrendPoint, trend_curves
from pycyto.labels import scheme_named
from pycyto.pages import rendered

# Version of agreement.json; docs/agreement-schema.md describes it.
SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one reader has come: called + skipped + flagged + left = to read.

    Attributes
    ----------
    to_read
        Cells of their order; one that is shown twice counts twice.
    seconds
        Median from showing a cell to the key; None where nothing was read.
    """

    reader: str
    to_read: int
    called: int
    skipped: int
    flagged: int
    left: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Labels:
    """How far the cells have come to a label.

    Attributes
    ----------
    agreed, consensus, adjudicated
        Cells whose label all readers gave at once, that they came to together, and that
        a further reader decided.
    open
        Cells that all have read and that have no label yet.
    unread
        Cells that somebody has not read yet.
    """

    cells: int
    agreed: int
    consensus: int
    adjudicated: int
    open: int
    unread: int

    @property
    def labelled(self) -> int:
        """Cells that have a label."""
        return self.agreed + self.consensus + self.adjudicated


@dataclass(frozen=True, slots=True)
class Said:
    """What one reader said of one cell: a class, or in words why there is none."""

    reader: str
    label: str
    is_model: bool = False


@dataclass(frozen=True, slots=True)
class Disputed:
    """One cell of which not all said the same.

    Attributes
    ----------
    image, object_id, point_index
        What finds the cell again; the image goes by a pseudonym.
    label, origin
        That the readers came to; empty where there is none yet.
    difference
        By how many classes the farthest calls differ.
    picture
        Data URI of the patch, or None where it cannot be cut.
    """

    image: str
    object_id: str
    point_index: int | None
    said: tuple[Said, ...]
    label: str
    origin: str
    difference: int
    picture: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the cell as plain values, without its picture."""
        return {
            "image": self.image,
            "object_id": self.object_id,
            "point_index": self.point_index,
            "said": {said.reader: said.label for said in self.said},
            "label": self.label or None,
            "origin": self.origin or None,
            "severity_difference": self.difference,
        }


@dataclass(frozen=True, slots=True)
class Gallery:
    """Some of the cells of one kind, the worst first; `total` is how many there are."""

    cells: Sequence[Disputed]
    total: int

    def to_json(self) -> dict[str, Any]:
        """Return the cells as plain values."""
        return {"total": self.total, "shown": [cell.to_json() for cell in self.cells]}


@dataclass(frozen=True, slots=True)
class ModelSaid:
    """Which run stands for the model, and on how many of the cells.

    Attributes
    ----------
    missing
        Cells that are not in the run, or that it called a class of no reader.
    trained_on
        Cells that the model has seen in training.
    """

    run: str
    network: str
    bundle_id: str
    cells: int
    missing: int
    trained_on: int


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """Everything that a comparison of readers found.

    Attributes
    ----------
    assignment
        Its ``name``, ``kind``, ``created_at``, ``scheme`` and ``seed``.
    groups
        How many groups of the cells rest on ``patient``, ``slide`` and ``image``.
    pairs
        Readers with each other, and with the model.
    mean
        Over the pairs of people, where there are several.
    within
        Each reader's first and second call of cells that were shown twice.
    against
        Each reader, and the model, against the labels.
    disputed
        Cells that readers, or in a proficiency set a reader and the label, differ on.
    missed
        Of a proficiency set by reader: cells of the most severe class that were not called so.
    trend
        Of readers in training, in the order of time.
    gone
        Object IDs of cells that are no longer in the project.
    unpictured
        Cells to be shown whose picture could not be cut, by reason.
    """

    assignment: Mapping[str, Any]
    labels: tuple[str, ...]
    groups: Mapping[str, int]
    progress: Sequence[Progress]
    consensus: Labels
    pairs: Sequence[Agreement]
    mean: Mean | None
    within: Sequence[Agreement]
    against: Sequence[AgainstConsensus]
    disputed: Gallery
    missed: Mapping[str, Gallery]
    trend: Sequence[TrendPoint]
    model: ModelSaid | None
    gone: Sequence[str]
    unpictured: Mapping[str, int]
    provenance: Mapping[str, Any]

    @property
    def is_proficiency(self) -> bool:
        """Whether readers in training were measured by labels that are known."""
        return bool(self.assignment["kind"] == "proficiency")

    @property
    def between_people(self) -> list[Agreement]:
        """The pairs of which none is a model."""
        return [pair for pair in self.pairs if not pair.with_model]


def as_html(report: ReadingReport) -> str:
    """Return the report as one self-contained HTML page."""
    filters = {
        "percent": words.percent,
        "percent_between": words.percent_between,
        "of": words.of,
        "number": words.number,
        "between": words.between,
    }
    scheme = scheme_named(report.assignment["scheme"])
    return rendered(
        "pycyto.evaluation",
        "agreement.html.j2",
        filters,
        report=report,
        least=report.labels[0],
        most=report.labels[-1],
        summary=reading_words.summary(report),
        cautions=reading_words.cautions(report),
        held=words.held(report.groups, slide="slide"),
        drawings=trend_curves(report.trend, report.labels[-1]),
        size=drawing,
        min_groups=MIN_GROUPS,
        resamples=RESAMPLES,
        colours={name: "rgb({} {} {})".format(*scheme.colour_of(name)) for name in report.labels},
        notice=NOTICE,
    )


def as_json(report: ReadingReport) -> dict[str, Any]:
    """Return the figures as plain values; docs/agreement-schema.md explains them."""
    return {
        "schema": SCHEMA,
        "kind": "pycyto agreement",
        "notice": NOTICE,
        "summary": reading_words.summary(report),
        "cautions": reading_words.cautions(report),
        "assignment": dict(report.assignment),
        "classes": list(report.labels),
        "groups": dict(report.groups),
        "intervals": dict(METHODS),
        "readers": [asdict(own) for own in report.progress],
        "labels": asdict(report.consensus),
        "between_readers": [pair.to_json() for pair in report.pairs],
        "mean_between_people": report.mean.to_json() if report.mean else None,
        "within_readers": [own.to_json() for own in report.within],
        "against_labels": [own.to_json() for own in report.against],
        "disagreements": report.disputed.to_json(),
        "missed": {reader: found.to_json() for reader, found in report.missed.items()},
        "trend": [point.to_json() for point in report.trend],
        "model": asdict(report.model) if report.model else None,
        "cells_gone": list(report.gone),
        "without_picture": dict(report.unpictured),
        "provenance": dict(report.provenance),
    }
