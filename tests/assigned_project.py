"""A copy of the sample project with cells assigned for blinded reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycyto import Access
from pycyto.labels import BETHESDA
from pycyto.qupath.assignments import Assignment
from pycyto.qupath.logs import objects_in
from pycyto.qupath.reads import reads_file
from pycyto.steps.assign import assign
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder


@dataclass(frozen=True)
class AssignedProject:
    """The project, and an assignment as it is on disk."""

    folder: Path
    assignment: Assignment

    @property
    def reads(self) -> Path:
        """Folder of assignments and reads."""
        return self.folder / "pycyto" / "reads"

    def file(self, folder: str) -> Path:
        """Return the file of a reader, or of ``consensus`` or ``adjudication``."""
        return reads_file(self.folder / "pycyto", folder, self.assignment.name)

    def lines(self, folder: str) -> list[dict[str, Any]]:
        """Return what was said so far."""
        path = self.file(folder)
        return [line for _, line in objects_in(path)] if path.exists() else []

    def say(self, folder: str, words: Sequence[str | None]) -> None:
        """Write a file of reads: a class or another action for each position, None for unread."""
        order = self.assignment.orders.get(folder, tuple(range(len(self.assignment.cells))))
        lines = [
            self.line(folder, position, order[position], word)
            for position, word in enumerate(words)
            if word is not None
        ]
        path = self.file(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    def line(self, reader: str, position: int, cell: int, word: str) -> dict[str, Any]:
        """Return one line of reads in the documented form."""
        return {
            "schema": 1,
            "assignment": self.assignment.name,
            "reader": reader,
            "at": f"2026-01-31T12:00:{position % 60:02}.000Z",
            "position": position,
            "cell": cell,
            "action": "class" if word in BETHESDA.names else word,
            "label": word if word in BETHESDA.names else None,
            "seconds": 1.5,
        }


def assigned(
    folder: Path, *, cells: int = 12, readers: Sequence[str] = ("A", "B"), **options: Any
) -> AssignedProject:
    """Assign cells of a project, which is a new copy of the sample project unless it is there."""
    if not folder.exists():
        copy_project(sample_project_folder(), folder)
    made = assign(folder, cells=cells, readers=readers, access=Access(backend="geojson"), **options)
    return AssignedProject(folder, made.assignment)
