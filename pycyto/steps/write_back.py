"""A staged run becomes classified detections in QuPath."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pycyto import files, locks, provenance
from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    PartlyDoneError,
    PycytoError,
    RefusedError,
)
from pycyto.labels import counted, scheme_named
from pycyto.qupath import locate, runs
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.run_tables import read_new, read_updates
from pycyto.qupath.running import check_not_running
from pycyto.qupath.runs import Run
from pycyto.qupath.similar_table import patch_file, similar_folder
from pycyto.qupath.writing import Writer
from pycyto.records import SILENT, Reporter, is_of_source
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.failures import Failures

_SCRIPT = (
    "Open the project in QuPath and run import_predictions.groovy (pycyto scripts install): it "
    "loads this run."
)


@dataclass(frozen=True, slots=True)
class WriteBackResult:
    """What a write-back did.

    Attributes
    ----------
    run
        The run as it is now.
    staged, created, updated, gone, decided, read_back
        Objects in all images: staged = created + updated + gone + decided, where
        *decided* are those that somebody classified since, and what was created
        and updated was found again in the file.
    added_classes
        Classes that the project did not have.
    """

    run: Run
    staged: int
    created: int
    updated: int
    gone: int
    decided: int
    read_back: int
    added_classes: tuple[str, ...]


def write_back(
    project: str | Path,
    run: str | Path | None = None,
    *,
    stale_ok: bool = False,
    snapshots: int | None = None,
    yes: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> WriteBackResult:
    """Write a staged run into QuPath's data.

    Annotations get a detection with the same outline beside them; detections
    that nobody has decided on get a class. The state before is kept in the run,
    for `undo`.

    Parameters
    ----------
    project
        Folder of the QuPath project. Close it in QuPath first: QuPath has no
        lock, and its next save would overwrite what is written here.
    run
        Name of a run of the project, or the folder of one that was predicted
        elsewhere; by default the newest, if it is not written yet. A run that
        was taken back, or that QuPath overwrote, is written again if it is named.
    stale_ok
        Also into images that were saved since they were predicted: each cell is
        looked at on its own, and those that moved or are gone are left out.
    snapshots
        How many runs keep the state before them; by default all do.
    yes
        Go on although QuPath is running.

    Raises
    ------
    MissingDependencyError
        Without QuPath nothing can enter its data; the message names the script
        that loads the run from inside QuPath.
    BadInputError
        There is no such run, or no run was named and the newest is written.
    RefusedError
        The run is of another project, its classes are in no label scheme, or
        QuPath is running.
    PartlyDoneError
        Some images could not be written; they are as they were.
    """
    context = open_context(project, access)
    with locks.locked(context.project.workspace):
        found = with_overwritten(context, _the_run(context, run), reporter)
        waiting = _waiting(found, named=run is not None)
        if not waiting:
            reporter.say(f"Run {found.name} is written already; nothing was changed.")
            return _result(found, [])
        writer = open_writer(context, found.folder, _SCRIPT)
        check_not_running(yes=yes, reporter=reporter)
        reporter.say(f"Writing run {found.name} into {counted(len(waiting), 'image')}.")
        added = writer.add_classes(found)
        if added:
            reporter.say(f"Added to the project's classes: {', '.join(added)}.")
        failures = Failures()
        with reporter.progress("images", len(waiting)) as advance:
            for entry_id in waiting:
                try:
                    _check_tables(found, entry_id)
                    found = writer.write(found, entry_id, stale_ok=stale_ok)
                except PycytoError as error:
                    failures.add_error(_named(context, entry_id), error)
                advance(1)
        result = _result(found, added)
        _keep_record(result)
        if snapshots is not None:
            runs.prune_snapshots(context.project.workspace, snapshots)
    _say(result, reporter)
    if failures:
        raise PartlyDoneError(
            f"{len(failures)} of {counted(len(waiting), 'image')} were not written:\n{failures}",
            where=context.project.file,
            remedy="Mend these and start the same command again: what was not written is as it "
            "was. Images that are elsewhere now: pycyto doctor PROJECT --fix.",
        )
    return result


def with_overwritten(context: Context, run: Run, reporter: Reporter) -> Run:
    """Note the runs that QuPath overwrote, and return this one as it is now."""
    for lost in warn_of_overwritten(context.project, lambda: context.backend(SILENT), reporter):
        runs.save(lost)
        run = lost if lost.folder == run.folder else run
    return run


def _waiting(run: Run, *, named: bool) -> list[str]:
    """Return the images to write; what was taken back or overwritten only if the run is named."""
    states = {"staged", "undone", "overwritten"} if named else {"staged"}
    return [key for key, image in run.images.items() if image.state in states]


def _check_tables(run: Run, entry_id: str) -> None:
    """Raise an error before anything is touched if a table is not whole."""
    read_new(run, entry_id)
    read_updates(run, entry_id)


def _named(context: Context, entry_id: str) -> str:
    return f"{context.project.image(entry_id).name} (entry ID {entry_id})"


def _the_run(context: Context, wanted: str | Path | None) -> Run:
    """Return the run, copied into the project where it was predicted elsewhere."""
    run = _found(context, wanted)
    _check_fits(run, context)
    return _brought_in(run, context.project.workspace)


def _check_fits(run: Run, context: Context) -> None:
    """Refuse a run that is not for this project."""
    if run.project_id != context.project.project_id:
        if is_of_source(run.project_id):
            raise RefusedError(
                "The cells of this run were ingested from a public set or a folder of images. They "
                "are in no QuPath project, so there is nothing to write them back to.",
                where=run.folder,
                remedy="Read its predictions.csv. To see predictions in QuPath, predict on a "
                "project; pycyto ingest cric --to-project makes one of CRIC.",
            )
        raise RefusedError(
            "This run was made for another project.",
            where=run.folder,
            remedy="Write it back to the project that its patches were exported from.",
        )
    unknown = [label for label in run.labels if scheme_named(run.scheme).find(label) is None]
    if unknown:
        raise RefusedError(
            f"The classes {', '.join(unknown)} are in no label scheme.",
            where=run.folder,
            remedy="Predict again with a model of this version of pycyto.",
        )


def _found(context: Context, wanted: str | Path | None) -> Run:
    workspace = context.project.workspace
    if wanted is not None and (Path(wanted) / "run.json").exists():
        return runs.load(Path(wanted))
    if wanted is not None:
        return runs.pick(workspace, str(wanted), ())
    # Never an older one by itself: it may be what somebody decided against.
    newest = runs.pick(workspace, None, ("staged", "partly written", "written", "overwritten"))
    if not _waiting(newest, named=False):
        raise BadInputError(
            f"The newest run, {newest.name}, is {newest.state} already.",
            where=newest.folder,
            remedy="Name the run to write (pycyto runs lists them), or predict again.",
        )
    return newest


def _brought_in(run: Run, workspace: Path) -> Run:
    home = workspace / "runs" / run.name
    if run.folder.resolve() == home.resolve():
        return run
    if not home.exists():
        # A link in a folder from elsewhere would bring a file of this machine into the project.
        whole = run.folder.resolve()
        pictures = similar_folder(run.folder).glob(patch_file("*"))
        for source in sorted([*run.folder.glob("*/*.csv"), *pictures]):
            if source.is_file() and source.resolve().is_relative_to(whole):
                files.copy_file(source, home / source.relative_to(run.folder))
        files.copy_file(run.folder / "run.json", home / "run.json")
    return runs.load(home)


def open_writer(context: Context, where: Path, without: str) -> Writer:
    """Return QuPath's classes on the project, or say what can be done without them."""
    installation = locate.find_qupath(context.access.qupath)
    if installation is None or context.access.backend == "geojson":
        raise MissingDependencyError(
            "Writing into QuPath's data needs QuPath, and none is to be used here."
            if installation
            else "Writing into QuPath's data needs QuPath, and none was found.",
            where=where,
            remedy=f"{without} Or: {locate.REMEDY}",
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
        decided=sum(image.decided for image in images),
        read_back=sum(image.read_back for image in images),
        added_classes=tuple(added),
    )


def _keep_record(result: WriteBackResult) -> None:
    counts = {
        "staged": result.staged,
        "created": result.created,
        "updated": result.updated,
        "gone": result.gone,
        "decided": result.decided,
        "read_back": result.read_back,
    }
    arguments = {"run": result.run.name}
    record = provenance.record("write-back", arguments, counts=counts)
    provenance.keep_record(result.run.folder, record)


def _say(result: WriteBackResult, reporter: Reporter) -> None:
    reporter.say(
        f"{result.staged} staged: {result.created} detections created, "
        f"{result.updated} classified, {result.gone} gone since, {result.decided} classified by "
        f"somebody since; {result.read_back} read back from QuPath's data."
    )
    hint = f" To take it back: pycyto undo PROJECT {result.run.name}" if result.read_back else ""
    reporter.say(f"Run {result.run.name} is {result.run.state}.{hint}")
