"""Both backends return the same records of the same project."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import shapely
import shapely.geometry

from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
from pycyto.records import ProjectObject
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder


def fields_of(item: ProjectObject) -> dict[str, Any]:
    """Return all fields; the outline in a form that does not depend on where it starts."""
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    del values["geometry"]
    return {**values, "outline": shapely.normalize(shape_of(item)).wkt}


def shape_of(item: ProjectObject) -> Any:
    plain = {key: item.geometry[key] for key in ("type", "coordinates")}
    return shapely.geometry.shape(plain)


def has_hole(item: ProjectObject) -> bool:
    return item.geometry["type"] == "Polygon" and len(item.geometry["coordinates"]) > 1


def test_same_records(whole_project: Path, installation: Installation) -> None:
    opened = open_project(whole_project)
    paquo, geojson = PaquoBackend(opened, installation), GeoJsonBackend(opened)
    total = 0
    for image in opened.images:
        theirs, ours = paquo.read(image.entry_id), geojson.read(image.entry_id)
        assert theirs.data_sha256 == ours.data_sha256
        assert list(map(fields_of, theirs.objects)) == list(map(fields_of, ours.objects))
        total += len(ours.objects)
    assert total >= 500


def test_the_files_that_the_scripts_left_say_the_same(
    tmp_path: Path, installation: Installation
) -> None:
    """The sample project's own files were written by export_cells.groovy in QuPath 0.5.1.

    Versions build outlines with holes in their own way, which moves them by
    some thousandths of a pixel; all else is the same.
    """
    copy_project(sample_project_folder(), tmp_path / "copy")
    opened = open_project(tmp_path / "copy")
    paquo, geojson = PaquoBackend(opened, installation), GeoJsonBackend(opened)
    for image in opened.images:
        theirs, ours = paquo.read(image.entry_id), geojson.read(image.entry_id)
        for one, other in zip(theirs.objects, ours.objects, strict=True):
            assert (one.object_id, one.class_name) == (other.object_id, other.class_name)
            assert one.centroid == pytest.approx(other.centroid, abs=0.01)
            assert one.area == pytest.approx(other.area, rel=1e-4)
            assert shape_of(one).symmetric_difference(shape_of(other)).area < 1
            if not has_hole(other):
                assert fields_of(one) == fields_of(other)


def test_reading_changes_no_file(project: Path, installation: Installation) -> None:
    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    before = state()
    opened = open_project(project)
    backend = PaquoBackend(opened, installation)
    for image in opened.images:
        backend.read(image.entry_id)
    assert state() == before
