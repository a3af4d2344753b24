"""A copy of the sample project with cells assigned for blinded reading, in the documented form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pycyto import files
from pycyto.labels import BETHESDA
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.project import open_project
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder

PROJECT_ID = "0f5d7a52-7e6c-4a55-9a52-0c9f9d5c1a11"
NAME = "2026-01-31_3fa94c"
# JPEG and PNG fields of both scanners, the slide, the field without a pixel size.
IMAGES = ("1", "2", "12", "31", "34")


@dataclass(frozen=True)
class AssignedProject:
    """The project, and the assignment as it is on disk."""

    folder: Path
    assignment: dict[str, Any]

    @property
    def reads(self) -> Path:
        """Folder of assignments and reads."""
        return self.folder / "pycyto" / "reads"

    def order(self, reader: str) -> list[int]:
        """Return the cell at each position of a reader."""
        order: list[int] = self.assignment["orders"][reader]
        return order

    def lines(self, folder: str) -> list[dict[str, Any]]:
        """Return what a reader has said so far."""
        path = self.reads / folder / f"{self.assignment['assignment']}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def say(self, folder: str, words: Sequence[str], *, reader: str | None = None) -> Path:
        """Write a file of reads: one word per position, a class or an action."""
        who = reader or folder.upper()
        path = self.reads / folder / f"{self.assignment['assignment']}.jsonl"
        order = self.assignment["orders"].get(who, range(len(self.assignment["cells"])))
        lines = [
            line(self.assignment["assignment"], who, position, order[position], word)
            for position, word in enumerate(words)
            if word
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(item) + "\n" for item in lines), "utf-8")
        return path


def line(assignment: str, reader: str, position: int, cell: int, word: str) -> dict[str, Any]:
    """Return one line of reads; `word` is a class, or another action."""
    is_class = word in BETHESDA.names
    return {
        "schema": 1,
        "assignment": assignment,
        "reader": reader,
        "at": "2026-01-31T12:00:00.000Z",
        "position": position,
        "cell": cell,
        "action": "class" if is_class else word,
        "label": word if is_class else None,
        "seconds": 1.5,
    }


def assign(
    folder: Path,
    *,
    name: str = NAME,
    kind: str = "double read",
    cells: int = 12,
    repeated: int = 0,
    readers: Sequence[str] = ("A", "B"),
    created_at: str = "2026-01-31T12:00:00Z",
) -> AssignedProject:
    """Copy the sample project unless it is there, and write an assignment into it."""
    if not folder.exists():
        copy_project(sample_project_folder(), folder)
    workspace = folder / "pycyto"
    project_json = {"schema": 1, "project_id": PROJECT_ID, "created_at": created_at}
    files.write_json(workspace / "project.json", project_json)
    generator = np.random.default_rng(cells)
    every = _cells(folder)
    chosen = [every[n] for n in generator.permutation(len(every))[:cells]]
    orders = {
        reader: [int(n) for n in (*generator.permutation(cells), *range(repeated))]
        for reader in readers
    }
    assignment = {
        "schema": 1,
        "assignment": name,
        "kind": kind,
        "created_at": created_at,
        "project_id": PROJECT_ID,
        "seed": 0,
        "scheme": "bethesda",
        "classes": list(BETHESDA.names),
        "readers": list(readers),
        "repeat": repeated / cells,
        "cells": chosen,
        "orders": orders,
    }
    files.write_json(workspace / "reads" / f"{name}.json", assignment)
    return AssignedProject(folder, assignment)


def _cells(folder: Path) -> list[dict[str, Any]]:
    backend = GeoJsonBackend(open_project(folder))
    return [
        {
            "entry_id": entry_id,
            "object_id": item.object_id,
            "point_index": None,
            "x": item.centroid[0],
            "y": item.centroid[1],
            "z": 0,
            "t": 0,
            "width": item.bounds.width,
            "height": item.bounds.height,
        }
        for entry_id in IMAGES
        for item in backend.read(entry_id).objects
        if item.kind == "annotation" and BETHESDA.find(item.class_name) and not item.points
    ]
