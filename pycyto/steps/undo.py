"""A written run is taken back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pycyto import files, locks
from pycyto.errors import PartlyDoneError, PycytoError, StaleError
from pycyto.labels import counted
from pycyto.qupath import geojson, runs
from pycyto.qupath.project import Project
from pycyto.qupath.running import check_not_running
from pycyto.qupath.runs import ImageState, Run
from pycyto.qupath.writing import Writer
from pycyto.records import SILENT, Reporter
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.failures import Failures
from pycyto.steps.write_back import open_writer, with_overwritten

# A staged run is withdrawn only by name: nothing of it is in QuPath.
_UNDOABLE: tuple[runs.State, ...] = ("written", "partly written")
_SHOWN = 5
_ONE_BY_ONE = (
    "The image was saved since this run was written, so its objects are to be taken out one by "
    "one: do this on a machine with QuPath."
)


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What an undo did.

    Attributes
    ----------
    run
        The run as it is now; its images list what was left, and why.
    restored
        Images whose data is byte for byte what it was before the write.
    taken_back, left
        In images that were saved since: objects taken back, and objects left
        because they are a person's or a later run's now.
    not_kept
        Images whose former data the run no longer keeps: they could be taken back
        object by object only, whether or not they were saved since.
    """

    run: Run
    restored: int
    taken_back: int
    left: int
    not_kept: int = 0


