"""Blinded reading in QuPath's window: real keys, and what is on the screen and on the disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from pycyto import files
from pycyto.qupath.assignments import CONSENSUS
from tests.assigned_project import AssignedProject, assigned
from tests.qupath_fixtures import SCRIPTS
from tests.qupath_window import Window, needs_a_display, qupath_window

pytestmark = [pytest.mark.qupath, needs_a_display]

MAIN = "QuPath"
OPEN = "P01_field.jpg"  # with objects and a class colour for each


@pytest.fixture
def project(tmp_path: Path) -> AssignedProject:
    return assigned(tmp_path / "Prüfung 1", cells=10, repeat=0.2)


def script_with(folder: Path, **values: Any) -> Path:
    """Return the script as a user leaves it who has filled in its settings."""
    shutil.copytree(SCRIPTS, folder)
    script = folder / "read_cells.groovy"
    text = script.read_text("utf-8")
    for name, value in values.items():
        old = f"    {name}: {'false' if isinstance(value, bool) else repr('')},"
        assert old in text
        text = text.replace(old, f"    {name}: {json.dumps(value)},")
    script.write_text(text, "utf-8")
    return script


@contextlib.contextmanager
def reading(
    qupath: Path, project: AssignedProject, home: Path, *, image: str | None = None, **values: Any
) -> Iterator[Window]:
    script = script_with(home / "scripts", **values)
    with qupath_window(qupath, project.folder, script, home, image=image) as window:
        yield window


def press(window: Window, project: AssignedProject, folder: str, *keys: str) -> None:
    """Press keys one by one. A key that finds no cell on the screen yet is pressed again."""
    for key in keys:
        time.sleep(1.0)
        before = len(project.lines(folder))

        def answered(key: str = key, before: int = before) -> bool:
            window.key(key)
            return window.soon(lambda: len(project.lines(folder)) > before)

        window.until(answered, f"{key} left no line")


def everything_but_reads(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a project that a reading must not touch."""
    mine = folder / "pycyto"
    return {
        str(path.relative_to(folder)): files.sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file() and mine / "reads" not in path.parents
        if mine / "results" not in path.parents
    }


def test_a_sitting(qupath_installation: Path, project: AssignedProject, tmp_path: Path) -> None:
    before = everything_but_reads(project.folder)
    title = f"pycyto: {project.assignment.name}"
    with reading(qupath_installation, project, tmp_path / "home", image=OPEN, reader="A") as window:
        window.focus(title)
        # Nothing of QuPath is on the screen, ...
        assert window.titles() == [title]
        press(window, project, "A", "4", "s", "f", "BackSpace", "KP_2")
        assert (project.reads / "a" / "lock.json").exists()
        window.picture(tmp_path / "reading.png")
        # ... and Escape brings it back.
        window.key("Escape")
        window.wait_for(MAIN)
        window.until(lambda: title not in window.titles(), "the window stays")
        window.until((project.folder / "pycyto/results/read_cells.json").exists, "no result")
    assert [(line["position"], line["action"], line["label"]) for line in project.lines("A")] == [
        (0, "class", "HSIL"),
        (1, "skip", None),
        (2, "flag", None),
        (2, "take back", None),
        (2, "class", "ASC-US"),
    ]
    assert all(0 <= line["seconds"] < 300 for line in project.lines("A"))
    assert everything_but_reads(project.folder) == before
    assert not (project.reads / "a" / "lock.json").exists()
    result = files.read_json(project.folder / "pycyto" / "results" / "read_cells.json")
    assert (result["ok"], result["counts"]) == (True, {"read": 3, "left": 9})


