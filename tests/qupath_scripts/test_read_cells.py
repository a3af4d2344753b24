"""read_cells.groovy without a window: it tells how far everybody is, and opens no image."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.qupath.headless import ScriptResult, run_script
from tests.assigned_project import AssignedProject, assigned
from tests.qupath_fixtures import SCRIPTS, isolate

pytestmark = pytest.mark.qupath


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AssignedProject:
    isolate(monkeypatch, tmp_path)
    return assigned(tmp_path / "Prüfung 1", cells=10, repeat=0.2)


def run(qupath: Path, project: AssignedProject, **config: Any) -> ScriptResult:
    return run_script(qupath, SCRIPTS / "read_cells.groovy", project.folder, config=config)


def test_counts(qupath_installation: Path, project: AssignedProject) -> None:
    project.say("A", ["HSIL"] * 12)
    project.say("B", ["NILM", "skip", "flag"])
    shutil.rmtree(project.folder / "images")
    assert run(qupath_installation, project).counts == {
        "cells": 10,
        "read": {"A": 12, "B": 3},
        "left": {"A": 0, "B": 9},
        "disagreements": _shown_in_full(project, "B", 3),
        "waiting for consensus": _shown_in_full(project, "B", 3),
        "waiting for a third reader": 0,
    }


def _shown_in_full(project: AssignedProject, reader: str, read: int) -> int:
    showings = project.assignment.showings(reader).values()
    return sum(all(position < read for position in shown) for shown in showings)


def test_what_is_wrong_is_said(qupath_installation: Path, project: AssignedProject) -> None:
    project.say("A", ["HSIL"])
    project.file("B").parent.mkdir()
    project.file("A").rename(project.file("B"))
    with pytest.raises(BadInputError, match=r"Line 1 of .* is by A"):
        run(qupath_installation, project)
    with pytest.raises(BadInputError, match="There is no assignment 'x'"):
        run(qupath_installation, project, assignment="x")
    result = files.read_json(project.folder / "pycyto" / "results" / "read_cells.json")
    assert (result["ok"], result["script"]) == (False, "read_cells")
