"""A project with a run that waits for its review, made without Java in this process."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pytest

from pycyto import Access, files, predict
from pycyto.images.crop import Pixels
from pycyto.qupath.headless import run_script
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests import stub_model
from tests.qupath_fixtures import SCRIPTS, isolate

# Fields, the slide, outlines of all kinds and points.
ENTRIES = (1, 12, 31, 33)


def unsure(patch: Pixels) -> stub_model.Probabilities:
    """Call the class by the pixels of the patch, now surely, now not, and often wrongly."""
    probabilities: stub_model.Probabilities = np.random.default_rng(
        int(patch.sum()) % 2**32
    ).dirichlet([0.8] * 4)
    return probabilities


def make(folder: Path, qupath: Path, entries: Collection[int] | None = ENTRIES) -> None:
    """Make the project of some images or all, predict, and load the run."""
    copy_project(sample_project_folder(), folder)
    file = folder / "project.qpproj"
    content = files.read_json(file)
    content["images"] = [
        image for image in content["images"] if entries is None or image["entryID"] in entries
    ]
    files.write_json(file, content)
    run_script(qupath, SCRIPTS / "export_cells.groovy", folder)
    with stub_model.in_place(unsure):
        predict(folder, model="m", access=Access(backend="geojson"))
    run_script(qupath, SCRIPTS / "import_predictions.groovy", folder)


@pytest.fixture(scope="session")
def reviewable_template(
    qupath_installation: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make the project once per version of QuPath."""
    folder = tmp_path_factory.mktemp("reviewable") / "Prüfung 1"
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path_factory.mktemp("home"))
        make(folder, qupath_installation)
    return folder


@pytest.fixture
def reviewable(reviewable_template: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of it that a test may change."""
    folder = tmp_path / reviewable_template.name
    shutil.copytree(reviewable_template, folder)
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path / "home")
        yield folder
