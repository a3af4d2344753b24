"""Paths that another machine wrote, and where they lead to on this one."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest

from pycyto.qupath import places

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="paths of the other systems")


@pytest.mark.parametrize(
    ("file", "project", "way"),
    [
        ("file:/D:/lab/slides/a.svs", "file:/D:/lab/proj/project.qpproj", "/data/slides/a.svs"),
        ("file:/d:/LAB/slides/a.svs", "file:/D:/lab/proj/project.qpproj", "/data/slides/a.svs"),
        ("file:///lab/proj/im/a.svs", "file:/lab/proj/project.qpproj", "/data/proj/im/a.svs"),
        ("file:/lab/a%20%C3%A9.svs", "file:/lab/proj/project.qpproj", "/data/a é.svs"),
        ("file://nas/lab/s/a.svs", "file://nas/lab/proj/project.qpproj", "/data/s/a.svs"),
        ("file:////nas/lab/s/a.svs", "file://NAS/lab/proj/project.qpproj", "/data/s/a.svs"),
        ("file:/E:/slides/a.svs", "file:/D:/lab/proj/project.qpproj", None),
        ("file://nas/other/a.svs", "file://nas/lab/proj/project.qpproj", None),
        ("file:/D:/slides/a.svs", "file:/lab/proj/project.qpproj", None),
        ("file:a.svs", "file:/lab/proj/project.qpproj", None),
        ("file:/lab/a.svs", "", None),
        ("file:/lab/a.svs", "https://lab/project.qpproj", None),
    ],
)
@POSIX
def test_a_file_is_moved_along_with_its_project(file: str, project: str, way: str | None) -> None:
    expected = None if way is None else Path(way)
    assert places.moved_along(places.path_in(file), project, Path("/data/proj")) == expected


def test_a_file_that_is_there_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.svs").touch()
    assert places.found(tmp_path / "a.svs") == tmp_path / "a.svs"
    assert places.found(tmp_path / "b.svs") is None
    assert places.found(None) is None


@POSIX
def test_a_path_of_windows_is_never_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "D:" / "lab").mkdir(parents=True)
    (tmp_path / "D:\\lab").mkdir()
    assert places.found(PureWindowsPath("D:/lab")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only here are the two forms two files")
@pytest.mark.parametrize(("written", "asked"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_may_be_one_character_or_two(tmp_path: Path, written: str, asked: str) -> None:
    forms = {
        form: Path(unicodedata.normalize(form, "Präparate/é 1.svs")) for form in ("NFC", "NFD")
    }
    there = tmp_path / forms[written]
    there.parent.mkdir()
    there.touch()
    assert places.found(tmp_path / forms[asked]) == there
    assert places.found(tmp_path / forms[asked].with_name("É 1.svs")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only here are the forms several files")
def test_of_two_forms_of_a_name_none_is_guessed(tmp_path: Path) -> None:
    for name in ("\u1ea5.svs", "a\u0302\u0301.svs"):
        (tmp_path / name).touch()
    assert places.found(tmp_path / "\u00e2\u0301.svs") is None


def test_a_name_that_no_file_can_have_is_not_there(tmp_path: Path) -> None:
    assert places.found(tmp_path / "a\0b") is None
    assert places.found(tmp_path / ("é" * 4000)) is None
