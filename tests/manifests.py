"""Manifests of rows that a test has made up: an export writes its own from pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pycyto.manifest import Row, lines_of, write_lines


def write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """Write ``manifest.csv`` of rows in any order."""
    write_lines(folder, [lines_of(rows)])


def a_row(**changes: Any) -> Row:
    """Return a row; what is not named here is as it would be without being known."""
    values: dict[str, Any] = {
        "project_id": "p", "entry_id": "1", "object_id": "o", "point_index": None,
        "image_key": "k", "project_name": "study", "image_name": "a é.svs",
        "centroid_x": 10.1, "centroid_y": 20.2, "left": -101, "top": -91, "width": 224,
        "downsample": 1.0, "label": "HSIL", "original_label": "HSIL", "content_hash": "00",
        "file": "images/HSIL/1_o.png",
    }  # fmt: skip
    return Row(**{**values, **changes})


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    path.write_text(changed, encoding="utf-8", newline="")
