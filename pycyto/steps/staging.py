"""Predictions become a run beside a project: tables of what is to be created and updated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from pycyto import files
from pycyto.labels import scheme_named
from pycyto.learning.bundle import Bundle
from pycyto.qupath import runs
from pycyto.qupath.run_tables import NewDetection, Update, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.records import Cell, Prediction, Reporter, new_object_id
from pycyto.steps.similar import SimilarCells


def stage(  # noqa: PLR0913 - each is a part of the run
    workspace: Path,
    bundle: Bundle,
    predictions: Sequence[Prediction],
    *,
    engine: str,
    objects: str,
    counts: Mapping[str, object],
    data_sha256: Mapping[str, str],
    point_radius: float,
    similar: SimilarCells | None,
    reporter: Reporter,
) -> Run:
    """Write a run and return it. It has at least one prediction, all of one project.

    Parameters
    ----------
    workspace
        The run becomes a folder in its ``runs``.
    engine
        What computed them, with its version.
    objects
        What was asked for, as it is recorded.
    counts
        Of the prediction; those of the run are added.
    data_sha256
        State of each image's data that was read, by entry ID.
    point_radius
        Of the circle for a point, in full-resolution pixels.
    similar
        What was found beside these predictions, if it was looked for.
    reporter
        Is told the run's name before anything is written: who stops this process can then
        clear away what it has left.
    """
    # To the millisecond, so that the newest of two runs is known.
    run_id, created_at = str(uuid4()), files.now("milliseconds")
    folder = workspace / "runs" / runs.folder_name(run_id, created_at)
    reporter.tell(run=folder.name)
    new = [_new(item, run_id, point_radius) for item in predictions if _is_new(item.cell)]
    updates = [_update(item) for item in predictions if not _is_new(item.cell)]
    write_tables(folder, bundle.labels, new=new, updates=updates)
    by_class = Counter(item.label for item in predictions)
    beside = {} if similar is None else {"similar": similar.write(folder)}
    run = Run(
        folder=folder,
        run_id=run_id,
        created_at=created_at,
        project_id=predictions[0].cell.key.project_id,
        state="staged",
        objects=objects,
        model={
            "bundle_id": bundle.bundle_id,
            "network": bundle.network,
            "labels": list(bundle.labels),
            "resolution": str(bundle.resolution),
            "engine": engine,
        },
        scheme=bundle.scheme,
        colours={label: scheme_named(bundle.scheme).colour_of(label) for label in bundle.labels},
        counts={
            **counts,
            "staged": len(new) + len(updates),
            "by_class": {label: by_class[label] for label in bundle.labels},
            "trained_on": sum(item.trained_on for item in predictions),
            **beside,
        },
        images=_images(new, updates, data_sha256),
    )
    # Last, since a folder without it is no run yet.
    runs.save(run)
    return run


def _images(
    new: Sequence[NewDetection], updates: Sequence[Update], data_sha256: Mapping[str, str]
) -> dict[str, ImageState]:
    created = Counter(item.entry_id for item in new)
    updated = Counter(item.entry_id for item in updates)
    return {
        entry_id: ImageState(
            "staged", data_sha256.get(entry_id, ""), created[entry_id], updated[entry_id]
        )
        for entry_id in created + updated
    }


def _is_new(cell: Cell) -> bool:
    """Whether a detection is created beside it; a detection without a class is given one."""
    return cell.kind == "annotation"


def _new(item: Prediction, run_id: str, point_radius: float) -> NewDetection:
    cell = item.cell
    return NewDetection(
        entry_id=cell.key.entry_id,
        object_id=new_object_id(cell.key, run_id),
        source_id=cell.key.object_id,
        point_index=cell.key.point_index,
        x=cell.x,
        y=cell.y,
        z=cell.z,
        t=cell.t,
        radius=point_radius if cell.is_point else 0.0,
        label=item.label,
        probabilities=item.probabilities,
        trained_on=item.trained_on,
        source_class=cell.class_name,
    )


def _update(item: Prediction) -> Update:
    cell = item.cell
    return Update(
        entry_id=cell.key.entry_id,
        object_id=cell.key.object_id,
        x=cell.x,
        y=cell.y,
        label=item.label,
        probabilities=item.probabilities,
        trained_on=item.trained_on,
    )
