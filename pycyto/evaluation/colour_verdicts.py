"""What pathologists said about normalised colours: ``verdicts.csv``, to which lines are added."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.tables import records

VERDICTS_FILE = "verdicts.csv"

Judgement = Literal["acceptable", "not-acceptable"]
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)

_MAKER = "pycyto colour --verdict"
_REMEDY = "Restore the file, or move it away: verdicts are then recorded anew."


@dataclass(frozen=True, slots=True)
class ColourVerdict:
    """One verdict, and what it is on.

    Attributes
    ----------
    decided_at
        UTC, ISO 8601.
    by
        Who decided, by name.
    verdict
        One of `JUDGEMENTS`.
    target
        Digest of the target and of whose colours are brought there: see `Colour.digest`.
    data
        SHA-256 of the manifest, and so of all patches.
    """

    decided_at: str
    by: str
    verdict: str
    note: str
    target: str
    data: str


COLUMNS = tuple(column.name for column in fields(ColourVerdict))


def read_verdicts(folder: Path) -> list[ColourVerdict]:
    """Return the verdicts in a folder, the oldest first; none where there is no file.

    Raises
    ------
    BadInputError
        The file is not what pycyto writes.
    """
    path = folder / VERDICTS_FILE
    if not path.exists():
        return []
    found = []
    for line, record in records(path, COLUMNS, _MAKER, _REMEDY):
        if record["verdict"] not in JUDGEMENTS:
            raise BadInputError(
                f"Line {line}: {record['verdict']!r} is no verdict.", where=path, remedy=_REMEDY
            )
        found.append(ColourVerdict(**{name: record[name] for name in COLUMNS}))
    return found


def add_verdict(folder: Path, verdict: ColourVerdict) -> Sequence[ColourVerdict]:
    """Add a verdict to those of a folder, which is locked meanwhile, and return them all.

    Raises
    ------
    BadInputError
        As `read_verdicts`.
    """
    verdicts = [*read_verdicts(folder), verdict]
    with files.writing(folder / VERDICTS_FILE) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(astuple, verdicts))
    return verdicts
