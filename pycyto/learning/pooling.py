"""What a head is given besides the mean of the last map: earlier maps, the middle, two scales.

A patch is centred on the cell that it is about. What lies around it is often
another cell: of CRIC's crops three in four hold a second one that has a class. So
each map is averaged twice, over all of the patch and around its middle. Early maps
keep the texture of a nucleus that the last one no longer resolves, and the middle
of the patch is seen once more at twice its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.learning.backend import keras

# Standard deviation of the weights around the middle, in sides of the patch: 27 pixels.
MIDDLE = 0.12


def enlarged_middle(pixels: Any) -> Any:
    """Return the middle half of patches at twice their size; symbolic, (n, s, s, c)."""
    layers = keras().layers
    side = pixels.shape[1]
    middle = layers.Cropping2D(side // 4, name="middle")(pixels)
    return layers.UpSampling2D(2, interpolation="bilinear", name="enlarged")(middle)


def pooled(maps: Sequence[Any], name: str) -> Any:
    """Return the means of maps over the patch and around its middle, in one vector, (n, d).

    Parameters
    ----------
    maps
        Symbolic, (n, h, w, c) each.
    name
        Of the layer whose output it is.
    """
    layers = keras().layers
    parts = [
        part for one in maps for part in (layers.GlobalAveragePooling2D()(one), _around_middle(one))
    ]
    return layers.Concatenate(name=name)(parts)


def _around_middle(maps: Any) -> Any:
    weights = middle_weights(maps.shape[1])
    return keras().ops.sum(maps * weights[None, :, :, None], axis=(1, 2))


def middle_weights(side: int) -> npt.NDArray[np.float32]:
    """Return Gaussian weights around the middle of a map, (side, side); their sum is 1."""
    places = (np.arange(side) + 0.5) / side - 0.5
    along = np.exp(-(places**2) / (2 * MIDDLE**2))
    weights = np.outer(along, along)
    return (weights / weights.sum()).astype(np.float32)
