"""The tables of a run: what it is to create and to classify, one table of each per image.

The form of the files is in docs/formats.md: the Groovy scripts read them too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.qupath.runs import Run
from pycyto.records import CellKey

# A table of ten million detections.
_LARGEST_TABLE = 1 << 31
NEW_COLUMNS = (
    "object_id", "source_id", "point_index", "x", "y", "z", "t", "radius", "class",
    "trained_on", "source_class",
)  # fmt: skip
UPDATE_COLUMNS = ("object_id", "x", "y", "class", "trained_on")

Row = Iterable[object]


@dataclass(frozen=True, slots=True)
class NewDetection:
    """A detection to create. Coordinates are full-resolution pixels.

    Attributes
    ----------
    source_id
        UUID of the expert's object, whose outline it takes.
    point_index, radius
        For a point: a circle of this radius around (x, y) instead.
    trained_on
        Whether the model has seen this very cell: then it proves nothing.
    source_class
        Class of the expert's object when it was predicted, as QuPath has it; None
        where it had none, and in runs of versions that did not note it.
    """

    entry_id: str
    object_id: str
    source_id: str
    point_index: int | None
    x: float
    y: float
    z: int
    t: int
    radius: float
    label: str
    probabilities: Mapping[str, float]
    trained_on: bool = False
    source_class: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A detection that nobody classified, and the class it is to get."""

    entry_id: str
    object_id: str
    x: float
    y: float
    label: str
    probabilities: Mapping[str, float]
    trained_on: bool = False


@dataclass(frozen=True, slots=True)
class PredictedCell:
    """What a run says of one of the expert's cells; its place when it was predicted."""

    key: CellKey
    x: float
    y: float
    label: str
    trained_on: bool


_Item = TypeVar("_Item", NewDetection, Update)


def write_tables(
    folder: Path,
    labels: Iterable[str],
    *,
    new: Iterable[NewDetection],
    updates: Iterable[Update],
) -> None:
    """Write the tables of a run: two per image."""
    labels = tuple(labels)
    columns = [f"P({label})" for label in labels]
    for entry_id, created in _by_image(new):
        rows = (_new_row(item, labels) for item in created)
        _write_table(folder / "new" / f"{entry_id}.csv", (*NEW_COLUMNS, *columns), rows)
    for entry_id, updated in _by_image(updates):
        rows = (_update_row(item, labels) for item in updated)
        _write_table(folder / "updates" / f"{entry_id}.csv", (*UPDATE_COLUMNS, *columns), rows)


def read_new(run: Run, entry_id: str) -> list[NewDetection]:
    """Return the detections that a run wants to create in one image.

    Raises
    ------
    BadInputError
        When the table cannot be read, or holds another number than was staged.
    """

    def detection(row: Mapping[str, str]) -> NewDetection:
        return NewDetection(
            entry_id=entry_id,
            object_id=row["object_id"],
            source_id=row["source_id"],
            point_index=int(row["point_index"]) if row["point_index"] else None,
            x=float(row["x"]),
            y=float(row["y"]),
            z=int(row["z"]),
            t=int(row["t"]),
            radius=float(row["radius"]),
            label=_label(row, run),
            probabilities=_probabilities(row, run),
            trained_on=row["trained_on"] == "1",
            source_class=row.get("source_class") or None,
        )

    path = run.folder / "new" / f"{entry_id}.csv"
    return _read_table(path, detection, run.images[entry_id].new)


def read_updates(run: Run, entry_id: str) -> list[Update]:
    """Return the detections that a run wants to classify in one image.

    Raises
    ------
    BadInputError
        When the table cannot be read, or holds another number than was staged.
    """

    def update(row: Mapping[str, str]) -> Update:
        return Update(
            entry_id=entry_id,
            object_id=row["object_id"],
            x=float(row["x"]),
            y=float(row["y"]),
            label=_label(row, run),
            probabilities=_probabilities(row, run),
            trained_on=row["trained_on"] == "1",
        )

    path = run.folder / "updates" / f"{entry_id}.csv"
    return _read_table(path, update, run.images[entry_id].updates)


def read_cells(run: Run, entry_id: str) -> Iterator[PredictedCell]:
    """Yield what a run says of each cell of an image, whichever way that is to be written.

    Raises
    ------
    BadInputError
        As `read_new`.
    """
    for new in read_new(run, entry_id):
        key = CellKey(run.project_id, entry_id, new.source_id, new.point_index)
        yield PredictedCell(key, new.x, new.y, new.label, new.trained_on)
    for update in read_updates(run, entry_id):
        key = CellKey(run.project_id, entry_id, update.object_id)
        yield PredictedCell(key, update.x, update.y, update.label, update.trained_on)


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    with files.writing(path) as stream:
        stream.write(files.csv_row(columns))
        stream.writelines(map(files.csv_row, rows))


def _by_image(items: Iterable[_Item]) -> Iterator[tuple[str, list[_Item]]]:
    found: dict[str, list[_Item]] = {}
    for item in items:
        found.setdefault(item.entry_id, []).append(item)
    yield from found.items()


def _new_row(item: NewDetection, labels: Sequence[str]) -> Row:
    key = (item.object_id, item.source_id, item.point_index)
    place = (item.x, item.y, item.z, item.t, item.radius)
    said = (item.label, int(item.trained_on), item.source_class)
    return (*key, *place, *said, *_chances(item, labels))


def _update_row(item: Update, labels: Sequence[str]) -> Row:
    said = (item.label, int(item.trained_on))
    return (item.object_id, item.x, item.y, *said, *_chances(item, labels))


def _chances(item: NewDetection | Update, labels: Sequence[str]) -> Row:
    return (item.probabilities[label] for label in labels)


def _read_table(
    path: Path, item_from: Callable[[Mapping[str, str]], _Item], staged: int
) -> list[_Item]:
    remedy = "The run is not whole: copy its folder again, or predict again."
    if staged and not path.exists():
        raise BadInputError(
            f"The table of {staged} objects of this image is gone from the run.",
            where=path,
            remedy=remedy,
        )
    try:
        found = [item_from(row) for row in _rows(path)] if path.exists() else []
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"A table of this run cannot be read ({error!r}).", where=path, remedy=remedy
        ) from error
    if len(found) != staged:
        raise BadInputError(
            f"{staged} objects were staged for this image, and {len(found)} are here.",
            where=path,
            remedy=remedy,
        )
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    files.check_size(path, _LARGEST_TABLE)
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _probabilities(row: Mapping[str, str], run: Run) -> dict[str, float]:
    return {label: float(row[f"P({label})"]) for label in run.labels}


def _label(row: Mapping[str, str], run: Run) -> str:
    if row["class"] not in run.labels:
        raise ValueError(f"class {row['class']!r}, which the model does not have")
    return row["class"]
