"""Predicting from QuPath's window: the small window that tells how far it is, and can cancel."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests import stub_python
from tests.qupath_fixtures import SCRIPTS
from tests.qupath_window import Window, needs_a_display, qupath_window

pytestmark = [pytest.mark.qupath, needs_a_display]

IMAGE = "P01_field.jpg"
TITLE = "pycyto: predict_cells"

# Waits for the image, does something off the window's thread as the script editor does, and tells
# in a file what came of it.
DRIVER = """
import qupath.lib.gui.QuPathGUI
import qupath.lib.objects.PathObjects
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.ROIs
import com.google.gson.Gson
import javafx.stage.Stage
import javafx.stage.Window

def qupath = QuPathGUI.getInstance()
Thread.start {
    while (qupath.imageData == null) sleep(200)
    def data = qupath.imageData, hierarchy = data.hierarchy
    def entry = qupath.project.getEntry(data)
    def told = [:]
    def run = { name -> qupath.runScript(new File('%(scripts)s', name + '.groovy'), null) }
    def somewhere = ROIs.createPointsROI(50, 50, ImagePlane.defaultPlane)
    def point = { PathObjects.createAnnotationObject(somewhere) }
    entry.saveImageData(data)
    %(actions)s
    new File('%(out)s').text = new Gson().toJson(told)
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "Prüfung 1"
    copy_project(sample_project_folder(), folder)
    return folder


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scripts as a user leaves them who has filled in the settings."""
    monkeypatch.setenv("STUB_SECONDS_PER_CELL", "1")
    model = stub_python.use(monkeypatch, tmp_path)
    folder = tmp_path / "my scripts"
    shutil.copytree(SCRIPTS, folder)
    script = folder / "predict_cells.groovy"
    text = script.read_text("utf-8")
    for name, value in {"model": model, "python": sys.executable}.items():
        assert f" {name}: ''," in text
        text = text.replace(f" {name}: '',", f" {name}: {json.dumps(str(value))},")
    script.write_text(text, "utf-8")
    return folder


@contextlib.contextmanager
def driven(qupath: Path, project: Path, scripts: Path, actions: str) -> Iterator[Window]:
    driver = scripts.with_name("driver.groovy")
    out = scripts.with_name("told.json")
    driver.write_text(DRIVER % {"scripts": scripts, "actions": actions, "out": out}, "utf-8")
    home = scripts.with_name("home")
    with qupath_window(qupath, project, driver, home, image=IMAGE) as window:
        yield window


def told(window: Window, scripts: Path) -> dict[str, Any]:
    out = scripts.with_name("told.json")
    window.until(out.exists, "the script does not end")
    found: dict[str, Any] = files.read_json(out)
    return found


PREDICT = """
    def chosen = hierarchy.annotationObjects.findAll { it.pathClass != null }.take(6)
    hierarchy.selectionModel.setSelectedObjects(chosen, null)
    told.before = hierarchy.detectionObjects.size()
    run('predict_cells')
    told.after = hierarchy.detectionObjects.size()
    told.changed = data.isChanged()
"""


def result_of(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(project / "pycyto/results/predict_cells.json")
    return found


def test_selected_cells_become_predictions(
    qupath_installation: Path, project: Path, scripts: Path
) -> None:
    with driven(qupath_installation, project, scripts, PREDICT) as window:
        window.wait_for(TITLE)
        time.sleep(3)
        window.picture(scripts.with_name("progress.png"))
        done = told(window, scripts)
        window.until(lambda: TITLE not in window.titles(), "the window stays")
        time.sleep(2)
        window.picture(scripts.with_name("result.png"))
    assert done["after"] == done["before"] + 6
    # What was saved is not asked about again.
    assert not done["changed"]
    assert result_of(project)["counts"]["created"] == 6


def test_cancelled_at_the_press_of_a_button(
    qupath_installation: Path, project: Path, scripts: Path
) -> None:
    with driven(qupath_installation, project, scripts, PREDICT) as window:
        window.focus(TITLE)
        time.sleep(3)
        window.key("space")
        done = told(window, scripts)
        window.until(lambda: TITLE not in window.titles(), "the window stays")
    assert done["after"] == done["before"]
    assert not done["changed"]
    assert "Cancelled. Nothing was changed." in result_of(project)["error"]
    assert list((project / "pycyto").glob("runs/*")) == []
    assert not (project / "pycyto" / "lock.json").exists()


EDITED = """
    def chosen = hierarchy.annotationObjects.findAll { it.pathClass != null }.take(6)
    hierarchy.selectionModel.setSelectedObjects(chosen, null)
    Thread.start {
        while (!Window.windows.any { it instanceof Stage && it.title?.startsWith('pycyto') }) {
            sleep(100)
        }
        hierarchy.removeObject(chosen[0], true)
        hierarchy.addObject(point())
        told.edited = hierarchy.annotationObjects.size()
    }
    run('predict_cells')
    told.annotations = hierarchy.annotationObjects.size()
"""


def test_what_is_edited_meanwhile_stays_as_it_was_edited(
    qupath_installation: Path, project: Path, scripts: Path
) -> None:
    with driven(qupath_installation, project, scripts, EDITED) as window:
        done = told(window, scripts)
    assert done["annotations"] == done["edited"]
    counts = result_of(project)["counts"]
    assert (counts["created"], counts["gone"]) == (5, 1)


UNCHANGED = """
    run('export_cells')
    told.afterExport = data.isChanged()
    hierarchy.addObject(point())
    run('set_up_classes')
    told.afterEdit = data.isChanged()
    run('export_cells')
    told.afterSave = data.isChanged()
    hierarchy.addObject(point())
    told.afterOtherEdit = data.isChanged()
"""


def test_an_image_is_called_changed_only_if_it_is(
    qupath_installation: Path, project: Path, scripts: Path
) -> None:
    with driven(qupath_installation, project, scripts, UNCHANGED) as window:
        done = told(window, scripts)
    assert done == {
        "afterExport": False,
        "afterEdit": True,
        "afterSave": False,
        "afterOtherEdit": True,
    }
