"""QuPath's GeoJSON dialect, read into records and written from them.

One reader serves both backends: the scripts write these features to a file, and
the paquo backend asks QuPath for the same ones in memory. QuPath rounds
coordinates to 0.01 px, which moves a crop now and then, so each feature also
carries a member ``pycyto`` with what was rounded away (see docs/formats.md).

A slide can have a million cells with forty vertices each, so a file is read line
by line and outlines stay text until somebody looks at one: as Python's lists and
floats they would take ten times the memory of all the rest.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import IO, Any

import orjson

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import Bounds, ImageObjects, ProjectObject

SCHEMA = 1

_REMEDY = "Run export_cells.groovy for this image again."
# Lines before that of the first object.
_HEAD = 3
# What a feature can do to the code that reads it.
_WRONG = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
# QuPath's IDs are UUIDs. They become parts of file names, so nothing else may pass.
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class PackedGeometry(Mapping[str, Any]):
    """A GeoJSON geometry whose coordinates are decoded anew each time they are asked for.

    Parameters
    ----------
    geometry
        With a ``type``, which is kept at hand.

    Raises
    ------
    KeyError, TypeError
        When it is no geometry.
    """

    __slots__ = ("_text", "_type")

    def __init__(self, geometry: Mapping[str, Any]) -> None:
        self._type = sys.intern(geometry["type"])
        # Copied, since orjson leaves the text in a buffer several times its size.
        self._text = bytes(memoryview(orjson.dumps(geometry)))

    def __getitem__(self, name: str) -> Any:
        return self._type if name == "type" else orjson.loads(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(orjson.loads(self._text))

    def __len__(self) -> int:
        return len(orjson.loads(self._text))

    def __repr__(self) -> str:
        return f"PackedGeometry({orjson.loads(self._text)!r})"

    def unpacked(self) -> dict[str, Any]:
        """Return it as QuPath wrote it."""
        found: dict[str, Any] = orjson.loads(self._text)
        return found


def cells_file(workspace: Path, entry_id: str) -> Path:
    """Return where the objects of an image are kept for reading without Java."""
    return workspace / "cells" / f"{entry_id}.geojson"


def read_cells_file(path: Path, entry_id: str) -> ImageObjects:
    """Read what a script or the paquo backend has kept of an image.

    Raises
    ------
    BadInputError
        When it is not such a file, is truncated, or belongs to another image;
        an object that cannot be read is named by its number and ID.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream, entry_id, path)
    except OSError as error:
        raise BadInputError(f"This file cannot be read ({error}).", where=path) from error


