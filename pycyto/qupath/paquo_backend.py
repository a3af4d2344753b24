"""The backend on QuPath's own classes: reads ``data.qpdata`` itself.

Objects come from QuPath as the same GeoJSON that its scripts write, with what
GeoJSON rounds away beside it, so that one reader serves both backends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pycyto.errors import BadInputError, RefusedError
from pycyto.qupath import _java, geojson
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import Project
from pycyto.records import ImageObjects

# Reading takes well under a second per megabyte; a busy machine gets its time too.
_SECONDS = 20.0
_SECONDS_PER_MB = 5.0


class PaquoBackend:
    """Reads the objects of a project through QuPath's classes."""

    name = "paquo"

    def __init__(self, project: Project, installation: Installation) -> None:
        self._project = project
        self._version = installation.version
        self._java = _java.start(installation)
        self._java_project = _java.open_java_project(self._java, str(project.file))

    def read(self, entry_id: str) -> ImageObjects:
        """Return all objects of an image but the root.

        Raises
        ------
        BadInputError
            When QuPath cannot read the image's data, or the data is not whole.
        RefusedError
            When the data changed while it was read.
        """
        sha256, features = self._features(entry_id)
        return ImageObjects(entry_id, sha256, geojson.objects_from(features))

    def refresh(self, entry_id: str) -> Path:
        """Write the image's file of cells for the GeoJSON backend; return its path."""
        path = geojson.cells_file(self._project.workspace, entry_id)
        sha256, features = self._features(entry_id)
        geojson.write_cells_file(path, entry_id, features, data_sha256=sha256, qupath=self._version)
        return path

    def _features(self, entry_id: str) -> tuple[str, list[dict[str, Any]]]:
        before = self._project.data_sha256(entry_id)
        if not before:
            return "", []
        hierarchy = read_hierarchy(self._java_project, entry_id, self._project)
        features = list(features_of(self._java, hierarchy))
        if self._project.data_sha256(entry_id) != before:
            raise RefusedError(
                "The image's data was saved while it was being read.",
                where=self._project.data_file(entry_id),
                remedy="Start this command again when nothing else is at work on the project.",
            )
        return before, features


def read_hierarchy(java_project: Any, entry_id: str, project: Project) -> Any:
    """Return an image's hierarchy as it is on disk; the image itself is not opened.

    Raises
    ------
    BadInputError
        When the project has no such entry or its data cannot be read.
    """
    import jpype

    entry = _java.java_entry(java_project, entry_id)
    if entry is None:
        raise BadInputError(f"The project has no image {entry_id}.", where=project.file)
    data = project.data_file(entry_id)
    # Some versions of QuPath read data that breaks off for ever.
    limit = _SECONDS + _SECONDS_PER_MB * (data.stat().st_size / 1e6 if data.exists() else 0)
    try:
        return _java.within(limit, entry.readHierarchy)
    except TimeoutError as error:
        raise BadInputError(
            f"QuPath does not come to the end of this image's data in {limit:.0f} s: it is "
            "probably cut off.",
            where=data,
            remedy="Restore it from a backup, or open and check the image in QuPath.",
        ) from error
    except jpype.JException as error:
        raise BadInputError(
            f"QuPath cannot read this image's data ({error}).",
            where=project.data_file(entry_id),
            remedy="Restore it from a backup; a copy that broke off looks like this.",
        ) from error


def features_of(java: Any, hierarchy: Any) -> Iterator[dict[str, Any]]:
    """Yield QuPath's GeoJSON feature of every object but the root, with its exact member."""
    objects = [item for item in hierarchy.getFlattenedObjectList(None) if not item.isRootObject()]
    stream = java.ByteArrayOutputStream()
    options = java.PathIO.GeoJsonExportOptions.FEATURE_COLLECTION
    java.PathIO.exportObjectsAsGeoJSON(stream, java.ArrayList(objects), options)
    features = orjson.loads(bytes(stream.toByteArray()))["features"]
    for item, feature in zip(objects, features, strict=True):
        feature["pycyto"] = _exact(item)
        measurements = feature["properties"].get("measurements")
        if measurements:  # QuPath writes what is not finite as text
            feature["properties"]["measurements"] = {
                name: value for name, value in measurements.items() if not isinstance(value, str)
            }
        yield feature


def _exact(item: Any) -> dict[str, Any]:
    roi = item.getROI()
    member: dict[str, Any] = {
        "centroid": _centroid(roi),
        "bounds": [
            _number(roi.getBoundsX()),
            _number(roi.getBoundsY()),
            _number(roi.getBoundsWidth()),
            _number(roi.getBoundsHeight()),
        ],
        "area": _number(roi.getArea()),
        "z": int(roi.getZ()),
        "t": int(roi.getT()),
    }
    if roi.isPoint():
        member["points"] = [[float(p.getX()), float(p.getY())] for p in roi.getAllPoints()]
    if item.isCell() and item.getNucleusROI() is not None:
        member["nucleus"] = _centroid(item.getNucleusROI())
    return member


def _centroid(roi: Any) -> list[float]:
    return [_number(roi.getCentroidX()), _number(roi.getCentroidY())]


def _number(value: Any) -> float:
    """Return a number of Java's; a point annotation without points has a centroid of NaN."""
    number = float(value)
    return number if math.isfinite(number) else 0.0
