"""Annotated cells of a QuPath project become patches and a manifest."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pycyto import files, locks
from pycyto.errors import RefusedError, UsageError
from pycyto.images.crop import Pixels, Square
from pycyto.images.patches import content_hash, is_whole, write_patch
from pycyto.images.resolution import Resolution, check_mpp
from pycyto.manifest import Row
from pycyto.pseudonyms import share_key
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import ensure_project_id, local_path
from pycyto.qupath.selection import Centroid, ObjectKind, Selection, wanted_classes
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.cells import ImageCells, Tally, chosen_images, cut_patches, read_cells
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context
from pycyto.steps.data_set import DataSet, ImageKey
from pycyto.steps.labelling import Labelling, LabelsInQuPath, verdicts_of
from pycyto.steps.profiles import icc_of, profile_counts, say_profiles, state
from pycyto.steps.reviewed import decided_labels
from pycyto.steps.rows import row_of

# A killed export loses at most what it cut since the manifest was last written.
_SECONDS_BETWEEN_SAVES = 20.0
_UNFINISHED = {"finished": False}
_WRITERS = 4
# Patches of 150 kB that wait to be written.
_AHEAD = 4 * _WRITERS
# Ends the name of what is noted of an image's colour profile: what is kept is not opened again.
_PROFILE = " profile"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export did.

    Attributes
    ----------
    out
        The data set's folder.
    tally
        Given, used and skipped objects, with reasons.
    by_label
        Patches of each class.
    new, kept, relabelled, removed
        Patches cut now, left as they were, moved to another class, and moved to
        ``removed/`` because their cell is gone, is no longer asked for, or was not
        noted by an export that broke off.
    profiles
        How many images have a colour profile, and which; None where that was not asked for.
    """

    out: Path
    tally: Tally
    by_label: Mapping[str, int]
    new: int
    kept: int
    relabelled: int
    removed: int
    profiles: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """One export under way. Threads encode and write: both let go of Python's lock."""

    context: Context
    data: DataSet
    resolution: Resolution
    labels: Labelling
    icc: bool
    tally: Tally = field(default_factory=Tally)
    writers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_WRITERS))


def export(  # noqa: PLR0913 - each is an option of the command
    project: str | Path,
    *,
    out: str | Path,
    objects: ObjectKind | None = None,
    classes: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    unclassified: bool = False,
    reviewed: bool = False,
    centroid: Centroid = "cell",
    mpp: float | None = None,
    icc: bool = False,
    access: Access = DEFAULT_ACCESS,
    reporter: Reporter = SILENT,
) -> ExportResult:
    """Cut one 224 x 224 RGB patch per cell of a project.

    A second export into the same folder does only what has changed.

    Parameters
    ----------
    project
        Folder of the QuPath project; nothing of the expert's in it is changed.
    out
        Folder of the data set.
    objects
        ``annotations``, ``detections`` (with QuPath cell objects) or ``all``; by
        default annotations, and with `reviewed` all that was reviewed.
    classes
        Only these; by default all of the label scheme.
    images
        Only these, by entry ID or name.
    unclassified
        Cells without a class too, for prediction elsewhere.
    reviewed
        Only cells on whose label people decided, in a review or in blinded reads, and
        with that label. Those that QuPath has another class for since are left out and
        named.
    centroid
        Of QuPath cell objects: the cell's or the nucleus's.
    mpp
        Micrometres per patch pixel; by default full resolution.
    icc
        Bring pixels to sRGB by the colour profile in each image.

    Raises
    ------
    BadInputError, UsageError
        A project, image or setting is not what it should be.
    RefusedError
        `out` holds patches of this project at another resolution, or patches that were cut
        with profiles where these are not, or the other way round; or it is among
        the project's own files; or another pycyto is at work there.
    PartlyDoneError
        Some images could not be used; the others are exported.
    """
    folder = path_from(out)
    check_mpp(mpp)
    if reviewed and unclassified:
        raise UsageError("--reviewed takes cells with a decided label, --unclassified without one.")
    context = open_context(project, access)
    _refuse_inside(folder, context)
    names = None if classes is None else wanted_classes(classes, context.scheme)
    wanted = Selection(
        context.scheme,
        objects=objects or ("all" if reviewed else "annotations"),
        classes=None if reviewed else names,
        unclassified=unclassified,
        any_class=reviewed,
        centroid=centroid,
        largest_outline=context.settings.largest_outline,
    )
    chosen = chosen_images(context.project, images)
    backend = context.backend(reporter)
    warn_of_overwritten(context.project, lambda: backend, reporter)
    context = _with_id(context)
    labels = _labelling(context, names, reviewed=reviewed)
    arguments = {
        "objects": wanted.objects, "classes": classes, "images": images,
        "unclassified": unclassified, "reviewed": reviewed, "centroid": centroid, "mpp": mpp,
        "icc": icc, "backend": backend.name,
    }  # fmt: skip
    with locks.locked(folder):
        data = _open_data_set(folder, arguments, context, mpp, icc=icc)
        job = _Job(context, data, Resolution(mpp), labels, icc)
        share_key(context.project.workspace, folder)
        tally = job.tally
        with _saving(job), reporter.progress("images", len(chosen)) as advance:
            for found in read_cells(context.project, backend, chosen, wanted, tally):
                _export_image(job, labels.chosen(found, tally))
                advance(1)
                if time.monotonic() - data.saved_at > _SECONDS_BETWEEN_SAVES:
                    data.save(_UNFINISHED)
            tally.check()
            tally.refuse_nothing("export", wanted, context.project.file)
            data.remove_strays()
        result = _result(data, tally, context, icc=icc)
        data.save(_counts(result))
    _say(result, reporter)
    labels.say(reporter)
    tally.refuse_failures(
        "exported",
        context.project.file,
        "The others are exported. Mend these images and start the same command again.",
    )
    return result


