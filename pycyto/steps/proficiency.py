"""How readers in training did in all the proficiency sets that they have read."""

from __future__ import annotations

from collections.abc import Sequence

from pycyto.evaluation.readers import against_consensus
from pycyto.evaluation.trend import TrendPoint
from pycyto.qupath.assignments import Assignment, assignments_of
from pycyto.records import Reporter
from pycyto.steps.context import Context
from pycyto.steps.read_cells import images_of
from pycyto.steps.readings import Readings, readings_of


def trend_of(
    context: Context, assignment: Assignment, seed: int, reporter: Reporter
) -> list[TrendPoint]:
    """Return how the readers of a proficiency set did in every set, in the order of time.

    Raises
    ------
    BadInputError
        When an assignment or a file of reads cannot be used.
    """
    if assignment.kind != "proficiency":
        return []
    points = []
    for own in assignments_of(context.project):
        if own.kind == "proficiency":
            readings = readings_of(context.project, own)
            groups = images_of(context, own, reporter).group_names(own)
            for reader in assignment.readers:
                points += _point(readings, reader, groups, seed)
    return sorted(points, key=lambda point: (point.date, point.assignment))


def _point(readings: Readings, reader: str, groups: Sequence[str], seed: int) -> list[TrendPoint]:
    """Return how a reader did in one set; nothing where no cell was called."""
    reads = readings.reads.get(reader)
    if not reads:
        return []
    classes = readings.assignment.classes
    own = against_consensus(readings.calls(reader), readings.truth, classes, groups, seed)
    if own.figures is None:
        return []
    last = max(reads.values(), key=lambda read: read.moment)
    return [
        TrendPoint(
            reader,
            readings.assignment.name,
            last.at[:10],
            own.figures.n,
            own.figures.kappa,
            own.figures.classes[-1].recall,
            own.figures.worst_miss,
        )
    ]
