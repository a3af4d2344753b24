"""A frozen backbone without its batch normalisations, which sees the same in less time.

A batch normalisation that no longer learns multiplies each channel by one number and
adds another. The convolution before it can do both with other weights. What a network
sees changes by rounding errors only, and a quarter of the time of MobileNetV2 is saved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.learning.backend import keras
from pycyto.learning.networks import backbone_of

Floats = npt.NDArray[np.float64]


def folded(extractor: Any) -> Any:
    """Return a copy of a model whose backbone has its batch normalisations folded in.

    Parameters
    ----------
    extractor
        Keras model that holds a backbone of `pycyto.learning.networks`. It stays as it is. The
        copy shares its other layers, and does not know what it learns later.

    Notes
    -----
    Jacob et al., *Quantization and training of neural networks for efficient
    integer-arithmetic-only inference*, CVPR 2018, section 3.2. A batch normalisation that does
    not follow a convolution, or is not all that follows it, stays.
    """
    backbone = backbone_of(extractor)
    own = _folded(backbone)
    return _copy(extractor, lambda layer: own if layer is backbone else layer)


def _folded(backbone: Any) -> Any:
    norms = dict(_foldable(backbone))
    gone = {norm.name for norm in norms.values()}

    def clone(layer: Any) -> Any:
        if layer.name in gone:
            return keras().layers.Identity(name=layer.name)
        if layer.name in norms:
            return type(layer)(**{**layer.get_config(), "use_bias": True})
        return layer

    found = _copy(backbone, clone)
    for name, norm in norms.items():
        found.get_layer(name).set_weights(_with_norm(backbone.get_layer(name), norm))
    return found


def _foldable(backbone: Any) -> Iterator[tuple[str, Any]]:
    """Yield names of convolutions, each with the batch normalisation that alone follows it."""
    layers = keras().layers
    made_by = {id(own.output): own for own in backbone.operations}
    taken = Counter(id(x) for own in backbone.operations for x in keras().tree.flatten(own.input))
    taken.update(id(output) for output in backbone.outputs)
    for norm in backbone.layers:
        if not isinstance(norm, layers.BatchNormalization):
            continue
        before = made_by[id(norm.input)]
        if (
            isinstance(before, (layers.Conv2D, layers.DepthwiseConv2D))
            and before.activation is keras().activations.linear
            and taken[id(norm.input)] == 1
        ):
            yield before.name, norm


def _with_norm(convolution: Any, norm: Any) -> list[Floats]:
    """Return kernel and bias of a convolution that does what its batch normalisation did."""
    kernel, *bias = (np.asarray(weights, np.float64) for weights in convolution.get_weights())
    mean, variance = (
        np.asarray(weights, np.float64) for weights in (norm.moving_mean, norm.moving_variance)
    )
    factor = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        factor = factor * np.asarray(norm.gamma, np.float64)
    shift = -mean * factor
    if norm.center:
        shift = shift + np.asarray(norm.beta, np.float64)
    if bias:
        shift = shift + bias[0] * factor
    # (h, w, in, out), of a depthwise one (h, w, out, 1).
    depthwise = isinstance(convolution, keras().layers.DepthwiseConv2D)
    return [kernel * (factor[:, None] if depthwise else factor), shift]


def _copy(model: Any, clone: Any) -> Any:
    return keras().models.clone_model(
        model,
        clone_function=clone,
        # Without the masks that some layers are called with and others do not take.
        call_function=lambda layer, *inputs, **_: layer(*inputs),
    )
