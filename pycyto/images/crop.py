"""The crop rule: which square around a cell becomes a patch. Written once, here.

``qupath_scripts/lib/pycyto.gvy`` holds the same rule in Groovy, and a test
compares the two pixel by pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from pycyto.manifest import PATCH_SIZE
from pycyto.records import Bounds

Pixels = npt.NDArray[np.uint8]


class Region(Protocol):
    """An image of which a box can be read at full resolution."""

    width: int
    height: int

    def read(self, left: int, top: int, width: int, height: int) -> Pixels:
        """Return the box as (height, width, 3) uint8; it lies inside the image."""


@dataclass(frozen=True, slots=True)
class Square:
    """The square to cut, in full-resolution pixels; it may leave the image."""

    left: int
    top: int
    width: int

    @property
    def downsample(self) -> float:
        """Full-resolution pixels per patch pixel."""
        return self.width / PATCH_SIZE

    def touches(self, width: int, height: int) -> bool:
        """Whether any of it lies in an image of this size."""
        return (
            self.left < width
            and self.top < height
            and self.left + self.width > 0
            and self.top + self.width > 0
        )

    def holds(self, bounds: Bounds) -> bool:
        """Whether the box of an outline lies inside."""
        return (
            self.left <= bounds.left
            and self.top <= bounds.top
            and bounds.left + bounds.width <= self.left + self.width
            and bounds.top + bounds.height <= self.top + self.width
        )


def square_around(x: float, y: float, downsample: float = 1.0) -> Square:
    """Return the square whose patch is centred on (x, y).

    Parameters
    ----------
    x, y
        Centroid in full-resolution pixels.
    downsample
        Full-resolution pixels per patch pixel; 1 is full resolution.
    """
    width = math.floor(PATCH_SIZE * downsample + 0.5)
    return Square(
        left=math.floor(x - width / 2 + 0.5),
        top=math.floor(y - width / 2 + 0.5),
        width=width,
    )


def cut(image: Region, square: Square) -> Pixels:
    """Return the patch, (224, 224, 3) uint8 RGB; what lies outside the image is black.

    Other widths than 224 are resized by Pillow's BOX filter when they shrink
    and BICUBIC when they grow.
    """
    pixels = _on_black(image, square)
    if square.width == PATCH_SIZE:
        return pixels
    method = Image.Resampling.BOX if square.width > PATCH_SIZE else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(pixels).resize((PATCH_SIZE, PATCH_SIZE), method))


def _on_black(image: Region, square: Square) -> Pixels:
    """Return the square at full resolution."""
    left, top = max(square.left, 0), max(square.top, 0)
    right = min(square.left + square.width, image.width)
    bottom = min(square.top + square.width, image.height)
    if right - left == bottom - top == square.width:  # most are: spare them the copy
        return image.read(left, top, square.width, square.width)
    canvas = np.zeros((square.width, square.width, 3), np.uint8)
    if right > left and bottom > top:
        rows = slice(top - square.top, bottom - square.top)
        columns = slice(left - square.left, right - square.left)
        canvas[rows, columns] = image.read(left, top, right - left, bottom - top)
    return canvas
