"""A model's word on every cell of a project, staged as a run beside the expert's data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from pycyto import files, provenance
from pycyto.errors import BadInputError, UsageError
from pycyto.images.crop import Pixels
from pycyto.labels import counted, scheme_named
from pycyto.learning.bundle import Bundle, load_bundle, was_trained_on
from pycyto.learning.engines import EngineName, choose_engine
from pycyto.learning.inference import Engine, classify, seeing_engine
from pycyto.manifest import Row, read_manifest
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import FILE_NAME, Project, ensure_project_id
from pycyto.qupath.runs import Run
from pycyto.qupath.selection import CLASSIFIED, Centroid, ObjectKind, Selection, wanted_classes
from pycyto.records import (
    SILENT,
    Bounds,
    Cell,
    CellKey,
    Prediction,
    Reporter,
    is_of_source,
    path_from,
)
from pycyto.settings import load_settings
from pycyto.steps.cells import ImageCells, Tally, chosen_images, cut_patches, read_cells
from pycyto.steps.colours import reader_for, say_left
from pycyto.steps.context import DEFAULT_ACCESS, Access, open_context
from pycyto.steps.labelling import verdicts_of
from pycyto.steps.profiles import profile_counts, say_profiles
from pycyto.steps.project_colours import ProjectColours
from pycyto.steps.resolutions import refuse_other_resolution
from pycyto.steps.rows import said_of
from pycyto.steps.similar import COUNT, Place, SimilarCells, place_of, references_in
from pycyto.steps.staging import stage

# What is said of cells that are in no project, in the run's folder.
TABLE_FILE = "predictions.csv"
TABLE_COLUMNS = ("object_id", "image_name", "file", "label", "class", "trained_on")


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
class _Job:
    """One prediction under way: cells gather here while their patches stream through the model.

    Attributes
    ----------
    ingested
        The rows of cells that are in no project: what is said of them is for a table.
    """

    workspace: Path
    bundle: Bundle
    engine: Engine
    similar: SimilarCells | None
    objects: ObjectKind
    wanted: Selection | None = None
    cells: list[Cell] = field(default_factory=list)
    data_sha256: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    ingested: Mapping[CellKey, Row] = field(default_factory=dict)

    def add(self, cell: Cell, place: Place) -> None:
        """Take in a cell whose patch goes to the model next."""
        self.cells.append(cell)
        if self.similar is not None:
            self.similar.places.append(place)


def predict(  # noqa: PLR0913 - each is an option of the command
    project: str | Path,
    *,
    model: str | Path,
    objects: ObjectKind = "annotations",
    classes: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    cells: Iterable[str] | None = None,
    centroid: Centroid = "cell",
    any_resolution: bool = False,
    engine: EngineName = "auto",
    similar: str | Path | None = None,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> PredictResult:
    """Classify the cells of a project and stage the predictions as a run.

    Parameters
    ----------
    project
        Folder of a QuPath project, or a folder of exported patches: then the
        run is left in its ``runs`` folder, to be written back where the project is.
        Patches of a source that was ingested have no project: their run is a table.
    model
        Folder of the bundle.
    objects
        ``annotations`` become new detections beside them; ``detections`` that
        nobody classified are given a class; ``all`` does both.
    classes, images, centroid
        As in `export`.
    cells
        UUIDs of the objects to predict, as QuPath shows them; by default all.
    any_resolution
        Go on although cells are larger or smaller in pixels than in training.
    engine
        What computes: ``keras``, ``openvino`` (quicker on CPUs), or ``auto``:
        OpenVINO where it is installed and there is no GPU. Not with `similar`.
    similar
        Folder of exported patches with labels from a consensus or an adjudication:
        the six that the network sees as most like each cell are kept in the run, to
        be shown beside the prediction. Never the cell itself.

    Raises
    ------
    UsageError
        None of the named cells, classes or images is there, or similar cells and
        OpenVINO were asked for together.
    BadInputError
        A project, image or bundle is not what it should be, or there are no cells of
        consensus to look among.
    RefusedError
        The patches were cut at another resolution than the model's, or OpenVINO
        does not agree with Keras.
    MissingDependencyError
        OpenVINO was asked for and is not installed.
    PartlyDoneError
        Some images could not be used; the others are staged.
    """
    folder, only = path_from(project), _object_ids(cells)
    bundle = load_bundle(path_from(model))

    def make_job(workspace: Path, wanted: Selection | None = None) -> _Job:
        means = _means(bundle, engine, similar, reporter, any_resolution=any_resolution)
        return _Job(workspace, bundle, *means, objects, wanted)

    if (folder / "manifest.csv").exists() and not (folder / FILE_NAME).exists():
        rows = _rows(folder, bundle, only, any_resolution=any_resolution)
        return _predict_patches(make_job(folder), rows, reporter)
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
        only=only,
    )
    chosen = chosen_images(context.project, images)
    backend = context.backend(reporter)
    warn_of_overwritten(context.project, lambda: backend, reporter)
    found = ensure_project_id(context.project)
    job = make_job(found.workspace, wanted)
    rule = bundle.resolution.at_any_scale() if any_resolution else bundle.resolution
    colours = None
    if bundle.colour:
        colours = ProjectColours(
            bundle.colour, found, backend, wanted, rule, context.settings, bundle.icc
        )
    reviewed = _reviewed_detections(found) if objects != "annotations" else frozenset()
    read: Iterable[ImageCells] = read_cells(found, backend, chosen, wanted, job.tally)
    if len(chosen) == 1:  # how many of one image are done says nothing: its cells are counted
        read = list(read)

    def patches(advance: Callable[[int], None]) -> Iterator[Pixels]:
        for image in read:
            job.data_sha256[image.image.entry_id] = image.data_sha256
            said = said_of(image.image, context.settings.metadata_keys)
            slide = said["site"], said["patient"], said["slide"]
            for cell, square, pixels in cut_patches(
                _without(reviewed, image, job.tally),
                resolution=rule,
                mappings=context.settings.path_mappings,
                tally=job.tally,
                icc=bundle.icc,
            ):
                job.add(cell, Place(cell.key, image.image.image_key, square, slide))
                if pixels is not None:
                    yield colours(image.image, cell.key, pixels) if colours else pixels
            advance(1)

    if isinstance(read, list):
        with reporter.progress("cells", sum(len(image.cells) for image in read)) as advance:
            predictions = _classified(job, patches(lambda _: None), advance)
    else:
        with reporter.progress("images", len(chosen)) as advance:
            predictions = _classified(job, patches(advance))
    _say_colours(job, colours, reporter)
    return _finish(job, predictions, context.settings.point_radius, reporter)


def _say_colours(job: _Job, colours: ProjectColours | None, reporter: Reporter) -> None:
    if colours:
        say_left(len(colours.left), reporter)
    if job.bundle.icc:
        say_profiles(profile_counts(job.tally.profiles.values()), reporter)


def _reviewed_detections(project: Project) -> frozenset[CellKey]:
    """Return what a reviewer has given its class, also the one that it had from a run.

    Annotations may be among them: no prediction changes their class.
    """
    return frozenset(key for key, verdict in verdicts_of(project).items() if verdict.decided)


def _without(reviewed: frozenset[CellKey], image: ImageCells, tally: Tally) -> ImageCells:
    """Return the cells of an image without the detections that a reviewer has decided on."""
    cells = [one for one in image.cells if one.kind == "annotation" or one.key not in reviewed]
    tally.skipped.update([CLASSIFIED] * (len(image.cells) - len(cells)))
    return replace(image, cells=cells)


def _object_ids(cells: Iterable[str] | None) -> frozenset[str] | None:
    """Return UUIDs as they are compared.

    Raises
    ------
    UsageError
        When one is none, or there is none.
    """
    if cells is None:
        return None
    found = set()
    for text in cells:
        try:
            found.add(str(UUID(text)))
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no UUID of an object.", remedy="QuPath shows it as the object's ID."
            ) from error
    if not found:
        raise UsageError("No cell is named.", remedy="Name one at least, or leave --cells out.")
    return frozenset(found)


def _means(
    bundle: Bundle,
    engine: EngineName,
    similar: str | Path | None,
    reporter: Reporter,
    *,
    any_resolution: bool,
) -> tuple[Engine, SimilarCells | None]:
    """Return what computes, and what looks for similar cells meanwhile if that is asked for."""
    if similar is None:
        return choose_engine(bundle, engine, reporter), None
    if engine == "openvino":
        raise UsageError(
            "Similar cells are found by what Keras computes on the way to a class; OpenVINO "
            "shows the classes alone.",
            remedy="Leave --engine out, or give --engine keras.",
        )
    references = references_in(
        path_from(similar), bundle, any_resolution=any_resolution, reporter=reporter
    )
    found = SimilarCells(references)
    return seeing_engine(bundle, found.see), found


def _rows(
    folder: Path, bundle: Bundle, only: frozenset[str] | None, *, any_resolution: bool
) -> list[Row]:
    """Return the patches of a data set, or refuse those of which no run can be made."""
    rows = [row for row in read_manifest(folder) if only is None or row.object_id in only]
    if only is not None and not rows:
        raise UsageError(
            f"None of the {counted(len(only), 'object')} asked for has a patch here.", where=folder
        )
    if len({row.project_id for row in rows}) != 1:
        raise BadInputError(
            "These patches are not of one project, so no run can be made of them.",
            where=folder,
            remedy="Predict each of the data sets that were merged by itself, and export each "
            "project into a folder of its own.",
        )
    if not any_resolution:
        refuse_other_resolution(rows, bundle, folder / "manifest.csv")
    return rows


def _predict_patches(job: _Job, rows: Sequence[Row], reporter: Reporter) -> PredictResult:
    """Classify exported patches, where neither the project nor its slides are at hand."""
    job.data_sha256 = _exported_states(job.workspace)
    job.ingested = {row.key: row for row in rows if row.is_ingested}
    read = reader_for(job.bundle, job.workspace, reporter)

    def patches() -> Iterator[Pixels]:
        for row in rows:
            job.tally.given += 1
            if row.kind != "annotation" and row.label:
                job.tally.skipped[CLASSIFIED] += 1
                continue
            pixels = read(row)
            job.add(_cell_of(row), place_of(row))
            yield pixels

    with reporter.progress("patches", len(rows)) as advance:
        predictions = _classified(job, patches(), advance)
    say_left(len(read.left), reporter)
    return _finish(job, predictions, load_settings().point_radius, reporter)


def _classified(
    job: _Job, patches: Iterable[Pixels], advance: Callable[[int], None] | None = None
) -> list[Prediction]:
    bundle = job.bundle
    probabilities = classify(bundle, patches, engine=job.engine, advance=advance)
    job.tally.used = len(probabilities)
    job.tally.check()
    return [
        Prediction(
            cell,
            bundle.labels[int(row.argmax())],
            {label: float(p) for label, p in zip(bundle.labels, row, strict=True)},
            was_trained_on(bundle, cell.key),
        )
        for cell, row in zip(job.cells, probabilities, strict=True)
    ]


def _finish(
    job: _Job, predictions: Sequence[Prediction], point_radius: float, reporter: Reporter
) -> PredictResult:
    files.remove_parts(job.workspace / "runs")
    job.tally.refuse_nothing("predict", job.wanted, job.workspace)
    if not predictions:
        job.tally.refuse_failures("predicted", job.workspace, "Nothing is staged; mend these.")
    run = stage(
        job.workspace,
        job.bundle,
        predictions,
        engine=job.engine.name,
        objects=job.objects,
        counts=job.tally.to_json("predicted"),
        data_sha256=job.data_sha256,
        point_radius=point_radius,
        similar=job.similar,
        reporter=reporter,
    )
    if job.ingested:
        _write_table(run.folder / TABLE_FILE, job, predictions)
    result = PredictResult(run, job.tally, run.counts["by_class"])
    _say(result, job.wanted, reporter)
    job.tally.refuse_failures(
        "predicted", job.workspace, f"The others are staged as run {run.name}."
    )
    return result


def _write_table(path: Path, job: _Job, predictions: Sequence[Prediction]) -> None:
    """Write what is said of ingested cells as one table, with their names in the manifest."""
    names = [f"P({label})" for label in job.bundle.labels]
    with files.writing(path) as stream:
        stream.write(files.csv_row((*TABLE_COLUMNS, *names)))
        for item in predictions:
            row = job.ingested[item.cell.key]
            said = (row.object_id, row.image_name, row.file, row.label, item.label)
            stream.write(files.csv_row((*said, int(item.trained_on), *item.probabilities.values())))


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
        name.removesuffix(" objects").partition("/")[2]: sha256
        for name, sha256 in inputs.items()
        if name.endswith(" objects")
    }


def _say(result: PredictResult, wanted: Selection | None, reporter: Reporter) -> None:
    counts = result.run.counts
    named = {f"predicted {label}": count for label, count in result.by_label.items()}
    result.tally.say("predicted", named, reporter)
    if wanted is not None and wanted.only is not None:
        missing = len(wanted.only - result.tally.found)
        if missing:
            reporter.warn(f"{counted(missing, 'object')} asked for not found in these images.")
    if counts["trained_on"]:
        reporter.warn(
            f"{counts['trained_on']} of these cells had a part in the model's training: "
            "what it says of them is no evidence of how good it is."
        )
    if counts.get("similar", {}).get("fewer"):
        reporter.say(
            f"{counts['similar']['fewer']} cells have fewer than {COUNT} similar ones beside them."
        )
    run = result.run
    if is_of_source(run.project_id):
        reporter.say(
            f"Kept as run {run.name}. These cells were ingested and are in no QuPath project: the "
            "run is to be read, and cannot be written back."
        )
        reporter.say(f"Its table: {run.folder / TABLE_FILE}")
        return
    reporter.say(f"Staged as run {run.name}; nothing in QuPath has changed yet.")
    reporter.say(f"Its folder: {run.folder}")
