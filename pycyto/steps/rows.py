"""The manifest's row of a cell: where it lies, what it shows, who said so."""

from __future__ import annotations

from dataclasses import asdict

from pycyto.images.crop import Square
from pycyto.manifest import UNKNOWN, Row
from pycyto.qupath.project import ImageEntry
from pycyto.records import Cell, CellKey
from pycyto.settings import MetadataKeys
from pycyto.steps.context import Context
from pycyto.steps.labelling import Label


def row_of(cell: Cell, square: Square, label: Label, image: ImageEntry, context: Context) -> Row:
    """Return the row of a cell's patch; its hash is not known yet.

    Parameters
    ----------
    square
        What is cut, in full-resolution pixels.
    label
        The class that it is exported with.
    """
    outline = None if cell.is_point else cell.bounds
    said = said_of(image, context.settings.metadata_keys)
    return Row(
        *cell.key,
        kind=cell.kind,
        image_key=image.image_key,
        project_name=context.project.name,
        image_name=image.name,
        centroid_x=cell.x,
        centroid_y=cell.y,
        left=square.left,
        top=square.top,
        width=square.width,
        downsample=square.downsample,
        z=cell.z,
        t=cell.t,
        mpp=None if image.mpp is None else image.mpp * square.downsample,
        outline_width=None if outline is None else outline.width,
        outline_height=None if outline is None else outline.height,
        outline_area=None if outline is None else cell.area,
        label=label.name,
        original_label=cell.class_name or "",
        scheme=context.scheme.name if context.scheme.find(label.name) else "",
        label_origin=label.origin,
        selected_by=label.selected_by,
        decided_at=label.decided_at,
        source=context.project.name,
        content_hash="",
        file=_file_of(cell.key, context.scheme.folder_of(label.name)),
        site=said["site"],
        patient=said["patient"],
        slide=said["slide"],
        scanner=said["scanner"],
        preparation=said["preparation"],
        annotator=label.annotator or said["annotator"],
    )


def said_of(image: ImageEntry, keys: MetadataKeys) -> dict[str, str]:
    """Return site, patient, slide, and so on: what the image's metadata says, else unknown."""
    return {
        name: image.metadata.get(key, "").strip() or UNKNOWN for name, key in asdict(keys).items()
    }


def _file_of(key: CellKey, class_folder: str) -> str:
    point = "" if key.point_index is None else f"_p{key.point_index}"
    return f"images/{class_folder}/{key.entry_id}_{key.object_id}{point}.png"
