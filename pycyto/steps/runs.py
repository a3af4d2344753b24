"""What was done to a project, when, and with which model."""

from __future__ import annotations

from pathlib import Path

from pycyto import locks
from pycyto.qupath import runs as stored
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import open_project
from pycyto.qupath.runs import Run
from pycyto.records import SILENT, Reporter


def runs(
    project: str | Path, *, snapshots: int | None = None, reporter: Reporter = SILENT
) -> list[Run]:
    """Return the runs of a project, the oldest first.

    Parameters
    ----------
    project
        Folder of the QuPath project; nothing in it is changed, unless:
    snapshots
        Keep the state before the write of so many runs, the newest, and delete
        that of older ones. Those can still be taken back, but object by object.

    Raises
    ------
    BadInputError
        There is no project.
    """
    opened = open_project(project)
    if snapshots is not None:
        with locks.locked(opened.workspace):
            freed = stored.prune_snapshots(opened.workspace, snapshots)
        reporter.say(f"{freed / 1e6:.1f} MB of snapshots deleted.")
    for error in stored.damaged_runs(opened.workspace):
        reporter.warn(str(error))
    # Without Java, so that it is quick; what cannot be told this way, other commands tell.
    lost = warn_of_overwritten(opened, lambda: GeoJsonBackend(opened), reporter)
    now = {run.folder: run for run in lost}
    return [now.get(run.folder, run) for run in stored.all_runs(opened.workspace)]
