"""Annotated cells of a QuPath project become patches and a manifest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.errors import RefusedError, UsageError
from pycyto.images.crop import Pixels, Square
from pycyto.images.patches import content_hash, write_patch
from pycyto.images.resolution import Resolution
from pycyto.manifest import UNKNOWN, Row, read_manifest, write_manifest
from pycyto.pseudonyms import share_key
from pycyto.qupath.overwritten import warn_of_overwritten
from pycyto.qupath.project import ImageEntry, ensure_project_id, local_path
from pycyto.qupath.selection import Centroid, ObjectKind, Selection, label_of, wanted_classes
from pycyto.records import SILENT, Cell, CellKey, Reporter, path_from
from pycyto.steps.cells import ImageCells, Tally, chosen_images, cut_patches, read_cells
from pycyto.steps.context import DEFAULT_ACCESS, Access, Context, open_context

# A killed export loses at most what it cut since the manifest was last written.
_SECONDS_BETWEEN_SAVES = 20.0
_UNFINISHED = {"finished": False}


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
        ``removed/`` because their cell is gone or is no longer asked for.
    """

    out: Path
    tally: Tally
    by_label: Mapping[str, int]
    new: int
    kept: int
    relabelled: int
    removed: int


@dataclass(slots=True)
class _DataSet:
    """The data set as it grows: rows by cell, what they were cut from, what was done."""

    folder: Path
    arguments: Mapping[str, object]
    rows: dict[CellKey, Row] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    new: int = 0
    kept: int = 0
    relabelled: int = 0
    removed: int = 0
    saved_at: float = field(default_factory=time.monotonic)

    def save(self, counts: Mapping[str, object]) -> None:
        """Write the manifest and what it rests on, so that the next start goes on from here."""
        if not self.rows and not (self.folder / "manifest.csv").exists():
            return
        write_manifest(self.folder, self.rows.values())
        record = provenance.record("export", self.arguments, counts=counts, inputs=self.inputs)
        provenance.keep_record(self.folder, record)
        self.saved_at = time.monotonic()