def _refuse_inside(folder: Path, context: Context) -> None:
    """Refuse to scatter a data set among QuPath's own files."""
    inside = folder.is_relative_to(context.project.folder)
    if inside and not folder.is_relative_to(context.project.workspace):
        raise RefusedError(
            "A data set does not go among QuPath's own files.",
            where=folder,
            remedy=f"Choose a folder outside the project, or below {context.project.workspace}.",
        )


def _with_id(context: Context) -> Context:
    project = ensure_project_id(context.project)
    return Context(project, context.settings, context.scheme, context.access)


def _labelling(context: Context, classes: Sequence[str] | None, *, reviewed: bool) -> Labelling:
    if reviewed:
        return decided_labels(context.project, context.scheme, classes)
    return LabelsInQuPath(context.scheme, verdicts_of(context.project))


def _open_data_set(
    folder: Path,
    arguments: Mapping[str, object],
    context: Context,
    mpp: float | None,
    *,
    icc: bool,
) -> DataSet:
    data = DataSet(folder, arguments)
    files.remove_parts(folder, below=(folder / "images").is_dir())
    if not (folder / "manifest.csv").exists():
        return data
    data.load()
    full_resolution = data.full_resolution.get(context.project.project_id)
    if full_resolution and all(full_resolution) != (mpp is None):
        raise RefusedError(
            "This folder holds patches of the same project at another resolution.",
            where=folder,
            remedy="Choose another folder with --out, or the same --mpp as before.",
        )
    if data.table and icc_of(folder) != icc:
        raise RefusedError(
            f"This folder holds patches that were cut {state(not icc)}.",
            where=folder,
            remedy="Choose another folder with --out, or give --icc as before.",
        )
    return data


@contextmanager
def _saving(job: _Job) -> Iterator[None]:
    """Have threads to write with, and keep what was done when the block ends early."""
    try:
        with job.writers:
            yield
    except BaseException:
        job.data.save(_UNFINISHED)
        raise


def _export_image(job: _Job, found: ImageCells) -> None:
    data, tally, context = job.data, job.tally, job.context
    image = ImageKey(context.project.project_id, found.image.entry_id)
    states = _states(image, found, context)
    pixels = f"{'/'.join(image)} pixels"
    unchanged = pixels in states and data.inputs.get(pixels) == states[pixels]
    failed_before = tally.failed.total()
    with data.table.of_image(image) as rows:
        if not rows:
            data.inputs |= states
        elif pixels in states and not unchanged:
            # Till all are cut they are of two states; should it end early, none is to be trusted.
            data.inputs.pop(pixels, None)
        seen = _cut(job, found, rows, _known(data.folder, rows) if unchanged else {})
        if found.image.entry_id in tally.profiles:
            states[f"{'/'.join(image)}{_PROFILE}"] = tally.profiles[found.image.entry_id]
        if tally.failed.total() == failed_before:  # else what is there may still be right
            data.inputs |= states
            _remove_gone(data, rows, seen)


def _cut(
    job: _Job, found: ImageCells, rows: dict[CellKey, Row], known: Mapping[CellKey, Square]
) -> set[CellKey]:
    """Bring the cells of an image into its rows, and return their keys."""
    seen, tally, mappings = set(), job.tally, job.context.settings.path_mappings
    with _writing(job, rows) as put:
        for cell, square, pixels in cut_patches(
            found,
            resolution=job.resolution,
            mappings=mappings,
            tally=tally,
            known=known,
            icc=job.icc,
        ):
            tally.used += 1
            seen.add(cell.key)
            if not cell.is_point and not square.holds(cell.bounds):
                tally.notes[
                    "outline larger than the patch, which shows the part around its centre"
                ] += 1
            put(row_of(cell, square, job.labels.of(cell), found.image, job.context), pixels)
    return seen


