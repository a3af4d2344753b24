"""A model's word on every cell of a project, staged as a run beside the expert's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pycyto import files, provenance
from pycyto.errors import BadInputError, PartlyDoneError, RefusedError
from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.images.resolution import resolution_of
from pycyto.labels import scheme_named
from pycyto.learning.bundle import Bundle, load_bundle, was_trained_on
from pycyto.learning.inference import classify
from pycyto.manifest import Row, read_manifest
from pycyto.qupath import runs
from pycyto.qupath.project import FILE_NAME, ensure_project_id
from pycyto.qupath.runs import ImageState, NewDetection, Run, Update
from pycyto.qupath.selection import CLASSIFIED, Centroid, ObjectKind, Selection, wanted_classes
from pycyto.records import (
    SILENT,
    Bounds,
    Cell,
    Prediction,
    Reporter,
    new_object_id,
    path_from,
)
from pycyto.settings import load_settings
from pycyto.steps.cells import Tally, chosen_images, cut_patches, read_cells
from pycyto.steps.context import DEFAULT_ACCESS, Access, open_context


@dataclass(frozen=True, slots=True)
class PredictResult:
    """What a prediction did.

    Attributes
    ----------
    run
        The staged run; nothing of the expert's has been changed.
    tally
        Given, used and skipped objects, with reasons.
    by_label
        Cells predicted of each class.
    """

    run: Run
    tally: Tally
    by_label: Mapping[str, int]


@dataclass(slots=True)
class _Source:
    """Cells on their way to the model: filled while their patches stream through it."""

    cells: list[Cell]
    data_sha256: dict[str, str]
    tally: Tally


def predict(  # noqa: PLR0913 - each is an option of the command
    project: str | Path,
    *,
    model: str | Path,
    objects: ObjectKind = "annotations",
    classes: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    centroid: Centroid = "cell",
    any_resolution: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> PredictResult:
    """Classify the cells of a project and stage the predictions as a run.

    Parameters
    ----------
    project
        Folder of a QuPath project, or a folder of exported patches: then the
        run is left in its ``runs`` folder, to be written back where the project is.
    model
        Folder of the bundle.
    objects
        ``annotations`` become new detections beside them; ``detections`` that
        nobody classified are given a class; ``all`` does both.
    classes, images, centroid
        As in `export`.
    any_resolution
        Use exported patches although they were cut at another resolution.

    Raises
    ------
    BadInputError
        A project, image or bundle is not what it should be.
    RefusedError
        The patches were cut at another resolution than the model's.
    PartlyDoneError
        Some images could not be used; the others are staged.
    """
    folder, bundle = path_from(project), load_bundle(path_from(model))
    if (folder / "manifest.csv").exists() and not (folder / FILE_NAME).exists():
        return _predict_patches(folder, bundle, objects, reporter, any_resolution=any_resolution)
    context = open_context(folder, access)
    scheme = scheme_named(bundle.scheme)
    wanted = Selection(
        scheme,
        objects=objects,
        classes=None if classes is None else wanted_classes(classes, scheme),
        unclassified=True,
        classified_detections=False,
        centroid=centroid,
        largest_outline=context.settings.largest_outline,
    )
    chosen = chosen_images(context.project, images)
    backend = context.backend(reporter)
    found = ensure_project_id(context.project)
    source = _Source([], {}, Tally())

    def patches(advance: Callable[[int], None]) -> Iterator[Pixels]:
        for image in read_cells(found, backend, chosen, wanted, source.tally):
            source.data_sha256[image.image.entry_id] = image.data_sha256
            for cell, _, pixels in cut_patches(
                image,
                resolution=bundle.resolution,
                mappings=context.settings.path_mappings,
                tally=source.tally,
            ):
                source.cells.append(cell)
                if pixels is not None:
                    yield pixels
            advance(1)

    radius = context.settings.point_radius
    with reporter.progress("images", len(chosen)) as advance:
        predictions = _classified(bundle, patches(advance), source)
    return _finish(found.workspace, bundle, objects, source, predictions, radius, reporter)


def _predict_patches(
    folder: Path, bundle: Bundle, objects: ObjectKind, reporter: Reporter, *, any_resolution: bool
) -> PredictResult:
    """Classify exported patches, where neither the project nor its slides are at hand."""
    rows = read_manifest(folder)
    if len({row.project_id for row in rows}) != 1:
        raise BadInputError(
            "These patches are not of one project, so no run can be made of them.",
            where=folder,
            remedy="Export each project into a folder of its own.",
        )
    cut_at = resolution_of(rows, folder / "manifest.csv")
    if not cut_at.agrees_with(bundle.resolution) and not any_resolution:
        raise RefusedError(
            f"The model needs patches at {bundle.resolution}; these are at {cut_at}.",
            where=folder,
            remedy="Export again at the model's resolution, or insist with --any-resolution.",
        )
    source = _Source([], _exported_states(folder), Tally())

    def patches() -> Iterator[Pixels]:
        for row in rows:
            source.tally.given += 1
            if row.kind != "annotation" and row.label:
                source.tally.skipped[CLASSIFIED] += 1
                continue
            pixels = read_patch(folder, row)
            source.cells.append(_cell_of(row))
            yield pixels

    with reporter.progress("patches", len(rows)) as advance:
        predictions = _classified(bundle, patches(), source, advance)
    radius = load_settings().point_radius
    return _finish(folder, bundle, objects, source, predictions, radius, reporter)


def _classified(
    bundle: Bundle,
    patches: Iterable[Pixels],
    source: _Source,
    advance: Callable[[int], None] | None = None,
) -> list[Prediction]:
    probabilities = classify(bundle, patches, advance=advance)
    source.tally.used = len(probabilities)
    source.tally.check()
    return [
        Prediction(
            cell,
            bundle.labels[int(row.argmax())],
            {label: float(p) for label, p in zip(bundle.labels, row, strict=True)},
            was_trained_on(bundle, cell.key),
        )
        for cell, row in zip(source.cells, probabilities, strict=True)
    ]


def _finish(
    workspace: Path,
    bundle: Bundle,
    objects: ObjectKind,
    source: _Source,
    predictions: Sequence[Prediction],
    radius: float,
    reporter: Reporter,
) -> PredictResult:
    if not predictions:
        raise BadInputError(
            "There is no cell to predict: " + _reasons(source.tally) + ".",
            where=workspace,
            remedy="See --objects, --classes and --images for what is taken.",
        )
    run = _stage(workspace, bundle, objects, source, predictions, radius)
    result = PredictResult(run, source.tally, run.counts["by_class"])
    _say(result, reporter)
    if source.tally.failed:
        raise PartlyDoneError(
            f"{source.tally.failed.total()} objects could not be predicted:\n    "
            + "\n    ".join(source.tally.failures),
            where=workspace,
            remedy=f"The others are staged as run {run.name}.",
        )
    return result


def _stage(
    workspace: Path,
    bundle: Bundle,
    objects: ObjectKind,
    source: _Source,
    predictions: Sequence[Prediction],
    radius: float,
) -> Run:
    run_id, created_at = str(uuid4()), files.now()
    folder = workspace / "runs" / runs.folder_name(run_id, created_at)
    new = [_new(item, run_id, radius) for item in predictions if not _is_update(item.cell)]
    updates = [_update(item) for item in predictions if _is_update(item.cell)]
    runs.write_tables(folder, bundle.labels, new=new, updates=updates, skipped=())
    scheme = scheme_named(bundle.scheme)
    per_image = {
        entry_id: (
            sum(item.entry_id == entry_id for item in new),
            sum(item.entry_id == entry_id for item in updates),
        )
        for entry_id in sorted({item.cell.key.entry_id for item in predictions})
    }
    by_class = Counter(item.label for item in predictions)
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
        },
        scheme=bundle.scheme,
        colours={label: scheme.colour_of(label) for label in bundle.labels},
        counts={
            **source.tally.to_json("predicted"),
            "staged": len(new) + len(updates),
            "by_class": {label: by_class[label] for label in bundle.labels},
            "trained_on": sum(item.trained_on for item in predictions),
        },
        images={
            entry_id: ImageState("staged", source.data_sha256.get(entry_id, ""), *counts)
            for entry_id, counts in per_image.items()
        },
    )
    # Last, since a folder without it is no run yet.
    runs.save(run)
    return run


def _is_update(cell: Cell) -> bool:
    """Whether the cell's own class is set: a detection that has none."""
    return cell.kind != "annotation"


