"""A project was moved, alone or with its images: commands read it, doctor explains and mends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pycyto import Access, doctor, export, files, locks
from pycyto.cli.main import main
from pycyto.errors import (
    BadInputError,
    LockedError,
    NotWritableError,
    PartlyDoneError,
    RefusedError,
    UsageError,
)
from pycyto.qupath.project import open_project
from pycyto.steps.findings import Finding
from tests.moved_project import content, lab, moved, say, state, written

GEOJSON = Access(backend="geojson")


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep mappings in a file of this test's own."""
    path = tmp_path / "user" / "settings.toml"
    monkeypatch.setattr("pycyto.settings.user_file", lambda: path)
    monkeypatch.setattr("pycyto.qupath.running.running", list)
    return path


def told(project: Path, *, fix: bool = False, access: Access = GEOJSON) -> dict[str, list[str]]:
    by_level: dict[str, list[str]] = {"good": [], "note": [], "problem": []}
    for finding in doctor(project, fix=fix, access=access):
        by_level[finding.level].append(f"{finding.text} {finding.remedy}")
    return by_level


def about_images(project: Path) -> Finding:
    (finding,) = [f for f in doctor(project, access=GEOJSON) if "not where the project" in f.text]
    return finding


def patches(project: Path, out: Path) -> int:
    return sum(export(project, out=out, access=GEOJSON).by_label.values())


def uris(project: Path) -> list[str]:
    return [image.uri for image in open_project(project).images]


def test_moved_alone_nothing_is_to_be_done(tmp_path: Path) -> None:
    project = lab(tmp_path / "old")
    project = project.rename(tmp_path / "alone")
    before = state(project)
    assert "All image files are where the project has them. " in told(project, fix=True)["good"]
    assert state(project) == before
    assert not (project / "pycyto" / "snapshots").exists()


@pytest.mark.parametrize("images_in", ["slides", "proj/images", "proj/Präparate ü/100%"])
def test_moved_with_its_images(tmp_path: Path, images_in: str) -> None:
    project = moved(lab(tmp_path / "alt é", images_in=images_in), tmp_path / "new place" / "x")
    assert patches(project, tmp_path / "out") == 2

    finding = about_images(project)
    assert finding.level == "note"
    assert "2 of 2 image files are not where the project has them" in finding.text
    assert f"{tmp_path / 'alt é'} → {project.parent}" in finding.text
    assert f'pycyto doctor "{project}" --fix' in finding.remedy

    told(project, fix=True)
    assert export(project, out=tmp_path / "out", access=GEOJSON).new == 0
    assert uris(project) == [(project.parent / images_in / f"{n}.png").as_uri() for n in (1, 2)]
    assert content(project)["uri"] == (project / "project.qpproj").as_uri()
    for path in written(project):
        assert "alt%20" not in path.read_text("utf-8")
    assert all(
        str(tmp_path / "alt é") not in text for texts in told(project).values() for text in texts
    )


@pytest.mark.parametrize("uri", [None, "", "https://lab/project.qpproj"])
def test_a_project_that_does_not_say_where_it_was(tmp_path: Path, uri: str | None) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    changed = {**content(project), "uri": uri}
    (project / "project.qpproj").write_text(json.dumps(changed))
    assert about_images(project).level == "problem"
    assert not told(project, fix=True)["problem"]
    assert content(project)["uri"] == uri


def test_a_second_fix_does_nothing(tmp_path: Path) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    told(project, fix=True)
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}
    told(project, fix=True)
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def test_doctor_alone_changes_nothing(tmp_path: Path) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    told(project)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("drive", ["file:/D:/Lab%20é", "file://nas/share/lab"])
def test_from_windows_by_the_relative_place(tmp_path: Path, drive: str) -> None:
    project = lab(tmp_path / "here")
    say(project, (tmp_path / "here").as_uri(), drive)
    assert patches(project, tmp_path / "out") == 2
    told(project, fix=True)
    assert uris(project)[0] == (tmp_path / "here" / "slides" / "1.png").as_uri()


def test_from_windows_by_a_mapping(tmp_path: Path) -> None:
    project = lab(tmp_path / "here")
    say(project, (tmp_path / "here" / "slides").as_uri(), "file:/E:/slides")
    there = (tmp_path / "here" / "slides").rename(tmp_path / "elsewhere")
    assert told(project)["problem"]

    mapping = Access(backend="geojson", mappings={r"E:\Slides": str(there)})
    found = told(project, access=mapping)
    assert not found["problem"]
    assert any("where you said" in text for text in found["note"])
    assert patches(project, tmp_path / "out") == 2

    told(project, fix=True)
    assert uris(project)[0] == (there / "1.png").as_uri()


