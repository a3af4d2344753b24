"""Both backends return the same records of the same project."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

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
    geometry = values.pop("geometry")
    plain = {key: geometry[key] for key in ("type", "coordinates")}
    return {**values, "outline": shapely.normalize(shapely.geometry.shape(plain)).wkt}


def test_same_records(project: Path, installation: Installation) -> None:
    opened = open_project(project)
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
    """The sample project's own files were written by export_cells.groovy."""
    copy_project(sample_project_folder(), tmp_path / "copy")
    opened = open_project(tmp_path / "copy")
    paquo, geojson = PaquoBackend(opened, installation), GeoJsonBackend(opened)
    for image in opened.images:
        theirs, ours = paquo.read(image.entry_id), geojson.read(image.entry_id)
        assert list(map(fields_of, theirs.objects)) == list(map(fields_of, ours.objects))


def test_reading_changes_no_file(project: Path, installation: Installation) -> None:
    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    before = state()
    opened = open_project(project)
    backend = PaquoBackend(opened, installation)
    for image in opened.images:
        backend.read(image.entry_id)
    assert state() == before
