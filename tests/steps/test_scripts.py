from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from pycyto import doctor
from pycyto.errors import BadInputError
from pycyto.records import Silent
from pycyto.steps.scripts import (
    findings,
    install_scripts,
    list_scripts,
    purpose_of,
    scripts_folder,
)


def test_the_scripts_are_there_and_say_what_they_do() -> None:
    names = {script.stem for script in list_scripts()}
    assert names >= {
        "export_cells",
        "export_patches",
        "import_predictions",
        "predict_cells",
        "set_up_classes",
        "undo_predictions",
    }
    assert all(len(purpose_of(script)) > 20 for script in list_scripts())


def test_they_are_installed_with_what_they_share(tmp_path: Path) -> None:
    (done,) = install_scripts(tmp_path)
    place = done.folder
    assert place == tmp_path / "scripts" / "pycyto"
    for source in scripts_folder().rglob("*"):
        if source.is_file():
            copied = place / source.relative_to(scripts_folder())
            assert copied.read_bytes() == source.read_bytes()


def test_they_are_told_which_python_to_start(tmp_path: Path) -> None:
    (done,) = install_scripts(tmp_path)
    note = json.loads((done.folder / "lib" / "installed.json").read_text("utf-8"))
    assert note["python"] == sys.executable
    assert note["pycyto"] == version("pycyto")


def test_an_update_leaves_what_is_not_ours(tmp_path: Path) -> None:
    (done,) = install_scripts(tmp_path)
    own = [done.folder / "my_script.groovy", tmp_path / "scripts" / "other.groovy"]
    for path in own:
        path.write_text("mine")
    (again,) = install_scripts(tmp_path)
    assert (again.removed, again.kept) == ((), ())
    assert [path.read_text() for path in own] == ["mine", "mine"]


def older(place: Path, name: str, text: str, *, now: str) -> Path:
    """Let an older version have installed a file, which somebody may have changed since."""
    note = place / "lib" / "installed.json"
    content = json.loads(note.read_text("utf-8"))
    content["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    note.write_text(json.dumps(content), "utf-8")
    (place / name).write_text(now)
    return place / name


def test_an_update_removes_what_is_no_longer_shipped(tmp_path: Path) -> None:
    (done,) = install_scripts(tmp_path)
    gone = older(done.folder, "lib/PycytoOld.gvy", "old", now="old")
    (again,) = install_scripts(tmp_path)
    assert again.removed == ("lib/PycytoOld.gvy",)
    assert not gone.exists()
    assert list(done.folder.rglob("*.changed")) == []


@pytest.mark.parametrize("name", ["export_patches.groovy", "old_script.groovy"])
def test_an_update_keeps_what_somebody_has_changed(tmp_path: Path, name: str) -> None:
    (done,) = install_scripts(tmp_path)
    older(done.folder, name, "as installed", now="with settings of mine")
    said = Said()
    install_scripts(tmp_path, reporter=said)
    assert (done.folder / f"{name}.changed").read_text() == "with settings of mine"
    if (scripts_folder() / name).exists():
        assert (done.folder / name).read_bytes() == (scripts_folder() / name).read_bytes()
        assert "export_patches.groovy" in said.warned[0]


@pytest.mark.parametrize("name", ["../../mine.txt", "../mine.groovy"])
def test_a_note_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    (done,) = install_scripts(tmp_path)
    mine = older(done.folder, name, "x", now="x")
    assert install_scripts(tmp_path)[0].removed == ()
    assert mine.read_text() == "x"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of scripts in the home of a user."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "QuPath" / "v0.6").mkdir(parents=True)
    (done,) = install_scripts()
    return done.folder


def test_doctor_finds_the_scripts(installed: Path) -> None:
    (finding,) = findings()
    assert (finding.level, str(installed) in finding.text) == ("good", True)
    assert finding in doctor()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pycyto": "0.0.1"}, "are of pycyto 0.0.1"),
        ({"python": "/no/python"}, "a Python that is gone: /no/python"),
        ({"files": None}, "are of pycyto an older version"),
    ],
)
def test_doctor_says_when_they_are_to_be_installed_again(
    installed: Path, change: dict[str, Any], text: str
) -> None:
    note = installed / "lib" / "installed.json"
    note.write_text(json.dumps(json.loads(note.read_text("utf-8")) | change), "utf-8")
    (finding,) = findings()
    assert (finding.level, text in finding.text) == ("problem", True)
    assert "pycyto scripts install" in finding.remedy
    install_scripts()
    assert [finding.level for finding in findings()] == ["good"]


class Said(Silent):
    """A reporter that remembers warnings."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def test_every_user_folder_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("v0.5", "v0.6"):
        (tmp_path / "QuPath" / name).mkdir(parents=True)
    assert len(install_scripts()) == 2


def test_no_user_folder_is_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(BadInputError, match="--user-dir"):
        install_scripts()
