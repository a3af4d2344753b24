"""Manifests of rows that a test has made up: an export writes its own from pieces."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pycyto.manifest import Row, lines_of, write_lines


def write_manifest(folder: Path, rows: Iterable[Row]) -> None:
    """Write ``manifest.csv`` of rows in any order."""
    write_lines(folder, [lines_of(rows)])
