"""The whole main job on the sample project, from cells to detections."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pycyto import files
from pycyto.errors import MissingDependencyError, RefusedError
from pycyto.qupath import places
from pycyto.qupath.mending import changes
from pycyto.qupath.moved import image_files, saved_at
from pycyto.qupath.project import FILE_NAME, open_project
from pycyto.records import SILENT, Reporter, path_from
from pycyto.steps.context import DEFAULT_ACCESS, Access
from pycyto.steps.evaluate import evaluate
from pycyto.steps.export import export
from pycyto.steps.predict import predict
from pycyto.steps.scripts import sample_project_folder
from pycyto.steps.split import split
from pycyto.steps.train import train
from pycyto.steps.write_back import write_back

# Half the patients train; with 30 % the test part holds at least eight.
_FRACTIONS = (0.5, 0.2, 0.3)
_MARKER = "pycyto-demo.txt"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Where the demo has left what.

    Attributes
    ----------
    written
        Whether the predictions are in the project already; else they are staged.
    """

    project: Path
    patches: Path
    model: Path
    report: Path
    written: bool


def demo(
    out: str | Path,
    *,
    overwrite: bool = False,
    seed: int = 0,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> DemoResult:
    """Run export, split, train, predict, write-back and evaluate on the sample project.

    Parameters
    ----------
    out
        Folder to make; it gets ``project``, ``patches``, ``model`` and ``report``.
    overwrite
        Replace what an earlier demo has left there.

    Raises
    ------
    RefusedError
        `out` holds something that no demo has made.
    """
    folder = path_from(out)
    _prepare(folder, overwrite=overwrite)
    project, patches = folder / "project", folder / "patches"
    model, report = folder / "model", folder / "report"
    reporter.say(f"1 of 6  A copy of the sample project: {project}")
    copy_project(sample_project_folder(), project)
    reporter.say("\n2 of 6  export: annotated cells become patches")
    export(project, out=patches, access=access, reporter=reporter)
    reporter.say("\n3 of 6  split: by patient, 50/20/30")
    split(patches, fractions=_FRACTIONS, seed=seed, reporter=reporter)
    reporter.say("\n4 of 6  train: a small network that learns from nothing")
    train(patches, out=model, network="small", seed=seed, reporter=reporter)
    reporter.say("\n5 of 6  predict: every cell of the project")
    staged = predict(project, model=model, access=access, reporter=reporter)
    written = _write_back(project, access, reporter)
    reporter.say("\n6 of 6  evaluate: on patients that the network has never seen")
    evaluate(patches, model=model, out=report, run=staged.run.folder, reporter=reporter)
    result = DemoResult(project, patches, model, report / "index.html", written)
    _say(result, reporter)
    return result


def copy_project(source: Path, target: Path) -> None:
    """Copy a project with its images, and make its absolute URIs point to the copy."""
    shutil.copytree(source, target)
    project = open_project(target)
    uri = saved_at(project)
    moved = {places.path_in(uri): project.file}
    for file in image_files(project):
        place = places.found(places.moved_along(file.path, uri, target))
        if place is not None:
            moved[file.path] = place
    for path, (_, new) in changes(project, moved).items():
        files.write_text(path, new)


def _prepare(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not overwrite or not (folder / _MARKER).exists():
            raise RefusedError(
                "This folder is not empty.",
                where=folder,
                remedy="Choose another with --out, or --overwrite an earlier demo.",
            )
        shutil.rmtree(folder)
    files.write_text(
        folder / _MARKER, "Made by pycyto demo; pycyto demo --overwrite replaces it.\n"
    )


def _write_back(project: Path, access: Access, reporter: Reporter) -> bool:
    try:
        write_back(project, yes=True, access=access, reporter=reporter)  # a copy made just now
    except MissingDependencyError:
        return False
    return True


def _say(result: DemoResult, reporter: Reporter) -> None:
    reporter.say(f"\nDone. Look at {result.report} in a browser.")
    if result.written:
        reporter.say(
            f"Open {result.project / FILE_NAME} in QuPath: each cell has a detection with the "
            "predicted class beside the expert's annotation."
        )
    else:
        reporter.say(
            "No QuPath was used, so the predictions are staged beside the project. To see them, "
            f"open {result.project / FILE_NAME} in QuPath and run import_predictions.groovy for "
            "the project (pycyto scripts install puts it into the menu)."
        )
    reporter.say("Then the same on a project of your own: pycyto doctor YOUR_PROJECT")
