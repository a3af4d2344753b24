"""``import_cells.groovy`` in real QuPath installations, without a window."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.qupath.fields import Field, Point, write_fields
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.project import open_project
from tests.qupath_fixtures import EMPTY, HardProject

pytestmark = pytest.mark.qupath

IDS = [f"1f9c2a00-0000-4000-8000-00000000000{n}" for n in range(2)]
WITH_OBJECTS = "2"


def test_cells_come_onto_their_image_once(hard_project: HardProject) -> None:
    project = open_project(hard_project.folder)
    points = [Point(IDS[0], "HSIL", 10.5, 20.5), Point(IDS[1], "NILM", 30.5, 40.5)]
    image = project.image(EMPTY)
    field = Field(hard_project.file_of(EMPTY), image.name, points)
    colours = {"NILM": (76, 175, 80), "HSIL": (211, 47, 47)}
    write_fields(project.workspace / "fields", [field], colours)
    before = project.data_sha256(WITH_OBJECTS)
    first = hard_project.run("import_cells", images=[EMPTY, WITH_OBJECTS])
    assert first.images[EMPTY]["added"] == 2
    assert first.counts["skipped"] == {"no file of cells for this image": 1}
    assert project.data_sha256(WITH_OBJECTS) == before
    found = GeoJsonBackend(project).read(EMPTY).objects
    assert [(item.object_id, item.class_name, item.points) for item in found] == [
        (IDS[0], "HSIL", ((10.5, 20.5),)),
        (IDS[1], "NILM", ((30.5, 40.5),)),
    ]
    state = project.data_sha256(EMPTY)
    second = hard_project.run("import_cells", images=[EMPTY])
    assert (second.images[EMPTY]["added"], second.images[EMPTY]["already there"]) == (0, 2)
    assert project.data_sha256(EMPTY) == state


def test_cells_are_added_beside_the_experts(hard_project: HardProject, tmp_path: Path) -> None:
    project = open_project(hard_project.folder)
    hard_project.run("export_cells", images=[WITH_OBJECTS])
    before = GeoJsonBackend(project).read(WITH_OBJECTS).objects
    image = project.image(WITH_OBJECTS)
    field = Field(hard_project.file_of(WITH_OBJECTS), image.name, [Point(IDS[0], "HSIL", 1.5, 2.5)])
    write_fields(tmp_path, [field], {"HSIL": (211, 47, 47)})
    hard_project.run("import_cells", images=[WITH_OBJECTS], config={"folder": str(tmp_path)})
    after = GeoJsonBackend(project).read(WITH_OBJECTS).objects
    assert {item.object_id for item in after} == {item.object_id for item in before} | {IDS[0]}
    assert [item for item in after if item.object_id != IDS[0]] == list(before)
