"""Assignments and reads on disk, as pycyto assign and the script in QuPath leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from pycyto.labels import BETHESDA
from pycyto.qupath.assignments import AssignedCell, Assignment, Kind, save_assignment
from pycyto.qupath.reads import reads_file
from pycyto.records import CellKey

PROJECT_ID = "11111111-2222-3333-4444-555555555555"
NAME = "2026-01-31_3fa94c"


def an_id(number: int) -> str:
    """Return the UUID of the object of a cell."""
    return str(UUID(int=number))


def an_assignment(
    orders: Mapping[str, Sequence[int]],
    *,
    name: str = NAME,
    kind: Kind = "double read",
    project_id: str = PROJECT_ID,
    created_at: str = "2026-01-31T12:00:00+00:00",
) -> Assignment:
    """Return an assignment of as many cells as the orders name, all of image 1."""
    count = 1 + max(max(order) for order in orders.values())
    cells = tuple(
        AssignedCell(CellKey(project_id, "1", an_id(number)), 10.0 * number, 20, 0, 0, 30, 30)
        for number in range(count)
    )
    return Assignment(
        name=name,
        kind=kind,
        created_at=created_at,
        project_id=project_id,
        seed=0,
        scheme="bethesda",
        classes=BETHESDA.names,
        repeat=0.0,
        cells=cells,
        orders={reader: tuple(order) for reader, order in orders.items()},
    )


def an_empty_project(folder: Path, project_id: str = PROJECT_ID) -> Path:
    """Write a project without images, which has an ID."""
    workspace = folder / "pycyto"
    workspace.mkdir(parents=True)
    (folder / "project.qpproj").write_text('{"version": "0.6.0", "images": []}', encoding="utf-8")
    identity = {"schema": 1, "project_id": project_id, "created_at": "2026-01-01T00:00:00+00:00"}
    (workspace / "project.json").write_text(json.dumps(identity), encoding="utf-8")
    return folder


def a_line(assignment: Assignment, reader: str, position: int, **changes: Any) -> dict[str, Any]:
    """Return a line of a reader's file: the class NILM, unless told."""
    order = assignment.orders.get(reader, range(len(assignment.cells)))
    return {
        "schema": 1,
        "assignment": assignment.name,
        "reader": reader,
        "at": f"2026-02-01T10:{position // 60 % 60:02}:{position % 60:02}.000Z",
        "position": position,
        "cell": order[position],
        "action": "class",
        "label": "NILM",
        "seconds": 1.5,
        **changes,
    }


def write_reads(
    workspace: Path,
    folder: str,
    assignment: Assignment,
    lines: Iterable[Mapping[str, Any]],
    tail: str = "",
) -> Path:
    """Write a reader's file, and after it what a killed process may have left."""
    path = reads_file(workspace, folder, assignment.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines) + tail
    path.write_text(text, encoding="utf-8", newline="")
    return path


def read_all(
    workspace: Path, assignment: Assignment, reader: str, labels: Sequence[str | None]
) -> Path:
    """Let a reader call each cell what `labels` says by cell; None is skipped."""
    lines = []
    for position, cell in enumerate(assignment.orders[reader]):
        label = labels[cell]
        action = "class" if label else "skip"
        lines.append(a_line(assignment, reader, position, action=action, label=label))
    return write_reads(workspace, reader, assignment, lines)


def decide(
    workspace: Path,
    folder: str,
    assignment: Assignment,
    labels: Mapping[int, str | None],
    people: str = "A + B",
    **changes: Any,
) -> Path:
    """Write the file of consensus or adjudication; a cell that is None is skipped."""
    lines = [
        a_line(
            assignment, people, cell, action="class" if label else "skip", label=label, **changes
        )
        for cell, label in labels.items()
    ]
    return write_reads(workspace, folder, assignment, lines)


__all__ = [
    "NAME",
    "PROJECT_ID",
    "a_line",
    "an_assignment",
    "an_empty_project",
    "an_id",
    "decide",
    "read_all",
    "save_assignment",
    "write_reads",
]
