"""A backbone without its batch normalisations sees what it saw with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycyto.learning.backend import keras
from pycyto.learning.features import extractor_of
from pycyto.learning.folding import folded
from pycyto.learning.networks import BACKBONE, backbone_of, build

# VGG16 has no batch normalisation; ResNet50's convolutions have offsets of their own.
NETWORKS = ("small", "mobilenetv2", "mobilenetv2-multi", "efficientnetb0", "resnet50", "vgg16")


def as_if_learnt(backbone: Any) -> None:
    """Give batch normalisations weights that do something."""
    rng = np.random.default_rng(3)
    for norm in norms_of(backbone):
        norm.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in norm.get_weights()])


def norms_of(model: Any) -> list[Any]:
    return [x for x in model.layers if isinstance(x, keras().layers.BatchNormalization)]


@pytest.mark.parametrize("name", NETWORKS)
def test_it_sees_the_same(name: str) -> None:
    model = build(name, 3, seed=1)
    as_if_learnt(backbone_of(model))
    extractor = extractor_of(model)
    quick = folded(extractor)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
    expected = extractor.predict_on_batch(pixels)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(
        quick.predict_on_batch(pixels), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    assert not norms_of(quick.get_layer(BACKBONE))


def test_the_model_itself_stays_as_it_is() -> None:
    model = build("small", 3, seed=1)
    as_if_learnt(backbone_of(model))
    before = [weights.copy() for weights in model.get_weights()]
    folded(extractor_of(model))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def branched() -> tuple[Any, Any]:
    """Return a model with a normalisation that is not all that follows its convolution."""
    layers = keras().layers
    start = keras().Input((8, 8, 3))
    seen = layers.Conv2D(4, 3)(start)
    normal = layers.BatchNormalization()(seen)
    backbone = keras().Model(start, layers.Add()([seen, normal]), name=BACKBONE)
    pixels = keras().Input((8, 8, 3))
    return backbone, keras().Model(pixels, backbone(pixels))


def late() -> tuple[Any, Any]:
    """Return a model with a normalisation behind the convolution's activation."""
    layers = keras().layers
    start = keras().Input((8, 8, 3))
    seen = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(start))
    backbone = keras().Model(start, seen, name=BACKBONE)
    pixels = keras().Input((8, 8, 3))
    return backbone, keras().Model(pixels, backbone(pixels))


@pytest.mark.parametrize("make", [branched, late])
def test_a_normalisation_that_cannot_be_folded_stays(make: Any) -> None:
    backbone, model = make()
    as_if_learnt(backbone)
    pixels = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    quick = folded(model)
    assert len(norms_of(quick.get_layer(BACKBONE))) == 1
    np.testing.assert_allclose(
        quick.predict_on_batch(pixels), model.predict_on_batch(pixels), rtol=1e-5, atol=1e-6
    )
