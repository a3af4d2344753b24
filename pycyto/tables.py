"""CSV tables that pycyto keeps: read line by line, every value checked, errors with their place."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError

REMEDY = "Make it again, or restore the file: it is not meant to be edited by hand."


def records(
    path: Path, columns: Sequence[str], maker: str, remedy: str = REMEDY
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each line and its values by column.

    Parameters
    ----------
    columns
        Which there must be; others may be.
    maker
        The command that writes this table, for the message where it is missing.
    remedy
        What to do about a table that is not what it should be.

    Raises
    ------
    BadInputError
        Missing file, missing columns, a line of another length, or no UTF-8.
    """
    if not path.exists():
        raise BadInputError(
            f"There is no {path.name} here.", where=path.parent, remedy=f"Run {maker} first."
        )
    try:
        # By newline="", else every line end within a name would become "\n".
        with files.readable(path), path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _checked(csv.DictReader(stream), path, columns, remedy)
    except UnicodeDecodeError as error:
        raise BadInputError("This table is not UTF-8.", where=path, remedy=remedy) from error


def value(
    record: Mapping[str, str], column: str, kind: str, place: tuple[Path, int], remedy: str = REMEDY
) -> Any:
    """Return one value as text, a whole number, a finite float or, where that is allowed, None.

    Parameters
    ----------
    kind
        As in an annotation: ``str``, ``int``, ``float``, ``float | None``.
    place
        File and line, for the message.

    Raises
    ------
    BadInputError
        When it is no such number.
    """
    try:
        return _value(record[column], kind)
    except ValueError as error:
        path, line = place
        raise BadInputError(
            f"Line {line}, column {column}: {record[column]!r} is not a number.",
            where=path,
            remedy=remedy,
        ) from error


def _checked(
    reader: csv.DictReader[str], path: Path, columns: Sequence[str], remedy: str
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise BadInputError(
                f"Columns are missing: {', '.join(missing)}.", where=path, remedy=remedy
            )
        for record in reader:
            if None in record or None in record.values():
                raise BadInputError(
                    f"Line {reader.line_num} has another number of columns than the first line.",
                    where=path,
                    remedy=remedy,
                )
            yield reader.line_num, record
    except csv.Error as error:
        raise BadInputError(
            f"Line {reader.line_num + 1} cannot be read ({error}).", where=path, remedy=remedy
        ) from error


def _value(text: str, kind: str) -> Any:
    if not text and "None" in kind:
        return None
    if "float" in kind:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    return int(text) if "int" in kind else text
