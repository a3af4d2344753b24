"""The fields of a public set become a QuPath project, with each cell as a classified point."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from pycyto import files
from pycyto.datasets.harmonise import Table
from pycyto.datasets.sources.cells import Notes, Source, SourceCell
from pycyto.labels import Colour
from pycyto.manifest import UNKNOWN
from pycyto.qupath.fields import Field, Point, make_project, write_fields
from pycyto.qupath.locate import find_qupath
from pycyto.qupath.project import FIELDS
from pycyto.records import Reporter
from pycyto.settings import MetadataKeys, load_settings
from pycyto.steps.cutting import object_id_of

# Of classes that the scheme has not.
_OTHER: Colour = (128, 0, 128)


def make_project_of(
    source: Source, table: Table, src: Path, folder: Path, qupath: Path | None, reporter: Reporter
) -> None:
    """Make a project; nothing of it stays if that fails.

    Where there is no QuPath the files of cells are left, and the reporter says how to load them.

    Raises
    ------
    RefusedError
        There is something in `folder` already.
    BadInputError, PartlyDoneError
        QuPath cannot open an image, or not save all cells.
    """
    files.refuse_existing(folder)
    installation = find_qupath(qupath)
    fields = list(_fields(source, table, src))
    kept = folder / FIELDS
    try:
        write_fields(kept, fields, _colours(table, fields))
        if installation is not None:
            make_project(installation, folder, kept)
    except BaseException:
        files.remove_folder(folder)
        raise
    cells = sum(len(field.points) for field in fields)
    if installation is not None:
        reporter.say(f"{folder}: a QuPath project of {len(fields)} fields with {cells} points.")
        return
    reporter.say(
        f"No QuPath was found, so the {cells} points of {len(fields)} fields are left as files in "
        f"{kept}. In QuPath make a project in an empty folder, add the images of {src} to it, and "
        "run import_cells.groovy (pycyto scripts install) with Run for project (without saving); "
        "its setting 'folder' is this folder."
    )


def _fields(source: Source, table: Table, src: Path) -> Iterator[Field]:
    keys = load_settings().metadata_keys
    for image, cells in groupby(source.cells(src, Notes()), lambda cell: cell.image):
        own = list(cells)
        yield Field(
            image=image,
            name=own[0].image_name,
            points=[_point(source, table, cell) for cell in own],
            mpp=own[0].mpp,
            metadata=_metadata(own, keys),
        )


def _point(source: Source, table: Table, cell: SourceCell) -> Point:
    """Return a cell with its class in the scheme, or else with the source's own."""
    mapped = table.find(cell.original_label)
    label = mapped.label if mapped and mapped.label else cell.original_label
    x, y = cell.centre or (0.0, 0.0)
    return Point(object_id_of(source.name, cell), label, x, y)


def _metadata(cells: list[SourceCell], keys: MetadataKeys) -> dict[str, str]:
    """Return what all cells of a field have in common, under the keys of the settings."""
    found = {keys.slide: cells[0].slide}
    for name in ("patient", "site", "scanner", "preparation", "annotator"):
        values = {cell.said.get(name, UNKNOWN) for cell in cells}
        if len(values) == 1 and values != {UNKNOWN}:
            found[getattr(keys, name)] = values.pop()
    return found


def _colours(table: Table, fields: list[Field]) -> dict[str, Colour]:
    named = sorted({point.class_name for field in fields for point in field.points})
    scheme = {label.name: label.colour for label in table.scheme.labels}
    return {**scheme, **{name: scheme.get(name, _OTHER) for name in named}}
