"""What can be told of a cell without looking at it closely: the measurements of the controls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pycyto.manifest import Row

Features = npt.NDArray[np.floating]

# Side of a thumbnail: too coarse for a nucleus, fine enough for the look of a slide.
_THUMBNAIL = 16


@dataclass(frozen=True, eq=False, slots=True)
class Looks:
    """Of n patches.

    Attributes
    ----------
    colours
        (n, 3) mean red, green and blue.
    padding
        (n, 1) share of the patch that lies outside the image.
    thumbnails
        (n, 768) float32: 16 x 16 RGB.
    """

    colours: Features
    padding: Features
    thumbnails: Features


def looks(patches: Iterable[npt.NDArray[np.uint8]]) -> Looks:
    """Measure patches, (224, 224, 3) uint8, one by one; none is kept."""
    found = [(patch.mean((0, 1)), padded_share(patch), _thumbnail(patch)) for patch in patches]
    colours = np.array([colour for colour, _, _ in found], np.float64).reshape(-1, 3)
    padding = np.array([share for _, share, _ in found], np.float64).reshape(-1, 1)
    thumbnails = np.array([small for _, _, small in found], np.float32)
    return Looks(colours, padding, thumbnails.reshape(-1, 3 * _THUMBNAIL**2))


def padded_share(patch: npt.NDArray[np.uint8]) -> float:
    """Return which share of a patch is black margin, from 0 to 1.

    What lies outside the image is pasted as black. The manifest does not know how
    large the image is, so the margin is read off the patch: rows and columns at
    its sides that are black from end to end.
    """
    lit = np.asarray(patch.any(axis=2))
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return 1.0
    inside = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    return float(1 - inside / lit.size)


def outline_sizes(rows: Sequence[Row]) -> Features:
    """Return width, height and area of outlines in patch pixels, (n, 3) float64 with NaN."""
    sizes = [
        (
            _over(row.outline_width, row.downsample),
            _over(row.outline_height, row.downsample),
            _over(row.outline_area, row.downsample**2),
        )
        for row in rows
    ]
    return np.array(sizes, np.float64).reshape(-1, 3)


def crop_sizes(rows: Sequence[Row]) -> Features:
    """Return width and height that cell images had before they became patches, (n, 2) with NaN."""
    sizes = [(_over(row.original_width, 1), _over(row.original_height, 1)) for row in rows]
    return np.array(sizes, np.float64).reshape(-1, 2)


def _thumbnail(patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    small = Image.fromarray(patch).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(small).reshape(-1)


def _over(value: float | None, scale: float) -> float:
    return float("nan") if value is None else value / scale
