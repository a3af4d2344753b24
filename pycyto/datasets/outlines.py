"""Outlines of nuclei and cells that come with public sets, as polygons in pixels of their image.

(0, 0) is the top left corner of the top left pixel, as in QuPath.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from shapely import MultiPolygon, Polygon, box, make_valid, union_all
from shapely.geometry import mapping

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import CellKey

# Of a file with the vertices of one cell: some thousand lines.
_LARGEST = 1 << 22

Shape = Polygon | MultiPolygon


@dataclass(frozen=True, slots=True)
class Outlines:
    """The outlines of one cell; either may be missing. The cell's holds its nucleus too."""

    cell: Shape | None
    nucleus: Shape | None

    def features(self, key: CellKey, image_name: str) -> Iterator[str]:
        """Yield a GeoJSON feature for each outline, as one line of text."""
        for part, shape in (("cell", self.cell), ("nucleus", self.nucleus)):
            if shape is not None:
                yield _feature(key, image_name, part, shape)


def _feature(key: CellKey, image_name: str, part: str, shape: Shape) -> str:
    properties = {"objectType": "annotation", "part": part, **key._asdict(), "image": image_name}
    feature = {"type": "Feature", "geometry": mapping(shape), "properties": properties}
    return json.dumps(feature, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def shape_of_mask(mask: npt.NDArray[np.bool_]) -> Shape | None:
    """Return what a mask covers, along the edges of its pixels; None if that is nothing.

    Its area is the number of pixels, so that nothing is lost to smoothing.

    Parameters
    ----------
    mask
        (height, width) bool.
    """
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)  # row by row, so that they pair with the starts
    if not len(rows):
        return None
    merged = union_all(box(starts, rows, ends, rows + 1))
    return merged if isinstance(merged, Polygon | MultiPolygon) else None


def shape_in_file(path: Path) -> Polygon:
    """Read an outline with one vertex, ``x,y``, per line.

    Raises
    ------
    BadInputError
        When it cannot be read, or is no outline.
    """
    files.check_size(path, _LARGEST)
    with files.readable(path):
        lines = path.read_text("utf-8", errors="replace").split("\n")
    vertices = [_vertex(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]
    if len(vertices) < 3:
        raise BadInputError(f"An outline of {len(vertices)} points encloses nothing.", where=path)
    return Polygon(vertices)


def _vertex(line: str, number: int, path: Path) -> tuple[float, float]:
    try:
        x, y = map(float, line.split(","))
    except ValueError as error:
        raise BadInputError(f"Line {number} is no point: {line[:40]!r}.", where=path) from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise BadInputError(f"Line {number} is no point: {line[:40]!r}.", where=path)
    return x, y


def area_of(shape: Shape) -> float:
    """Return what an outline encloses, in square pixels, also where it crosses itself."""
    return float(make_valid(shape).area)
