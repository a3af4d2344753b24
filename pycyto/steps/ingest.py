"""A public set, as it was downloaded, becomes patches and a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pycyto import files, provenance
from pycyto.datasets import harmonise
from pycyto.datasets.joining import Joined, joined
from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Source
from pycyto.datasets.sources.cric import Cric
from pycyto.datasets.sources.folder import Folder
from pycyto.datasets.sources.herlev import Herlev
from pycyto.datasets.sources.ps3c import Ps3c
from pycyto.datasets.sources.sipakmed import Sipakmed
from pycyto.errors import UsageError
from pycyto.images.patches import read_patch
from pycyto.images.resolution import check_mpp
from pycyto.labels import BETHESDA, counted, listed
from pycyto.manifest import Row, lines_of, write_lines
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.cutting import Cutting
from pycyto.steps.profiles import profile_counts, say_profiles
from pycyto.steps.to_project import make_project_of

# Warnings on the screen: a set whose outlines are all broken has as many as cells.
_WARNED = 10
# Pairs of cells that a warning names.
_NAMED = 5

Layout = Literal["herlev", "sipakmed", "cric", "ps3c", "folder"]
Scale = Literal["native", "fit"]

OUTLINES_FILE = "outlines.geojson"
# One feature per line between them.
OUTLINES_HEAD, OUTLINES_END = '{"type":"FeatureCollection","features":[', "\n]}\n"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a source.

    Attributes
    ----------
    given
        Cells and images that the source has: ``cells`` and the skipped ones.
    by_class
        Patches by original class and label.
    skipped
        What was left out, by reason.
    notes
        What is worth knowing of cells that are in: cropped, without outline, ….
    joined
        The names of groups that became one, since they show the same cells.
    profiles
        How many images have a colour profile, and which; None where that was not asked for.
    """

    out: Path
    given: int
    cells: int
    by_class: Mapping[tuple[str, str], int]
    skipped: Mapping[str, int]
    notes: Mapping[str, int]
    joined: Sequence[Sequence[str]]
    profiles: Mapping[str, Any] | None = None


def ingest(  # noqa: PLR0913 - each is an option of the command
    layout: Layout,
    src: str | Path,
    *,
    out: str | Path,
    scale: Scale = "native",
    table: str | Path | None = None,
    alternative: Sequence[str] = (),
    name: str | None = None,
    group_regex: str | None = None,
    mpp: float | None = None,
    icc: bool = False,
    to_project: str | Path | None = None,
    qupath: str | Path | None = None,
    reporter: Reporter = SILENT,
) -> IngestResult:
    """Cut one patch per cell of a public set, and write the manifest that an export writes.

    Identifiers come from the names in the source alone: the same cells have the same ones on
    every machine.

    Parameters
    ----------
    layout
        ``herlev``, ``sipakmed``, ``cric``, ``ps3c``, or ``folder``: one folder per class.
    src
        The source as it was downloaded and unpacked; it is only read.
    out
        Folder of the data set. It must not be there yet, and appears when all is done.
    scale
        Of images that show one cell: ``native``, pixels as they are, or ``fit``, the longer side
        as long as the patch, so that sizes are lost.
    table
        A table of classes to use instead of pycyto's own; needed where the folders of
        ``folder`` are not called as in the Bethesda System.
    alternative
        Other choices for contested classes, each as ``CLASS=LABEL``.
    name
        Of a ``folder``: what the manifest has as source; by default the folder's name.
    group_regex
        Of a ``folder``: what finds the group (patient or slide) in the path of an image.
    mpp
        Of ``cric`` and ``folder``: micrometres per pixel of the images, where you know it.
    icc
        Bring pixels to sRGB by the colour profile in each image.
    to_project
        Of ``cric``: make a QuPath project here too, of the fields where they are, with all cells
        as classified points, also those that the table leaves out. Without a QuPath on this
        machine it holds files for a script that does the same in QuPath.
    qupath
        Folder of the QuPath to make it with.

    Raises
    ------
    BadInputError
        The source or the table is not what it should be; all that is wrong is named at once.
    RefusedError
        There is something in `out` already.
    UsageError
        Options that do not fit together.
    """
    folder, target = path_from(src), path_from(out)
    source, classes = reader_of_source(
        layout, folder, table=table, alternative=alternative, scale=scale, name=name,
        group_regex=group_regex, mpp=mpp,
    )  # fmt: skip
    if to_project is not None and source.single:
        raise UsageError(f"--to-project is for fields with cells, as of cric, not for {layout}.")
    project = None if to_project is None else path_from(to_project)
    if target.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            "--out is inside the source: its patches would be read with it the next time.",
            where=target,
            remedy="Choose a folder beside the source.",
        )
    if project is not None:
        _check_place_of_project(project, target)
    arguments = {
        "layout": layout, "scale": scale, "alternative": list(alternative), "name": name,
        "group_regex": group_regex, "mpp": mpp, "icc": icc,
    }  # fmt: skip
    with files.making_folder(target) as made:
        cutting = Cutting(source, classes, made, fit=scale == "fit", icc=icc)
        with reporter.progress("cells", None) as advance:
            drawn = []
            for cell in cutting.run(folder):
                drawn.append(cell)
                advance(1)
        cutting.leave_out_torn()
        cutting.refuse_problems(folder)
        _write_outlines(made / OUTLINES_FILE, drawn, {row.key for row in cutting.rows})
        found = joined(cutting.rows, cutting.pictures, lambda row: read_patch(made, row))
        write_lines(made, [lines_of(found.rows)])
        result = _result(cutting, found, target)
        provenance.keep_record(made, _record(cutting, found, result, arguments))
        if project is not None:
            used = path_from(qupath) if qupath else None
            make_project_of(source, classes, folder, project, used, reporter)
    _say(cutting, found, result, reporter)
    return result