def test_a_kill_loses_nothing_that_was_answered(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    keys = ["1", "2", "3", "4", "s"]
    with reading(qupath_installation, project, tmp_path / "home", reader="A") as window:
        window.focus("pycyto")
        press(window, project, "A", *keys)
        window.kill()
    answers = [line["label"] or line["action"] for line in project.lines("A")]
    assert answers == ["NILM", "ASC-US", "LSIL", "HSIL", "skip"]
    assert (project.reads / "a" / "lock.json").exists()  # of a process that is gone
    with project.file("A").open("ab") as file:
        file.write(b'{"schema": 1')
    with reading(qupath_installation, project, tmp_path / "again", reader="A") as window:
        window.focus("pycyto")
        press(window, project, "A", "4")
    assert [line["position"] for line in project.lines("A")] == [0, 1, 2, 3, 4, 5]


def test_a_missing_image_and_a_deleted_object(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    """The one is left unread and named on the last page, the other is read all the same."""
    order = project.assignment.orders["A"]
    entries = [project.assignment.cells[cell].key.entry_id for cell in order]
    gone = entries[0]
    for image in files.read_json(project.folder / "project.qpproj")["images"]:
        if str(image["entryID"]) == gone:
            # Not deleted: QuPath would ask for it when it opens the project.
            Path(url2pathname(urlsplit(image["serverBuilder"]["uri"]).path)).write_bytes(
                b"no image"
            )
    shutil.rmtree(project.folder / "data" / next(entry for entry in entries if entry != gone))
    readable = [n for n, entry in enumerate(entries) if entry != gone]
    with reading(qupath_installation, project, tmp_path / "home", reader="A") as window:
        window.focus("pycyto")
        press(window, project, "A", *("1" for _ in readable))
        time.sleep(2.0)
        window.picture(tmp_path / "last page.png")
        window.key("Return")
        window.wait_for(MAIN)
    assert [line["position"] for line in project.lines("A")] == readable


def test_choosing_who_reads_and_a_key_that_is_held_down(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    with reading(qupath_installation, project, tmp_path / "home") as window:
        window.focus("pycyto: read_cells")
        time.sleep(10.0)  # until it is painted and takes keys
        window.picture(tmp_path / "choice.png")
        place = window.place_of(MAIN)
        for key in ("Down", "Down", "Return"):  # the second name
            window.key(key)
            time.sleep(1.0)
        window.wait_for(f"pycyto: {project.assignment.name}")
        press(window, project, "B", "4")
        time.sleep(3.0)
        window.hold("3", seconds=3.0)
        press(window, project, "B", "1")
        window.key("Escape")
        window.until(lambda: window.place_of(MAIN) == place, "QuPath is elsewhere than before")
    assert [line["label"] for line in project.lines("B")] == ["HSIL", "LSIL", "NILM"]
    assert not project.lines("A")


def test_training_with_the_consensus_after_each_answer(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    for reader in ("A", "B"):
        project.say(reader, ["NILM"] * 12)
    training = assigned(project.folder, cells=5, repeat=0.0, readers=("T",), proficiency=True)
    with reading(
        qupath_installation, training, tmp_path / "home", reader="T", feedback=True
    ) as window:
        window.focus("pycyto")
        press(window, training, "T", "4")
        # What was answered stands once the consensus is on the screen.
        window.key("1", "BackSpace")
        time.sleep(2.0)
        window.picture(tmp_path / "feedback.png")
        window.key("space")
        press(window, training, "T", "1")
    assert [(line["position"], line["label"]) for line in training.lines("T")] == [
        (0, "HSIL"),
        (1, "NILM"),
    ]


def test_consensus_at_one_screen(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    for reader, word in (("A", "HSIL"), ("B", "LSIL")):
        order = project.assignment.orders[reader]
        project.say(reader, [word if cell < 2 else "NILM" for cell in order])
    with reading(
        qupath_installation, project, tmp_path / "home", reader="A + B"
    ) as window:  # what is due
        window.focus("pycyto")
        press(window, project, CONSENSUS, "4")
        time.sleep(1.0)
        window.picture(tmp_path / "consensus.png")
        press(window, project, CONSENSUS, "f")
        window.key("Return")
        window.wait_for(MAIN)
    lines = project.lines(CONSENSUS)
    assert [(line["reader"], line["cell"], line["action"]) for line in lines] == [
        ("A + B", 0, "class"),
        ("A + B", 1, "flag"),
    ]


def test_two_windows_of_one_reader(
    qupath_installation: Path, project: AssignedProject, tmp_path: Path
) -> None:
    note = project.reads / "a" / "lock.json"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        files.write_json(note, {"pid": other.pid, "host": socket.gethostname(), "since": "now"})
        with reading(qupath_installation, project, tmp_path / "home", reader="A") as window:
            window.wait_for("pycyto: read_cells")  # a message, and QuPath behind it
            assert any(title.startswith(MAIN) for title in window.titles())
        other.kill()
    result = files.read_json(project.folder / "pycyto" / "results" / "read_cells.json")
    assert "Another pycyto is at work" in result["error"]
    assert os.fspath(note.parent) in result["error"]
    assert not project.lines("A")