def export(  # noqa: PLR0913 - each is an option of the command
    project: str | Path,
    *,
    out: str | Path,
    objects: ObjectKind = "annotations",
    classes: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    unclassified: bool = False,
    centroid: Centroid = "cell",
    mpp: float | None = None,
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
        ``annotations``, ``detections`` (with QuPath cell objects) or ``all``.
    classes
        Only these; by default all of the label scheme.
    images
        Only these, by entry ID or name.
    unclassified
        Cells without a class too, for prediction elsewhere.
    centroid
        Of QuPath cell objects: the cell's or the nucleus's.
    mpp
        Micrometres per patch pixel; by default full resolution.

    Raises
    ------
    BadInputError, UsageError
        A project, image or setting is not what it should be.
    RefusedError
        `out` holds patches of this project at another resolution, or is among
        the project's own files; or another pycyto is at work there.
    PartlyDoneError
        Some images could not be used; the others are exported.
    """
    folder = path_from(out)
    if mpp is not None and not 0.01 <= mpp <= 100:
        raise UsageError(f"--mpp is in micrometres per pixel; {mpp} cannot be meant.")
    context = open_context(project, access)
    _refuse_inside(folder, context)
    wanted = Selection(
        context.scheme,
        objects=objects,
        classes=None if classes is None else wanted_classes(classes, context.scheme),
        unclassified=unclassified,
        centroid=centroid,
        largest_outline=context.settings.largest_outline,
    )
    chosen = chosen_images(context.project, images)
    backend = context.backend(reporter)
    warn_of_overwritten(context.project, lambda: backend, reporter)
    context = _with_id(context)
    arguments = {
        "objects": objects, "classes": classes, "images": images, "unclassified": unclassified,
        "centroid": centroid, "mpp": mpp, "backend": backend.name,
    }  # fmt: skip
    with files.locked(folder):
        data, tally = _open_data_set(folder, arguments, context, mpp), Tally()
        share_key(context.project.workspace, folder)
        with _saving(data), reporter.progress("images", len(chosen)) as advance:
            for found in read_cells(context.project, backend, chosen, wanted, tally):
                _export_image(data, found, context, mpp, tally)
                advance(1)
                if time.monotonic() - data.saved_at > _SECONDS_BETWEEN_SAVES:
                    data.save(_UNFINISHED)
            tally.check()
            tally.refuse_nothing("export", wanted, context.project.file)
        result = _result(data, tally, context)
        data.save(_counts(result))
    _say(result, reporter)
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


def _open_data_set(
    folder: Path, arguments: Mapping[str, object], context: Context, mpp: float | None
) -> _DataSet:
    data = _DataSet(folder, arguments)
    if not (folder / "manifest.csv").exists():
        return data
    data.rows = {row.key: row for row in read_manifest(folder)}
    ours = [row for row in data.rows.values() if row.project_id == context.project.project_id]
    at_full_resolution = all(row.downsample == 1.0 for row in ours)
    if ours and at_full_resolution != (mpp is None):
        raise RefusedError(
            "This folder holds patches of the same project at another resolution.",
            where=folder,
            remedy="Choose another folder with --out, or the same --mpp as before.",
        )
    data.inputs = provenance.recorded_inputs(folder, "export")
    files.remove_parts(folder)
    return data


@contextmanager
def _saving(data: _DataSet) -> Iterator[None]:
    """Keep what was done when the block ends early."""
    try:
        yield
    except BaseException:
        data.save(_UNFINISHED)
        raise


def _export_image(
    data: _DataSet, found: ImageCells, context: Context, mpp: float | None, tally: Tally
) -> None:
    image_id = f"{context.project.project_id}/{found.image.entry_id}"
    state = _state(found, context)
    known = _known(data, found) if data.inputs.get(f"{image_id} pixels") == state else {}
    data.inputs[f"{image_id} pixels"] = state
    data.inputs[f"{image_id} objects"] = found.data_sha256
    mappings, failed_before = context.settings.path_mappings, tally.failed.total()
    seen = set()
    for cell, square, pixels in cut_patches(
        found, resolution=Resolution(mpp), mappings=mappings, tally=tally, known=known
    ):
        tally.used += 1
        seen.add(cell.key)
        if not cell.is_point and not square.holds(cell.bounds):
            tally.notes["outline larger than the patch"] += 1
        _put(data, _row(cell, square, found.image, context), pixels)
    if tally.failed.total() == failed_before:  # else what is there may still be right
        _remove_gone(data, found, seen, context.project.project_id)


def _known(data: _DataSet, found: ImageCells) -> dict[CellKey, Square]:
    rows = (data.rows[cell.key] for cell in found.cells if cell.key in data.rows)
    return {
        row.key: Square(row.left, row.top, row.width)
        for row in rows
        if (data.folder / row.file).is_file()
    }


def _put(data: _DataSet, row: Row, pixels: Pixels | None) -> None:
    """Bring a row and its patch into the data set; without pixels the patch is there."""
    old = data.rows.get(row.key)
    if pixels is None and old is not None:
        row = row.with_hash(old.content_hash)
        data.kept += old.file == row.file
    elif pixels is not None:
        row = row.with_hash(content_hash(pixels))
        write_patch(data.folder / row.file, pixels)
        data.new += 1
    if old is not None and old.file != row.file:
        data.relabelled += 1
        if pixels is None:
            files.replace(data.folder / old.file, data.folder / row.file)
        else:
            (data.folder / old.file).unlink(missing_ok=True)
    data.rows[row.key] = row


def _remove_gone(
    data: _DataSet, found: ImageCells, seen: Iterable[CellKey], project_id: str
) -> None:
    entry = (project_id, found.image.entry_id)
    gone = [key for key in data.rows if key[:2] == entry and key not in set(seen)]
    for key in gone:
        patch = data.folder / data.rows.pop(key).file
        if patch.exists():
            files.replace(patch, data.folder / "removed" / patch.name)
        data.removed += 1


def _row(cell: Cell, square: Square, image: ImageEntry, context: Context) -> Row:
    label = label_of(cell.class_name, context.scheme)
    outline = None if cell.is_point else cell.bounds
    by_hand = "manual" if label else UNKNOWN
    return Row(
        *cell.key,
        kind=cell.kind,
        image_key=image.image_key,
        project_name=context.project.name,
        image_name=image.name,
        centroid_x=cell.x,
        centroid_y=cell.y,
        left=square.left,
        top=square.top,
        width=square.width,
        downsample=square.downsample,
        z=cell.z,
        t=cell.t,
        mpp=None if image.mpp is None else image.mpp * square.downsample,
        outline_width=None if outline is None else outline.width,
        outline_height=None if outline is None else outline.height,
        outline_area=None if outline is None else cell.area,
        label=label,
        original_label=cell.class_name or "",
        scheme=context.scheme.name if context.scheme.find(cell.class_name) else "",
        label_origin=by_hand,
        selected_by=by_hand,
        source=context.project.name,
        content_hash="",
        file=f"images/{context.scheme.folder_of(label)}/{_file_name(cell.key)}",
        **_said_of(image, context),
    )


def _said_of(image: ImageEntry, context: Context) -> dict[str, Any]:
    """Return what the image's metadata says of patient, slide, and so on."""
    keys = context.settings.metadata_keys
    names = ("site", "patient", "slide", "scanner", "preparation", "annotator")
    found = {name: image.metadata.get(getattr(keys, name), "").strip() for name in names}
    return {name: value or UNKNOWN for name, value in found.items()}


def _file_name(key: CellKey) -> str:
    point = "" if key.point_index is None else f"_p{key.point_index}"
    return f"{key.entry_id}_{key.object_id}{point}.png"


def _state(found: ImageCells, context: Context) -> str:
    """Return what tells whether an image file is still the one that was cut."""
    try:
        stat = local_path(found.image, context.settings.path_mappings).stat()
    except OSError:
        return "missing"
    return f"{stat.st_size} bytes, {stat.st_mtime_ns} ns, {found.image.width} px wide"


def _result(data: _DataSet, tally: Tally, context: Context) -> ExportResult:
    rows = [row for row in data.rows.values() if row.project_id == context.project.project_id]
    found = Counter(row.label or "unclassified" for row in rows)
    others = sorted(set(found) - set(context.scheme.names))
    by_label = {name: found[name] for name in (*context.scheme.names, *others) if found[name]}
    return ExportResult(
        data.folder, tally, by_label, data.new, data.kept, data.relabelled, data.removed
    )


def _counts(result: ExportResult) -> dict[str, object]:
    return {
        **result.tally.to_json("patches"),
        "by_label": dict(result.by_label),
        "new": result.new,
        "kept": result.kept,
        "relabelled": result.relabelled,
        "removed": result.removed,
    }


def _say(result: ExportResult, reporter: Reporter) -> None:
    named = {f"{label} in {result.out.name}/images": n for label, n in result.by_label.items()}
    result.tally.say("patches", named, reporter)
    reporter.say(
        f"{result.new} cut, {result.kept} left as they were, "
        f"{result.relabelled} moved to another class, {result.removed} moved to removed/."
    )