def undo(
    project: str | Path,
    run: str | None = None,
    *,
    yes: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> UndoResult:
    """Take back what a run wrote; a staged run is withdrawn if it is named.

    Where nothing was saved since, QuPath's data is restored byte for byte, for
    which no QuPath is needed. Otherwise exactly what the run did is undone:
    detections that a person has relabelled, locked, named, moved or accepted in a
    review are left and listed, and a class that a later run has set is left to that run. To undo an
    undo, write the run back by its name.

    Parameters
    ----------
    project
        Folder of the QuPath project.
    run
        Name of the run; by default the newest that is written.
    yes
        Go on although QuPath is running.

    Raises
    ------
    BadInputError
        There is no such run.
    RefusedError
        QuPath is running.
    PartlyDoneError
        Some images could not be taken back; they are as they were.
    """
    context = open_context(project, access)
    with locks.locked(context.project.workspace):
        found = runs.pick(context.project.workspace, run, _UNDOABLE)
        is_pending = any(image.pending_sha256 for image in found.images.values())
        was_undone = found.state == "undone" and not is_pending
        check_not_running(yes=yes, reporter=reporter)
        _clear(context.project, found)
        found = with_overwritten(context, found, reporter)
        taking = _Taking(context, found)
        failures = Failures()
        with reporter.progress("images", len(found.images)) as advance:
            for entry_id in found.images:
                try:
                    taking.take_back(entry_id)
                except PycytoError as error:
                    failures.add_error(f"entry ID {entry_id}", error)
                advance(1)
    result = taking.result()
    if was_undone:
        reporter.say(f"Run {found.name} was undone already; nothing was changed.")
    else:
        _say(result, reporter)
    if failures:
        raise PartlyDoneError(
            f"{counted(len(failures), 'image')} not taken back:\n{failures}",
            where=found.folder,
            remedy="Mend these and start the same command again.",
        )
    return result


def _clear(project: Project, run: Run) -> None:
    """Bring to its end, or delete, what a killed undo may have left half done."""
    files.remove_parts(run.folder)
    for folder in {
        file.parent
        for entry_id in run.images
        for file in (project.data_file(entry_id), geojson.cells_file(project.workspace, entry_id))
    }:
        files.remove_parts(folder, below=False)
    for entry_id, image in run.images.items():
        _end_put_back(project.data_file(entry_id), project.backup_file(entry_id), image)


def _end_put_back(data: Path, backup: Path, image: ImageState) -> None:
    """Put back what a killed undo had moved aside, or delete it where its copy is in place.

    What a save of QuPath's has left, which broke off, is none of the states of
    this run in both places, and stays as it is.
    """
    ours = {image.written_sha256, image.snapshot_sha256} - {""}
    if not backup.exists() or files.sha256_of(backup) not in ours:
        return
    if not data.exists():
        files.replace(backup, data)
    elif files.sha256_of(data) in ours:
        files.remove(backup)


class _Taking:
    """A run that is being taken back, image by image."""

    def __init__(self, context: Context, run: Run) -> None:
        self._context = context
        self._run = run
        self._writer: Writer | None = None
        self._restored = self._taken_back = self._left = self._not_kept = 0

    def take_back(self, entry_id: str) -> None:
        """Take back what the run did to one image, and note it."""
        image = self._run.images[entry_id]
        if image.pending_sha256:
            # A save broke off. What came of it only QuPath's classes can see.
            self._take_back_objects(entry_id)
        elif image.state == "staged":
            self._note(entry_id, dataclasses.replace(image, state="undone"))
        elif image.state != "undone" and self._restore(entry_id, image):
            self._restored += 1
        elif image.state != "undone":
            self._not_kept += not _is_whole(self._run.snapshot(entry_id), image)
            self._take_back_objects(entry_id)

    def result(self) -> UndoResult:
        """Return what was done."""
        counts = (self._restored, self._taken_back, self._left, self._not_kept)
        return UndoResult(self._run, *counts)

    def _note(self, entry_id: str, image: ImageState) -> None:
        self._run = self._run.with_image(entry_id, image)
        runs.save(self._run)

    def _restore(self, entry_id: str, image: ImageState) -> bool:
        """Put the files from before the write back, if nothing was saved since."""
        project, kept = self._context.project, self._run.snapshot(entry_id)
        state = project.data_sha256(entry_id)
        ours = {image.written_sha256, image.snapshot_sha256} - {""}
        if not _is_whole(kept, image) or state not in ours:
            return False
        _put_back(kept, project, entry_id, state)
        done = dataclasses.replace(
            image,
            state="undone",
            undone_from_sha256=image.written_sha256,
            undone_sha256=image.snapshot_sha256,
            pending_sha256="",
            left={},
        )
        self._note(entry_id, done)
        return True

    def _take_back_objects(self, entry_id: str) -> None:
        if self._writer is None:
            self._writer = open_writer(self._context, self._run.folder, _ONE_BY_ONE)
        self._run = self._writer.take_back(self._run, entry_id)
        self._taken_back += self._run.images[entry_id].taken_back
        self._left += len(self._run.images[entry_id].left)


def _is_whole(kept: Path, image: ImageState) -> bool:
    data = kept / "data.qpdata"
    return data.exists() and files.sha256_of(data) == image.snapshot_sha256


def _put_back(kept: Path, project: Project, entry_id: str, state: str) -> None:
    data, cells = project.data_file(entry_id), geojson.cells_file(project.workspace, entry_id)
    # As QuPath saves, which reads its backup where it finds no data.
    done = files.copy_in_place_of(
        kept / data.name,
        data,
        aside=project.backup_file(entry_id),
        may_go=lambda aside: aside.exists() and files.sha256_of(aside) == state,
    )
    if not done:
        raise StaleError(
            "This image was saved by somebody else meanwhile, and is left as that is.",
            where=data,
            remedy="Start again when nothing else is at work on the project.",
        )
    for target in (data.with_name("summary.json"), cells):
        if (kept / target.name).exists():
            files.copy_file(kept / target.name, target)
        else:  # made by the write, and about a state that is gone
            files.remove(target)


def _say(result: UndoResult, reporter: Reporter) -> None:
    reporter.say(
        f"Run {result.run.name} is {result.run.state}: {counted(result.restored, 'image')} byte "
        f"for byte as before, {counted(result.taken_back, 'object')} taken back in others. "
        f"To undo this: pycyto write-back PROJECT {result.run.name}"
    )
    if result.not_kept:
        reporter.warn(
            f"The former data of {counted(result.not_kept, 'image')} is no longer in "
            f"{result.run.kept[0]} (deleted, pruned or changed): taken back object by object."
        )
    for entry_id, image in result.run.images.items():
        for object_id, reason in list(image.left.items())[:_SHOWN]:
            reporter.warn(f"Left in the image with entry ID {entry_id}: {object_id} ({reason})")
    if result.left:
        reporter.warn(
            f"{counted(result.left, 'object')} left: they are somebody's, or a later run's, now. "
            f"All are listed in {result.run.folder / 'run.json'}"
        )
