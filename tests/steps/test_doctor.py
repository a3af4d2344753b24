from __future__ import annotations

from pathlib import Path

import pytest

from pycyto import Access, doctor
from pycyto.cli.main import main
from pycyto.errors import BadInputError
from pycyto.steps.findings import Finding
from tests.tiny_project import TinyCell, TinyImage, build

GEOJSON = Access(backend="geojson")


def texts(findings: list[Finding], level: str) -> str:
    return "\n".join(f.text + " " + f.remedy for f in findings if f.level == level)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    images = [
        TinyImage("1", "a", [TinyCell(50, 50)], {"Patient": "P1"}),
        TinyImage("2", "a", [TinyCell(50, 50)], {"Patient": "P2"}, mpp=None),
    ]
    return build(tmp_path / "project", images)


def test_a_machine_without_a_project() -> None:
    assert "pycyto" in texts(doctor(), "good")


def test_a_sound_project_has_no_problem(project: Path) -> None:
    findings = doctor(project, access=GEOJSON)
    assert texts(findings, "problem") == ""
    assert "2 images" in texts(findings, "good")
    assert "No pixel size in 1 image: a (entry ID 2)" in texts(findings, "note")
    assert "1 name of more than one image" in texts(findings, "note")


def test_missing_images_are_named_with_the_remedy(project: Path) -> None:
    (project / "images" / "2.png").unlink()
    problem = texts(doctor(project, access=GEOJSON), "problem")
    assert "1 of 2 image files" in problem
    assert "entry ID 2" in problem
    assert "--map" in problem


def test_a_mapping_is_tried_and_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycyto.settings.user_file", lambda: tmp_path / "user" / "settings.toml")
    (project / "images").rename(tmp_path / "moved")
    mapping = {str(project / "images"): str(tmp_path / "moved")}

    told = doctor(project, access=Access(backend="geojson", mappings=mapping))
    later = doctor(project, access=GEOJSON)

    assert texts(told, "problem") == texts(later, "problem") == ""


def test_stale_and_missing_cells_are_noted(project: Path) -> None:
    (project / "data" / "1" / "data.qpdata").write_bytes(b"saved since t\x00\x03EOF")
    (project / "pycyto" / "cells" / "2.geojson").unlink()
    noted = texts(doctor(project, access=GEOJSON), "note")
    assert "2 images cannot be read without QuPath" in noted
    assert "export_cells.groovy" in noted


@pytest.mark.parametrize("kept", [0, 3, 900])
def test_data_that_is_cut_off_is_a_problem(project: Path, kept: int) -> None:
    data = project / "data" / "1" / "data.qpdata"
    data.write_bytes(data.read_bytes()[:-1][:kept])
    problem = texts(doctor(project, access=GEOJSON), "problem")
    assert "is cut off" in problem
    assert "Restore it from a backup" in problem


def test_images_without_patient_are_a_problem_when_none_has_one(tmp_path: Path) -> None:
    project = build(tmp_path / "p", [TinyImage("1", "a", [TinyCell(50, 50)])])
    assert "No 'Patient'" in texts(doctor(project, access=GEOJSON), "problem")


def test_an_image_that_cannot_be_cut_is_a_problem(tmp_path: Path) -> None:
    image = TinyImage("1", "fluo", [TinyCell(50, 50)], {"Patient": "P"}, rgb=False)
    project = build(tmp_path / "p", [image])
    assert "image not RGB" in texts(doctor(project, access=GEOJSON), "problem")


def test_no_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no QuPath project"):
        doctor(tmp_path)


def test_a_wrong_qupath_folder_is_a_problem(project: Path, tmp_path: Path) -> None:
    problem = texts(doctor(project, access=Access(qupath=tmp_path)), "problem")
    assert "no QuPath in this folder" in problem
    assert "--qupath" in problem


def test_nothing_is_changed(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    doctor(project, access=GEOJSON)
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def test_a_mapping_does_not_hide_images_that_are_back(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pycyto.settings.user_file", lambda: tmp_path / "settings.toml")
    mapping = {str(project / "images"): str(tmp_path / "gone again")}
    findings = doctor(project, access=Access(backend="geojson", mappings=mapping))
    assert texts(findings, "problem") == ""


def test_a_problem_ends_with_its_exit_code(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["doctor", str(project), "--backend", "geojson"]
    assert main(words) == 0
    (project / "images" / "2.png").unlink()
    assert main(words) == BadInputError.exit_code
    assert "1 problem found." in capsys.readouterr().out
