"""Random views of a training patch: a cell has no up, and no two slides one brightness."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from pycyto.images.crop import Pixels

LARGEST_ROTATION = 15.0  # degrees
ZOOM = (0.9, 1.1)
CONTRAST = (0.9, 1.1)
LARGEST_BRIGHTENING = 12.0  # grey levels of 255

# How far a rotated, zoomed-out square of 224 pixels reaches beyond itself:
# 112 / 0.9 * (cos 15 + sin 15) - 112 = 40.4 pixels.
_REACH = 42


def augmented(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    """Return a random view of a patch, (224, 224, 3) uint8.

    Turned by a multiple of 90 degrees, perhaps mirrored, then rotated by up to
    15 degrees, zoomed by 0.9 to 1.1, and made a little brighter or darker and
    flatter or harder. It depends on the patch and the generator's state alone.
    """
    turned = np.rot90(pixels, int(generator.integers(4)))
    if generator.random() < 0.5:
        turned = turned[:, ::-1]
    angle = generator.uniform(-LARGEST_ROTATION, LARGEST_ROTATION)
    moved = _rotated(turned, math.radians(angle), generator.uniform(*ZOOM))
    return _relit(
        moved,
        contrast=generator.uniform(*CONTRAST),
        brightening=generator.uniform(-LARGEST_BRIGHTENING, LARGEST_BRIGHTENING),
    )


def _rotated(pixels: Pixels, angle: float, zoom: float) -> Pixels:
    """Rotate about the centre; what comes in from outside is mirrored, never black.

    Black would tell a network which patches are training patches, and what the
    crop rule leaves black at an image's edge would no longer stand out.
    """
    side = pixels.shape[0]
    around = np.pad(pixels, ((_REACH, _REACH), (_REACH, _REACH), (0, 0)), mode="reflect")
    cosine, sine = math.cos(angle) / zoom, math.sin(angle) / zoom
    # Pillow asks where each pixel comes from, counting from its corner.
    middle = side / 2
    shift_x = middle - cosine * middle - sine * middle + _REACH
    shift_y = middle + sine * middle - cosine * middle + _REACH
    image = Image.fromarray(around).transform(
        (side, side),
        Image.Transform.AFFINE,
        (cosine, sine, shift_x, -sine, cosine, shift_y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(image)


def _relit(pixels: Pixels, *, contrast: float, brightening: float) -> Pixels:
    mean = float(pixels.mean())
    levels = (np.arange(256) - mean) * contrast + mean + brightening
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[pixels]
