"""What doctor says of the runs in a project, and of saves that broke off."""

from __future__ import annotations

from collections.abc import Iterator

from pycyto.errors import PycytoError
from pycyto.labels import counted
from pycyto.qupath import runs
from pycyto.qupath.overwritten import find_overwritten
from pycyto.qupath.project import Project
from pycyto.qupath.runs import Run
from pycyto.records import SILENT
from pycyto.steps.context import Context
from pycyto.steps.findings import Finding, some


def findings(context: Context) -> Iterator[Finding]:
    """Yield what is to be known, the images first; nothing is changed."""
    project = context.project
    yield from _broken_saves(project)
    for error in runs.damaged_runs(project.workspace):
        yield Finding("problem", f"{error.what} ({error.where})", error.remedy or "")
    lost = {run.folder: run for run in find_overwritten(project, lambda: context.backend(SILENT))}
    for run in runs.all_runs(project.workspace):
        yield from _of_run(lost.get(run.folder, run))


def _broken_saves(project: Project) -> Iterator[Finding]:
    for image in project.images:
        try:
            project.data_sha256(image.entry_id)
            if project.is_cut_off(image.entry_id):
                yield Finding(
                    "problem",
                    f"The data of {some([image])} is cut off: {project.data_file(image.entry_id)} "
                    "does not end as QuPath ends it.",
                    "Restore it from a backup; a copy that broke off looks like this.",
                )
        except PycytoError as error:
            yield Finding("problem", f"{error.what} ({error.where})", error.remedy or "")


def _of_run(run: Run) -> Iterator[Finding]:
    pending = [image for image in run.images.values() if image.pending_sha256]
    overwritten = [image for image in run.images.values() if image.state == "overwritten"]
    if pending:
        yield Finding(
            "problem",
            f"Run {run.name} was interrupted in {counted(len(pending), 'image')}.",
            f"pycyto write-back PROJECT {run.name} completes it; pycyto undo takes it back.",
        )
    elif overwritten:
        yield Finding(
            "problem",
            f"Run {run.name} is gone from {counted(len(overwritten), 'image')}: QuPath, open at "
            "the time, saved its older state over it, or somebody deleted its objects.",
            f"To bring it back: pycyto write-back PROJECT {run.name}",
        )
    elif run.state in ("staged", "partly written"):
        yield Finding(
            "note",
            f"Run {run.name} is {run.state}.",
            f"pycyto write-back PROJECT {run.name} loads what is not written yet; so does "
            "import_predictions.groovy.",
        )
