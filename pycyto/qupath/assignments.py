"""Assignments: which cells are read by whom, blinded, and in which order.

The form of the file is in docs/formats.md: the script that shows the cells reads it too.
It holds no label, no prediction and no name of an image.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

from pycyto import files
from pycyto.errors import BadInputError, UsageError
from pycyto.labels import scheme_named
from pycyto.manifest import UNKNOWN
from pycyto.qupath.logs import file_name_of
from pycyto.qupath.project import Project
from pycyto.records import CellKey

SCHEMA = 1

Kind = Literal["double read", "proficiency"]

# Folders beside those of the readers.
CONSENSUS, ADJUDICATION = "consensus", "adjudication"

# Names that no file or folder can have on Windows.
_RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)\d")
# Of the name of a reader's folder: the whole path has 260 characters on Windows.
_LONGEST_FOLDER = 100
# Joins the names of people who decide together.
TOGETHER = " + "

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}_[0-9a-f]{6}")
_ENTRY_ID = re.compile(r"[\w-]{1,64}")


@dataclass(frozen=True, slots=True)
class AssignedCell:
    """One cell to read. Everything is in full-resolution pixels.

    Attributes
    ----------
    width, height
        Of its outline; 0 for points.
    """

    key: CellKey
    x: float
    y: float
    z: int
    t: int
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Assignment:
    """Cells, and each reader's own order of them.

    Attributes
    ----------
    name
        Date and the first hexadecimal digits of its UUID.
    classes
        To choose from, the least severe first.
    repeat
        The share of the cells that is shown twice.
    orders
        By reader: indices of `cells`; a cell that is shown twice is there twice.
    selected_by
        Name of the run by whose predictions the cells were chosen; else ``unknown``.
    """

    name: str
    kind: Kind
    created_at: str
    project_id: str
    seed: int
    scheme: str
    classes: tuple[str, ...]
    repeat: float
    cells: tuple[AssignedCell, ...]
    orders: Mapping[str, tuple[int, ...]]
    selected_by: str = UNKNOWN

    @property
    def readers(self) -> tuple[str, ...]:
        """Names, as they were given."""
        return tuple(self.orders)

    def showings(self, reader: str) -> dict[int, list[int]]:
        """Return the positions at which a reader sees each cell, the first showing first."""
        found: dict[int, list[int]] = {}
        for position, cell in enumerate(self.orders[reader]):
            found.setdefault(cell, []).append(position)
        return found


def reads_folder(workspace: Path) -> Path:
    """Return the folder of assignments and reads in ``pycyto`` of a project."""
    return workspace / "reads"


def assignment_name(assignment_id: str, created_at: str) -> str:
    """Return what an assignment is called, e.g. ``2026-01-31_3fa94c``."""
    return f"{created_at[:10]}_{assignment_id.replace('-', '')[:6]}"


def checked_readers(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of readers without space around them.

    Raises
    ------
    UsageError
        When there is none, one is there twice, or one cannot name a reader's folder.
    """
    readers = tuple(name.strip() for name in names)
    for reader in readers:
        _check_reader(reader)
    if not readers or len({file_name_of(reader) for reader in readers}) < len(readers):
        raise UsageError(
            f"The readers {', '.join(readers) or '(none)'} are not different people: capital "
            "letters do not count.",
            remedy="--readers A,B",
        )
    return readers


def _check_reader(reader: str) -> None:
    folder = file_name_of(reader)
    reasons = {
        "it is empty": not folder,
        f"the folder {folder} is for what readers decide together": folder
        in (CONSENSUS, ADJUDICATION),
        "Windows keeps this name for a device": _RESERVED.fullmatch(folder) is not None,
        "it is too long": len(folder) > _LONGEST_FOLDER,
        f"“{TOGETHER.strip()}” joins the names of people who decide together": "+" in reader,
        "it has characters that cannot be shown": not reader.isprintable(),
    }
    for reason, applies in reasons.items():
        if applies:
            raise UsageError(
                f"{reader!r} cannot be the name of a reader: {reason}.",
                remedy="Take letters or initials, such as --readers A,B.",
            )


def save_assignment(workspace: Path, assignment: Assignment) -> Path:
    """Write an assignment and return its file.

    Raises
    ------
    NotWritableError
        When the project cannot be written to.
    """
    path = reads_folder(workspace) / f"{assignment.name}.json"
    content = {
        "schema": SCHEMA,
        "assignment": assignment.name,
        "kind": assignment.kind,
        "created_at": assignment.created_at,
        "project_id": assignment.project_id,
        "seed": assignment.seed,
        "scheme": assignment.scheme,
        "classes": list(assignment.classes),
        "readers": list(assignment.readers),
        "repeat": assignment.repeat,
        "selected_by": assignment.selected_by,
        "cells": [_cell_to_json(cell) for cell in assignment.cells],
        "orders": {reader: list(order) for reader, order in assignment.orders.items()},
    }
    files.write_json(path, content)
    return path


