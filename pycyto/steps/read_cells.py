"""The cells of an assignment in their images: are they still there, whose, how do they look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pycyto.datasets.groups import LEVELS, Group, groups_of
from pycyto.errors import BadInputError
from pycyto.images.pictures import data_uri
from pycyto.images.resolution import Resolution
from pycyto.labels import counted
from pycyto.manifest import Row
from pycyto.pseudonyms import pseudonyms_of
from pycyto.qupath.assignments import AssignedCell, Assignment
from pycyto.qupath.backend import Backend
from pycyto.qupath.project import ImageEntry
from pycyto.records import Bounds, Cell, ProjectObject, Reporter
from pycyto.steps.cells import ImageCells, Tally, cut_patches
from pycyto.steps.context import Context
from pycyto.steps.rows import said_of


@dataclass(frozen=True, slots=True)
class ReadImages:
    """The images of an assignment's cells.

    Attributes
    ----------
    entries
        Those that are still in the project, by entry ID.
    names
        What a report may call each, by entry ID.
    groups
        Patient, else slide, else image, by entry ID. Their names hold identifiers.
    """

    entries: Mapping[str, ImageEntry]
    names: Mapping[str, str]
    groups: Mapping[str, Group]

    def group_names(self, assignment: Assignment) -> list[str]:
        """Return the group of each cell; an image that is gone is a group of its own."""
        return [
            self.groups[key.entry_id].name
            if key.entry_id in self.groups
            else f"gone/{key.entry_id}"
            for key in (cell.key for cell in assignment.cells)
        ]

    def levels(self, assignment: Assignment) -> dict[str, int]:
        """Return how many groups of the cells rest on patient, slide and image."""
        entries = {cell.key.entry_id for cell in assignment.cells}
        known = {group.name: group.level for entry in entries if (group := self.groups.get(entry))}
        levels = Counter(known.values())
        levels["image"] += len(entries - self.groups.keys())
        return {level: levels[level] for level in LEVELS}


def images_of(context: Context, assignment: Assignment, reporter: Reporter) -> ReadImages:
    """Return the images of the cells, with what a report may say of them."""
    wanted = {cell.key.entry_id for cell in assignment.cells}
    rows = [_row(image, context) for image in context.project.images]
    hide = pseudonyms_of(context.project.workspace, reporter).hide
    return ReadImages(
        {own.entry_id: own for own in context.project.images if own.entry_id in wanted},
        {row.entry_id: hide(row).image_name for row in rows},
        {row.entry_id: group for group in groups_of(rows) for row in group.rows},
    )


def gone_cells(
    backend: Backend, assignment: Assignment, images: ReadImages, reporter: Reporter
) -> list[str]:
    """Return the object IDs of cells that are no longer in the project.

    Of an image whose objects cannot be read this is not known, and the reporter says so.
    """
    entries = sorted({cell.key.entry_id for cell in assignment.cells})
    there: dict[str, dict[str, ProjectObject]] = {}
    unknown = []
    with reporter.progress("look for the cells", len(entries)) as advance:
        for entry_id in entries:
            try:
                objects = backend.read(entry_id).objects if entry_id in images.entries else ()
                there[entry_id] = {item.object_id: item for item in objects}
            except BadInputError as error:
                unknown.append(error)
            advance(1)
    if unknown:
        reporter.warn(
            f"Whether the cells of {counted(len(unknown), 'image')} are still there is not known: "
            f"{unknown[0]}"
        )
    known = [cell for cell in assignment.cells if cell.key.entry_id in there]
    gone = [cell for cell in known if _is_gone(cell, there[cell.key.entry_id])]
    return [cell.key.object_id for cell in gone]


def _is_gone(cell: AssignedCell, objects: Mapping[str, ProjectObject]) -> bool:
    item = objects.get(cell.key.object_id)
    return item is None or (cell.key.point_index or 0) >= max(len(item.points), 1)


def pictures_of(
    context: Context,
    assignment: Assignment,
    images: ReadImages,
    which: Sequence[int],
    reporter: Reporter,
) -> tuple[dict[int, str], Counter[str]]:
    """Return data URIs of the patches of some cells, and by reason how many could not be cut.

    They are cut as `pycyto.export` cuts them at full resolution.
    """
    numbers = {assignment.cells[index].key: index for index in which}
    found: dict[int, str] = {}
    tally = Tally()
    with reporter.progress("cut pictures", len(which)) as advance:
        for entry_id, image in images.entries.items():
            own = [assignment.cells[at] for key, at in numbers.items() if key.entry_id == entry_id]
            for cell, _, pixels in cut_patches(
                ImageCells(image, "", [_cell(assigned) for assigned in own]),
                resolution=Resolution(),
                mappings=context.settings.path_mappings,
                tally=tally,
            ):
                if pixels is not None:
                    found[numbers[cell.key]] = data_uri(pixels)
                    advance(1)
    missing = tally.failed + tally.skipped
    missing["image no longer in the project"] = len(which) - len(found) - missing.total()
    return found, +missing


def _cell(assigned: AssignedCell) -> Cell:
    bounds = Bounds(
        assigned.x - assigned.width / 2,
        assigned.y - assigned.height / 2,
        assigned.width,
        assigned.height,
    )
    return Cell(
        key=assigned.key,
        kind="annotation",
        class_name=None,
        x=assigned.x,
        y=assigned.y,
        bounds=bounds,
        area=0.0,
        z=assigned.z,
        t=assigned.t,
    )


def _row(image: ImageEntry, context: Context) -> Row:
    """Return an image as a row of a manifest without a cell: by that groups and names go."""
    said = said_of(image, context.settings.metadata_keys)
    return Row(
        project_id=context.project.project_id,
        entry_id=image.entry_id,
        object_id="",
        point_index=None,
        image_key=image.image_key,
        project_name=context.project.name,
        image_name=image.name,
        centroid_x=0.0,
        centroid_y=0.0,
        left=0,
        top=0,
        width=0,
        downsample=1.0,
        label="",
        original_label="",
        content_hash="",
        file="",
        source=context.project.name,
        site=said["site"],
        patient=said["patient"],
        slide=said["slide"],
    )