def _new(item: Prediction, run_id: str, radius: float) -> NewDetection:
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
        radius=radius if cell.is_point else 0.0,
        label=item.label,
        probabilities=item.probabilities,
    )


def _update(item: Prediction) -> Update:
    cell = item.cell
    return Update(
        cell.key.entry_id, cell.key.object_id, cell.x, cell.y, item.label, item.probabilities
    )


def _cell_of(row: Row) -> Cell:
    return Cell(
        key=row.key,
        kind=row.kind,
        class_name=row.original_label or None,
        x=row.centroid_x,
        y=row.centroid_y,
        bounds=Bounds(row.centroid_x, row.centroid_y, 0, 0),
        area=row.outline_area or 0.0,
        z=row.z,
        t=row.t,
    )


def _exported_states(folder: Path) -> dict[str, str]:
    """Return the state of each image's data when it was exported, by entry ID."""
    inputs = provenance.recorded_inputs(folder, "export")
    return {
        name.removesuffix(" objects").split("/")[1]: sha256
        for name, sha256 in inputs.items()
        if name.endswith(" objects")
    }


def _reasons(tally: Tally) -> str:
    counted = (tally.skipped + tally.failed).most_common()
    return ", ".join(f"{count} {reason}" for reason, count in counted) or "the project has none"


def _say(result: PredictResult, reporter: Reporter) -> None:
    tally, counts = result.tally, result.run.counts
    reporter.say(
        f"{tally.given} objects given: {tally.used} predicted, "
        f"{tally.skipped.total()} skipped, {tally.failed.total()} failed."
    )
    for reason, count in (tally.skipped + tally.failed).most_common():
        reporter.say(f"  {count:>6}  {reason}")
    for label, count in result.by_label.items():
        reporter.say(f"  {count:>6}  predicted {label}")
    if counts["trained_on"]:
        reporter.warn(
            f"{counts['trained_on']} of these cells were among the model's training cells: "
            "what it says of them is no evidence of how good it is."
        )
    reporter.say(f"Staged as run {result.run.name}; nothing in QuPath has changed yet.")