def assignments_of(project: Project) -> list[Assignment]:
    """Return the assignments of a project, the oldest first.

    Raises
    ------
    BadInputError
        When one cannot be read, or is of another project.
    """
    paths = sorted(reads_folder(project.workspace).glob("*.json"))
    found = [load_assignment(path, project) for path in paths if _NAME.fullmatch(path.stem)]
    return sorted(found, key=lambda assignment: (assignment.created_at, assignment.name))


def pick_assignment(project: Project, name: str | None) -> Assignment:
    """Return the assignment of a name, or the newest.

    Raises
    ------
    BadInputError
        When there is none, it cannot be read, or it is of another project.
    """
    found = assignments_of(project)
    for assignment in reversed(found):
        if name in (None, assignment.name):
            return assignment
    known = ", ".join(assignment.name for assignment in found) or "none"
    raise BadInputError(
        f"There is no assignment {name!r} here." if name else "No cells were assigned here yet.",
        where=reads_folder(project.workspace),
        remedy=f"Known assignments: {known}. pycyto assign makes one.",
    )


def load_assignment(path: Path, project: Project) -> Assignment:
    """Read an assignment.

    Raises
    ------
    BadInputError
        When it cannot be read, is not what pycyto writes, or is of another project.
    """
    content = files.read_json(path)
    try:
        assignment = _assignment_from(content)
        _check(assignment, path.stem)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"This is no assignment that pycyto understands ({error!r}).",
            where=path,
            remedy="Restore it from a backup, or copy it anew from where it was made.",
        ) from error
    if assignment.project_id != project.project_id:
        raise BadInputError(
            "This assignment is of another project.",
            where=path,
            remedy="Put it back where it was made: there its cells are.",
        )
    return assignment


def _cell_to_json(cell: AssignedCell) -> dict[str, Any]:
    content = asdict(cell)
    key = CellKey(*content.pop("key"))
    own = {"entry_id": key.entry_id, "object_id": key.object_id, "point_index": key.point_index}
    return {**own, **content}


def _assignment_from(content: Any) -> Assignment:
    if content["schema"] != SCHEMA:
        raise ValueError("another schema")
    project_id = str(content["project_id"])
    orders = content["orders"]
    if orders.keys() != set(content["readers"]):
        raise ValueError("readers")
    return Assignment(
        name=content["assignment"],
        kind=content["kind"],
        created_at=str(content["created_at"]),
        project_id=project_id,
        seed=int(content["seed"]),
        scheme=str(content["scheme"]),
        classes=tuple(content["classes"]),
        repeat=float(content["repeat"]),
        cells=tuple(_cell_from(cell, project_id) for cell in content["cells"]),
        orders={str(reader): tuple(orders[reader]) for reader in content["readers"]},
        selected_by=str(content["selected_by"]),
    )


def _cell_from(cell: Mapping[str, Any], project_id: str) -> AssignedCell:
    entry_id, point = str(cell["entry_id"]), cell["point_index"]
    if not _ENTRY_ID.fullmatch(entry_id) or not (point is None or type(point) is int):
        raise ValueError(f"cell {str(cell)[:80]}")
    key = CellKey(project_id, entry_id, str(UUID(cell["object_id"])), point)
    x, y, width, height = (float(cell[name]) for name in ("x", "y", "width", "height"))
    if not all(map(math.isfinite, (x, y, width, height))):
        raise ValueError(f"cell {str(cell)[:80]}")
    return AssignedCell(key, x, y, int(cell["z"]), int(cell["t"]), width, height)


def _check(assignment: Assignment, name: str) -> None:
    """Raise `ValueError` where an assignment contradicts itself or the name of its file."""
    if assignment.name != name or assignment.kind not in get_args(Kind):
        raise ValueError("name or kind")
    if assignment.classes != scheme_named(assignment.scheme).names:
        raise ValueError("classes")
    if len({file_name_of(reader) for reader in assignment.readers}) != len(assignment.readers):
        raise ValueError("two spellings of one reader")
    everything = set(range(len(assignment.cells)))
    for order in assignment.orders.values():
        if not all(type(index) is int for index in order) or set(order) != everything:
            raise ValueError("an order")
        if max(Counter(order).values(), default=0) > 2:
            raise ValueError("an order that shows a cell more than twice")
