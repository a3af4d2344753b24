"""Reasons beside a prediction, on the review panel in QuPath's own window."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pycyto import Access, export, files, predict
from pycyto.manifest import read_manifest
from pycyto.qupath.headless import launcher_of, run_script
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests import stub_model
from tests.manifests import write_manifest
from tests.qupath_fixtures import ROOT, SCRIPTS, isolate
from tests.qupath_scripts.test_review_window import review_panel
from tests.qupath_window import needs_a_display
from tests.reviewable_project import unsure

pytestmark = [pytest.mark.qupath, needs_a_display]
NUCLEI = ROOT / "tests" / "qupath_scripts" / "add_nuclei.groovy"
GEOJSON = Access(backend="geojson")


@pytest.fixture
def project(qupath_installation: Path, tmp_path: Path) -> Iterator[Path]:
    """Two images with nuclei, and a run with similar cells, loaded."""
    folder = tmp_path / "Prüfung 1"
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path / "home")
        copy_project(sample_project_folder(), folder)
        content = files.read_json(folder / "project.qpproj")
        content["images"] = [image for image in content["images"] if image["entryID"] in (1, 12)]
        files.write_json(folder / "project.qpproj", content)
        command = [str(launcher_of(qupath_installation)), "script", "--save"]
        command += ["-p", str(folder / "project.qpproj"), str(NUCLEI)]
        subprocess.run(command, check=True, timeout=300)
        run_script(qupath_installation, SCRIPTS / "export_cells.groovy", folder)
        with stub_model.seeing_in_place(unsure):
            predict(folder, model="m", similar=agreed_on(folder, tmp_path), access=GEOJSON)
        run_script(qupath_installation, SCRIPTS / "import_predictions.groovy", folder)
        yield folder


def agreed_on(folder: Path, where: Path) -> Path:
    """Return a data set of the project's own cells, as if people had agreed on them."""
    export(folder, out=where / "reviewed", access=GEOJSON)
    rows = read_manifest(where / "reviewed")
    write_manifest(where / "reviewed", [replace(row, label_origin="consensus") for row in rows])
    return where / "reviewed"


def test_nuclei_and_similar_cells_stand_beside_the_prediction(
    qupath_installation: Path, project: Path, tmp_path: Path
) -> None:
    def reasons() -> list[str]:
        said = panel.state()["said"] or []
        return [text for text in said if re.match(r"Nucleus [0-9]|N:C ratio|Most similar", text)]

    with review_panel(qupath_installation, project, tmp_path / "home") as panel:
        panel.window.until(lambda: panel.state()["similar"] == 6, "no six pictures")
        panel.window.until(lambda: len(reasons()) == 3, "no sentences")
        assert "cells that are annotated NILM on this slide" in reasons()[0]
        panel.window.picture(tmp_path / "reasons.png")

        first = panel.state()["selected"]
        panel.press("s")
        panel.window.until(lambda: panel.state()["selected"] != first, "the same cell")
        panel.window.until(lambda: len(reasons()) == 3, "no reasons beside the next cell")
        panel.window.key("h")
        panel.window.until(lambda: not reasons(), "reasons beside a hidden prediction")
        assert panel.state()["similar"] == 0
        panel.window.key("h")
        panel.window.until(reasons, "no reasons any more")
        panel.close()
