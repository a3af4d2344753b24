"""QuPath's GeoJSON dialect, read into records.

One reader serves both backends: the scripts write these features to a file, and
the paquo backend asks QuPath for the same ones in memory. QuPath rounds
coordinates to 0.01 px, which moves a crop now and then, so each feature also
carries a member ``pycyto`` with what was rounded away (see docs/formats.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import Bounds, ImageObjects, ProjectObject

SCHEMA = 1


def cells_file(workspace: Path, entry_id: str) -> Path:
    """Return where the objects of an image are kept for reading without Java."""
    return workspace / "cells" / f"{entry_id}.geojson"


def read_cells_file(path: Path, entry_id: str) -> ImageObjects:
    """Read what a script or the paquo backend has kept of an image.

    Raises
    ------
    BadInputError
        When it is not such a file, is truncated, or belongs to another image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"This file cannot be read ({error}).", where=path) from error
    return read_cells(data, entry_id, path)


def read_cells(data: bytes, entry_id: str, where: Path) -> ImageObjects:
    """Read the content of such a file.

    Parameters
    ----------
    where
        What an error names: the file, or the data that QuPath made it from.

    Raises
    ------
    BadInputError
        When it is not such a file, is truncated, or belongs to another image.
    """
    remedy = "Run export_cells.groovy for this image again."
    try:
        content = orjson.loads(data)
        header = content["pycyto"]
        schema, header_id, sha256 = header["schema"], header["entry_id"], header["data_sha256"]
        found = objects_from(content["features"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"This file of cells cannot be read ({error!r}).", where=where, remedy=remedy
        ) from error
    if schema != SCHEMA or str(header_id) != entry_id:
        raise BadInputError(
            "This file of cells is for another image or another version of pycyto.",
            where=where,
            remedy=remedy,
        )
    return ImageObjects(entry_id, str(sha256), found)


def write_cells_file(
    path: Path,
    entry_id: str,
    features: Iterable[Mapping[str, Any]],
    *,
    data_sha256: str,
    qupath: str,
) -> None:
    """Write the objects of an image, one feature per line."""
    header = {
        "schema": SCHEMA,
        "entry_id": entry_id,
        "data_sha256": data_sha256,
        "qupath": qupath,
        "written_at": files.now(),
    }
    with files.writing(path, binary=True) as stream:
        stream.write(b'{"type":"FeatureCollection",\n"pycyto":' + orjson.dumps(header))
        stream.write(b',\n"features":[\n')
        for number, feature in enumerate(features):
            stream.write((b",\n" if number else b"") + orjson.dumps(feature))
        stream.write(b"\n]}\n")


def objects_from(features: Iterable[Mapping[str, Any]]) -> tuple[ProjectObject, ...]:
    """Turn features into records, in the order given.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError
        When a feature lacks what QuPath always writes.
    """
    return tuple(_object(feature) for feature in features)


def _object(feature: Mapping[str, Any]) -> ProjectObject:
    properties, exact = feature["properties"], feature["pycyto"]
    nucleus = exact.get("nucleus")
    return ProjectObject(
        object_id=str(feature["id"]).lower(),
        kind=properties.get("objectType") or "annotation",
        class_name=_class_name(properties.get("classification")),
        centroid=_point(exact["centroid"]),
        bounds=Bounds(*map(float, exact["bounds"])),
        area=float(exact["area"]),
        z=int(exact.get("z", 0)),
        t=int(exact.get("t", 0)),
        name=properties.get("name"),
        locked=bool(properties.get("isLocked", False)),
        nucleus_centroid=_point(nucleus) if nucleus else None,
        points=tuple(_point(point) for point in exact.get("points", ())),
        geometry=feature["geometry"],
        measurements=_finite(properties.get("measurements")),
    )


def _class_name(classification: Any) -> str | None:
    if not classification:
        return None
    if isinstance(classification, str):
        return classification
    names = classification.get("names")
    return ": ".join(names) if names else classification.get("name") or None


def _finite(measurements: Any) -> dict[str, float]:
    """Return measurements as a table; QuPath up to 0.3 wrote a list of pairs."""
    if isinstance(measurements, list):
        measurements = {item["name"]: item["value"] for item in measurements}
    known = {name: value for name, value in (measurements or {}).items() if value is not None}
    numbers = {name: float(value) for name, value in known.items()}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _point(pair: Any) -> tuple[float, float]:
    x, y = map(float, pair)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"a point at {pair}")
    return x, y
