"""What everybody said of the cells of one assignment, people and model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from pycyto.errors import BadInputError
from pycyto.evaluation.classified import Classes
from pycyto.evaluation.readers import NONE, Calls
from pycyto.evaluation.reading_report import Labels, ModelSaid, Progress
from pycyto.qupath import runs
from pycyto.qupath.assignments import Assignment
from pycyto.qupath.project import Project
from pycyto.qupath.reads import ConsensusLabel, Read, consensus_labels, labels_of, reads_by
from pycyto.qupath.run_tables import read_cells
from pycyto.qupath.runs import Run
from pycyto.records import CellKey

MODEL, TRAINED = "the model", "the model (trained on these)"


@dataclass(frozen=True, slots=True)
class Readings:
    """The reads of one assignment.

    Attributes
    ----------
    reads
        By reader, by position in the reader's order.
    labels
        By cell: those that came of this assignment, or that the cells of a
        proficiency set had before.
    """

    assignment: Assignment
    reads: Mapping[str, Mapping[int, Read]]
    labels: Mapping[int, ConsensusLabel]

    def shown(self, reader: str, time: int) -> dict[int, Read]:
        """Return by cell what a reader said at its first (0) or second (1) showing."""
        reads = self.reads[reader]
        showings = self.assignment.showings(reader).items()
        return {
            cell: reads[places[time]]
            for cell, places in showings
            if len(places) > time and places[time] in reads
        }

    def calls(self, reader: str, time: int = 0) -> Calls:
        """Return a reader's calls of all cells, at the first (0) or second (1) showing."""
        said = {cell: read.label for cell, read in self.shown(reader, time).items()}
        return Calls(reader, self._classes(said))

    @property
    def truth(self) -> Classes:
        """The label of each cell, (n,), as the index of its class or `NONE`."""
        return self._classes({cell: found.label for cell, found in self.labels.items()})

    def _classes(self, said: Mapping[int, str | None]) -> Classes:
        return classes_of(said, self.assignment)


def readings_of(project: Project, assignment: Assignment) -> Readings:
    """Return what was read.

    Raises
    ------
    BadInputError
        A file of reads that cannot be used.
    """
    workspace = project.workspace
    reads = {reader: reads_by(workspace, assignment, reader) for reader in assignment.readers}
    if assignment.kind == "double read":
        return Readings(assignment, reads, labels_of(workspace, assignment))
    known = consensus_labels(project)
    cells = enumerate(assignment.cells)
    labels = {index: known[cell.key] for index, cell in cells if cell.key in known}
    return Readings(assignment, reads, labels)


def progress_of(readings: Readings, reader: str) -> Progress:
    """Return how far a reader has come."""
    reads = readings.reads[reader].values()
    actions = Counter(read.action for read in reads)
    to_read = len(readings.assignment.orders[reader])
    return Progress(
        reader,
        to_read,
        called=actions["class"],
        skipped=actions["skip"],
        flagged=actions["flag"],
        left=to_read - actions.total(),
        seconds=median(read.seconds for read in reads) if reads else None,
    )


def labels_found(readings: Readings) -> Labels:
    """Return how far the cells have come to a label."""
    firsts = [readings.shown(reader, 0) for reader in readings.assignment.readers]
    found: Counter[str] = Counter()
    for cell in range(len(readings.assignment.cells)):
        label = readings.labels.get(cell)
        if label is None:
            found["open" if all(cell in own for own in firsts) else "unread"] += 1
        elif label.origin == "adjudicated":
            found["adjudicated"] += 1
        else:
            said = {own[cell].label if cell in own else None for own in firsts}
            found["agreed" if said == {label.label} else "consensus"] += 1
    return Labels(
        len(readings.assignment.cells),
        found["agreed"],
        found["consensus"],
        found["adjudicated"],
        found["open"],
        found["unread"],
    )


def model_calls(
    project: Project, assignment: Assignment, name: str | None
) -> tuple[list[Calls], ModelSaid | None]:
    """Return what a model said of the cells, those that it was trained on apart.

    Parameters
    ----------
    name
        Of the run; by default the newest that has one of the cells, if there is any.

    Raises
    ------
    BadInputError
        The run is not there, cannot be read, or has none of the cells.
    """
    wanted = {cell.key: index for index, cell in enumerate(assignment.cells)}
    if name is not None:
        run = runs.pick(project.workspace, name, ())
        said = _said_in(run, wanted)
        if not said:
            raise BadInputError(
                f"The run {name} has none of the cells of the assignment {assignment.name}.",
                where=run.folder,
                remedy="Predict these cells, or leave out --run.",
            )
        return _model(run, said, assignment)
    for run in reversed(runs.all_runs(project.workspace)):
        if run.state in ("staged", "partly written", "written") and (said := _said_in(run, wanted)):
            return _model(run, said, assignment)
    return [], None


def _model(
    run: Run, said: Mapping[int, tuple[str, bool]], assignment: Assignment
) -> tuple[list[Calls], ModelSaid]:
    known = {cell: own for cell, own in said.items() if own[0] in assignment.classes}
    fresh, seen = (
        {cell: label for cell, (label, trained) in known.items() if trained == wanted}
        for wanted in (False, True)
    )
    calls = []
    if fresh:
        calls.append(Calls(MODEL, classes_of(fresh, assignment), is_model=True))
    if seen:
        classes = classes_of(seen, assignment)
        calls.append(Calls(TRAINED, classes, is_model=True, trained_on=True))
    told = ModelSaid(
        run.name,
        run.model["network"],
        run.model["bundle_id"],
        cells=len(known),
        missing=len(assignment.cells) - len(known),
        trained_on=len(seen),
    )
    return calls, told


def _said_in(run: Run, wanted: Mapping[CellKey, int]) -> dict[int, tuple[str, bool]]:
    """Return the predicted class of each wanted cell, and whether the model was trained on it."""
    entries = {key.entry_id for key in wanted if key.project_id == run.project_id}
    found = {}
    for entry_id in sorted(entries & run.images.keys()):
        for cell in read_cells(run, entry_id):
            if cell.key in wanted:
                found[wanted[cell.key]] = (cell.label, cell.trained_on)
    return found


def classes_of(said: Mapping[int, str | None], assignment: Assignment) -> Classes:
    """Return what is said of cells as indices of classes, (n,); `NONE` where nothing is."""
    found = np.full(len(assignment.cells), NONE, np.int64)
    for cell, label in said.items():
        if label is not None:
            found[cell] = assignment.classes.index(label)
    return found
