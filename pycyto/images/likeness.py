"""Whether two patches show the same thing, however they were turned, mirrored or stored.

A perceptual hash proposes pairs, since it can be compared by the million; the
correlation of the two pictures, over the eight orientations of a square,
decides. Both look at a thumbnail of the brightness. Where that is not sure,
the two patches themselves are laid over each other, in colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn, irfft2, rfft2

from pycyto.images.crop import Pixels

SIDE = 32  # pixels of a thumbnail: seven of a patch each way

_Number = TypeVar("_Number", bound=np.generic)

Thumbnail = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]

# Of a DCT of 32 x 32 the 8 x 8 slowest waves, without the mean: 63 bits.
_WAVES = 8
_BLOCK = 2048
# Side of a patch when it is laid over another, and how far it may be shifted then.
_LAID, _SHIFT = 112, 8
# Pixels that two patches must share for that: a twentieth of them.
_SHARED = _LAID * _LAID // 20

# Pairs of hashes that are compared at once: 32 MB, however many hashes there are.
_PAIRS = 1 << 22


def thumbnail(pixels: Pixels) -> Thumbnail:
    """Return the brightness of a patch, (32, 32) uint8."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    # A copy: else each would hold on to the fifty times larger picture that it was made of.
    return np.array(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BOX))


def orientations(thumbnails: npt.NDArray[_Number]) -> Iterator[npt.NDArray[_Number]]:
    """Yield pictures, (..., side, side), turned by each quarter, as they are and mirrored."""
    for mirrored in (thumbnails, np.flip(thumbnails, axis=-1)):
        for quarters in range(4):
            yield np.rot90(mirrored, quarters, axes=(-2, -1))


def perceptual_hashes(thumbnails: Thumbnail) -> Hashes:
    """Return the hash of each thumbnail, (n,) uint64 from (n, 32, 32).

    Each bit says whether a slow wave of the picture is above the median of all.

    References
    ----------
    Zauner, Implementation and benchmarking of perceptual image hash functions (2010).
    """
    slow = np.concatenate(
        [_slow_waves(thumbnails[at : at + _BLOCK]) for at in range(0, len(thumbnails), _BLOCK)]
    )
    bits = slow > np.median(slow, axis=1, keepdims=True)
    places = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    return np.asarray(np.where(bits, places, np.uint64(0)).sum(axis=1), np.uint64)


def _slow_waves(thumbnails: Thumbnail) -> npt.NDArray[np.float32]:
    waves = dctn(thumbnails.astype(np.float32), axes=(-2, -1), norm="ortho")
    return np.asarray(waves[:, :_WAVES, :_WAVES].reshape(len(thumbnails), -1)[:, 1:])


def near_hashes(one: Hashes, other: Hashes, distance: int) -> Iterator[tuple[int, int]]:
    """Yield positions in `one` and `other` whose hashes differ in at most `distance` bits."""
    rows = max(1, _PAIRS // max(1, len(other)))
    for start in range(0, len(one), rows):
        block = one[start : start + rows, None] ^ other[None, :]
        for row, column in np.argwhere(np.bitwise_count(block) <= distance):
            yield start + int(row), int(column)


def pearson(one: Thumbnail, other: Thumbnail) -> npt.NDArray[np.float64]:
    """Return Pearson's correlation of pairs as they lie.

    What is black in both is left out as padding: frames of one size would make
    any two small cells alike. An evenly coloured picture is like nothing.

    Parameters
    ----------
    one, other
        (n, 32, 32) uint8: the n pairs.

    Returns
    -------
    numpy.ndarray
        (n,) float64, from -1 to 1.
    """
    seen = ((one > 0) | (other > 0)).reshape(len(one), -1)
    a, b = _centred(one, seen), _centred(other, seen)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found: npt.NDArray[np.float64] = np.divide(
        (a * b).sum(axis=1), scale, out=np.zeros(len(one)), where=scale > 0
    )
    return found


def _centred(pictures: Thumbnail, seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return pictures less their mean where something is seen, and 0 elsewhere."""
    values = pictures.reshape(len(pictures), -1).astype(np.float64)
    mean = values.sum(axis=1, where=seen) / np.maximum(seen.sum(axis=1), 1)
    return np.where(seen, values - mean[:, None], 0.0)


def laid_over(one: Pixels, other: Pixels) -> float:
    """Return how well the colours of two patches correlate where they fit best.

    One is turned, mirrored, and shifted by up to 16 pixels. What is black in either is left out.
    Two cells of one shape and of other colours do not correlate here.

    Parameters
    ----------
    one, other
        (224, 224, 3) uint8.

    Returns
    -------
    float
        From -1 to 1; -1 where they share hardly anything.
    """
    fixed = _half(other)
    waves = rfft2(_mean_free(fixed), (2 * _LAID, 2 * _LAID), axes=(0, 1))
    turned = (np.moveaxis(turn, 0, -1) for turn in orientations(np.moveaxis(_half(one), -1, 0)))
    return max(_fitted(turn, fixed, waves) for turn in turned)


def _fitted(
    turned: npt.NDArray[np.float32],
    fixed: npt.NDArray[np.float32],
    waves: npt.NDArray[np.complex64],
) -> float:
    """Return the correlation where one picture, shifted, fits the other best."""
    shape = (2 * _LAID, 2 * _LAID)
    product = waves * np.conj(rfft2(_mean_free(turned), shape, axes=(0, 1)))
    fits = irfft2(product, shape, axes=(0, 1)).sum(axis=2)
    near = np.roll(fits, (_SHIFT, _SHIFT), (0, 1))[: 2 * _SHIFT + 1, : 2 * _SHIFT + 1]
    down, right = np.unravel_index(near.argmax(), near.shape)
    moved = np.roll(turned, (int(down) - _SHIFT, int(right) - _SHIFT), (0, 1))
    shared = _seen(moved) & _seen(fixed)
    if shared.sum() < _SHARED:
        return -1.0
    a, b = (picture[shared] - picture[shared].mean(axis=0) for picture in (moved, fixed))
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else 0.0


def _half(pixels: Pixels) -> npt.NDArray[np.float32]:
    small = Image.fromarray(pixels).resize((_LAID, _LAID), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def _seen(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    return np.asarray(picture.any(axis=2))


def _mean_free(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    seen = _seen(picture)
    mean = picture[seen].mean(axis=0) if seen.any() else np.float32(0)
    return np.where(seen[..., None], picture - mean, np.float32(0))
