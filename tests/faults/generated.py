"""QuPath projects with random objects of every kind, from a seed.

What stands in `data.qpdata` is nothing that pycyto may look into, so here it is
JSON under a number: no two saves are alike, as in QuPath, and the harness can
still compare every object in it with what the expert saved last.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np
import orjson
from PIL import Image

from pycyto.records import RUN_MARK, UPDATED_MARK

Objects = list[dict[str, Any]]
Kind = Literal["annotations", "detections", "all"]

CLASSES: Final = (
    "NILM", "ASC-US", "LSIL", "HSIL", "ascus", "LGSIL", "Trichomonas", "Zelle é: entzündet",
    "a/b\\c, \"d\"", "Epithel\tsuperfiziell", "HSIL: sicher",
)  # fmt: skip
KINDS: Final = ("annotation", "detection", "cell", "tile")
SHAPES: Final = (
    "polygon", "hole", "multipolygon", "line", "ellipse", "point", "points", "no points",
)  # fmt: skip
_OBJECTS_KINDS: Final[tuple[Kind, ...]] = ("annotations", "annotations", "detections", "all")


@dataclass(frozen=True)
class Options:
    """What the commands of a round trip are asked for."""

    objects: Kind
    unclassified: bool
    images: tuple[str, ...] | None
    inside: bool  # the data set lies below the project's own folder of pycyto
    edits: tuple[bool, bool]  # the expert works on before predict, and before the last export


@dataclass(frozen=True)
class Generated:
    """A project as the expert left it.

    Attributes
    ----------
    files
        Every file but those of the objects, by its path below the project's folder.
    objects
        By entry ID; an image without data is not in it.
    """

    seed: int
    files: Mapping[str, bytes]
    objects: Mapping[str, Objects]
    options: Options


def generate(seed: int, folder_uri: str) -> Generated:
    """Return the project of a seed, whose folder has a URI ending with a slash."""
    rng = np.random.default_rng((seed, 1))
    entry_ids = [str(n) for n in rng.permutation(20)[: rng.integers(1, 5)] + 1]
    files: dict[str, bytes] = {}
    entries = []
    objects = {}
    empty = entry_ids[-1] if len(entry_ids) > 1 and chance(rng, 0.5) else None
    for entry_id in entry_ids:
        width, height = (int(side) for side in rng.integers(12, 70, 2))
        files[f"images/{entry_id}.png"] = picture(rng, width, height)
        entries.append(_entry(rng, entry_id, f"{folder_uri}images/{entry_id}.png", width, height))
        if entry_id != empty:
            objects[entry_id] = _objects(rng, width, height)
    project = {"version": "0.5.1", "uri": f"{folder_uri}project.qpproj", "images": entries}
    files["project.qpproj"] = json.dumps(project).encode()
    files["classifiers/classes.json"] = b'{"pathClasses":[{"name":"NILM","color":-11751600}]}'
    if len(entry_ids) > 1 and chance(rng, 0.1):
        del files[f"images/{entry_ids[0]}.png"]
    if chance(rng, 0.5):
        made = {"schema": 1, "project_id": new_id(rng), "created_at": "2026-01-01T00:00:00+00:00"}
        files["pycyto/project.json"] = json.dumps(made).encode()
    return Generated(seed, files, objects, _options(rng, entry_ids))


def picture(rng: np.random.Generator, width: int, height: int) -> bytes:
    """Return a PNG of random colours; smaller than a patch, so every patch has a border."""
    pixels = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    large = np.ascontiguousarray(pixels.repeat(4, 0).repeat(4, 1)[:height, :width])
    buffer = io.BytesIO()
    Image.fromarray(large).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def edited(rng: np.random.Generator, objects: Objects) -> Objects:
    """Return objects as an expert leaves them who moves, relabels, deletes and adds some."""
    kept = [item for item in orjson.loads(orjson.dumps(objects)) if chance(rng, 0.85)]
    for item in kept:
        work = rng.integers(0, 6)
        if work == 0:
            item["pycyto"] = _moved(item["pycyto"], *rng.integers(-9, 10, 2).tolist())
        elif work == 1:
            _classify(rng, item["properties"])
        elif work == 2:
            item["properties"]["name"] = f"gesehen {rng.integers(99)}"
        elif work == 3:
            item["properties"]["isLocked"] = True
    added = [_object(rng, 40, 40) for _ in range(rng.integers(0, 3))]
    ids = {item["id"] for item in kept}
    for item in kept:
        item["parent"] = item["parent"] if item["parent"] in ids else None
    return [*kept, *_plain(added)]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return True with a probability."""
    return bool(rng.random() < probability)


