"""Projects are read as QuPath writes them, wherever they and their images come from."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from pathlib import Path, PurePath, PureWindowsPath
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto import locks
from pycyto.errors import BadInputError, LockedError, NotWritableError, RefusedError
from pycyto.qupath.project import ImageEntry, Project, ensure_project_id, local_path, open_project
from tests.qupath.conftest import Json, ProjectMaker, builder, entry


def image_at(uri: str) -> ImageEntry:
    return ImageEntry("1", "a.svs", uri, "uri", "", (), 600, 520, rgb=True, pixel_size=None)


def only_image(folder: Path) -> ImageEntry:
    (image,) = open_project(folder).images
    return image


def test_an_image_is_read_as_qupath_wrote_it(make_project: ProjectMaker) -> None:
    folder = make_project(
        entry(entry_id=7, imageName="Präparat 1.svs", metadata={"Patient": "P 1", "Year": 2026})
    )
    image = only_image(folder)
    assert (image.entry_id, image.name) == ("7", "Präparat 1.svs")
    assert (image.width, image.height, image.pixel_size, image.mpp) == (
        600,
        520,
        (0.25, 0.25),
        0.25,
    )
    assert image.metadata == {"Patient": "P 1", "Year": "2026"}
    assert image.opened_by_openslide
    assert image.obstacle is None


def test_folder_and_project_file_are_the_same(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    project = open_project(folder)
    assert project == open_project(str(folder / "project.qpproj"))
    assert project.name == "Projekt é 1"
    assert project.file == folder / "project.qpproj"
    assert project.workspace == folder / "pycyto"
    assert project.image("1") == project.images[0]
    with pytest.raises(BadInputError, match="no image with entry ID 9"):
        project.image("9")


def test_opening_changes_nothing(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    before = (folder / "project.qpproj").stat()
    open_project(folder)
    assert [path.name for path in folder.iterdir()] == ["project.qpproj"]
    assert (folder / "project.qpproj").stat().st_mtime_ns == before.st_mtime_ns


def test_an_empty_project_and_names_that_repeat(make_project: ProjectMaker) -> None:
    assert open_project(make_project(folder="empty")).images == ()
    images = open_project(make_project(entry(), entry(entry_id=2))).images
    assert [(image.entry_id, image.name) for image in images] == [("1", "a.svs"), ("2", "a.svs")]


def test_cells_that_are_to_become_a_project_say_how(tmp_path: Path) -> None:
    (tmp_path / "pycyto" / "fields").mkdir(parents=True)
    with pytest.raises(BadInputError, match="no QuPath project here yet, only cells") as raised:
        open_project(tmp_path)
    assert "import_cells.groovy" in str(raised.value)
    assert f"'folder' is {tmp_path / 'pycyto' / 'fields'}." in str(raised.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems insist on Unicode names")
def test_a_folder_whose_name_is_no_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Pr\xe4parate"))
    folder.mkdir()
    (folder / "project.qpproj").write_text('{"images": []}')
    assert open_project(folder).name == "Pr\ufffdparate"


def test_no_project(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "project.qpproj"):
        with pytest.raises(BadInputError, match="no QuPath project here") as raised:
            open_project(path)
        assert "project.qpproj" in str(raised.value)
    for path in (tmp_path / "no", tmp_path / "no" / "project.qpproj"):
        with pytest.raises(BadInputError, match="no such folder"):
            open_project(path)
    (tmp_path / "manifest.csv").touch()
    with pytest.raises(BadInputError, match="a data set, not a QuPath project"):
        open_project(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"images": null}',
        '{"images": [3]}',
        '{"images": [{}]}',
        '{"images": [{"entryID": 1}]}',
        '{"images": [{"entryID": 1, "serverBuilder": null}]}',
        '{"images": [{"entryID": 1, "serverBuilder": {"builder": null}}]}',
        '{"images": [{"entryID": 1, "serverBuilder": {"args": 3}}]}',
        '{"images": [{"entryID": 1, "serverBuilder": {}, "metadata": [1]}]}',
        '{"images": [{"entryID": "../../1", "serverBuilder": {}}]}',
        '{"images": [{"entryID": "", "serverBuilder": {}}]}',
        '{"images": ' + "[" * 100_000,
    ],
    ids=lambda text: text[:70] or "empty",
)
def test_what_is_no_project_file_is_named(text: str, make_project: ProjectMaker) -> None:
    folder = make_project()
    (folder / "project.qpproj").write_text(text)
    with pytest.raises(BadInputError) as raised:
        open_project(folder)
    assert raised.value.where == str(folder / "project.qpproj")
    assert raised.value.remedy


def test_a_project_file_that_broke_off(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    whole = (folder / "project.qpproj").read_bytes()
    for end in range(0, len(whole) - 1, 50):
        (folder / "project.qpproj").write_bytes(whole[:end])
        with pytest.raises(BadInputError):
            open_project(folder)


def test_keys_that_are_not_there(make_project: ProjectMaker) -> None:
    image = only_image(make_project({"serverBuilder": {}, "entryID": 1}))
    assert (image.name, image.uri, image.metadata, image.mpp) == ("", "", {}, None)
    assert image.obstacle == "image of unknown size"


def wrapped(kind: str, **more: object) -> Json:
    return {"builderType": kind, "builder": builder(), "metadata": {"width": 520}, **more}


@pytest.mark.parametrize("kind", ["rotated", "cropped", "affine", "flipped", "something new"])
def test_a_wrapped_image_is_refused_and_still_found(kind: str, make_project: ProjectMaker) -> None:
    image = only_image(make_project(entry(wrapped(kind))))
    assert image.obstacle == "rotated, cropped or altered in QuPath"
    assert (image.uri, image.width, image.builder) == ("file:///slides/a.svs", 520, kind)
    assert image.image_key == image_at("file:/slides/a.svs").image_key


@pytest.mark.parametrize("args", [["--rotate", "ROTATE_90"], ["--rotate=ROTATE_180"]])
def test_a_rotation_in_the_arguments_is_one(args: list[str], make_project: ProjectMaker) -> None:
    image = only_image(make_project(entry(builder(args=args))))
    assert image.obstacle == "rotated, cropped or altered in QuPath"


def test_levels_that_qupath_makes_up_change_nothing(make_project: ProjectMaker) -> None:
    made_up = {**wrapped("pyramidize"), "metadata": builder(pixel_size=(0.5, 0.5))["metadata"]}
    twice = {**made_up, "builder": made_up}
    for folder, server in {"once": made_up, "twice": twice}.items():
        image = only_image(make_project(entry(server), folder=folder))
        assert (image.obstacle, image.builder, image.mpp) == (None, "uri", 0.5)
        assert image.uri == "file:///slides/a.svs"


@pytest.mark.parametrize("kind", ["rotated", "swapRedBlue"])
def test_they_hide_nothing_else(kind: str, make_project: ProjectMaker) -> None:
    below = {**wrapped("pyramidize"), "builder": wrapped(kind)}
    above = {**wrapped(kind), "builder": wrapped("pyramidize")}
    for folder, server in {"below": below, "above": above}.items():
        image = only_image(make_project(entry(server), folder=folder))
        assert image.obstacle == "rotated, cropped or altered in QuPath"


@pytest.mark.parametrize(
    ("args", "obstacle"),
    [
        (["--series", "0"], None),
        (["--series=0"], None),
        (["--bfOptions", "a.b=c"], None),
        (["--series", "1"], "not the first image of its file"),
        (["--series=12"], "not the first image of its file"),
        (["--no-crop", "--series"], "not the first image of its file"),
        (["--name", "label"], "not the first image of its file"),
        (["--dims", "YXCZT"], "rotated, cropped or altered in QuPath"),
    ],
)
def test_only_the_first_image_of_a_file_is_read(
    args: list[str], obstacle: str | None, make_project: ProjectMaker
) -> None:
    """Of the others neither OpenSlide nor Pillow knows, and they may be as large."""
    assert only_image(make_project(entry(builder(args=args)))).obstacle == obstacle


@pytest.mark.parametrize(
    ("provider", "args", "cropped"),
    [
        ("qupath.lib.images.servers.openslide.OpenslideServerBuilder", [], True),
        ("qupath.lib.images.servers.openslide.OpenslideServerBuilder", ["--no-crop"], False),
        ("qupath.imagej.images.servers.ImageJServerBuilder", [], False),
        ("qupath.lib.images.servers.bioformats.BioFormatsServerBuilder", [], False),
    ],
)
def test_who_crops_to_the_bounding_box(
    provider: str, args: list[str], cropped: bool, make_project: ProjectMaker
) -> None:
    image = only_image(make_project(entry(builder(provider=provider, args=args))))
    assert image.opened_by_openslide is cropped
    assert image.obstacle is None


CHANNELS = [{"name": "DAPI"}, {"name": "FITC"}]


@pytest.mark.parametrize(
    ("metadata", "obstacle"),
    [
        ({}, None),
        ({"isRGB": False}, "image not RGB"),
        ({"isRGB": False, "channels": CHANNELS}, "image not RGB"),
        ({"pixelCalibration": None}, None),
        ({"width": None}, "image of unknown size"),
    ],
)
def test_only_rgb_of_known_size(
    metadata: Json, obstacle: str | None, make_project: ProjectMaker
) -> None:
    assert only_image(make_project(entry(builder(**metadata)))).obstacle == obstacle


@pytest.mark.parametrize("channels", [CHANNELS, CHANNELS[:1]])
def test_channels_tell_where_nothing_else_does(
    channels: list[Json], make_project: ProjectMaker
) -> None:
    server = builder(channels=channels)
    del server["metadata"]["isRGB"]
    assert only_image(make_project(entry(server))).obstacle == "image not RGB"


@pytest.mark.parametrize(
    ("sizes", "unit", "mpp"),
    [
        ((0.25, 0.25), "µm", 0.25),
        ((0.25, 0.25), "\u03bcm", 0.25),
        ((0.25, 0.25), "um", 0.25),
        ((0.5, 0.502), "µm", 0.501),
        ((1.0, 1.0), "px", None),
        ((0.25, 0.25), "mm", None),
        ((0.0, 0.0), "µm", None),
        ((-0.25, -0.25), "µm", None),
        ((float("nan"), float("nan")), "µm", None),
        ((float("inf"), 0.25), "µm", None),
    ],
)
def test_the_pixel_size_is_known_or_not_and_never_guessed(
    sizes: tuple[float, float], unit: str, mpp: float | None, make_project: ProjectMaker
) -> None:
    image = only_image(make_project(entry(builder(pixel_size=sizes, unit=unit))))
    assert image.mpp == mpp
    assert image.obstacle is None


@pytest.mark.parametrize(
    ("sizes", "obstacle"), [((0.25, 0.2524), None), ((0.25, 0.26), "anisotropic pixels")]
)
def test_pixels_must_be_square(
    sizes: tuple[float, float], obstacle: str | None, make_project: ProjectMaker
) -> None:
    assert only_image(make_project(entry(builder(pixel_size=sizes)))).obstacle == obstacle
    turned = builder(pixel_size=(sizes[1], sizes[0]))
    assert only_image(make_project(entry(turned), folder="turned")).obstacle == obstacle


def test_an_image_key_is_that_of_the_formats_page() -> None:
    key = hashlib.sha256("file:///a/b é.svs".encode()).hexdigest()[:16]
    for slashes in ("/", "//", "///", "////"):
        assert image_at(f"file:{slashes}a/b é.svs").image_key == key
    assert image_at("file:/a/c.svs").image_key != key


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:/slides/a.svs", "/slides/a.svs"),
        ("file:///slides/a%20%C3%BC%25%23.svs", "/slides/a ü%#.svs"),
        ("file:///slides/Präparat 1.svs", "/slides/Präparat 1.svs"),
        ("file://localhost/slides/a.svs", "/slides/a.svs"),
        ("FILE:/slides/a+b.svs", "/slides/a+b.svs"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of the other systems")
def test_a_uri_is_a_path_here(uri: str, path: str) -> None:
    assert local_path(image_at(uri), {}) == Path(path)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:/D:/slides/a%20b.svs", "D:/slides/a b.svs"),
        ("file:///d:/slides/a.svs", "d:/slides/a.svs"),
        ("file://server/share/a.svs", "//server/share/a.svs"),
        ("file:////server/share/a.svs", "//server/share/a.svs"),
    ],
)
def test_a_uri_of_windows_is_a_path_there(uri: str, path: str) -> None:
    assert PureWindowsPath(str(local_path(image_at(uri), {}))) == PureWindowsPath(path)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0/\\"), min_size=1))
def test_every_file_name_survives_its_uri(name: str) -> None:
    if name in (".", ".."):
        return
    path = PurePath("/slides") / name
    assert local_path(image_at(path.as_uri()), {}) == Path(path)


@pytest.mark.parametrize(
    ("uri", "mappings", "path"),
    [
        ("file:/D:/slides/x/a.svs", {"D:/slides": "/data"}, "/data/x/a.svs"),
        ("file:/D:/slides/x/a.svs", {"d:\\Slides\\": "/data"}, "/data/x/a.svs"),
        ("file:/D:/slides/x/a.svs", {"D:": "/data"}, "/data/slides/x/a.svs"),
        ("file://server/share/x/a.svs", {r"\\server\share": "/mnt"}, "/mnt/x/a.svs"),
        ("file:////server/share/x/a.svs", {"//server/share/": "/mnt"}, "/mnt/x/a.svs"),
        ("file:/old/x/a.svs", {"/old": "/new"}, "/new/x/a.svs"),
        ("file:/old/x/a.svs", {"/old": "/new", "/old/x": "/x"}, "/x/a.svs"),
        ("file:/old/x/a.svs", {"/old/x": "/x", "/old//////////": "/new"}, "/x/a.svs"),
        ("file:/old/x/a.svs", {"/old/x/a.svs": "/b.svs"}, "/b.svs"),
        ("file:/older/a.svs", {"/old": "/new"}, "/older/a.svs"),
        ("file:/old/a.svs", {"D:/old": "/new", "old": "/new", "": "/new"}, "/old/a.svs"),
        ("file:/a%20%C3%A9/b.svs", {"/a é": "/c d"}, "/c d/b.svs"),
    ],
)
def test_folders_have_other_names_here(uri: str, mappings: dict[str, str], path: str) -> None:
    assert local_path(image_at(uri), mappings).parts[1:] == Path(path).parts[1:]


def test_the_first_place_where_there_is_a_file(tmp_path: Path, make_project: ProjectMaker) -> None:
    was, mapped = tmp_path / "was" / "im" / "a.svs", tmp_path / "mapped" / "a.svs"
    folder = make_project(entry(builder(was.as_uri())))
    text = (folder / "project.qpproj").read_text("utf-8")
    was_project = (tmp_path / "was" / "project.qpproj").as_uri()
    text = text.replace("file:/elsewhere/project.qpproj", was_project)
    (folder / "project.qpproj").write_text(text, "utf-8")
    image, mappings = only_image(folder), {str(was.parent): str(mapped.parent)}

    assert local_path(image, {}) == was
    assert local_path(image, mappings) == mapped
    for place in (folder / "im" / "a.svs", mapped, was):
        place.parent.mkdir(parents=True)
        place.touch()
        assert local_path(image, mappings) == place


def test_a_mapping_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    found = local_path(image_at("file:/old/a.svs"), {"/old": "~/slides"})
    assert found == tmp_path / "slides" / "a.svs"


@pytest.mark.parametrize(
    "uri", ["", "https://host/a.svs", "omero://host/1", "file://[x/a.svs", "a"]
)
def test_what_is_no_file_is_said(uri: str) -> None:
    with pytest.raises(BadInputError, match="not a file on a disk") as raised:
        local_path(image_at(uri), {})
    assert raised.value.where == "a.svs (entry ID 1)"


def test_a_project_keeps_the_id_it_was_given(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    first = ensure_project_id(open_project(folder))
    assert UUID(first.project_id).version == 4
    stored = json.loads((folder / "pycyto" / "project.json").read_text())
    assert (stored["schema"], stored["project_id"]) == (1, first.project_id)
    assert open_project(folder).project_id == first.project_id
    assert ensure_project_id(first) is first
    assert open_project(folder, project_id="mine").project_id == "mine"


def test_of_two_commands_at_once_one_makes_the_id(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    slow, quick = open_project(folder), open_project(folder)
    with locks.locked(folder / "pycyto"), pytest.raises(LockedError):
        ensure_project_id(slow)
    made = ensure_project_id(quick).project_id
    assert ensure_project_id(slow).project_id == made


def test_an_id_of_ones_own_writes_nothing(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    assert ensure_project_id(open_project(folder, project_id="mine")).project_id == "mine"
    assert not (folder / "pycyto").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"project_id": ""}', '{"project_id": null}'])
def test_an_id_that_got_lost_is_not_made_anew(text: str, make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    (folder / "pycyto").mkdir()
    (folder / "pycyto" / "project.json").write_text(text)
    with pytest.raises(BadInputError, match=r"project\.json"):
        open_project(folder)


def test_a_project_that_cannot_be_written_to(
    make_project: ProjectMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(make_project(entry()))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(NotWritableError, match="--project-id"):
        ensure_project_id(project)


def saved(folder: Path, content: bytes = b"objects") -> Project:
    data = folder / "data" / "1" / "data.qpdata"
    data.parent.mkdir(parents=True)
    data.write_bytes(content)
    return open_project(folder)


def test_the_state_of_an_image_is_the_hash_of_its_data(make_project: ProjectMaker) -> None:
    folder = make_project(entry())
    assert open_project(folder).data_sha256("1") == ""
    project = saved(folder, b"abc")
    assert project.data_file("1") == folder / "data" / "1" / "data.qpdata"
    assert project.data_sha256("1").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("data_is_there", [True, False])
def test_a_save_that_was_interrupted_is_left_to_a_person(
    data_is_there: bool, make_project: ProjectMaker
) -> None:
    project = saved(make_project(entry()))
    backup = project.data_file("1").with_name("data.qpdata.bkp")
    backup.write_bytes(b"older")
    if not data_is_there:
        project.data_file("1").unlink()
    with pytest.raises(RefusedError, match="save was interrupted") as raised:
        project.data_sha256("1")
    assert raised.value.where == str(backup)
