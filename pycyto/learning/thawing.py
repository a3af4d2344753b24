"""Which layers of a backbone learn, and which are frozen."""

from __future__ import annotations

import math
from typing import Any, Literal

from pycyto.errors import UsageError
from pycyto.learning.backend import keras
from pycyto.learning.networks import SCALED, Network, backbone_of

# A number means so many of the last layers that have weights and are no batch normalisation;
# "paper" the last two layers as Keras lists them, whatever they are.
Unfrozen = int | Literal["none", "last block", "paper", "all"]


def thaw(model: Any, network: Network, unfrozen: Unfrozen) -> int:
    """Make layers of the backbone trainable, freeze the others; the head always learns.

    A frozen batch normalisation runs in inference mode, with the mean and
    variance that it was trained with: a few small batches of another kind of
    image would only spoil them. It stays frozen unless all layers learn, or it
    is among the last two that ``paper`` takes literally. That of a head which scales
    its features learns with the head alone, in the first phase.

    Returns
    -------
    int
        How many weights of the backbone learn.

    Raises
    ------
    UsageError
        When it has fewer layers than are asked for.
    """
    backbone = backbone_of(model)
    learning = _layers(backbone, network, unfrozen)
    backbone.trainable = bool(learning)
    # Layer by layer: thawing a whole network leaves what was frozen singly as it was.
    for layer in backbone.layers:
        layer.trainable = layer in learning
    for layer in model.layers:
        if layer.name == SCALED:
            layer.trainable = unfrozen == "none"
    return sum(math.prod(weight.shape) for weight in backbone.trainable_weights)


def backbone_size(model: Any) -> int:
    """Return how many weights the backbone of a model has."""
    return sum(math.prod(weight.shape) for weight in backbone_of(model).weights)


def _layers(backbone: Any, network: Network, unfrozen: Unfrozen) -> list[Any]:
    if unfrozen == "all":
        return list(backbone.layers)
    if unfrozen == "none":
        return []
    if unfrozen == "paper":
        return list(backbone.layers[-2:])
    weighted = [layer for layer in backbone.layers if _has_weights_to_learn(layer)]
    if unfrozen == "last block":
        return [layer for layer in weighted if layer.name.startswith(network.last_block)]
    if not 1 <= unfrozen <= len(weighted):
        raise UsageError(
            f"--unfreeze is {unfrozen}; {network.name} has {len(weighted)} layers with weights "
            "that are no batch normalisation.",
            remedy=f"Take a number from 1 to {len(weighted)}, or none.",
        )
    return weighted[-unfrozen:]


def _has_weights_to_learn(layer: Any) -> bool:
    fixed = (keras().layers.BatchNormalization, keras().layers.Normalization)
    return bool(layer.weights) and not isinstance(layer, fixed)
