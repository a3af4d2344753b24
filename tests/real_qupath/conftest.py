"""Tests that run inside one real QuPath: `tests/test_real_qupath.py` starts them per version.

A process can hold one Java only, so each version gets a process of its own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pycyto import files
from pycyto.qupath.locate import Installation, installation_in
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder

# JPEG and PNG fields, the slide, the hard cases, detections that wait for a class.
A_FEW = (1, 12, 31, 32, 33, 36, 38)
FOLDER = os.environ.get("PYCYTO_QUPATH_IN_THIS_PROCESS", "")
collect_ignore_glob = [] if FOLDER else ["test_*.py"]


@pytest.fixture(scope="session")
def installation() -> Installation:
    found = installation_in(Path(FOLDER))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory, installation: Installation) -> Path:
    """Return the files of cells of the sample project as this QuPath makes them."""
    folder = tmp_path_factory.mktemp("made") / "project"
    copy_project(sample_project_folder(), folder)
    opened = open_project(folder)
    backend = PaquoBackend(opened, installation)
    for image in opened.images:
        backend.refresh(image.entry_id)
    return opened.workspace / "cells"


@pytest.fixture
def whole_project(tmp_path: Path, cells: Path) -> Path:
    """Return a copy of the sample project."""
    folder = tmp_path / "Prüfung 1"
    copy_project(sample_project_folder(), folder)
    shutil.copytree(cells, folder / "pycyto" / "cells", dirs_exist_ok=True)
    return folder


@pytest.fixture
def project(whole_project: Path) -> Path:
    """Return a copy with a few images of each kind, which is quicker."""
    file = whole_project / "project.qpproj"
    content = files.read_json(file)
    content["images"] = [image for image in content["images"] if image["entryID"] in A_FEW]
    files.write_json(file, content)
    return whole_project
