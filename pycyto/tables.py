"""CSV tables that pycyto keeps: read line by line, every value checked, errors with their place."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.labels import did_you_mean

# What spreadsheets of some countries write between fields.
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}

REMEDY = "Make it again, or restore the file: it is not meant to be edited by hand."


def records(
    path: Path,
    columns: Sequence[str],
    maker: str,
    remedy: str = REMEDY,
    problems: list[str] | None = None,
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
    problems
        Where it is given, lines of another length are told to it and left out, so that all of
        them can be told at once.

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
            yield from _checked(csv.DictReader(stream), path, columns, remedy, problems)
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
        number = "a whole number" if "int" in kind else "a number"
        raise BadInputError(
            f"Line {line}, column {column}: {record[column]!r} is not {number}.",
            where=path,
            remedy=remedy,
        ) from error


def _checked(
    reader: csv.DictReader[str],
    path: Path,
    columns: Sequence[str],
    remedy: str,
    problems: list[str] | None,
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        _check_columns(list(reader.fieldnames or ()), path, columns, remedy)
        for record in reader:
            if None not in record and None not in record.values():
                yield reader.line_num, record
                continue
            problem = f"line {reader.line_num} has another number of columns than the first line."
            if problems is None:
                raise BadInputError(problem.capitalize(), where=path, remedy=remedy)
            problems.append(f"{path.name}, {problem}")
    except csv.Error as error:
        raise BadInputError(
            f"Line {reader.line_num + 1} cannot be read ({error}).", where=path, remedy=remedy
        ) from error


def _check_columns(found: list[str], path: Path, columns: Sequence[str], remedy: str) -> None:
    """Refuse a table that lacks columns, and say why it seems to lack all of them."""
    missing = [name for name in columns if name not in found]
    if not missing:
        return
    mark = next((mark for mark in _OTHER_MARKS if len(found) == 1 and mark in found[0]), None)
    if mark is not None:
        raise BadInputError(
            f"The fields of this table are separated by {_OTHER_MARKS[mark]}; only commas are "
            "read.",
            where=path,
            remedy="Save it as CSV with commas between the fields.",
        )
    if not found:
        raise BadInputError("This table is empty.", where=path, remedy=remedy)
    others = [name for name in found if name not in columns]
    hints = "".join(did_you_mean(name, others) for name in missing)
    raise BadInputError(
        f"Columns are missing: {', '.join(missing)}.{hints}", where=path, remedy=remedy
    )


def _value(text: str, kind: str) -> Any:
    if not text and "None" in kind:
        return None
    if "float" in kind:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    return int(text) if "int" in kind else text
