"""Image files of a project that was moved are found, and none is guessed."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pycyto.qupath import moved
from pycyto.qupath.moved import Lost, image_files, lost_files
from pycyto.qupath.project import open_project
from tests.moved_project import lab, say
from tests.qupath.conftest import ProjectMaker, builder, entry


def look(project: Path, mappings: dict[str, str] | None = None) -> dict[str, Lost]:
    opened = open_project(project)
    lost, _ = lost_files(opened, mappings or {}, image_files(opened))
    return {one.file.path.name: one for one in lost}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with its slides beside it, saved in a place that is not there."""
    project = lab(tmp_path / "here")
    say(project, (tmp_path / "here").as_uri(), "file:///was")
    return project


def test_nothing_is_lost_where_nothing_moved(tmp_path: Path) -> None:
    assert look(lab(tmp_path)) == {}


def test_moved_with_its_images(project: Path) -> None:
    found = look(project)
    assert {one.how for one in found.values()} == {"moved along"}
    assert found["2.png"].place == project.parent / "slides" / "2.png"


def test_from_windows(project: Path) -> None:
    say(project, "file:///was", "file:/D:/Lab%201")
    found = look(project)
    assert found["1.png"].how == "moved along"
    slides = project.parent / "slides"
    there = slides.rename(project.parent / "other")
    found = look(project, {"d:/lab 1/slides": str(there)})
    assert (found["1.png"].how, found["1.png"].place) == ("mapped", there / "1.png")


def test_what_the_user_said_comes_before_what_was_moved_along(
    project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project.parent / "slides", tmp_path / "copy")
    mapping = {"/was/slides": str(tmp_path / "copy")}
    assert look(project, mapping)["1.png"].place == tmp_path / "copy" / "1.png"
    Image.new("RGB", (400, 301)).save(tmp_path / "copy" / "1.png")
    one = look(project, mapping)["1.png"]
    assert one.place == project.parent / "slides" / "1.png"
    assert one.others == {tmp_path / "copy" / "1.png": "it is 400 x 301 pixels, not 400 x 300"}


def test_by_name_in_the_folder_around(project: Path) -> None:
    (project.parent / "slides").rename(project.parent / "Bilder")
    one = look(project)["1.png"]
    assert (one.how, one.place) == ("by name", project.parent / "Bilder" / "1.png")


@pytest.mark.parametrize("name", ["PRÄPARAT.PNG", unicodedata.normalize("NFD", "Präparat.png")])
def test_a_name_in_another_case_or_form(project: Path, name: str) -> None:
    slides = project.parent / "slides"
    say(project, "slides/1.png", "slides/Pr%C3%A4parat.png")
    (slides / "1.png").rename(slides / name)
    one = look(project)["Präparat.png"]
    assert one.place == slides / name
    assert one.how == ("by name" if name.isupper() else "moved along")


def test_of_two_none_is_taken(project: Path) -> None:
    slides = project.parent / "slides"
    shutil.copytree(slides, project / "a")
    slides.rename(project.parent / "b")
    one = look(project)["1.png"]
    assert (one.place, one.how) == (None, None)
    assert one.candidates == (project / "a" / "1.png", project.parent / "b" / "1.png")


def test_a_link_to_a_file_is_no_second_one(project: Path) -> None:
    there = (project.parent / "slides").rename(project.parent / "b")
    (project / "1.png").symlink_to(there / "1.png")
    assert look(project)["1.png"].place == project / "1.png"


def test_another_size_is_named_and_not_taken(project: Path) -> None:
    other = project.parent / "slides" / "1.png"
    Image.new("RGB", (300, 400)).save(other)
    one = look(project)["1.png"]
    assert (one.place, one.candidates) == (None, ())
    assert one.others == {other: "it is 300 x 400 pixels, not 400 x 300"}


def test_a_copy_that_broke_off_is_not_taken(project: Path) -> None:
    other = project.parent / "slides" / "1.png"
    other.write_bytes(other.read_bytes()[:20])
    assert look(project)["1.png"].others == {other: "it cannot be read as an image here"}


def test_the_file_of_another_image_is_not_taken(project: Path) -> None:
    """Cameras count from 1 in every folder: the same name and size, and another patient."""
    say(project, "slides/2.png", "slides/second/1.png")
    (project.parent / "slides" / "2.png").unlink()
    found = look(project)
    assert found["1.png"].place is None
    assert found["1.png"].others == {project.parent / "slides" / "1.png": "it is image im 1"}


