"""The choice between the two backends, and that it is said aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import MissingDependencyError
from pycyto.qupath import backend, locate
from pycyto.qupath.backend import BackendName, BackendOptions, choose
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import Project, open_project
from pycyto.records import Silent
from tests.qupath.conftest import ProjectMaker, entry

FOUND = Installation(Path("QuPath é"), "0.6.0")


class Listener(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)


class FakePaquo:
    """Stands for the backend that would start Java."""

    name = "paquo"

    def __init__(self, project: Project, installation: Installation) -> None:
        self.given = (project, installation)


@pytest.fixture
def project(make_project: ProjectMaker) -> Project:
    """A project with one image."""
    return open_project(make_project(entry()))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """The folders that QuPath was looked for in; it is found."""
    folders: list[Path | None] = []

    def find(given: Path | None = None) -> Installation:
        folders.append(given)
        return FOUND

    monkeypatch.setattr(locate, "find_qupath", find)
    monkeypatch.setattr(backend, "PaquoBackend", FakePaquo)
    return folders


@pytest.fixture
def no_qupath(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without QuPath."""
    monkeypatch.setattr(locate, "find_qupath", lambda _: None)


def test_geojson_as_asked_looks_for_no_qupath(project: Project, asked: list[Path | None]) -> None:
    listener = Listener()
    assert isinstance(choose(project, BackendOptions("geojson"), listener), GeoJsonBackend)
    assert listener.said == ["Backend: GeoJSON, as asked."]
    assert asked == []


@pytest.mark.parametrize("name", ["auto", "paquo"])
def test_paquo_where_there_is_a_qupath(
    name: BackendName, project: Project, asked: list[Path | None]
) -> None:
    listener = Listener()
    found = choose(project, BackendOptions(name, qupath=Path("here")), listener)
    assert isinstance(found, FakePaquo)
    assert found.given == (project, FOUND)
    assert asked == [Path("here")]
    assert listener.said == ["Backend: paquo with QuPath 0.6.0 (QuPath é)."]


@pytest.mark.usefixtures("no_qupath")
def test_geojson_where_there_is_none(project: Project) -> None:
    listener = Listener()
    assert choose(project, BackendOptions(), listener).name == "geojson"
    assert listener.said == ["Backend: GeoJSON, since no QuPath was found on this machine."]


@pytest.mark.usefixtures("no_qupath")
def test_paquo_is_never_replaced_silently(project: Project) -> None:
    with pytest.raises(MissingDependencyError, match="needs QuPath") as raised:
        choose(project, BackendOptions("paquo"), Listener())
    assert "--backend geojson" in str(raised.value)


@pytest.mark.usefixtures("no_qupath")
@pytest.mark.parametrize("name", ["auto", "geojson"])
@pytest.mark.parametrize("stale_ok", [True, False])
def test_what_was_said_about_stale_files_arrives(
    name: BackendName, stale_ok: bool, project: Project
) -> None:
    found = choose(project, BackendOptions(name, stale_ok=stale_ok), Listener())
    assert isinstance(found, GeoJsonBackend)
    assert found._stale_ok is stale_ok
