"""From cells to predictions and back without leaving QuPath: real installations, no window."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.labels import BETHESDA
from pycyto.qupath import runs
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.headless import ScriptResult, launcher_of, run_script
from pycyto.qupath.project import open_project
from pycyto.records import ProjectObject
from pycyto.steps.scripts import install_scripts
from tests import stub_python
from tests.qupath_fixtures import SCRIPTS, HardProject

pytestmark = pytest.mark.qupath


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return stub_python.use(monkeypatch, tmp_path)


def predict(
    project: HardProject, model: Path | str, entry_id: str, **config: object
) -> ScriptResult:
    given = {"python": sys.executable, "model": str(model), **config}
    return project.run("predict_cells", images=[entry_id], config=given)


def objects_of(project: HardProject, entry_id: str) -> dict[str, ProjectObject]:
    project.run("export_cells", images=[entry_id])
    found = GeoJsonBackend(open_project(project.folder)).read(entry_id).objects
    return {item.object_id: item for item in found}


def state_of(project: HardProject) -> dict[str, Any]:
    """Return every file of the project but what any script leaves."""
    left = ("results", "cells", "lock", "lock.json", "project.json")
    return {
        str(path.relative_to(project.folder)): files.sha256_of(path)
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and not any(part in left for part in path.parts)
    }


def test_predicted_loaded_and_taken_back(hard_project: HardProject, model: Path) -> None:
    before = objects_of(hard_project, "2")
    result = predict(hard_project, model, "2", objects="all")
    counts = result.images["2"]
    (run,) = runs.all_runs(open_project(hard_project.folder).workspace)
    assert run.state == "written"
    assert counts["created"] == run.images["2"].new > 40
    assert counts["updated"] == run.images["2"].updates > 0
    assert counts["read_back"] == counts["created"] + counts["updated"]
    by_class = {label: counts[f"predicted {label}"] for label in BETHESDA.names}
    assert by_class == run.counts["by_class"]
    after = objects_of(hard_project, "2")
    assert len(after) == len(before) + counts["created"]
    assert {id_: after[id_] for id_, item in before.items() if item.class_name} == {
        id_: item for id_, item in before.items() if item.class_name
    }

    result = hard_project.run("undo_predictions", images=["2"])
    assert result.images["2"]["taken_back"] == counts["read_back"]
    assert result.images["2"]["left"] == 0
    assert objects_of(hard_project, "2") == before
    assert runs.load(run.folder).state == "undone"


def test_undo_takes_the_newest_run_of_an_image_and_no_other(
    hard_project: HardProject, model: Path
) -> None:
    for entry_id in ("3", "3", "4"):
        predict(hard_project, model, entry_id)
    workspace = open_project(hard_project.folder).workspace
    first, second, other = runs.all_runs(workspace)[-3:]
    hard_project.run("undo_predictions", images=["3"])
    states = [runs.load(run.folder).state for run in (first, second, other)]
    assert states == ["written", "undone", "written"]
    # For several images it is one run for all of them.
    result = hard_project.run("undo_predictions", images=["3", "4"])
    assert result.images["3"]["skipped"] == {"image not in the run": 1}
    states = [runs.load(run.folder).state for run in (first, second, other)]
    assert states == ["written", "undone", "undone"]
    again = hard_project.run("undo_predictions", images=["4"], config={"run": other.name})
    assert again.images["4"]["skipped"] == {"taken back already": 1}
    hard_project.run("undo_predictions", images=["3"])
    with pytest.raises(BadInputError, match="no run is loaded"):
        hard_project.run("undo_predictions", images=["3"])


def test_installed_scripts_start_the_python_that_installed_them(
    hard_project: HardProject, model: Path, tmp_path: Path
) -> None:
    (done,) = install_scripts(tmp_path)
    script = done.folder / "predict_cells.groovy"
    result = run_script(
        hard_project.qupath,
        script,
        hard_project.folder,
        images=["6"],
        config={"model": str(model)},
    )
    assert result.counts["created"] > 40


def program(folder: Path, said: str) -> Path:
    """Return a program that says something, and is no Python with pycyto."""
    path = folder / "python é"
    path.write_text(f"#!/bin/sh\necho '{said}'\nexit 1\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="programs are made as shell scripts")
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("No module named pycyto", "pycyto is not installed in"),
        ("Unknown option: -P", "is too old: pycyto needs Python 3.11"),
        ("pycyto 0.0.1", r"has pycyto 0\.0\.1, and these scripts .* -m pycyto scripts install"),
        ("Segmentation fault", "pycyto does not start in .*Segmentation fault"),
    ],
)
def test_a_python_that_will_not_do(
    hard_project: HardProject, model: Path, tmp_path: Path, said: str, message: str
) -> None:
    before = state_of(hard_project)
    with pytest.raises(BadInputError, match=message):
        predict(hard_project, model, "5", python=str(program(tmp_path, said)))
    assert state_of(hard_project) == before


def test_no_python_and_no_model(hard_project: HardProject, model: Path, tmp_path: Path) -> None:
    before = state_of(hard_project)
    with pytest.raises(BadInputError, match="There is no program"):
        predict(hard_project, model, "5", python=str(tmp_path / "none"))
    with pytest.raises(BadInputError, match=r"(?s)not known which Python.*scripts install"):
        predict(hard_project, model, "5", python="")
    with pytest.raises(BadInputError, match=r"There is no model in .*bundle\.json"):
        predict(hard_project, tmp_path, "5")
    assert state_of(hard_project) == before


def test_what_pycyto_says_is_what_the_user_reads(
    hard_project: HardProject, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(hard_project)
    with pytest.raises(BadInputError, match="There is no cell to predict"):
        predict(hard_project, model, "8")
    monkeypatch.setenv("PYTHONPATH", str(stub_python.ROOT))  # the real one, to which this is none
    with pytest.raises(BadInputError, match="bundle"):
        predict(hard_project, model, "5")
    assert state_of(hard_project) == before


def test_what_was_half_made_is_deleted(
    hard_project: HardProject, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state_of(hard_project)
    monkeypatch.setenv("STUB_DIES", "yes")
    with pytest.raises(BadInputError, match=r"pycyto has ended unexpectedly \(exit code 9\)"):
        predict(hard_project, model, "5")
    assert state_of(hard_project) == before


@pytest.fixture
def predicting(
    hard_project: HardProject, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """QuPath at work on cells that take their time, and the Python that it has started."""
    monkeypatch.setenv("STUB_SECONDS_PER_CELL", "5")
    config = tmp_path / "config.json"
    content = {"project": str(hard_project.folder), "images": ["6"]}
    files.write_json(config, {**content, "python": sys.executable, "model": str(model)})
    script = str(SCRIPTS / "predict_cells.groovy")
    command = [str(launcher_of(hard_project.qupath)), "script", "--args", str(config), script]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        yield _java_and_python(psutil.Process(started.pid))
        started.kill()


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it has just ended
        return []


def _java_and_python(launcher: psutil.Process) -> tuple[psutil.Process, psutil.Process]:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        started = launcher.children(recursive=True)
        python = [it for it in started if {"predict", "--events"} <= set(words_of(it))]
        if python:
            time.sleep(2)
            return python[0].parent() or launcher, python[0]
        time.sleep(0.2)
    raise AssertionError("no Python was started")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_python_ends_with_qupath(
    hard_project: HardProject, predicting: tuple[psutil.Process, psutil.Process]
) -> None:
    before = state_of(hard_project)
    java, python = predicting
    java.terminate()
    psutil.wait_procs([java, python], timeout=60)
    assert not python.is_running()
    assert state_of(hard_project) == before


def test_classes_are_set_up(hard_project: HardProject) -> None:
    path = hard_project.folder / "classifiers" / "classes.json"

    def colours() -> dict[str, int]:
        listed = files.read_json(path)["pathClasses"]
        return {item["name"]: item["color"] & 0xFFFFFF for item in listed}

    classes = files.read_json(path)
    ascus = {"name": "ASCUS", "color": -1}
    files.write_json(path, {"pathClasses": [ascus, *classes["pathClasses"]]})
    before = colours()
    result = hard_project.run("set_up_classes")
    after = colours()
    assert list(after)[: len(before)] == list(before)
    assert {name: after[name] for name in before} == before
    missing = {
        label.name: label.colour
        for label in BETHESDA.labels
        if label.name not in before and label.name != "ASC-US"
    }
    rgb = {name: (r << 16) + (g << 8) + b for name, (r, g, b) in missing.items()}
    assert {name: colour for name, colour in after.items() if name not in before} == rgb
    assert result.counts == {"added": len(rgb), "already there": 4 - len(rgb)}
    assert hard_project.run("set_up_classes").counts == {"added": 0, "already there": 4}
    assert colours() == after