def test_one_file_is_not_taken_for_two(project: Path) -> None:
    say(project, "slides/1.png", "slides/first/1.png")
    say(project, "slides/2.png", "slides/second/1.png")
    opened = open_project(project)
    lost, _ = lost_files(opened, {}, image_files(opened))
    assert [one.place for one in lost] == [None, None]
    assert all("another image" in why for one in lost for why in one.others.values())
    assert all(one.others for one in lost)


def test_images_of_one_file_are_one_file(project: Path) -> None:
    say(project, "file:///was/slides/2.png", "file:/was/slides/1.png")
    (file,) = image_files(open_project(project))
    assert [image.entry_id for image in file.images] == ["1", "2"]


@pytest.mark.parametrize(("depth", "found"), [(4, True), (5, False)])
def test_the_search_goes_four_folders_deep(project: Path, depth: int, found: bool) -> None:
    deep = project.joinpath(*"abcde"[:depth])
    deep.parent.mkdir(parents=True)
    (project.parent / "slides").rename(deep)
    assert (look(project)["1.png"].place is not None) is found


def test_what_pycyto_qupath_and_others_hide_is_not_searched(project: Path) -> None:
    for name in ("pycyto/x", "data/x", ".Trash"):
        shutil.copytree(project.parent / "slides", project / name)
    shutil.rmtree(project.parent / "slides")
    assert look(project)["1.png"] == Lost(look(project)["1.png"].file)


def test_a_search_that_was_not_finished_is_not_certain(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = (project.parent / "slides").rename(project / "a")
    monkeypatch.setattr(moved, "SEARCH_NAMES", 6)
    one = look(project)["1.png"]
    assert (one.place, one.candidates) == (None, (there / "1.png",))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems insist on Unicode names")
def test_a_name_that_no_uri_can_hold_is_not_taken(project: Path) -> None:
    there = Path(os.fsdecode(os.fsencode(project) + b"/Pr\xe4parate"))
    (project.parent / "slides").rename(there)
    one = look(project)["1.png"]
    assert one.others == {there / "1.png": "QuPath cannot open a file of this name"}


def slide(width: object, height: int, **more: object) -> dict[str, object]:
    return builder("file:///was/a.png", provider="x", width=width, height=height, **more)  # type: ignore[arg-type]


def broken_inside(inner: dict[str, object]) -> dict[str, object]:
    return {"builderType": "rotated", "builder": inner, "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("server", "sizes"),
    [
        ({"builderType": "rotated", "builder": slide(60, 52)}, {(60, 52)}),
        (
            {
                "builderType": "rotated",
                "builder": {"builderType": "uri", "uri": "file:///was/a.png"},
                "metadata": {"width": 52, "height": 60},
            },
            {(60, 52), (52, 60)},
        ),
        (slide(60, 52, args=["--rotate", "ROTATE_90"]), {(60, 52), (52, 60)}),
        ({"builderType": "z_concatenated", "builders": [slide(60, 52)]}, {(60, 52)}),
        (
            {
                "builderType": "sparse",
                "regions": [{"resolutions": [{"serverBuilder": slide(60, 52)}]}],
                "metadata": {"uri": "file:///was/b.png"},
            },
            {(60, 52)},
        ),
        ({"builderType": "uri", "uri": "file:///was/a.png"}, set()),
        (slide(0, 52), set()),
        (broken_inside({**slide(60, 52), "metadata": ["w"]}), set()),
        (broken_inside(slide("x", 52)), set()),
        ({"builderType": "uri", "uri": "https://host/a.png"}, None),
    ],
)
def test_files_in_builders_of_any_kind(
    make_project: ProjectMaker, server: dict[str, object], sizes: set[tuple[int, int]] | None
) -> None:
    found = image_files(open_project(make_project(entry(server))))
    assert [file.sizes for file in found] == ([] if sizes is None else [frozenset(sizes)])
    assert all(file.path.name == "a.png" for file in found)


def test_what_has_no_known_size_is_not_taken(make_project: ProjectMaker) -> None:
    folder = make_project(entry({"builderType": "uri", "uri": "file:///was/a.png"}))
    Image.new("RGB", (60, 52)).save(folder / "a.png")
    assert "does not say how large" in str(look(folder)["a.png"].others)
