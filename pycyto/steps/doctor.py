"""What is installed, which QuPath, which backend, and what is wrong with a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pycyto import provenance
from pycyto.errors import PycytoError, UsageError
from pycyto.labels import counted
from pycyto.qupath import locate, running
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.project import Project, open_project
from pycyto.records import SILENT, Reporter
from pycyto.settings import Settings, load_settings, user_file
from pycyto.steps import moved_images, run_findings, scripts
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.findings import Finding, some


def doctor(
    project: str | Path | None = None,
    *,
    fix: bool = False,
    yes: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> list[Finding]:
    """Look at this machine and, if one is given, at a project.

    Parameters
    ----------
    project
        Folder of a QuPath project.
    fix
        Mend in the project what can be mended without guessing: where its
        images are, and what killed commands left behind. Else nothing is changed.
    yes
        Mend although QuPath is running: this project is not open in it.

    Raises
    ------
    UsageError
        `fix` without a project.
    BadInputError
        There is no project in the folder.
    PartlyDoneError
        After `fix`, images are still missing; the message names them.
    NotWritableError, LockedError, RefusedError
        The project cannot be changed, or not while QuPath is running.
    """
    if project is None:
        if fix:
            raise UsageError("There is no project to mend.", remedy="pycyto doctor PROJECT --fix")
        return list(_machine(access))
    open_project(project)  # an unreadable project is an error, not a finding
    context = open_context(project, access)
    if fix:
        moved_images.mend(context.project, context.settings.path_mappings, reporter, yes=yes)
        context = open_context(project, access)
    return [*_machine(access), *_project(context)]


def _machine(access: Access) -> Iterator[Finding]:
    known = provenance.versions()
    yield Finding("good", ", ".join(f"{name} {version}" for name, version in known.items()))
    for name, version in known.items():
        if version == "not installed":
            yield Finding("problem", f"{name} is not installed.", "Install pycyto again.")
    where = user_file()
    state = "" if where.exists() else " (not there: the defaults hold)"
    yield Finding("good", f"Settings: {where}{state}")
    for old, new in load_settings(extra=access.settings).path_mappings.items():
        yield Finding("good", f"Images in {old} are looked for in {new} (from your settings).")
    yield from scripts.findings()
    try:
        found = locate.find_qupath(access.qupath)
    except PycytoError as error:
        place = f" ({error.where})" if error.where else ""
        yield Finding("problem", error.what + place, error.remedy or "")
        return
    if found is None:
        yield Finding(
            "note",
            "No QuPath was found: projects are read from the files that its scripts keep, and "
            "predictions are loaded by import_predictions.groovy.",
            locate.REMEDY,
        )
    else:
        yield Finding(
            "good", f"QuPath {found.version} in {found.folder}: the paquo backend is used."
        )
    for process in running.running():
        yield Finding(
            "note",
            f"QuPath is running ({process}).",
            "Before write-back, undo or doctor --fix, close the project in it: its next save would "
            "overwrite what they write.",
        )


def _project(context: Context) -> Iterator[Finding]:
    project, settings = context.project, context.settings
    yield Finding("good", f"Project {project.name}: {counted(len(project.images), 'image')}.")
    if not project.project_id:
        yield Finding("note", "It has no ID yet; the first command that writes gives it one.")
    yield from moved_images.findings(project, settings.path_mappings)
    yield from _images(project)
    yield from _metadata(project, settings)
    yield from _cells(project)
    yield from run_findings.findings(context)


def _images(project: Project) -> Iterator[Finding]:
    uncalibrated = [image for image in project.images if image.mpp is None]
    if uncalibrated:
        yield Finding(
            "note",
            f"No pixel size in {counted(len(uncalibrated), 'image')}: {some(uncalibrated)}.",
            "For --mpp, set it in QuPath (Image tab, double-click on pixel width).",
        )
    for image in project.images:
        if image.obstacle:
            yield Finding(
                "problem",
                f"{some([image])}: {image.obstacle}; its cells are left out.",
                "Add the image to the project as it is on disk.",
            )
    names = Counter(image.name for image in project.images)
    repeated = [name for name, count in names.items() if count > 1]
    if repeated:
        yield Finding(
            "note",
            f"{counted(len(repeated), 'name')} of more than one image: {', '.join(repeated[:3])}. "
            "Images are told apart by their entry ID, which --images takes as well.",
        )


def _metadata(project: Project, settings: Settings) -> Iterator[Finding]:
    for name in ("patient", "slide", "scanner", "site", "preparation"):
        key = getattr(settings.metadata_keys, name)
        without = [image for image in project.images if not image.metadata.get(key)]
        if without and name == "patient":
            yield Finding(
                "problem" if len(without) == len(project.images) else "note",
                f"No {key!r} in the metadata of {counted(len(without), 'image')}: their cells are "
                "grouped by slide or image, and one patient may be in training and test.",
                f"Add {key!r} in QuPath (Project tab, Edit metadata), or name your own key "
                "in the settings (metadata_keys).",
            )
        elif without:
            yield Finding(
                "note", f"No {key!r} in the metadata of {counted(len(without), 'image')}."
            )


def _cells(project: Project) -> Iterator[Finding]:
    backend, failures = GeoJsonBackend(project), []
    for image in project.images:
        try:
            backend.read(image.entry_id)
        except PycytoError as error:
            failures.append((image, error))
    if not failures:
        yield Finding("good", "The files of cells are fresh: every command works without QuPath.")
        return
    yield Finding(
        "note",
        f"{counted(len(failures), 'image')} cannot be read without QuPath: "
        f"{some([image for image, _ in failures])}. The first: {failures[0][1].what}",
        failures[0][1].remedy or "",
    )
