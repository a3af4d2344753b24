"""Where a network looked: a heat map for the class that it called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pycyto.images.crop import Pixels
from pycyto.learning.backend import keras
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import keras_model
from pycyto.learning.networks import last_map_of
from pycyto.manifest import PATCH_SIZE

_SMALLEST = 1e-7


def heat_maps(
    bundle: Bundle, patches: Sequence[Pixels], classes: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Return how much each place of a patch speaks for a class.

    Parameters
    ----------
    patches
        n patches, each (224, 224, 3) uint8 RGB.
    classes
        For each patch the index of the class in ``bundle.labels``.

    Returns
    -------
    numpy.ndarray
        (n, 224, 224) float32; the strongest place of a map is 1, and a map in
        which nothing speaks for the class is 0 everywhere. It is as coarse as the
        network's last feature map, some 30 pixels, and no proof of a reason. Of a
        network that sees several maps it tells the last one of the whole patch.

    References
    ----------
    Selvaraju et al., Grad-CAM (2017), on the logarithm of the class's probability.
    """
    model = keras_model(bundle)
    both = keras().Model(model.input, [last_map_of(model), model.output])
    maps = [_heat(both, patch, index) for patch, index in zip(patches, classes, strict=True)]
    return np.stack(maps) if maps else np.empty((0, PATCH_SIZE, PATCH_SIZE), np.float32)


def _heat(both: Any, patch: Pixels, index: int) -> npt.NDArray[np.float32]:
    import tensorflow as tf

    pixels = tf.constant(patch[None].astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        features, probabilities = both(pixels, training=False)
        score = tf.math.log(tf.maximum(probabilities[0, index], _SMALLEST))
    gradient = tape.gradient(score, features)[0].numpy()
    weights = gradient.mean(axis=(0, 1))
    coarse = np.maximum(features[0].numpy() @ weights, 0)
    if not coarse.any():
        return np.zeros((PATCH_SIZE, PATCH_SIZE), np.float32)
    picture = Image.fromarray((coarse / coarse.max()).astype(np.float32))
    wide = picture.resize((PATCH_SIZE, PATCH_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(wide, np.float32)


def over(patch: Pixels, heat: npt.NDArray[np.float32]) -> Pixels:
    """Return a patch in grey with its heat map in orange over it, (224, 224, 3) uint8."""
    grey = np.asarray(Image.fromarray(patch).convert("L"), np.float32)[..., None]
    weight = 0.75 * heat[..., None]
    colour = np.array((255, 110, 0), np.float32)
    return np.rint(grey * (1 - weight) + colour * weight).astype(np.uint8)