def new_id(rng: np.random.Generator) -> str:
    """Return a random UUID."""
    return str(UUID(bytes=rng.bytes(16), version=4))


def one_of(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """Return one of some values; numpy would turn them into its own."""
    return values[int(rng.integers(len(values)))]


def _options(rng: np.random.Generator, entry_ids: list[str]) -> Options:
    some = tuple(entry_ids[:-1]) if len(entry_ids) > 2 and chance(rng, 0.2) else None
    edits = (chance(rng, 0.5), chance(rng, 0.5))
    return Options(one_of(rng, _OBJECTS_KINDS), chance(rng, 0.5), some, chance(rng, 0.2), edits)


def _entry(
    rng: np.random.Generator, entry_id: str, uri: str, width: int, height: int
) -> dict[str, Any]:
    unit = {"value": 0.25, "unit": "µm"} if chance(rng, 0.7) else {"value": 1.0, "unit": "px"}
    said = {"Patient": f"P{rng.integers(3)}", "Site": "Nord, Süd"} if chance(rng, 0.7) else {}
    return {
        "entryID": int(entry_id),
        "imageName": one_of(rng, ("Feld.png", "Feld.png", f"Bild {entry_id}/1.svs")),
        "metadata": said,
        "serverBuilder": {
            "builderType": "uri",
            "providerClassName": "qupath.imagej.images.servers.ImageJServerBuilder",
            "uri": uri,
            "args": [],
            "metadata": {
                "width": width,
                "height": height,
                "isRGB": True,
                "pixelCalibration": {"pixelWidth": unit, "pixelHeight": unit},
            },
        },
    }


def _objects(rng: np.random.Generator, width: int, height: int) -> Objects:
    found = [_object(rng, width, height) for _ in range(rng.integers(0, 8))]
    if len(found) > 1 and chance(rng, 0.3):  # two on one pixel
        found[0]["pycyto"]["centroid"] = list(found[1]["pycyto"]["centroid"])
    if len(found) > 2 and chance(rng, 0.1):  # as copying an annotation did in old versions
        found[0]["id"] = found[2]["id"]
    for number, item in enumerate(found):
        item["parent"] = found[number // 2]["id"] if number and chance(rng, 0.3) else None
    return _plain(found)


def _object(rng: np.random.Generator, width: int, height: int) -> dict[str, Any]:
    kind = one_of(rng, ("annotation", "annotation", *KINDS))
    shape = one_of(rng, SHAPES) if kind == "annotation" else one_of(rng, ("polygon", "ellipse"))
    x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
    if chance(rng, 0.05):
        x += 5000
    properties: dict[str, Any] = {"objectType": kind}
    if chance(rng, 0.7):
        _classify(rng, properties)
    _describe(rng, properties)
    geometry, exact = _shaped(rng, shape, x, y)
    made = {"type": "Feature", "id": new_id(rng), "geometry": geometry, "properties": properties}
    if kind == "cell" and chance(rng, 0.7):
        exact["nucleus"] = [x + 0.25, y - 0.125]
        made["nucleusGeometry"] = geometry
    return {**made, "pycyto": exact, "parent": None}


def _classify(rng: np.random.Generator, properties: dict[str, Any]) -> None:
    colour = [int(c) for c in rng.integers(0, 256, 3)]
    properties["classification"] = {"name": one_of(rng, CLASSES), "color": colour}


def _describe(rng: np.random.Generator, properties: dict[str, Any]) -> None:
    if chance(rng, 0.3):
        properties["name"] = one_of(rng, ("Zelle 1", 'größer, "runder"', "🔬", "x" * 300))
    if chance(rng, 0.2):
        properties["isLocked"] = True
    if chance(rng, 0.4):
        count = int(one_of(rng, (1, 4, 60)))
        values = rng.normal(0, 10.0 ** rng.integers(-8, 9), count)
        names = (f"Nucleus: Größe µm^2 {n}" for n in range(count))
        properties["measurements"] = dict(zip(names, values.tolist(), strict=True))
    if chance(rng, 0.08):  # of a run whose folder nobody kept
        mark = one_of(rng, (RUN_MARK, UPDATED_MARK))
        properties.setdefault("measurements", {})[mark] = float(rng.integers(1 << 24))
    if chance(rng, 0.2):
        properties["metadata"] = {"ANNOTATION_DESCRIPTION": "unsicher,\nbitte prüfen", "n": "1"}


def _shaped(
    rng: np.random.Generator, shape: str, x: float, y: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a geometry to 0.01 px, and the exact part beside it."""
    half = float(one_of(rng, (3.0, 8.0, 8.0, 130.0, 400.0)))
    outer, inner = _ring(x, y, half), _ring(x, y, half / 3)
    points = _points(rng, shape, x, y)
    geometries: dict[str, dict[str, Any]] = {
        "polygon": {"type": "Polygon", "coordinates": [outer]},
        "hole": {"type": "Polygon", "coordinates": [outer, inner]},
        "multipolygon": {
            "type": "MultiPolygon",
            "coordinates": [[outer, inner], [_ring(x + 3 * half, y, half)]],
        },
        "line": {"type": "LineString", "coordinates": outer[:2]},
        "ellipse": {"type": "Polygon", "isEllipse": True, "coordinates": [outer]},
        "point": {"type": "Point", "coordinates": [round(x, 2), round(y, 2)]},
        "points": {"type": "MultiPoint", "coordinates": [[round(c, 2) for c in p] for p in points]},
        "no points": {"type": "MultiPoint", "coordinates": []},
    }
    geometry = geometries[shape]
    flat = shape in ("line", "point", "points", "no points")
    exact: dict[str, Any] = {
        "centroid": [0.0, 0.0] if shape == "no points" else [x, y],
        "bounds": [x - half, y - half, 2 * half, 2 * half],
        "area": 0.0 if flat else (2 * half) ** 2,
        "z": int(chance(rng, 0.05)),
        "t": int(chance(rng, 0.03)),
    }
    if exact["z"] or exact["t"]:
        geometry["plane"] = {"c": -1, "z": exact["z"], "t": exact["t"]}
    if shape in ("point", "points", "no points"):
        exact["points"] = points
    return geometry, exact


def _points(rng: np.random.Generator, shape: str, x: float, y: float) -> list[list[float]]:
    count = {"point": 1, "points": int(rng.integers(2, 5))}.get(shape, 0)
    return [[x + 2.5 * n, y - 1.5 * n] for n in range(count)]


def _ring(x: float, y: float, half: float) -> list[list[float]]:
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    return [[round(x + half * dx, 2), round(y + half * dy, 2)] for dx, dy in corners]


def _moved(exact: dict[str, Any], dx: float, dy: float) -> dict[str, Any]:
    left, top, width, height = exact["bounds"]
    moved = {**exact, "bounds": [left + dx, top + dy, width, height]}
    moved["centroid"] = [exact["centroid"][0] + dx, exact["centroid"][1] + dy]
    if "points" in exact:
        moved["points"] = [[x + dx, y + dy] for x, y in exact["points"]]
    return moved


def _plain(objects: Objects) -> Objects:
    """Return objects as they come back from JSON, so that equality means equality."""
    found: Objects = orjson.loads(orjson.dumps(objects))
    return found
