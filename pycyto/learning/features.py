"""A network in two parts: what sees, up to the pooled features, and what decides."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pycyto.learning.backend import keras
from pycyto.learning.folding import folded
from pycyto.learning.networks import HEAD_LAYERS, POOL, Network, backbone_of
from pycyto.provenance import version_of

# How a frozen backbone is computed: another way gives other rounding errors.
_COMPUTED = "batch normalisations folded"


def extractor_of(model: Any) -> Any:
    """Return the part of a built model from pixels to features, (n, d) float32."""
    return keras().Model(model.input, model.get_layer(POOL).output)


def frozen_extractor_of(model: Any) -> Any:
    """Return the same part while it does not learn: a quicker copy of it."""
    return folded(extractor_of(model))


def with_features(model: Any) -> Any:
    """Return a built model with two outputs: features, (n, d), and probabilities, (n, k)."""
    return keras().Model(model.input, [model.get_layer(POOL).output, model.output])


def head_of(model: Any) -> Any:
    """Return the part of a built model from features to probabilities.

    Its layers are those of the model: what it learns the model has learnt.
    """
    start = keras().Input(model.get_layer(POOL).output.shape[1:])
    x = start
    own = {layer.name: layer for layer in model.layers}
    for name in HEAD_LAYERS:
        if name in own:
            x = own[name](x)
    return keras().Model(start, x)


def identity_of(model: Any, network: Network) -> str:
    """Return what features of a frozen backbone depend on besides pixels: nothing of the head."""
    digest = hashlib.sha256()
    for weights in backbone_of(model).get_weights():
        digest.update(weights.tobytes())
    libraries = [version_of(name) for name in ("keras", "tensorflow", "numpy", "pillow")]
    sees = network.published.application if network.published else network.name
    seen_by = [sees, network.taps, network.preprocessing, digest.hexdigest(), libraries]
    return json.dumps([*seen_by, _COMPUTED])
