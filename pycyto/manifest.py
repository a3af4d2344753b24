"""The patch table: one row per patch. It is confidential.

A data set folder holds::

    manifest.csv          one row per patch: where it came from, what it shows, who said so
    split.csv, folds.csv  which part each cell belongs to, see `pycyto.parts`
    images/<class>/*.png  the patches
    removed/              patches whose cell is gone from the project
    record.json           what each step did

The Groovy scripts write the same columns; a contract test keeps the two alike.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path, PureWindowsPath
from typing import get_type_hints

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import CellKey, is_of_source
from pycyto.tables import records, value

SCHEMA = 1
PATCH_SIZE = 224
UNKNOWN = "unknown"
# What `selected_by` holds where no model chose the cell.
_NOT_BY_MODEL = ("", UNKNOWN, "manual")
CONFIDENTIAL = "confidential: holds image names and patient keys"

_MAKERS = "pycyto export, ingest or merge"
_REMEDY = (
    f"Make the data set again ({_MAKERS}), or restore the file: it is not meant to be edited by "
    "hand."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One patch.

    Attributes
    ----------
    schema, note
        Version of the table, and the reminder that it is confidential.
    kind
        What the cell is in QuPath: ``annotation``, ``detection`` or ``cell``.
    image_key
        Digest of the image's URI: entries that share one are the same pixels.
    centroid_x, centroid_y
        Centre of the cell, full-resolution pixels of the QuPath view.
    left, top, width
        The square that was cut, in the same pixels; it may leave the image.
    downsample
        ``width / 224``, the side of a patch pixel in full-resolution pixels.
    mpp
        Micrometres per *patch* pixel, or None where the image has no pixel size.
    outline_width, outline_height, outline_area
        Of the cell's outline in full-resolution pixels; None for points.
    label, original_label, scheme
        Class in the scheme; as it was written; which scheme.
    label_origin
        manual, blinded, consensus, adjudicated, model_assisted or unknown.
    selected_by
        What picked this cell for labelling: ``manual`` or a model's run.
    original_width, original_height
        Size of an ingested cell image before it became a patch.
    content_hash
        SHA-256 of the 224 x 224 x 3 bytes of the patch.
    file
        Path of the patch below the data set's folder, with ``/``.
    """

    project_id: str
    entry_id: str
    object_id: str
    point_index: int | None
    image_key: str
    project_name: str
    image_name: str
    centroid_x: float
    centroid_y: float
    left: int
    top: int
    width: int
    downsample: float
    label: str
    original_label: str
    content_hash: str
    file: str
    kind: str = "annotation"
    schema: int = SCHEMA
    note: str = CONFIDENTIAL
    z: int = 0
    t: int = 0
    mpp: float | None = None
    outline_width: float | None = None
    outline_height: float | None = None
    outline_area: float | None = None
    scheme: str = ""
    label_origin: str = UNKNOWN
    selected_by: str = UNKNOWN
    annotator: str = UNKNOWN
    decided_at: str = UNKNOWN
    source: str = ""
    site: str = UNKNOWN
    patient: str = UNKNOWN
    slide: str = UNKNOWN
    scanner: str = UNKNOWN
    preparation: str = UNKNOWN
    original_width: int | None = None
    original_height: int | None = None

    @property
    def key(self) -> CellKey:
        """What finds the cell again in QuPath."""
        return CellKey(self.project_id, self.entry_id, self.object_id, self.point_index)

    def with_hash(self, content_hash: str) -> Row:
        """Return the row with the hash of its patch."""
        return replace(self, content_hash=content_hash)

    @property
    def helped_by_model(self) -> bool:
        """Whether a model had a part in its label: it was shown, or picked the cell for labelling.

        Of cells that a model picked, its errors are missing or in excess.
        """
        return self.label_origin == "model_assisted" or self.selected_by not in _NOT_BY_MODEL

    @property
    def is_ingested(self) -> bool:
        """Whether it is of a public set or a folder of images, not of a QuPath project."""
        return is_of_source(self.project_id)

    @property
    def group(self) -> str:
        """What must not be split: site and patient, else slide, else image."""
        return self.group_and_level[0]

    @property
    def group_and_level(self) -> tuple[str, str]:
        """The group and what it rests on: ``patient``, ``slide`` or ``image``."""
        for level in ("patient", "slide"):
            value = getattr(self, level)
            if value not in ("", UNKNOWN):
                return f"{self.source}/{self.site}/{level}/{value}", level
        return f"image/{self.image_key}", "image"


COLUMNS = (
    "schema", "project_id", "entry_id", "object_id", "point_index", "kind", "image_key",
    "project_name", "image_name", "centroid_x", "centroid_y", "left", "top", "width",
    "downsample", "z", "t", "mpp", "outline_width", "outline_height", "outline_area", "label",
    "original_label", "scheme", "label_origin", "selected_by", "annotator", "decided_at", "source",
    "site", "patient", "slide", "scanner", "preparation", "original_width", "original_height",
    "content_hash", "file", "note",
)  # fmt: skip

