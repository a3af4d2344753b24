"""Which label a cell is exported with, and who gave it, with what help.

Most labels are the class that an object has in QuPath. A reviewer's decision is in the log of
the review; a consensus of blinded readers is in no object at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pycyto.errors import BadInputError
from pycyto.labels import LabelScheme
from pycyto.manifest import UNKNOWN
from pycyto.qupath.decisions import Decision, Verdict, read_decisions, replay
from pycyto.qupath.project import Project
from pycyto.qupath.reads import ConsensusLabel
from pycyto.qupath.selection import label_of
from pycyto.records import Cell, CellKey, Reporter
from pycyto.steps.cells import ImageCells, Tally

_MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Label:
    """The label of a cell.

    Attributes
    ----------
    name
        Class in the scheme, or a class outside it; empty for none.
    origin, selected_by
        As in the manifest: who decided, with what help; what picked the cell.
    annotator
        Who decided; None where only the image's metadata may tell.
    decided_at
        When, ISO 8601.
    """

    name: str
    origin: str
    selected_by: str
    annotator: str | None = None
    decided_at: str = UNKNOWN


def label_in_qupath(cell: Cell, scheme: LabelScheme) -> Label:
    """Return the class of an object as the label that somebody gave it by hand."""
    name = label_of(cell.class_name, scheme)
    by_hand = _MANUAL if name else UNKNOWN
    return Label(name, by_hand, by_hand)


def label_from(decision: Decision, scheme: LabelScheme) -> Label:
    """Return the label that a reviewer decided on.

    The run's order brought the cell before the reviewer, also where its prediction was
    hidden: a model picked it in any case.
    """
    return Label(
        label_of(decision.label, scheme),
        "model_assisted" if decision.shown == "prediction" else _MANUAL,
        decision.run,
        decision.reviewer,
        decision.at.isoformat(timespec="milliseconds"),
    )


def label_read(agreed: ConsensusLabel, scheme: LabelScheme) -> Label:
    """Return the label that blinded readers came to.

    Where a run's predictions picked the cell, a model had a part in what is tested on it,
    however blind the readers were.
    """
    name = label_of(agreed.label, scheme)
    return Label(name, agreed.origin, agreed.selected_by, agreed.annotator, agreed.decided_at)


def verdicts_of(project: Project) -> dict[CellKey, Verdict]:
    """Return what holds for each cell of a project that was reviewed.

    Raises
    ------
    BadInputError
        When a log cannot be read, or was made for another project.
    """
    verdicts = replay(read_decisions(project.workspace))
    for key, verdict in verdicts.items():
        if key.project_id != project.project_id:
            raise BadInputError(
                f"A log of {verdict.reviewer} here is of another project.",
                where=project.workspace / "decisions",
                remedy="Move the file into the project that was reviewed.",
            )
    return verdicts


class Labelling(Protocol):
    """How an export comes to its labels."""

    def chosen(self, found: ImageCells, tally: Tally) -> ImageCells:
        """Return the cells of an image that have a label; the others are counted."""

    def of(self, cell: Cell) -> Label:
        """Return the label of a cell that was chosen."""

    def say(self, reporter: Reporter) -> None:
        """Tell at the end what only a person can put right."""


class LabelsInQuPath:
    """Every cell has the label that its class in QuPath says.

    Parameters
    ----------
    verdicts
        What was reviewed: where a class came of a review, its label says so.
    """

    def __init__(self, scheme: LabelScheme, verdicts: Mapping[CellKey, Verdict]) -> None:
        self._scheme = scheme
        self._verdicts = verdicts

    def chosen(self, found: ImageCells, tally: Tally) -> ImageCells:
        """Return all cells."""
        return found

    def of(self, cell: Cell) -> Label:
        """Return the class in QuPath, and who gave it."""
        label = label_in_qupath(cell, self._scheme)
        verdict = self._verdicts.get(cell.key)
        if verdict is None or verdict.decided is None:
            return label
        reviewed = label_from(verdict.decided, self._scheme)
        # A cell that had this class before anybody reviewed it owes it to no review.
        before = label_of(verdict.lines[0].old_class, self._scheme)
        return reviewed if reviewed.name == label.name != before else label

    def say(self, reporter: Reporter) -> None:
        """Tell nothing."""
