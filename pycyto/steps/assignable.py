"""Cells that can be assigned to readers, and the class that they are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pycyto.errors import BadInputError
from pycyto.labels import counted
from pycyto.qupath import run_tables, runs
from pycyto.qupath.assignments import AssignedCell, assignments_of, reads_folder
from pycyto.qupath.backend import Backend
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import Project
from pycyto.qupath.reads import consensus_labels
from pycyto.qupath.selection import ObjectKind, Selection, label_of
from pycyto.records import Cell, CellKey, ProjectObject, Reporter
from pycyto.steps.cells import Tally, chosen_images, read_cells
from pycyto.steps.context import Context

# A source that has moved further than this, in full-resolution pixels, is another cell.
_MOVED = 0.5


@dataclass(frozen=True, slots=True)
class Assignable:
    """One cell, and the class that it is chosen by; empty for none."""

    cell: AssignedCell
    label: str


def annotated(
    context: Context,
    objects: ObjectKind,
    images: Sequence[str] | None,
    reporter: Reporter,
    *,
    unclassified: bool,
) -> dict[CellKey, Assignable]:
    """Return the cells that the expert has marked, by the class that they have in QuPath.

    Raises
    ------
    BadInputError
        When the objects of an image cannot be read: a choice among the others would be
        another one than was asked for.
    """
    wanted = Selection(
        context.scheme,
        objects=objects,
        unclassified=unclassified,
        largest_outline=context.settings.largest_outline,
    )
    tally, chosen = Tally(), chosen_images(context.project, images)
    backend = _backend(context, reporter)
    found = {}
    with reporter.progress("images", len(chosen)) as advance:
        for image in read_cells(context.project, backend, chosen, wanted, tally):
            for cell in image.cells:
                label = label_of(cell.class_name, context.scheme)
                found[cell.key] = Assignable(_assigned(cell), label)
            advance(1)
    if tally.failures:
        raise BadInputError(
            f"The cells of some images cannot be read:\n{tally.failures}",
            where=context.project.file,
            remedy="Mend these, or name the other images with --images. Nothing was assigned.",
        )
    tally.used = len(found)
    tally.say("can be assigned", {}, reporter)
    return found


def predicted(
    context: Context, name: str, images: Sequence[str] | None, reporter: Reporter
) -> dict[CellKey, Assignable]:
    """Return the cells of a run, by their predicted class.

    Raises
    ------
    BadInputError
        There is no such run, it is of another project, or it cannot be read.
    """
    project = context.project
    run = runs.pick(project.workspace, name, ())
    if run.project_id != project.project_id:
        raise BadInputError("This run is of another project.", where=run.folder)
    backend = _backend(context, reporter)
    found: dict[CellKey, Assignable] = {}
    gone = 0
    for image in chosen_images(project, images):
        if image.entry_id not in run.images:
            continue
        objects = {item.object_id: item for item in backend.read(image.entry_id).objects}
        for cell in run_tables.read_cells(run, image.entry_id):
            item, place = objects.get(cell.key.object_id), (cell.x, cell.y)
            if item is None or _has_moved(item, cell.key, place):
                gone += 1
            else:
                found[cell.key] = Assignable(_of_object(cell.key, item, place), cell.label)
    if gone:
        reporter.say(f"{counted(gone, 'cell')} of the run left out: deleted or moved since.")
    return found


def adjudicated(project: Project) -> dict[CellKey, Assignable]:
    """Return the cells that readers have come to a label of, by that label.

    Raises
    ------
    BadInputError
        When an assignment or a file of reads cannot be used, or there is no such cell.
    """
    labels = consensus_labels(project)
    if not labels:
        raise BadInputError(
            "No cell of this project has a label that readers came to.",
            where=reads_folder(project.workspace),
            remedy="Take a double read to its consensus first; then there are cells to train on.",
        )
    cells = {cell.key: cell for own in assignments_of(project) for cell in own.cells}
    return {key: Assignable(cells[key], found.label) for key, found in labels.items()}


def _backend(context: Context, reporter: Reporter) -> Backend:
    backend = context.backend(reporter)
    warn_of_overwritten(context.project, lambda: backend, reporter)
    return backend


def _assigned(cell: Cell) -> AssignedCell:
    width, height = (0.0, 0.0) if cell.is_point else (cell.bounds.width, cell.bounds.height)
    return AssignedCell(cell.key, cell.x, cell.y, cell.z, cell.t, width, height)


def _has_moved(item: ProjectObject, key: CellKey, place: tuple[float, float]) -> bool:
    now = item.centroid
    if key.point_index is not None:
        if key.point_index >= len(item.points):
            return True
        now = item.points[key.point_index]
    elif item.nucleus_centroid is not None and _near(item.nucleus_centroid, place):
        return False
    return not _near(now, place)


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) <= _MOVED for a, b in zip(one, other, strict=True))


def _of_object(key: CellKey, item: ProjectObject, place: tuple[float, float]) -> AssignedCell:
    is_point = key.point_index is not None
    width, height = (0.0, 0.0) if is_point else (item.bounds.width, item.bounds.height)
    return AssignedCell(key, *place, item.z, item.t, width, height)