def _check_place_of_project(project: Path, out: Path) -> None:
    """Refuse a place for a project where it, or the data set, could not be put."""
    one, other = project.resolve(), out.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise UsageError(
            "--out and --to-project are the same folder, or one is inside the other.",
            where=f"{out} and {project}",
            remedy="Choose two folders beside each other.",
        )
    files.refuse_existing(project)


def _write_outlines(
    path: Path, cells: Iterable[tuple[Row, Outlines | None]], kept: Container[CellKey]
) -> None:
    """Write what was drawn of the cells that are kept, if anything was."""
    lines = 0
    with files.writing(path) as stream:
        for row, outlines in cells:
            if outlines is None or row.key not in kept:
                continue
            for line in outlines.features(row.key, row.image_name):
                stream.write(f"{',' if lines else OUTLINES_HEAD}\n{line}")
                lines += 1
        stream.write(OUTLINES_END)
    if not lines:
        files.remove(path)


def reader_of_source(
    layout: Layout,
    folder: Path,
    *,
    table: str | Path | None,
    alternative: Sequence[str],
    scale: Scale,
    name: str | None,
    group_regex: str | None,
    mpp: float | None,
) -> tuple[Source, harmonise.Table]:
    """Return the reader of a source and its table of classes; nothing of the source is read yet.

    Raises
    ------
    BadInputError
        The table of classes is not what it should be.
    UsageError
        Options that do not fit together.
    """
    source, classes = _chosen(layout, folder, table, name, group_regex, mpp)
    if scale == "fit" and not source.single:
        raise UsageError(f"{layout} has fields, not images of single cells: it has one scale only.")
    return source, harmonise.with_alternatives(classes, alternative)


def _chosen(
    layout: Layout,
    folder: Path,
    table: str | Path | None,
    name: str | None,
    group_regex: str | None,
    mpp: float | None,
) -> tuple[Source, harmonise.Table]:
    if layout not in get_args(Layout):
        raise UsageError(
            f"There is no source {layout!r}.", remedy=f"Known are: {listed(get_args(Layout))}."
        )
    if layout != "folder" and (name or group_regex):
        raise UsageError(f"--name and --group-regex are for 'folder', not for {layout}.")
    if mpp is not None and layout not in ("cric", "folder"):
        raise UsageError("--mpp is for 'cric' and 'folder': for others only what is published.")
    check_mpp(mpp)
    if layout == "folder":
        called = name or folder.name
        own = harmonise.own(path_from(table), called) if table else None
        scheme = own.scheme if own else BETHESDA
        source: Source = Folder(called, scheme, group=group_regex, mpp=mpp)
        return source, own or harmonise.of_scheme(called, scheme)
    source = Cric(mpp) if layout == "cric" else _PUBLISHED[layout]()
    if table is None:
        return source, harmonise.shipped(layout)
    return source, harmonise.own(path_from(table), layout, source.scheme)


