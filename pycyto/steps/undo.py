"""A written run is taken back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pycyto import files
from pycyto.errors import BadInputError, PartlyDoneError, PycytoError
from pycyto.labels import counted
from pycyto.qupath import geojson, runs
from pycyto.qupath.project import Project
from pycyto.qupath.runs import Run
from pycyto.records import SILENT, Reporter
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.failures import Failures
from pycyto.steps.write_back import open_writer

# A staged run is withdrawn only by name: nothing of it is in QuPath.
_UNDOABLE: tuple[runs.State, ...] = ("written", "partly written")


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What an undo did.

    Attributes
    ----------
    run
        The run as it is now.
    restored
        Images whose data is byte for byte what it was before the write.
    taken_back, left
        In images that were saved since: objects taken back, and objects left
        because a person has relabelled, locked or moved them.
    """

    run: Run
    restored: int
    taken_back: int
    left: int


def undo(
    project: str | Path,
    run: str | None = None,
    *,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> UndoResult:
    """Take back what a run wrote; a staged run is withdrawn if it is named.

    Where nothing was saved since, QuPath's data is restored byte for byte, for
    which no QuPath is needed. Otherwise exactly the run's objects are removed.

    Parameters
    ----------
    project
        Folder of the QuPath project.
    run
        Name of the run; by default the newest that is written.

    Raises
    ------
    BadInputError
        There is no such run.
    PartlyDoneError
        Some images could not be taken back; they are as they were.
    """
    context = open_context(project, access)
    with files.locked(context.project.workspace):
        found = runs.pick(context.project.workspace, run, _UNDOABLE)
        restored = taken_back = left = 0
        failures = Failures()
        with reporter.progress("images", len(found.images)) as advance:
            for entry_id, image in found.images.items():
                advance(1)
                if image.state == "undone":
                    continue
                try:
                    if image.state == "written" and _restore(context.project, found, entry_id):
                        restored += 1
                    elif image.state == "written":
                        taken, kept = _take_back(context, found, entry_id)
                        taken_back, left = taken_back + taken, left + kept
                except PycytoError as error:
                    failures.add_error(f"entry ID {entry_id}", error)
                    continue
                found = found.with_image(entry_id, dataclasses.replace(image, state="undone"))
                runs.save(found)
    result = UndoResult(found, restored, taken_back, left)
    _say(result, reporter)
    if failures:
        raise PartlyDoneError(
            f"{counted(len(failures), 'image')} not taken back:\n{failures}",
            where=found.folder,
            remedy="Mend these and start the same command again.",
        )
    return result


def _restore(project: Project, run: Run, entry_id: str) -> bool:
    """Put the files from before the write back, if nothing was saved since."""
    if project.data_sha256(entry_id) != run.images[entry_id].written_sha256:
        return False
    snapshot, data = run.snapshot(entry_id), project.data_file(entry_id)
    kept = snapshot / data.name
    if not kept.exists() or files.sha256_of(kept) != run.images[entry_id].data_sha256:
        raise BadInputError(
            "The state before this run is no longer there.",
            where=kept,
            remedy="The data is left as it is; QuPath can delete the run's detections.",
        )
    files.copy_file(kept, data)
    cells = geojson.cells_file(project.workspace, entry_id)
    for source, target in (
        (snapshot / "summary.json", data.with_name("summary.json")),
        (snapshot / cells.name, cells),
    ):
        if source.exists():
            files.copy_file(source, target)
        else:  # made by the write, and about a state that is gone
            target.unlink(missing_ok=True)
    return True


def _take_back(context: Context, run: Run, entry_id: str) -> tuple[int, int]:
    return open_writer(context, run).take_back(run, entry_id)


def _say(result: UndoResult, reporter: Reporter) -> None:
    reporter.say(
        f"Run {result.run.name} is {result.run.state}: {counted(result.restored, 'image')} byte "
        f"for byte as before, {counted(result.taken_back, 'object')} taken back in others."
    )
    if result.left:
        left = counted(result.left, "object")
        reporter.warn(f"{left} left: somebody has relabelled, locked or moved them since.")
