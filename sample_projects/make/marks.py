"""What lies on the images, as plain data between the drawing and the QuPath project."""

import json
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from shapely.geometry import MultiPoint, Polygon, box

from canvas import Points
from paint import Drawn
from shapes import largest_polygon

Ring: TypeAlias = list[tuple[float, float]]
Shape: TypeAlias = Literal["polygon", "ellipse", "points"]

_NAMESPACE = uuid.UUID("6f1c1e9c-6a3b-5d0e-9a55-0b1f6f3c2a77")


@dataclass(frozen=True)
class Mark:
    """One QuPath object. All coordinates in px of the full resolution.

    Attributes
    ----------
    rings
        Polygon: outline, then holes. Ellipse: the two opposite corners of its box.
        Points: the points.
    label
        Class shown in QuPath, None for unclassified.
    truth
        Class that was drawn, known even where none is shown.
    nuclei
        Outlines of the nuclei, for information.
    """

    image: str
    patient: str
    object: Literal["annotation", "detection"]
    shape: Shape
    rings: list[Ring]
    label: str | None
    truth: str
    centroid: tuple[float, float]
    nuclei: list[Ring] = field(default_factory=list)

    @property
    def object_id(self) -> str:
        """UUID of the object: the same drawing gives the same one."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.image}|{self.shape}|{self.rings}"))


@dataclass(frozen=True)
class Entry:
    """One project entry; ``mpp`` is None where no pixel size is known."""

    file: str
    name: str
    width: int
    height: int
    mpp: float | None
    metadata: dict[str, str]
    hard_cases: list[str] = field(default_factory=list)


def ring(points: Points) -> Ring:
    """Coordinates rounded to a thousandth of a pixel, which float32 keeps."""
    return [(round(float(x), 3), round(float(y), 3)) for x, y in points]


def polygon_mark(
    entry: Entry,
    drawn: Drawn,
    *,
    label: str | None,
    detection: bool = False,
    holes: tuple[Points, ...] = (),
) -> Mark:
    """A cell outlined by a polygon that stays inside the image."""
    whole = Polygon(ring(drawn.outline), [ring(hole) for hole in holes]).buffer(0)
    shape = largest_polygon(whole.intersection(box(0, 0, entry.width, entry.height)))
    rings = [ring(np.asarray(part.coords)[:-1]) for part in (shape.exterior, *shape.interiors)]
    return Mark(
        image=entry.file,
        patient=entry.metadata["Patient"],
        object="detection" if detection else "annotation",
        shape="polygon",
        rings=rings,
        label=label,
        truth=drawn.label,
        centroid=(float(shape.centroid.x), float(shape.centroid.y)),
        nuclei=[ring(nucleus) for nucleus in drawn.nuclei],
    )


def points_mark(entry: Entry, points: list[tuple[float, float]], label: str) -> Mark:
    """One annotation of several points, one on each cell."""
    centre = MultiPoint(points).centroid
    patient = entry.metadata["Patient"]
    return Mark(
        entry.file, patient, "annotation", "points", [points], label, label, (centre.x, centre.y)
    )


def ellipse_mark(entry: Entry, drawn: Drawn, label: str) -> Mark:
    """A cell circled with QuPath's ellipse tool."""
    x0, y0 = (float(value) for value in np.floor(drawn.outline.min(axis=0)))
    x1, y1 = (float(value) for value in np.ceil(drawn.outline.max(axis=0)))
    patient = entry.metadata["Patient"]
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    corners: Ring = [(x0, y0), (x1, y1)]
    return Mark(entry.file, patient, "annotation", "ellipse", [corners], label, drawn.label, centre)


def write_marks(path: Path, entries: list[Entry], marks: list[Mark]) -> None:
    """Keep the drawing as JSON, from which the project is written."""
    content = {
        "images": [asdict(entry) for entry in entries],
        "cells": [asdict(mark) | {"object_id": mark.object_id} for mark in marks],
    }
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
