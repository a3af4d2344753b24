"""The backend without Java reads what is fresh and refuses what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pycyto.errors import BadInputError, RefusedError, StaleError
from pycyto.qupath.geojson import cells_file, write_cells_file
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.project import Project, open_project
from tests.qupath.conftest import OBJECT_ID, ProjectMaker, entry, feature

DATA = b"QuPath's objects"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def project(make_project: ProjectMaker) -> Project:
    """One image with one object, and a fresh file of it."""
    project = open_project(make_project(entry()))
    project.data_file("1").parent.mkdir(parents=True)
    project.data_file("1").write_bytes(DATA)
    keep_cells(project, SHA)
    return project


def keep_cells(project: Project, sha256: str) -> Path:
    path = cells_file(project.workspace, "1")
    write_cells_file(path, "1", [feature()], data_sha256=sha256, qupath="0.5.1")
    return path


def test_a_fresh_file_is_read(project: Project) -> None:
    found = GeoJsonBackend(project).read("1")
    assert (found.entry_id, found.data_sha256, found.stale) == ("1", SHA, False)
    assert [item.object_id for item in found.objects] == [OBJECT_ID]


def test_reading_changes_nothing(project: Project) -> None:
    before = {p: p.read_bytes() for p in project.folder.rglob("*") if p.is_file()}
    GeoJsonBackend(project).read("1")
    assert {p: p.read_bytes() for p in project.folder.rglob("*") if p.is_file()} == before


def test_an_image_that_was_never_saved_has_no_objects(make_project: ProjectMaker) -> None:
    found = GeoJsonBackend(open_project(make_project(entry()))).read("1")
    assert (found.objects, found.data_sha256) == ((), "")


def test_a_missing_file_gets_a_remedy(project: Project) -> None:
    path = cells_file(project.workspace, "1")
    path.unlink()
    with pytest.raises(BadInputError, match="has no file of its cells") as raised:
        GeoJsonBackend(project, stale_ok=True).read("1")
    assert raised.value.where == str(path)
    assert "export_cells.groovy" in str(raised.value)


def test_a_stale_file_is_refused_unless_asked_for(project: Project) -> None:
    project.data_file("1").write_bytes(DATA + b" changed")
    with pytest.raises(StaleError, match="saved in QuPath after") as raised:
        GeoJsonBackend(project).read("1")
    assert "--stale-ok" in str(raised.value)
    found = GeoJsonBackend(project, stale_ok=True).read("1")
    assert (found.stale, found.data_sha256, len(found.objects)) == (True, SHA, 1)


def test_data_that_is_gone_makes_the_file_stale(project: Project) -> None:
    project.data_file("1").unlink()
    with pytest.raises(StaleError):
        GeoJsonBackend(project).read("1")


def test_an_empty_hash_stands_for_no_data_only(project: Project) -> None:
    keep_cells(project, "")
    with pytest.raises(StaleError):
        GeoJsonBackend(project).read("1")


def test_an_interrupted_save_is_refused_even_with_a_fresh_file(project: Project) -> None:
    project.data_file("1").with_name("data.qpdata.bkp").touch()
    with pytest.raises(RefusedError, match="save was interrupted"):
        GeoJsonBackend(project, stale_ok=True).read("1")


def test_a_damaged_file_is_never_taken_for_stale(project: Project) -> None:
    path = cells_file(project.workspace, "1")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInputError, match="cannot be read"):
        GeoJsonBackend(project, stale_ok=True).read("1")
