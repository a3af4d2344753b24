"""Fields of a public set with their cells as classified points, to be corrected in QuPath."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.labels import Colour
from pycyto.qupath import _java
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import FILE_NAME

RECIPE = "fields.json"


@dataclass(frozen=True, slots=True)
class Point:
    """One cell: its UUID, class, and place in full-resolution pixels."""

    object_id: str
    class_name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Field:
    """One image with its cells.

    Attributes
    ----------
    metadata
        What QuPath shows below the list of images, by key.
    """

    image: Path
    name: str
    points: Sequence[Point]
    mpp: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def write_fields(folder: Path, fields: Iterable[Field], colours: Mapping[str, Colour]) -> None:
    """Write the cells of each field as ``<name>.geojson``, which QuPath opens, and the recipe.

    Parameters
    ----------
    colours
        Of all classes.
    """
    images = []
    for one in fields:
        features = [_feature(point, colours[point.class_name]) for point in one.points]
        collection = {"type": "FeatureCollection", "features": features}
        files.write_text(folder / f"{one.name}.geojson", json.dumps(collection) + "\n")
        images.append(
            {
                "file": str(one.image),
                "name": one.name,
                "mpp": one.mpp,
                "metadata": dict(one.metadata),
            }
        )
    classes = {name: list(colour) for name, colour in colours.items()}
    files.write_json(folder / RECIPE, {"classes": classes, "images": images})


def make_project(installation: Installation, folder: Path, fields: Path) -> None:
    """Make a QuPath project of the fields that `write_fields` has written.

    The images stay where they are.

    Raises
    ------
    BadInputError
        When QuPath cannot open an image.
    PartlyDoneError
        When not all cells could be saved.
    """
    from jpype import JClass

    library = _java.library(installation)
    file = JClass("java.io.File")
    with _java.refusals(folder / FILE_NAME):
        library.PycytoFields.makeProject(file(str(folder)), file(str(fields / RECIPE)))


def _feature(point: Point, colour: Colour) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": point.object_id,
        "geometry": {"type": "Point", "coordinates": [point.x, point.y]},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": point.class_name, "color": list(colour)},
        },
    }
