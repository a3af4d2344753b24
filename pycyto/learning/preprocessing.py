"""What a network does to pixels first, as layers of its own graph.

Every network so takes RGB from 0 to 255, uint8 or float32, and nothing that
reads a patch needs to know which network will see it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pycyto.learning.backend import keras

# Mean of ImageNet's pixels in the order blue, green, red, as Caffe's networks
# (ResNet, VGG) subtracted it; the figures are those of keras.applications.
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def _caffe(pixels: Any) -> Any:
    bgr = keras().ops.flip(pixels, axis=-1)
    offset = [-mean for mean in _CAFFE_MEAN_BGR]
    return keras().layers.Rescaling(1.0, offset=offset, name="minus_mean")(bgr)


def _centred(pixels: Any) -> Any:
    return keras().layers.Rescaling(1 / 127.5, offset=-1.0, name="to_minus_one_to_one")(pixels)


def _unit(pixels: Any) -> Any:
    return keras().layers.Rescaling(1 / 255, name="to_zero_to_one")(pixels)


def _raw(pixels: Any) -> Any:
    return pixels


PREPROCESSINGS: Mapping[str, Callable[[Any], Any]] = {
    "caffe": _caffe,
    "centred": _centred,
    "unit": _unit,
    "raw": _raw,
}


def prepare(pixels: Any, how: str) -> Any:
    """Return the symbolic tensor that a network's first convolution expects.

    Parameters
    ----------
    pixels
        Symbolic float32 tensor, (batch, 224, 224, 3), RGB, 0 to 255.
    how
        ``caffe``: blue, green, red, minus ImageNet's mean; ``centred``: -1 to 1;
        ``unit``: 0 to 1; ``raw``: unchanged, for networks that rescale by themselves.
    """
    return PREPROCESSINGS[how](pixels)