def read_cells(data: bytes, entry_id: str, where: Path) -> ImageObjects:
    """Read the content of such a file.

    Parameters
    ----------
    where
        What an error names: the file, or the data that QuPath made it from.

    Raises
    ------
    BadInputError
        As `read_cells_file` does.
    """
    return _read(BytesIO(data), entry_id, where)


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

    Two objects of the same ID, which QuPath makes when a file is imported twice,
    are two records.

    Raises
    ------
    ValueError
        When a feature lacks what QuPath always writes; it names the object.
    """
    found = []
    for number, feature in enumerate(features, 1):
        try:
            found.append(_object(feature))
        except _WRONG as error:
            name = f"object {number}{_id_of(feature)}"
            raise ValueError(f"{name}: {_in_words(error)}") from error
    return tuple(found)


def features_from(objects: Iterable[ProjectObject]) -> Iterator[dict[str, Any]]:
    """Yield the feature of each record: `objects_from` returns the same records again."""
    return map(_feature, objects)


def _read(stream: IO[bytes], entry_id: str, where: Path) -> ImageObjects:
    try:
        header, features = _parts(stream)
        _check_header(header, entry_id, where)
        return ImageObjects(entry_id, str(header["data_sha256"]), objects_from(features))
    except _WRONG as error:
        raise BadInputError(
            f"This file of cells cannot be read: {_in_words(error)}.", where=where, remedy=_REMEDY
        ) from error


def _parts(stream: IO[bytes]) -> tuple[Any, Iterable[Any]]:
    """Return the header and the features, which are read from the stream when asked for."""
    head = b"".join(stream.readline() for _ in range(_HEAD))
    try:
        content = orjson.loads(head + b"]}")
        if content["features"] == []:
            return content["pycyto"], _lines(stream)
    except ValueError:
        pass  # another program may have laid the file out anew
    content = orjson.loads(head + stream.read())
    if not isinstance(content["features"], list):
        raise TypeError("its features are no list")
    return content["pycyto"], content["features"]


def _lines(stream: IO[bytes]) -> Iterator[Any]:
    """Yield the feature of each line, up to the line that closes the file."""
    for number, line in enumerate(stream, _HEAD + 1):
        text = line.rstrip()
        if text == b"]}":
            if stream.read().strip():
                raise ValueError(f"it goes on after its end in line {number}")
            return
        if text:  # a file without objects has an empty line
            try:
                yield orjson.loads(text.removesuffix(b","))
            except ValueError as error:
                raise ValueError(f"line {number} is no JSON ({error.args[0]})") from error
    raise ValueError("it breaks off")


def _check_header(header: Any, entry_id: str, where: Path) -> None:
    if header["schema"] != SCHEMA or str(header["entry_id"]) != entry_id:
        raise BadInputError(
            "This file of cells is for another image or another version of pycyto.",
            where=where,
            remedy=_REMEDY,
        )


def _object(feature: Mapping[str, Any]) -> ProjectObject:
    properties, exact = feature["properties"], feature["pycyto"]
    x, y, left, top, width, height, area = _numbers(exact)
    nucleus, points = exact.get("nucleus"), exact.get("points")
    return ProjectObject(
        object_id=_object_id(feature["id"]),
        kind=sys.intern(properties.get("objectType") or "annotation"),
        class_name=_class_name(properties.get("classification")),
        centroid=(x, y),
        bounds=Bounds(left, top, width, height),
        area=area,
        z=int(exact.get("z", 0)),
        t=int(exact.get("t", 0)),
        name=properties.get("name"),
        locked=bool(properties.get("isLocked", False)),
        nucleus_centroid=_points([nucleus])[0] if nucleus else None,
        points=_points(points) if points else (),
        geometry=PackedGeometry(feature["geometry"]),
        measurements=_finite(properties.get("measurements")),
    )


def _object_id(text: str) -> str:
    object_id = text.lower()
    if not _UUID.fullmatch(object_id):
        raise ValueError("its ID is no UUID")
    return object_id


def _numbers(exact: Mapping[str, Any]) -> tuple[float, ...]:
    """Return x and y of the centroid, left, top, width and height of the bounds, and the area."""
    x, y = exact["centroid"]
    left, top, width, height = exact["bounds"]
    numbers = tuple(map(float, (x, y, left, top, width, height, exact["area"])))
    if not all(map(isfinite, numbers)):
        raise ValueError("its place or size is not finite")
    return numbers


def _points(pairs: Iterable[Any]) -> tuple[tuple[float, float], ...]:
    points = tuple([(float(x), float(y)) for x, y in pairs])
    if not all(map(isfinite, chain.from_iterable(points))):
        raise ValueError("a point of it is not finite")
    return points


def _class_name(classification: Any) -> str | None:
    if not classification:
        return None
    if isinstance(classification, str):
        return sys.intern(classification)
    names = classification.get("names")
    name = ": ".join(names) if names else classification.get("name")
    return sys.intern(name) if name else None


def _finite(measurements: Any) -> dict[str, float]:
    """Return measurements as a table; QuPath up to 0.3 wrote a list of pairs."""
    if isinstance(measurements, list):
        measurements = {item["name"]: item["value"] for item in measurements}
    return {
        name: number
        for name, value in (measurements or {}).items()
        if value is not None and isfinite(number := float(value))
    }


def _feature(item: ProjectObject) -> dict[str, Any]:
    properties: dict[str, Any] = {"objectType": item.kind}
    if item.name is not None:
        properties["name"] = item.name
    if item.class_name is not None:
        # QuPath reads no class without a colour; this one leaves it to the project.
        properties["classification"] = {"name": item.class_name, "color": None}
    if item.locked:
        properties["isLocked"] = True
    if item.measurements:
        properties["measurements"] = dict(item.measurements)
    geometry = item.geometry
    return {
        "type": "Feature",
        "id": item.object_id,
        "geometry": geometry.unpacked() if isinstance(geometry, PackedGeometry) else geometry,
        "properties": properties,
        "pycyto": _exact(item),
    }


def _exact(item: ProjectObject) -> dict[str, Any]:
    box = item.bounds
    member: dict[str, Any] = {
        "centroid": item.centroid,
        "bounds": (box.left, box.top, box.width, box.height),
        "area": item.area,
        "z": item.z,
        "t": item.t,
    }
    if item.points:
        member["points"] = item.points
    if item.nucleus_centroid is not None:
        member["nucleus"] = item.nucleus_centroid
    return member


def _id_of(feature: Any) -> str:
    """Return the ID to name an object by, if there is one that a person can read."""
    found = feature.get("id") if isinstance(feature, Mapping) else None
    return f" ({found[:80]!r})" if isinstance(found, str) else ""


def _in_words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