def test_a_renamed_folder_is_one_finding_for_many_images(tmp_path: Path) -> None:
    project = lab(tmp_path / "lab", count=30)
    (tmp_path / "lab" / "slides").rename(tmp_path / "lab" / "Slides 2026")
    with pytest.raises(PartlyDoneError):
        export(project, out=tmp_path / "out", access=GEOJSON)

    finding = about_images(project)
    assert finding.level == "problem"
    assert "30 of 30 image files" in finding.text
    assert f"{tmp_path / 'lab' / 'slides'} → {tmp_path / 'lab' / 'Slides 2026'}." in finding.text
    assert len(finding.text) < 1000

    assert not told(project, fix=True)["problem"]
    assert patches(project, tmp_path / "out 2") == 30


def two_candidates(tmp_path: Path) -> Path:
    project = lab(tmp_path / "lab")
    slides = tmp_path / "lab" / "slides"
    for name in ("a", "b"):
        (project / name).mkdir()
        shutil.copy(slides / "1.png", project / name)
    slides.rename(tmp_path / "lab" / "moved")
    (tmp_path / "lab" / "moved" / "1.png").unlink()
    return project


def test_of_two_candidates_none_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = two_candidates(tmp_path)
    old = uris(project)

    assert main(["doctor", str(project), "--backend", "geojson", "--fix"]) == 5
    said = capsys.readouterr()

    assert uris(project) == [old[0], (tmp_path / "lab" / "moved" / "2.png").as_uri()]
    assert f"{project / 'a'} or {project / 'b'}" in said.out
    assert "--map" in said.out
    assert "1 image file mended" in said.out
    assert "could not be mended: im 1 (entry ID 1)" in said.err
    assert content(project)["uri"] == (project / "project.qpproj").as_uri()


def test_where_the_project_was_is_kept_until_all_is_found(tmp_path: Path) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    first = tmp_path / "new" / "slides" / "1.png"
    first.rename(tmp_path / "late.png")
    with pytest.raises(PartlyDoneError, match=r"im 1 \(entry ID 1\)"):
        doctor(project, fix=True, access=GEOJSON)
    shutil.copy(tmp_path / "late.png", project / "1.png")  # so that its name alone tells nothing
    (tmp_path / "late.png").rename(first)
    assert not told(project, fix=True)["problem"]
    assert uris(project)[0] == first.as_uri()
    assert content(project)["uri"] == (project / "project.qpproj").as_uri()


def test_a_mapping_decides_between_two(tmp_path: Path) -> None:
    project = two_candidates(tmp_path)
    mapping = {str(tmp_path / "lab" / "slides"): str(project / "b")}
    told(project, fix=True, access=Access(backend="geojson", mappings=mapping))
    assert uris(project)[0] == (project / "b" / "1.png").as_uri()


def test_another_size_is_named_and_not_taken(tmp_path: Path) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    wrong = tmp_path / "new" / "slides" / "1.png"
    Image.new("RGB", (500, 300)).save(wrong)
    (finding,) = [f for f in doctor(project, access=GEOJSON) if f.level == "problem"]
    assert f"{wrong} (it is 500 x 300 pixels, not 400 x 300)" in finding.text
    old = uris(project)[0]
    with pytest.raises(PartlyDoneError):
        doctor(project, fix=True, access=GEOJSON)
    assert uris(project)[0] == old


def test_the_files_as_they_were_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    before = state(project)
    assert main(["doctor", str(project), "--backend", "geojson", "--fix"]) == 0
    (snapshot,) = (project / "pycyto" / "snapshots" / "doctor").iterdir()
    assert str(snapshot) in capsys.readouterr().out
    shutil.copytree(snapshot, project, dirs_exist_ok=True)
    assert state(project) == before


def test_a_rotated_image_is_mended_too(tmp_path: Path) -> None:
    project = lab(tmp_path / "old")
    changed = content(project)
    inner = changed["images"][0]["serverBuilder"]
    outer = {"width": 300, "height": 400, "uri": inner["uri"]}
    rotated = {"builderType": "rotated", "builder": inner, "metadata": outer}
    changed["images"][0]["serverBuilder"] = rotated
    (project / "project.qpproj").write_text(json.dumps(changed))
    (project / "data" / "1" / "server.json").write_text(json.dumps(rotated))
    project = moved(project, tmp_path / "new")

    told(project, fix=True)

    rotated["builder"] = {**inner, "uri": (tmp_path / "new" / "slides" / "1.png").as_uri()}
    assert content(project)["images"][0]["serverBuilder"] == rotated
    assert json.loads((project / "data" / "1" / "server.json").read_text()) == rotated


