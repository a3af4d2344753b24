"""A project that is made of a public set is a real one, and its cells are those of the data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycyto.errors import BadInputError, RefusedError
from pycyto.files import read_json
from pycyto.images.patches import read_patch
from pycyto.labels import BETHESDA
from pycyto.manifest import read_manifest
from pycyto.qupath import _java
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
from pycyto.steps.context import Access
from pycyto.steps.export import export
from pycyto.steps.ingest import ingest
from tests import published

CELLS = [
    ("a.png", "HSIL", 200, 150),
    ("a.png", "Negative for intraepithelial lesion", 5, 290),
    ("b.png", "ASC-H", 100, 100),
    ("b.png", "LSIL", 300, 200),
]


@pytest.fixture
def made(tmp_path: Path, installation: Installation) -> Path:
    """Return the folder with a source, the data set of it, and the project."""
    published.cric(tmp_path / "cric", CELLS, patient="P7")
    ingest(
        "cric", tmp_path / "cric", out=tmp_path / "data", mpp=0.25,
        to_project=tmp_path / "a project 1.0", qupath=installation.folder,
    )  # fmt: skip
    return tmp_path


def test_fields_have_their_cells_as_points(made: Path, installation: Installation) -> None:
    project = open_project(made / "a project 1.0")
    assert [image.name for image in project.images] == ["a.png", "b.png"]
    assert {image.mpp for image in project.images} == {0.25}
    assert project.images[0].metadata == {
        "Slide": "a", "Patient": "P7", "Preparation": "conventional",
    }  # fmt: skip
    for backend in (PaquoBackend(project, installation), GeoJsonBackend(project)):
        objects = [backend.read(image.entry_id).objects for image in project.images]
        assert [(item.kind, item.class_name, item.points) for own in objects for item in own] == [
            ("annotation", "HSIL", ((199.5, 149.5),)),
            ("annotation", "NILM", ((4.5, 289.5),)),
            ("annotation", "ASC-H", ((99.5, 99.5),)),
            ("annotation", "LSIL", ((299.5, 199.5),)),
        ]
    classes = read_json(project.folder / "classifiers" / "classes.json")["pathClasses"]
    assert [entry["name"] for entry in classes] == [*BETHESDA.names, "ASC-H"]


def test_its_patches_are_those_of_the_data_set(made: Path) -> None:
    export(
        made / "a project 1.0", out=made / "exported", classes=BETHESDA.names,
        access=Access(backend="geojson"),
    )  # fmt: skip
    rows = {
        name: {row.object_id: row for row in read_manifest(made / name)}
        for name in ("data", "exported")
    }
    assert rows["data"].keys() == rows["exported"].keys()
    for object_id, ours in rows["data"].items():
        theirs = rows["exported"][object_id]
        assert theirs.content_hash == ours.content_hash
        assert (theirs.label, theirs.slide, theirs.mpp) == (ours.label, ours.slide, ours.mpp)
        read_patch(made / "exported", theirs)


def test_loading_twice_changes_nothing(made: Path, installation: Installation) -> None:
    from jpype import JClass

    project = open_project(made / "a project 1.0")
    before = project.data_sha256("1")
    library = _java.library(installation)
    image = _java.open_project(installation, project.file).image("1")
    fields = JClass("java.io.File")(str(project.workspace / "fields"))
    counts = library.PycytoFields.load(image, fields)
    image.close()
    assert {str(name): int(number) for name, number in counts.items()} == {
        "added": 0,
        "already there": 2,
    }
    assert project.data_sha256("1") == before


def test_a_project_is_not_made_over_another(made: Path, installation: Installation) -> None:
    with pytest.raises(RefusedError, match="something in this place"):
        ingest(
            "cric", made / "cric", out=made / "again", to_project=made / "a project 1.0",
            qupath=installation.folder,
        )  # fmt: skip
    assert not (made / "again").exists()


def test_nothing_stays_of_a_project_that_fails(
    tmp_path: Path, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.cric(tmp_path / "cric", CELLS)
    monkeypatch.setattr(
        "pycyto.steps.to_project.write_fields", lambda folder, *_: folder.mkdir(parents=True)
    )
    with pytest.raises(BadInputError):
        ingest(
            "cric", tmp_path / "cric", out=tmp_path / "data", to_project=tmp_path / "project",
            qupath=installation.folder,
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["cric"]
