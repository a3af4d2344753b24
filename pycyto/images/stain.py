"""Reinhard's stain normalisation: a patch gets the mean and spread of colour of a target.

Colours are CIELAB (sRGB, D65), not the l-alpha-beta of the original paper, as most of its
later users have it. Only tissue counts in the statistics: no padding, which is
exactly black, and no background, which is nearly white.

In CIELAB, L, a and b are weighted sums of three cube roots (`f` of X, Y and Z), so
that shift and stretch of L, a and b are one matrix on the cube roots. What is not
linear (sRGB's curve, the roots) is looked up.

References
----------
Reinhard et al., Color transfer between images (2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.images.reading import open_image

# A pixel is background if its darkest channel is at least this bright, of 255.
BACKGROUND = 220
# Of fewer tissue pixels (2 % of a patch) no statistics are made, and no such patch is changed.
FEWEST = 1000

# Of X, Y and Z; the tables have an entry for each step from 0 to 1.
_STEPS = 1 << 16
# Sums are of whole hundredths, so that they are exact whatever the order of the patches.
_UNIT = 100
# So many pixels at a time: what lies between them stays in the processor's cache.
_CHUNK = 8192
# A reference is looked at in bands of so many rows.
_BAND = 1024

_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_ROOTS = (_TO_XYZ / _WHITE[:, None]).T
_FROM_XYZ = np.linalg.inv(_TO_ROOTS)
# L, a and b from the three roots, less 16 for L.
_TO_LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]]).T
_FROM_LAB = np.linalg.inv(_TO_LAB)
_LAB_OFFSET = np.array([-16.0, 0.0, 0.0])

Lab = npt.NDArray[np.float32]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Colour of tissue.

    Attributes
    ----------
    mean, deviation
        Of L (0 to 100), a and b; the deviation is the population's.
    pixels
        Of how many pixels of tissue.
    """

    mean: Triple
    deviation: Triple
    pixels: int

    @property
    def suffices(self) -> bool:
        """Whether it rests on enough tissue to change a patch by it."""
        return self.pixels >= FEWEST


@dataclass(frozen=True, slots=True)
class Sums:
    """What statistics are made of; they add up exactly, in any order.

    Attributes
    ----------
    pixels, tissue
        Pixels but padding, and those of tissue among them.
    totals, squares
        Of L, a and b over the tissue, in hundredths and their squares.
    """

    pixels: int = 0
    tissue: int = 0
    totals: tuple[int, int, int] = (0, 0, 0)
    squares: tuple[int, int, int] = (0, 0, 0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.pixels + other.pixels,
            self.tissue + other.tissue,
            _added(self.totals, other.totals),
            _added(self.squares, other.squares),
        )

    @property
    def statistics(self) -> Statistics:
        """Mean and deviation; all 0 without tissue."""
        n = max(self.tissue, 1)
        # In whole numbers up to the division: nothing cancels.
        variances = [
            (n * square - total * total) / (n * n)
            for total, square in zip(self.totals, self.squares, strict=True)
        ]
        return Statistics(
            mean=_triple([total / n / _UNIT for total in self.totals]),
            deviation=_triple([variance**0.5 / _UNIT for variance in variances]),
            pixels=self.tissue,
        )