def test_an_image_of_two_files_is_mended_whole_or_not(tmp_path: Path) -> None:
    project = lab(tmp_path / "old")
    changed = content(project)
    first, second = (image["serverBuilder"] for image in changed["images"])
    both = {"builderType": "z_concatenated", "builders": [first, second]}
    changed["images"] = [{**changed["images"][0], "serverBuilder": both}]
    (project / "project.qpproj").write_text(json.dumps(changed))
    project = moved(project, tmp_path / "new")
    slide = (tmp_path / "new" / "slides" / "2.png").rename(tmp_path / "2.png")
    before = state(project)

    with pytest.raises(PartlyDoneError):
        doctor(project, fix=True, access=GEOJSON)
    assert state(project) == before

    slide.rename(tmp_path / "new" / "slides" / "2.png")
    told(project, fix=True)
    assert str(tmp_path / "old") not in (project / "project.qpproj").read_text()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_project_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    before = state(project)

    def refuse(*_: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(files, "replace", refuse)
    with pytest.raises(NotWritableError, match=r"(?s)cannot be mended.*find what was moved") as e:
        doctor(project, fix=True, access=GEOJSON)
    assert str(project) in str(e.value.where)
    assert state(project) == before


def test_while_another_command_is_at_work_nothing_is_mended(tmp_path: Path) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    before = state(project)
    with locks.locked(project / "pycyto"), pytest.raises(LockedError):
        doctor(project, fix=True, access=GEOJSON)
    assert state(project) == before


def test_while_qupath_runs_only_with_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = moved(lab(tmp_path / "old"), tmp_path / "new")
    before = state(project)
    monkeypatch.setattr("pycyto.qupath.running.running", lambda: ["process 7"])
    words = ["doctor", str(project), "--backend", "geojson"]

    assert main(words) == 0
    assert main([*words, "--fix"]) == RefusedError.exit_code
    assert state(project) == before

    assert main([*words, "--fix", "--yes"]) == 0
    assert "QuPath is running" in capsys.readouterr().err
    assert state(project) != before
    assert main([*words, "--fix"]) == 0  # there is nothing left to be written


def test_an_image_on_a_server_is_said(tmp_path: Path) -> None:
    project = lab(tmp_path / "lab")
    say(project, (tmp_path / "lab" / "slides").as_uri(), "https://host/slides")
    (problem,) = told(project)["problem"]
    assert "2 images without a file on a disk" in problem
    assert "im 1 (entry ID 1), im 2 (entry ID 2)" in problem


def dead() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_what_a_killed_command_left_is_cleared(tmp_path: Path) -> None:
    project = lab(tmp_path)
    workspace, pid = project / "pycyto", dead()
    note = workspace / "lock.json"
    note.write_text(json.dumps({"pid": pid, "host": socket.gethostname(), "by": "a script"}))
    names = [f".a.csv.{pid}.part", f".b.csv.{os.getpid()}.part", ".part", f".young.{pid}.part"]
    for name in names:
        (workspace / "runs").mkdir(exist_ok=True)
        (workspace / "runs" / name).touch()
        os.utime(workspace / "runs" / name, (0, 0) if "young" not in name else None)
    outside = project / "data" / "1" / f".data.qpdata.{pid}.part"
    outside.touch()
    os.utime(outside, (0, 0))

    left = [text for text in told(project)["note"] if "was killed" in text]
    assert len(left) == 2
    assert all(name in text for name, text in zip(["lock.json", names[0]], left, strict=True))
    told(project, fix=True)

    assert not note.exists()
    assert sorted(path.name for path in (workspace / "runs").iterdir()) == sorted(names[1:])
    assert outside.exists()


@pytest.mark.parametrize("pid", [os.getpid(), None, 1 << 99, "7"])
def test_the_note_of_one_who_may_be_alive_stays(tmp_path: Path, pid: object) -> None:
    project = lab(tmp_path)
    note = project / "pycyto" / "lock.json"
    host = None
    if pid is None:
        pid, host = dead(), "another"
    note.write_text(json.dumps({"pid": pid, "host": host or socket.gethostname(), "by": "x"}))
    told(project, fix=True)
    assert note.exists()


def test_without_a_project_there_is_nothing_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no project to mend"):
        doctor(fix=True)
    assert main(["doctor", "--fix"]) == UsageError.exit_code


def test_what_is_missing_for_good_ends_as_partly_done(tmp_path: Path) -> None:
    project = lab(tmp_path)
    (tmp_path / "slides" / "1.png").unlink()
    words = ["doctor", str(project), "--backend", "geojson"]
    assert main(words) == BadInputError.exit_code
    assert main([*words, "--fix"]) == PartlyDoneError.exit_code
