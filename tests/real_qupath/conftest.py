"""Tests that run inside one real QuPath: `tests/test_real_qupath.py` starts them per version.

A process can hold one Java only, so each version gets a process of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pycyto.qupath.locate import Installation, installation_in
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder

FOLDER = os.environ.get("PYCYTO_QUPATH_IN_THIS_PROCESS", "")
collect_ignore_glob = [] if FOLDER else ["test_*.py"]


@pytest.fixture(scope="session")
def installation() -> Installation:
    found = installation_in(Path(FOLDER))
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _no_qupath_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of QuPath that happens to be open on this machine is not what is tested here."""
    monkeypatch.setattr("pycyto.qupath.running.running", list)


@pytest.fixture
def project(tmp_path: Path, installation: Installation) -> Path:
    """Return a copy of the sample project, with its files of cells made by this QuPath."""
    folder = tmp_path / "Prüfung 1"
    copy_project(sample_project_folder(), folder)
    backend = PaquoBackend(open_project(folder), installation)
    for image in open_project(folder).images:
        backend.refresh(image.entry_id)
    return folder
