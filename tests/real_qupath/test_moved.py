"""A project that doctor has mended opens its images in QuPath, without anybody being asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, doctor
from pycyto.qupath import _java
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import open_project
from pycyto.steps.scripts import sample_project_folder
from tests.moved_project import content, say


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycyto.settings.user_file", lambda: tmp_path / "settings.toml")


class Inside:
    """The project as QuPath itself sees it."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        self.java = _java.start(installation)
        file = str(folder / "project.qpproj")
        self.project = self.java.ProjectIO.loadProject(
            self.java.File(file), self.java.BufferedImage
        )
        self.entries = list(self.project.getImageList())

    def sizes(self) -> list[tuple[int, int]]:
        """Open every image, read pixels of it, and return width and height."""
        found = []
        for entry in self.entries:
            server = entry.getServerBuilder().build()
            region = server.readRegion(1.0, 0, 0, 8, 8)
            assert (region.getWidth(), region.getHeight()) == (8, 8)
            found.append((int(server.getWidth()), int(server.getHeight())))
            server.close()
        return found


@pytest.fixture
def elsewhere(tmp_path: Path, installation: Installation) -> Path:
    """Return the sample project with a rotated image, moved away from where it was saved."""
    folder = tmp_path / "Prüfung 1" / "project"
    shutil.copytree(sample_project_folder(), folder)
    old = content(folder)["uri"].rpartition("/")[0]
    say(folder, old, folder.as_uri())
    _add_rotated(folder, installation)
    assert Inside(folder, installation).sizes()
    return folder.rename(tmp_path / "neuer Ort")


def _add_rotated(folder: Path, installation: Installation) -> None:
    import jpype

    inside = Inside(folder, installation)
    server = inside.entries[0].getServerBuilder().build()
    rotation = jpype.JClass("qupath.lib.images.servers.RotatedImageServer$Rotation").ROTATE_90
    transformed = jpype.JClass("qupath.lib.images.servers.TransformedServerBuilder")(server)
    rotated = transformed.rotate(rotation).build()
    inside.project.addImage(rotated.getBuilder()).setImageName("rotated")
    inside.project.syncChanges()


def without_places(value: Any, key: str = "") -> Any:
    """Return what a project file holds, but its places."""
    if isinstance(value, list):
        return [without_places(item) for item in value]
    if isinstance(value, dict):
        return {name: without_places(item, name) for name, item in value.items()}
    return "somewhere" if key == "uri" else value


def test_a_mended_project_opens_its_images(elsewhere: Path, installation: Installation) -> None:
    import jpype

    with pytest.raises(jpype.JException):
        Inside(elsewhere, installation).sizes()
    before = without_places(content(elsewhere))

    findings = doctor(elsewhere, fix=True, access=Access(backend="geojson"))

    assert "All image files are where the project has them." in [f.text for f in findings]
    inside = Inside(elsewhere, installation)
    images = open_project(elsewhere).images
    assert inside.sizes() == [(image.width, image.height) for image in images]
    assert images[-1].builder == "rotated"
    assert without_places(content(elsewhere)) == before
    uris = [uri for entry in inside.entries for uri in entry.getURIs()]
    assert all(str(uri.toString()).startswith(elsewhere.as_uri()) for uri in uris)


def test_what_qupath_saves_afterwards_is_found_where_it_is(
    elsewhere: Path, installation: Installation
) -> None:
    doctor(elsewhere, fix=True, access=Access(backend="geojson"))
    inside = Inside(elsewhere, installation)
    for entry in inside.entries:
        entry.saveImageData(entry.readImageData())
    inside.project.syncChanges()

    findings = doctor(elsewhere, access=Access(backend="geojson"))
    assert "All image files are where the project has them." in [f.text for f in findings]
    assert len(Inside(elsewhere, installation).sizes()) == len(inside.entries)
