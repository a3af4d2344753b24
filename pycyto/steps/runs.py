"""What was done to a project, when, and with which model."""

from __future__ import annotations

from pathlib import Path

from pycyto.qupath import runs as stored
from pycyto.qupath.project import open_project
from pycyto.qupath.runs import Run


def runs(project: str | Path) -> list[Run]:
    """Return the runs of a project, the oldest first.

    Parameters
    ----------
    project
        Folder of the QuPath project; nothing in it is changed.

    Raises
    ------
    BadInputError
        There is no project, or a run cannot be read.
    """
    return stored.all_runs(open_project(project).workspace)
