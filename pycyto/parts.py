"""Which part each cell of a data set belongs to: the tables beside the manifest.

``split.csv`` names the part of each cell, ``folds.csv`` its fold for
cross-validation. Both go by cell key, so that a new export does not lose them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pycyto import files
from pycyto.errors import BadInputError, UsageError
from pycyto.manifest import Row, read_manifest
from pycyto.records import CellKey
from pycyto.tables import records, value

PARTS = ("train", "validation", "test")
SPLIT_FILE = "split.csv"
FOLDS_FILE = "folds.csv"
# Instead of a fold: no fold is tested, and all are learnt from.
NO_FOLD = 0

_KEY_COLUMNS = {
    "project_id": "str",
    "entry_id": "str",
    "object_id": "str",
    "point_index": "int | None",
}
_REMEDY = "Restore the file, or run pycyto split with --reshuffle."


def write_split(folder: Path, parts: Mapping[CellKey, str]) -> None:
    """Write ``split.csv``: the part of each cell, by cell key."""
    _write(folder / SPLIT_FILE, "part", parts)


def write_folds(folder: Path, folds: Mapping[CellKey, int]) -> None:
    """Write ``folds.csv``: the fold of each cell, from 1, by cell key."""
    _write(folder / FOLDS_FILE, "fold", folds)


def read_split(folder: Path) -> dict[CellKey, str]:
    """Read ``split.csv``.

    Raises
    ------
    BadInputError
        Missing file or columns, a value that cannot be read, an unknown part,
        or a cell in two parts.
    """
    found = _read(folder / SPLIT_FILE, "part", "pycyto split")
    for line, (key, part) in found.items():
        if part not in PARTS:
            raise BadInputError(
                f"Line {line} names the part {part!r} for {key}.",
                where=folder / SPLIT_FILE,
                remedy=f"Parts are {', '.join(PARTS)}. Mend it, or run pycyto split --reshuffle.",
            )
    return dict(found.values())


def read_folds(folder: Path) -> dict[CellKey, int]:
    """Read ``folds.csv``.

    Raises
    ------
    BadInputError
        Missing file or columns, a value that cannot be read, a fold that is no
        number from 1, or a cell in two folds.
    """
    found = _read(folder / FOLDS_FILE, "fold", "pycyto split --folds")
    for line, (key, fold) in found.items():
        if not fold.isascii() or not fold.isdigit() or int(fold) < 1:
            raise BadInputError(
                f"Line {line} names the fold {fold!r} for {key}.",
                where=folder / FOLDS_FILE,
                remedy=_REMEDY,
            )
    return {key: int(fold) for key, fold in found.values()}


def parts_of_fold(folds: Mapping[CellKey, int], fold: int) -> dict[CellKey, str]:
    """Return who is where when one fold is tested and the next one validates.

    Parameters
    ----------
    fold
        From 1; `NO_FOLD` for all cells in the training part.

    Raises
    ------
    UsageError
        When there is no such fold.
    """
    number = max(folds.values(), default=0)
    if fold == NO_FOLD and number:
        return dict.fromkeys(folds, "train")
    if not 1 <= fold <= number:
        raise UsageError(
            f"There is no fold {fold}.",
            remedy=f"Name one from 1 to {number}." if number else "Run pycyto split --folds first.",
        )
    part_of = {fold: "test", fold % number + 1: "validation"}
    return {key: part_of.get(own, "train") for key, own in folds.items()}


def read_parts(folder: Path, fold: int | None = None) -> dict[CellKey, str]:
    """Return the part of each cell, by ``split.csv`` or, where one is named, for a fold.

    Raises
    ------
    BadInputError, UsageError
        As the functions above.
    """
    return read_split(folder) if fold is None else parts_of_fold(read_folds(folder), fold)


def rows_by_fold(rows: Iterable[Row], folds: Mapping[CellKey, int]) -> dict[str, list[Row]]:
    """Return the labelled rows of each fold: ``fold 1`` and so on."""
    found: dict[str, list[Row]] = {
        f"fold {number}": [] for number in range(1, max(folds.values(), default=0) + 1)
    }
    for row in rows:
        if row.label:
            found[f"fold {folds[row.key]}"].append(row)
    return found


def rows_by_part(folder: Path, fold: int | None = None) -> dict[str, list[Row]]:
    """Read a data set, and return the labelled rows of each part.

    Raises
    ------
    BadInputError
        As `dealt_out`, or a table is not what it should be.
    """
    return dealt_out(folder, read_manifest(folder), read_parts(folder, fold), fold)


def dealt_out(
    folder: Path, all_rows: Iterable[Row], parts: Mapping[CellKey, str], fold: int | None = None
) -> dict[str, list[Row]]:
    """Return the labelled rows of each part, where the tables have been read.

    Parameters
    ----------
    folder, fold
        What was read, for the message.

    Raises
    ------
    BadInputError
        When a labelled cell has no part: the export is newer than the split.
    """
    # Cells that nobody has classified yet can neither train a model nor test it.
    rows = [row for row in all_rows if row.label]
    missing = [row for row in rows if row.key not in parts]
    if missing and len(missing) == len(rows) and parts:
        raise BadInputError(
            f"This is the split of another data set: none of its {len(parts)} cells is here.",
            where=folder / (SPLIT_FILE if fold is None else FOLDS_FILE),
            remedy="Put the right one in its place, or run pycyto split --reshuffle.",
        )
    if missing:
        raise BadInputError(
            f"{len(missing)} of {len(rows)} cells have no part yet.",
            where=folder / (SPLIT_FILE if fold is None else FOLDS_FILE),
            remedy="Run pycyto split again: cells that have a part keep it.",
        )
    return {part: [row for row in rows if parts[row.key] == part] for part in PARTS}


def _write(path: Path, column: str, values: Mapping[CellKey, object]) -> None:
    with files.writing(path) as stream:
        stream.write(files.csv_row((*_KEY_COLUMNS, column)))
        for key in sorted(values, key=str):
            stream.write(files.csv_row((*key, values[key])))


def _read(path: Path, column: str, maker: str) -> dict[int, tuple[CellKey, str]]:
    """Return cell key and value by line."""
    found: dict[int, tuple[CellKey, str]] = {}
    seen: set[CellKey] = set()
    for line, record in records(path, (*_KEY_COLUMNS, column), maker, _REMEDY):
        place = path, line
        key = CellKey(*(value(record, name, kind, place) for name, kind in _KEY_COLUMNS.items()))
        if key in seen:
            raise BadInputError(
                f"Line {line} names the {column} {record[column]!r} for {key}, which has one "
                "already.",
                where=path,
                remedy=_REMEDY,
            )
        seen.add(key)
        found[line] = (key, record[column])
    return found