def is_tissue(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Return where there is tissue: (...) bool of (..., 3) uint8 RGB."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    darkest = np.minimum(np.minimum(red, green), blue)
    return np.asarray(((red | green | blue) > 0) & (darkest < BACKGROUND))


def lab_of(pixels: Pixels) -> Lab:
    """Return CIELAB, (..., 3) float32, of sRGB, (..., 3) uint8."""
    roots = _roots(pixels.reshape(-1, 3))
    lab = roots @ _TO_LAB.astype(np.float32) + _LAB_OFFSET.astype(np.float32)
    return np.asarray(lab.reshape(pixels.shape))


def rgb_of(lab: Triple) -> tuple[int, int, int]:
    """Return the sRGB colour, 0 to 255, that is nearest to a colour of CIELAB."""
    roots = ((np.array([lab]) - _LAB_OFFSET) @ _FROM_LAB).astype(np.float32)
    return _whole(_srgb(roots)[0])


def sums_of(pixels: Pixels) -> Sums:
    """Return the sums over the tissue of a patch, (height, width, 3) uint8 RGB."""
    tissue = pixels.reshape(-1, 3).take(np.flatnonzero(is_tissue(pixels)), axis=0)
    totals, squares = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for start in range(0, len(tissue), _CHUNK):
        units = np.rint(lab_of(tissue[start : start + _CHUNK]) * _UNIT).astype(np.int64)
        totals += units.sum(axis=0)
        squares += (units * units).sum(axis=0)
    shown = int(np.count_nonzero(_any(pixels)))
    return Sums(shown, len(tissue), _whole(totals), _whole(squares))


def normalise(patch: Pixels, source: Statistics, target: Statistics) -> Pixels | None:
    """Return a patch with the colours of a target; padding stays black.

    Parameters
    ----------
    patch
        (height, width, 3) uint8 RGB.
    source
        Of the patch, or of the slide or source that it is from.

    Returns
    -------
    numpy.ndarray or None
        None where the patch stays as it is: it, or its source, has too little tissue.
    """
    if not (source.suffices and target.suffices):
        return None
    if np.count_nonzero(is_tissue(patch)) < FEWEST:
        return None
    pixels = patch.reshape(-1, 3)
    shown = np.flatnonzero(_any(pixels))
    changed = np.zeros_like(pixels)
    changed[shown] = _mapped(pixels.take(shown, axis=0), source, target)
    return changed.reshape(patch.shape)


def reference_statistics(path: Path, *, icc: bool = False) -> Statistics:
    """Return the statistics of an image of a laboratory's choice: a patch, a field or a slide.

    Parameters
    ----------
    icc
        Whether the colour profile in it is applied.

    Raises
    ------
    BadInputError
        It cannot be read, or has too little tissue.
    """
    if not path.is_file():
        raise BadInputError("There is no such reference.", where=path, remedy="--reference FILE")
    image = open_image(path, icc=icc)
    try:
        sums = Sums()
        for top in range(0, image.height, _BAND):
            height = min(_BAND, image.height - top)
            for left in range(0, image.width, _BAND):
                width = min(_BAND, image.width - left)
                sums += sums_of(image.read(left, top, width, height))
    finally:
        image.close()
    if not sums.statistics.suffices:
        raise BadInputError(
            f"The reference has {sums.tissue} pixels of tissue; at least {FEWEST} are needed.",
            where=path,
            remedy="Choose an image that shows stained cells.",
        )
    return sums.statistics


def _mapping(source: Statistics, target: Statistics) -> tuple[Lab, Lab]:
    """Return the matrix and the offset that act on the roots of X, Y and Z."""
    mean, deviation = np.array(source.mean), np.array(source.deviation)
    wanted, spread = np.array(target.mean), np.array(target.deviation)
    # What has one colour throughout is shifted only.
    scale = np.where(deviation > 0, spread / np.where(deviation > 0, deviation, 1), 1)
    matrix = _TO_LAB @ np.diag(scale) @ _FROM_LAB
    offset = ((_LAB_OFFSET - mean) * scale + wanted - _LAB_OFFSET) @ _FROM_LAB
    return matrix.astype(np.float32), offset.astype(np.float32)


def _mapped(pixels: Pixels, source: Statistics, target: Statistics) -> Pixels:
    """Return pixels, (n, 3) uint8, with the colours of a target."""
    matrix, offset = _mapping(source, target)
    changed = np.empty_like(pixels)
    for start in range(0, len(pixels), _CHUNK):
        roots = _roots(pixels[start : start + _CHUNK]) @ matrix
        roots += offset
        # As scikit-image does: some colours of high b have no Z.
        np.maximum(roots[:, 2], 0, out=roots[:, 2])
        changed[start : start + _CHUNK] = _srgb(roots)
    return changed


def _roots(pixels: Pixels) -> Lab:
    """Return CIELAB's `f` of X, Y and Z by the white, (n, 3) float32, of (n, 3) uint8."""
    light, roots, _ = _tables()
    scaled = np.take(light, pixels) @ (_TO_ROOTS * (_STEPS - 1)).astype(np.float32)
    scaled += np.float32(0.5)
    return np.asarray(np.take(roots, scaled.astype(np.int32), mode="clip"))


def _srgb(roots: Lab) -> Pixels:
    """Return sRGB, (n, 3) uint8, of roots, (n, 3) float32, cut off where it has no such colour."""
    _, _, levels = _tables()
    xyz = roots * roots
    xyz *= roots
    # Below a root of 6/29 CIELAB is a straight line, which few pixels reach.
    dark = roots < 6 / 29
    if dark.any():
        xyz[dark] = (roots[dark] - 4 / 29) * np.float32(108 / 841)
    scaled = xyz @ (_FROM_XYZ * (_STEPS - 1)).astype(np.float32)
    scaled += np.float32(0.5)
    return np.asarray(np.take(levels, scaled.astype(np.int32), mode="clip"))


@cache
def _tables() -> tuple[Any, Any, Any]:
    """Return light by sRGB level, root by X, Y or Z, and sRGB level by light."""
    level = np.arange(256) / 255
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    step = np.arange(_STEPS) / (_STEPS - 1)
    roots = np.where(step > (6 / 29) ** 3, np.cbrt(step), step * 841 / 108 + 4 / 29)
    srgb = np.where(step <= 0.0031308, step * 12.92, 1.055 * step ** (1 / 2.4) - 0.055)
    return light.astype(np.float32), roots.astype(np.float32), np.rint(srgb * 255).astype(np.uint8)


def _any(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Return where a pixel is not black; a third of the time of numpy's own `any`."""
    return np.asarray((pixels[..., 0] | pixels[..., 1] | pixels[..., 2]) > 0)


def _added(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _whole(numbers: npt.NDArray[np.integer[Any]]) -> tuple[int, int, int]:
    first, second, third = map(int, numbers)
    return first, second, third


def _triple(numbers: list[float]) -> Triple:
    first, second, third = numbers
    return first, second, third
