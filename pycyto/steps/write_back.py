"""A staged run becomes classified detections in QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pycyto import files, provenance
from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    PartlyDoneError,
    PycytoError,
    RefusedError,
)
from pycyto.labels import counted
from pycyto.qupath import locate, runs
from pycyto.qupath.runs import Run
from pycyto.qupath.writing import Writer
from pycyto.records import SILENT, Reporter
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.failures import Failures


@dataclass(frozen=True, slots=True)
class WriteBackResult:
    """What a write-back did.

    Attributes
    ----------
    run
        The run as it is now.
    staged, created, updated, gone, read_back
        Objects in all images: staged = created + updated + gone, and what was
        created and updated was found again in the file.
    added_classes
        Classes that the project did not have.
    """

    run: Run
    staged: int
    created: int
    updated: int
    gone: int
    read_back: int
    added_classes: tuple[str, ...]


def write_back(
    project: str | Path,
    run: str | Path | None = None,
    *,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> WriteBackResult:
    """Write a staged run into QuPath's data.

    Annotations get a detection with the same outline beside them; detections
    without a class get one. The state before is kept in the run, for `undo`.

    Parameters
    ----------
    project
        Folder of the QuPath project. Close it in QuPath first: QuPath has no
        lock, and its next save would overwrite what is written here.
    run
        Name of a run of the project, or the folder of one that was predicted
        elsewhere; by default the newest, if it is not written yet.

    Raises
    ------
    MissingDependencyError
        Without QuPath nothing can enter its data; the message names the script
        that loads the run from inside QuPath.
    BadInputError
        There is no such run, or no run was named and the newest is written.
    RefusedError
        The run is of another project, or was taken back.
    PartlyDoneError
        Some images could not be written; they are as they were.
    """
    context = open_context(project, access)
    with files.locked(context.project.workspace):
        found = _the_run(context, run)
        waiting = [key for key, image in found.images.items() if image.state == "staged"]
        if not waiting:
            reporter.say(f"Run {found.name} is written already; nothing was changed.")
            return _result(found, [])
        reporter.say(f"Writing run {found.name} into {counted(len(waiting), 'image')}.")
        writer = open_writer(context, found)
        added = writer.add_classes(found)
        if added:
            reporter.say(f"Added to the project's classes: {', '.join(added)}.")
        failures = Failures()
        with reporter.progress("images", len(waiting)) as advance:
            for entry_id in waiting:
                try:
                    found = writer.write(found, entry_id)
                except PycytoError as error:
                    failures.add_error(f"entry ID {entry_id}", error)
                advance(1)
        result = _result(found, added)
        _keep_record(result)
    _say(result, reporter)
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {counted(len(waiting), 'image')} were not written:\n{failures}",
            where=context.project.file,
            remedy="What was not written is as it was.",
        )
    return result


def _the_run(context: Context, wanted: str | Path | None) -> Run:
    """Return the run, copied into the project where it was predicted elsewhere."""
    run = _found(context, wanted)
    if run.project_id != context.project.project_id:
        raise RefusedError(
            "This run was made for another project.",
            where=run.folder,
            remedy="Write it back to the project that its patches were exported from.",
        )
    if run.state == "undone":
        raise RefusedError(
            f"Run {run.name} was taken back.",
            where=run.folder,
            remedy="Predict again: cells may have changed since.",
        )
    return run


def _found(context: Context, wanted: str | Path | None) -> Run:
    workspace = context.project.workspace
    if wanted is not None and (Path(wanted) / "run.json").exists():
        return _brought_in(runs.load(Path(wanted)), workspace)
    if wanted is not None:
        return runs.pick(workspace, str(wanted), ())
    # Never an older one by itself: it may be what somebody decided against.
    newest = runs.pick(workspace, None, ("staged", "partly written", "written"))
    if newest.state == "written":
        raise BadInputError(
            f"The newest run, {newest.name}, is written already.",
            where=newest.folder,
            remedy="Name the run to write (pycyto runs lists them), or predict again.",
        )
    return newest


def _brought_in(run: Run, workspace: Path) -> Run:
    home = workspace / "runs" / run.name
    if run.folder.resolve() == home.resolve():
        return run
    if not home.exists():
        for source in sorted(path for path in run.folder.iterdir() if path.name != "run.json"):
            if source.is_file():
                files.copy_file(source, home / source.name)
        files.copy_file(run.folder / "run.json", home / "run.json")
    return runs.load(home)


def open_writer(context: Context, run: Run) -> Writer:
    """Return QuPath's classes on the project, or say which script does without them."""
    installation = locate.find_qupath(context.access.qupath)
    if installation is None or context.access.backend == "geojson":
        raise MissingDependencyError(
            "Writing into QuPath's data needs QuPath, and none is to be used here."
            if installation
            else "Writing into QuPath's data needs QuPath, and none was found.",
            where=run.folder,
            remedy="Open the project in QuPath and run import_predictions.groovy "
            "(pycyto scripts install): it loads this run. Or: " + locate.REMEDY,
        )
    return Writer(context.project, installation)


def _result(run: Run, added: list[str]) -> WriteBackResult:
    images = [image for image in run.images.values() if image.state == "written"]
    return WriteBackResult(
        run,
        staged=sum(image.new + image.updates for image in images),
        created=sum(image.created for image in images),
        updated=sum(image.updated for image in images),
        gone=sum(image.gone for image in images),
        read_back=sum(image.read_back for image in images),
        added_classes=tuple(added),
    )


def _keep_record(result: WriteBackResult) -> None:
    counts = {
        "staged": result.staged,
        "created": result.created,
        "updated": result.updated,
        "gone": result.gone,
        "read_back": result.read_back,
    }
    arguments = {"run": result.run.name}
    record = provenance.record("write-back", arguments, counts=counts)
    provenance.keep_record(result.run.folder, record)


def _say(result: WriteBackResult, reporter: Reporter) -> None:
    reporter.say(
        f"{result.staged} staged: {result.created} detections created, "
        f"{result.updated} classified, {result.gone} gone since; "
        f"{result.read_back} read back from QuPath's data."
    )
    hint = f" To take it back: pycyto undo PROJECT {result.run.name}" if result.read_back else ""
    reporter.say(f"Run {result.run.name} is {result.run.state}.{hint}")