def _known(folder: Path, rows: Mapping[CellKey, Row]) -> dict[CellKey, Square]:
    return {
        key: Square(row.left, row.top, row.width)
        for key, row in rows.items()
        if is_whole(folder / row.file)
    }


@contextmanager
def _writing(job: _Job, rows: dict[CellKey, Row]) -> Iterator[Callable[[Row, Pixels | None], None]]:
    """Give out a function that brings a cell into `rows`; its patch is written by a thread.

    A row enters when its patch is on the disk, in the order given. Without
    pixels the patch is there already.
    """
    waiting: deque[tuple[Row, Future[str]]] = deque()

    def put(row: Row, pixels: Pixels | None) -> None:
        while len(waiting) >= _AHEAD:
            settle_oldest()
        if pixels is None:
            _keep(job.data, rows, row)
        else:
            path = job.data.folder / row.file
            waiting.append((row, job.writers.submit(_write, path, pixels)))

    def settle_oldest() -> None:
        row, patch = waiting[0]
        _enter(job.data, rows, row.with_hash(patch.result()))
        waiting.popleft()  # last: Ctrl-C comes while it waits

    try:
        yield put
        while waiting:
            settle_oldest()
    finally:
        # After an error or Ctrl-C: what is on the disk all the same must not lack its row.
        for row, patch in waiting:
            if patch.exception() is None:
                _enter(job.data, rows, row.with_hash(patch.result()))


def _write(path: Path, pixels: Pixels) -> str:
    pixels = np.ascontiguousarray(pixels)  # once, for the file and for the hash
    write_patch(path, pixels)
    return content_hash(pixels)


def _keep(data: DataSet, rows: dict[CellKey, Row], row: Row) -> None:
    """Bring in a row whose patch is there, perhaps under the name of another class."""
    old = rows[row.key]
    if old.file == row.file:
        data.kept += 1
    else:
        data.relabelled += 1
        files.replace(data.folder / old.file, data.folder / row.file)
    rows[row.key] = row.with_hash(old.content_hash)


def _enter(data: DataSet, rows: dict[CellKey, Row], row: Row) -> None:
    """Bring in a row whose patch was written."""
    data.new += 1
    old = rows.get(row.key)
    if old is not None and old.file != row.file:
        data.relabelled += 1
        files.remove(data.folder / old.file)
    rows[row.key] = row


def _remove_gone(data: DataSet, rows: dict[CellKey, Row], seen: set[CellKey]) -> None:
    for key in rows.keys() - seen:
        data.remove(rows.pop(key).file)


def _states(image: ImageKey, found: ImageCells, context: Context) -> dict[str, str]:
    """Return what tells whether an image's pixels and objects are still those that were cut."""
    name = "/".join(image)
    states = {f"{name} objects": found.data_sha256}
    with suppress(OSError):
        stat = local_path(found.image, context.settings.path_mappings).stat()
        size = f"{stat.st_size} bytes, {stat.st_mtime_ns} ns, {found.image.width} px wide"
        states[f"{name} pixels"] = size
    return states


def _result(data: DataSet, tally: Tally, context: Context, *, icc: bool) -> ExportResult:
    found: Counter[str] = Counter()
    for label, count in data.table.labels(context.project.project_id).items():
        found[label or "unclassified"] += count
    others = sorted(set(found) - set(context.scheme.names))
    by_label = {name: found[name] for name in (*context.scheme.names, *others) if found[name]}
    return ExportResult(
        data.folder,
        tally,
        by_label,
        data.new,
        data.kept,
        data.relabelled,
        data.removed,
        _profiles(data, context) if icc else None,
    )


def _profiles(data: DataSet, context: Context) -> Mapping[str, Any]:
    project = context.project
    names = (ImageKey(project.project_id, image.entry_id) for image in project.images)
    noted = (data.inputs.get(f"{'/'.join(name)}{_PROFILE}") for name in names)
    return profile_counts(name for name in noted if name is not None)


def _counts(result: ExportResult) -> dict[str, object]:
    profiles = {} if result.profiles is None else {"profiles": result.profiles}
    return {
        **result.tally.to_json("patches"),
        "by_label": dict(result.by_label),
        "new": result.new,
        "kept": result.kept,
        "relabelled": result.relabelled,
        "removed": result.removed,
        **profiles,
    }


def _say(result: ExportResult, reporter: Reporter) -> None:
    named = {f"{label} in {result.out.name}/images": n for label, n in result.by_label.items()}
    result.tally.say("patches", named, reporter)
    earlier = sum(result.by_label.values()) - result.tally.used
    if earlier > 0:
        reporter.say(
            f"{earlier} of these patches are of images that failed or were not asked for: "
            "they are as an earlier export left them."
        )
    reporter.say(
        f"{result.new} cut, {result.kept} left as they were, "
        f"{result.relabelled} moved to another class, {result.removed} moved to removed/."
    )
    if result.profiles is not None:
        say_profiles(result.profiles, reporter)
