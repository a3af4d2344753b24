"""Runs whose objects are gone: QuPath was open, and saved its older state over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import chain

from pycyto.errors import PycytoError
from pycyto.labels import counted
from pycyto.qupath import runs
from pycyto.qupath.backend import Backend
from pycyto.qupath.project import Project
from pycyto.qupath.runs import ImageState, Run
from pycyto.records import RUN_MARK, UPDATED_MARK, Reporter, run_mark


def find_overwritten(project: Project, backend: Callable[[], Backend]) -> list[Run]:
    """Return the runs of which an image has lost all objects, with that noted in their states.

    Parameters
    ----------
    backend
        Called only if an image has to be looked at: one that was saved by something else than
        pycyto since. What cannot be read is passed over: whoever reads it next is told.
    """
    all_runs = runs.all_runs(project.workspace)
    opened = cache(backend)  # opening a project in QuPath takes its time
    marks = cache(lambda entry_id: _marks(opened, entry_id))
    found = []
    for number, run in enumerate(all_runs):
        mark = run_mark(run.run_id)
        later = all_runs[number + 1 :]
        lost = [
            entry_id
            for entry_id in _changed_by_others(project, run, all_runs)
            if not _may_be_covered(run, entry_id, later) and mark not in (marks(entry_id) or {mark})
        ]
        if lost:
            found.append(_noted(run, lost))
    return found


def warn_of_overwritten(
    project: Project, backend: Callable[[], Backend], reporter: Reporter
) -> list[Run]:
    """Name the runs that QuPath overwrote, and how to bring them back; return them."""
    found = find_overwritten(project, backend)
    for run in found:
        lost = [key for key, image in run.images.items() if image.state == "overwritten"]
        reporter.warn(
            f"Run {run.name} was written into {counted(len(lost), 'image')} and is no longer there "
            f"(entry ID {', '.join(lost[:5])}{', …' if len(lost) > 5 else ''}): QuPath had the "
            "image open and saved its older state over it, or somebody deleted the run's objects. "
            f"To bring it back: pycyto write-back PROJECT {run.name}"
        )
    return found


def _changed_by_others(project: Project, run: Run, all_runs: Iterable[Run]) -> Iterator[str]:
    """Yield the images that a run was written into and that others have saved since."""
    for entry_id, image in run.images.items():
        if image.state != "written" or not image.read_back:
            continue
        try:
            state = project.data_sha256(entry_id)
        except PycytoError:
            continue
        others = [other.images[entry_id] for other in all_runs if entry_id in other.images]
        if state not in _states_since(image, others):
            yield entry_id


def _may_be_covered(run: Run, entry_id: str, later: Iterable[Run]) -> bool:
    """Whether a later run may have given all detections that this one classified another class."""
    image = run.images[entry_id]
    others = (other.images.get(entry_id) for other in later)
    return not image.created and any(
        other is not None and other.state == "written" and other.updated for other in others
    )


def _states_since(written: ImageState, images: Iterable[ImageState]) -> set[str]:
    """Return the states of the data that pycyto alone has made of what a write left."""
    known = {written.written_sha256}
    changes = list(_changes(images))
    # Each pass follows every chain by one change.
    for _ in changes:
        known |= {after for before, after in changes if before in known}
    return known


def _changes(images: Iterable[ImageState]) -> Iterator[tuple[str, str]]:
    for image in images:
        if image.written_sha256:
            yield image.snapshot_sha256, image.written_sha256
        if image.undone_sha256:
            yield image.undone_from_sha256, image.undone_sha256


def _marks(backend: Callable[[], Backend], entry_id: str) -> frozenset[float] | None:
    """Return the marks of all runs that an image holds objects of, or None if it cannot be read."""
    try:
        objects = backend().read(entry_id).objects
    except PycytoError:
        return None
    return frozenset({0.0, *chain.from_iterable(_marks_of(item.measurements) for item in objects)})


def _marks_of(measurements: Mapping[str, float]) -> Iterator[float]:
    for name in (RUN_MARK, UPDATED_MARK):
        if name in measurements:
            yield measurements[name]


def _noted(run: Run, lost: Iterable[str]) -> Run:
    for entry_id in lost:
        image = dataclasses.replace(run.images[entry_id], state="overwritten")
        run = run.with_image(entry_id, image)
    return run
