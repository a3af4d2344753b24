"""Later settings win, wrong ones are named with their file, and mappings are the user's."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from pycyto import settings
from pycyto.errors import BadInputError
from pycyto.settings import Settings, keep_mappings, load_settings, user_file, with_mappings


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file, which is not there yet."""
    path = tmp_path / "config é" / "settings.toml"
    monkeypatch.setattr(settings, "user_file", lambda: path)
    return path


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def project_with(folder: Path, text: str) -> Path:
    put(folder / "project" / "pycyto" / "settings.toml", text)
    return folder / "project"


def test_defaults_document_every_setting(user: Path) -> None:
    table = tomllib.loads(resources.files("pycyto").joinpath("defaults.toml").read_text("utf-8"))
    assert list(table) == [field.name for field in dataclasses.fields(Settings)]
    assert dataclasses.asdict(load_settings()) == table
    assert load_settings().metadata_keys.patient == "Patient"


def test_the_users_file_is_where_the_system_keeps_such_files() -> None:
    assert user_file().name == "settings.toml"
    assert user_file().parent.name == "pycyto"
    assert user_file().is_absolute()


def test_later_files_win(user: Path, tmp_path: Path) -> None:
    put(
        user, "point_radius = 1.0\nlargest_outline = 1.0\n[metadata_keys]\npatient = 'A'\nslide='A'"
    )
    project = project_with(tmp_path, "point_radius = 2.0\n[metadata_keys]\npatient = 'B'")
    extra = put(tmp_path / "extra.toml", "[metadata_keys]\nslide = 'C'")
    found = load_settings(project, extra)
    assert (found.point_radius, found.largest_outline) == (2.0, 1.0)
    assert (found.metadata_keys.patient, found.metadata_keys.slide) == ("B", "C")
    assert found.metadata_keys.scanner == "Scanner"
    assert load_settings().point_radius == 1.0


def test_a_whole_number_is_a_number(user: Path) -> None:
    put(user, "point_radius = 12")
    assert load_settings().point_radius == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("point_radiu = 3", "no setting 'point_radiu'"),
        ("point_radius = 'big'", "'point_radius' has the value 'big'; it should be like 20.0"),
        ("point_radius = true", "has the value True"),
        ("point_radius = 0", "has the value 0"),
        ("point_radius = -1.5", "has the value -1.5"),
        ("largest_outline = nan", "has the value nan"),
        ("largest_outline = inf", "has the value inf"),
        ("scheme = 3", "'scheme' has the value 3"),
        ("metadata_keys = 'x'", "'metadata_keys' has the value 'x'"),
        ("[metadata_keys]\npatients = 'x'", "no setting 'patients'"),
        ("[metadata_keys]\npatient = ['x']", "'patient' has the value"),
        ("[metadata_keys]\npath_mappings = {}", "no setting 'path_mappings'"),
        ("path_mappings = 'x'", "something else than folders"),
        ("[path_mappings]\n'D:/slides' = 3", "something else than folders"),
        ("point_radius =", "not valid TOML"),
        ("[path_mappings]\n'a' = \"D:\\slides\"", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(text: str, message: str, user: Path) -> None:
    put(user, text)
    with pytest.raises(BadInputError) as raised:
        load_settings()
    assert message in raised.value.what
    assert raised.value.where == str(user)


def test_a_typing_error_gets_a_hint(user: Path) -> None:
    put(user, "point_radiu = 3")
    with pytest.raises(BadInputError, match="Did you mean 'point_radius'"):
        load_settings()
    put(user, "zzz = 3")
    with pytest.raises(BadInputError, match="Known are: scheme, "):
        load_settings()


def test_encodings_of_windows_editors(user: Path) -> None:
    put(user, "[metadata_keys]\npatient = 'Präparat'", encoding="utf-8-sig")
    assert load_settings().metadata_keys.patient == "Präparat"
    put(user, "[metadata_keys]\npatient = 'Präparat'", encoding="cp1252")
    with pytest.raises(BadInputError, match="UTF-8"):
        load_settings()


def test_a_file_that_was_named_must_be_there(user: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="missing"):
        load_settings(extra=tmp_path / "no.toml")
    with pytest.raises(BadInputError, match="cannot be read"):
        load_settings(extra=tmp_path)


def test_a_project_does_not_decide_which_files_are_opened(user: Path, tmp_path: Path) -> None:
    project = project_with(tmp_path, "[path_mappings]\n'/slides' = '/etc'")
    with pytest.raises(BadInputError, match="belong to the user") as raised:
        load_settings(project)
    assert str(user) in str(raised.value)


def test_mappings_add_up(user: Path, tmp_path: Path) -> None:
    put(user, "[path_mappings]\n'D:/a' = '/a'\n'D:/b' = '/b'")
    extra = put(tmp_path / "extra.toml", "[path_mappings]\n'D:/b' = '/new'")
    found = with_mappings(load_settings(extra=extra), {"D:/c": "/c"})
    assert found.path_mappings == {"D:/a": "/a", "D:/b": "/new", "D:/c": "/c"}


def test_mappings_are_remembered(user: Path) -> None:
    keep_mappings({"D:/slides é": "/data/slides é"})
    keep_mappings({r"\\server\share": "/mnt/share"})
    assert load_settings().path_mappings == {
        "D:/slides é": "/data/slides é",
        r"\\server\share": "/mnt/share",
    }


def test_remembering_keeps_the_other_settings(user: Path) -> None:
    put(user, "point_radius = 3.0\n[metadata_keys]\npatient = 'Fall'")
    keep_mappings({"D:/a": "/a"})
    found = load_settings()
    assert (found.point_radius, found.metadata_keys.patient) == (3.0, "Fall")


def test_a_file_that_holds_the_mappings_is_left_as_it_is(user: Path) -> None:
    text = "# mine\n[path_mappings]\n'D:/a' = '/a'\n"
    put(user, text)
    before = user.stat().st_ino
    keep_mappings({"D:/a": "/a"})
    assert (user.read_text(), user.stat().st_ino) == (text, before)


def test_a_broken_file_is_not_overwritten(user: Path) -> None:
    put(user, "path_mappings = 3")
    with pytest.raises(BadInputError):
        keep_mappings({"D:/a": "/a"})
    assert user.read_text() == "path_mappings = 3"
