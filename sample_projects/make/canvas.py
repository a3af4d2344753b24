"""A picture as optical density: what lies on it is added, so overlaps darken."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from noise import FloatImage

Points: TypeAlias = NDArray[np.float64]

_SHIFT = 5
"""Fixed-point bits that OpenCV uses for positions between pixels."""


def filled(outline: Points, shape: tuple[int, int]) -> FloatImage:
    """Coverage of an outline, 0 to 1, smoothed at the border.

    Parameters
    ----------
    outline
        x and y in px, shape (n, 2).
    shape
        Height and width of the result in px.
    """
    mask = np.zeros(shape, np.uint8)
    if len(outline) >= 3:
        fixed = np.round(outline * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def stroked(line: Points, shape: tuple[int, int], width: int) -> FloatImage:
    """Coverage of an open line of ``width`` px, 0 to 1."""
    mask = np.zeros(shape, np.uint8)
    fixed = np.round(line * 2**_SHIFT).astype(np.int32)
    cv2.polylines(mask, [fixed], False, 255, max(width, 1), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / np.float32(255)


def blurred(image: FloatImage, sigma_px: float) -> FloatImage:
    """Gaussian blur; below a fifth of a pixel nothing changes."""
    if sigma_px < 0.2:
        return image
    smooth = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, dtype=np.float32)


def distance_inside(mask: FloatImage) -> FloatImage:
    """Distance in px from each covered pixel to the border of the mask."""
    inside = (mask > 0.5).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3), dtype=np.float32)


def bent_line(start: Points, end: Points, bow: float, count: int = 24) -> Points:
    """A curve from ``start`` to ``end``; ``bow`` is its height by its length."""
    step = np.linspace(0.0, 1.0, count)[:, None]
    across = np.array([start[1] - end[1], end[0] - start[0]])
    return np.asarray(start + (end - start) * step + across * bow * 4 * step * (1 - step))


@dataclass(frozen=True)
class Canvas:
    """Optical density of a field.

    Attributes
    ----------
    density
        Shape (height, width, 3).
    mpp
        Pixel size in um.
    """

    density: FloatImage
    mpp: float

    @classmethod
    def blank(cls, width: int, height: int, mpp: float) -> "Canvas":
        """An empty field of ``width`` by ``height`` px."""
        return cls(np.zeros((height, width, 3), np.float32), mpp)

    @property
    def size_um(self) -> tuple[float, float]:
        """Width and height in um."""
        height, width = self.density.shape[:2]
        return width * self.mpp, height * self.mpp

    def add(self, window: FloatImage, left: int, top: int) -> None:
        """Lay a window of density on the field; what juts out is lost."""
        height, width = self.density.shape[:2]
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + window.shape[1], width), min(top + window.shape[0], height)
        if x0 < x1 and y0 < y1:
            self.density[y0:y1, x0:x1] += window[y0 - top : y1 - top, x0 - left : x1 - left]