_PUBLISHED: Mapping[str, type[Herlev | Sipakmed | Ps3c]] = {
    "herlev": Herlev,
    "sipakmed": Sipakmed,
    "ps3c": Ps3c,
}


def _result(cutting: Cutting, found: Joined, out: Path) -> IngestResult:
    return IngestResult(
        out=out,
        given=len(found.rows) + cutting.notes.skipped.total(),
        cells=len(found.rows),
        by_class=Counter((row.original_label, row.label) for row in found.rows),
        skipped=dict(cutting.notes.skipped),
        notes=dict(+cutting.counts),  # those above 0
        joined=found.groups,
        profiles=profile_counts(cutting.profiles.values()) if cutting.icc else None,
    )


def _record(
    cutting: Cutting, found: Joined, result: IngestResult, arguments: Mapping[str, object]
) -> dict[str, object]:
    """Return what the data set keeps about how it was made."""
    by_label = Counter(row.label for row in found.rows)
    counts = {
        "given": result.given,
        "patches": result.cells,
        "skipped": dict(result.skipped),
        "notes": dict(result.notes),
        "by_label": {name: by_label[name] for name in cutting.table.scheme.names},
        "table": cutting.table.to_json(),
        "joined": [list(names) for names in found.groups],
        "near_identical_pairs": found.pairs,
        **({"profiles": result.profiles} if result.profiles is not None else {}),
    }
    inputs = {"table of classes": cutting.table.sha256} if cutting.table.sha256 else {}
    return provenance.record("ingest", arguments, counts=counts, inputs=inputs)


def _say(cutting: Cutting, found: Joined, result: IngestResult, reporter: Reporter) -> None:
    skipped = sum(result.skipped.values())
    for remark in cutting.notes.remarks:
        reporter.say(remark)
    reporter.say(f"{result.given} given: {result.cells} patches, {skipped} skipped.")
    for reason, number in result.skipped.items():
        reporter.say(f"  {number:>6}  {reason}")
    rank = cutting.table.scheme.severity_of
    for original, label in sorted(result.by_class, key=lambda pair: (rank(pair[1]), pair[0])):
        number = result.by_class[original, label]
        mapped = cutting.table.find(original)
        contested = " (contested)" if mapped and mapped.contested else ""
        reporter.say(f"  {number:>6}  {original} → {label}{contested}")
    for note, number in result.notes.items():
        reporter.say(f"  {number:>6}  {note}")
    if result.profiles is not None:
        say_profiles(result.profiles, reporter)
    _say_groups(found, reporter)
    if cutting.twins:
        reporter.warn(
            f"The same picture as another cell of their class, so that it counts twice: "
            f"{counted(len(cutting.twins), 'cell')} ({_pairs(cutting.twins)})."
        )
    warnings = cutting.notes.warnings
    for warning in warnings[:_WARNED]:
        reporter.warn(warning)
    if len(warnings) > _WARNED:
        reporter.warn(f"… and {len(warnings) - _WARNED} more warnings.")


def _say_groups(found: Joined, reporter: Reporter) -> None:
    levels = Counter(row.group_and_level for row in found.rows)
    reporter.say(f"{counted(len(levels), 'group')} that no split divides.")
    if found.groups:
        before = sum(map(len, found.groups))
        reporter.say(
            f"{counted(found.pairs, 'pair')} of cells in different groups show nearly the same: "
            f"{before} groups became {len(found.groups)}. record.json names them."
        )
    if found.torn:
        torn = [(_told(one), _told(other)) for one, other in found.torn]
        reporter.warn(
            f"{counted(len(torn), 'pair')} of nearly identical cells have two classes: "
            f"{_pairs(torn)}."
        )
    alone = sum(level == "image" for (_, level) in levels.elements())
    if alone:
        reporter.warn(
            f"{counted(alone, 'cell')} rest on the image alone: nothing tells which patient or "
            "slide they are of. A split can then have one patient on both sides."
        )


def _told(row: Row) -> str:
    """Return what a message calls a cell, with its label."""
    at = "" if row.original_width else f" at ({row.centroid_x:g}, {row.centroid_y:g})"
    return f"{row.image_name}{at} ({row.label})"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    more = f", and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
    return "; ".join(f"{one} and {other}" for one, other in pairs[:_NAMED]) + more