_TYPES = {name: str(hint) for name, hint in get_type_hints(Row).items()}


def write_lines(folder: Path, lines: Iterable[str]) -> None:
    """Write ``manifest.csv`` from pieces that `lines_of` made, in the order of the cell keys."""
    with files.writing(folder / "manifest.csv") as stream:
        stream.write(files.csv_row(COLUMNS))
        stream.writelines(lines)


def lines_of(rows: Iterable[Row]) -> str:
    """Return rows as in ``manifest.csv``, by cell key so that equal data give equal files."""
    ordered = sorted(rows, key=order)
    return "".join(files.csv_row(getattr(row, name) for name in COLUMNS) for row in ordered)


def rows_in(lines: str) -> list[Row]:
    """Return the rows of what `lines_of` made."""
    reader = csv.reader(io.StringIO(lines, newline=""))
    found = (dict(zip(COLUMNS, record, strict=True)) for record in reader)
    return [_row(record, Path("manifest.csv"), 0) for record in found]


def files_in(lines: str) -> Iterator[str]:
    """Yield the path of each patch in what `lines_of` made."""
    column = COLUMNS.index("file")
    return (record[column] for record in csv.reader(io.StringIO(lines, newline="")))


def read_manifest(folder: Path) -> list[Row]:
    """Read and check ``manifest.csv``.

    Raises
    ------
    BadInputError
        Missing file, missing columns, another schema version, a value that
        cannot be read, a file outside the folder, or two rows for one cell.
    """
    rows = list(iter_manifest(folder))
    refuse_twins(folder, rows)
    return rows


def iter_manifest(folder: Path) -> Iterator[Row]:
    """Yield the rows of ``manifest.csv``, each checked as it is read, never all in memory.

    Whether two of them stand for one cell is for the caller to check; see `refuse_twins`.

    Raises
    ------
    BadInputError
        As `read_manifest`.
    """
    path, places = folder / "manifest.csv", _Places(folder)
    for line, record in records(path, COLUMNS, _MAKERS, _REMEDY):
        row = _row(record, path, line)
        if not places.hold(row.file):
            raise BadInputError(
                f"Line {line} names a file outside the data set: {row.file}.",
                where=path,
                remedy=_REMEDY,
            )
        yield row


def refuse_twins(folder: Path, rows: Iterable[Row]) -> None:
    """Raise `BadInputError` if two rows stand for one cell."""
    seen: set[CellKey] = set()
    for row in rows:
        if row.key in seen:
            raise BadInputError(
                f"Two rows stand for one cell ({row.key}).",
                where=folder / "manifest.csv",
                remedy=_REMEDY,
            )
        seen.add(row.key)


class _Places:
    """Tells whether a file that a row names is in the data set's folder, on every system.

    A data set may come from elsewhere: nothing outside its folder is to be read,
    moved or overwritten because a row or a link says so.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links: dict[str, set[str] | None] = {}

    def hold(self, file: str) -> bool:
        """Whether a file is inside, also when it is not there."""
        parent, _, name = file.rpartition("/")
        if not points_inside(file):
            return False
        if parent not in self._links:
            self._links[parent] = _links_outward(self._folder / parent, self._folder)
        links = self._links[parent]
        return links is not None and name not in links


def points_inside(file: str) -> bool:
    """Whether a path with ``/`` leads to a file below where it starts, on every system.

    Windows' rules decide everywhere: they are the stricter ones, and data sets travel.
    """
    path = PureWindowsPath(file)
    named = [part.rstrip(" .") for part in path.parts]
    return bool(named) and all(named) and not (path.anchor or "\\" in file or "\0" in file)


def _links_outward(folder: Path, root: Path) -> set[str] | None:
    """Return the names of links from `folder` to outside `root`; None if it is outside itself."""
    try:
        top = root.resolve()
        if not folder.resolve().is_relative_to(top):
            return None
        with os.scandir(folder) as entries:
            links = [Path(entry.path) for entry in entries if entry.is_symlink()]
        return {link.name for link in links if not link.resolve().is_relative_to(top)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, RuntimeError):  # links in a circle, names that the system cannot hold
        return None


def _row(record: Mapping[str, str], path: Path, line: int) -> Row:
    if record["schema"] != str(SCHEMA):
        raise BadInputError(
            f"Line {line} has schema {record['schema']!r}; this version reads {SCHEMA}.",
            where=path,
            remedy=f"Make the data set again with this version of pycyto ({_MAKERS}).",
        )
    place = path, line
    return Row(
        **{
            column.name: value(record, column.name, _TYPES[column.name], place, _REMEDY)
            for column in fields(Row)
        }
    )


def order(row: Row) -> tuple[str, ...]:
    """Return what the rows of a manifest are sorted by: the cell key as texts."""
    return tuple("" if part is None else str(part) for part in row.key)
