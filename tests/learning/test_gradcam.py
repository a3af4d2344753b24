"""A heat map is strong where the network finds what speaks for the class, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycyto.images.crop import Pixels
from pycyto.learning import gradcam
from pycyto.learning.backend import keras
from pycyto.learning.bundle import Bundle
from pycyto.learning.networks import POOL
from tests.learning.conftest import Saved


@pytest.fixture
def red_or_blue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network whose class 0 is what is red, and whose class 1 is what is blue."""
    layers = keras().layers
    pixels = keras().Input((224, 224, 3))
    features = layers.AveragePooling2D(32)(pixels)
    pooled = layers.GlobalAveragePooling2D(name=POOL)(features)
    classes = layers.Dense(2, activation="softmax", name="classes")(pooled)
    model: Any = keras().Model(pixels, classes)
    model.get_layer("classes").set_weights([np.array([[0.02, 0], [0, 0], [0, 0.02]]), np.zeros(2)])
    monkeypatch.setattr(gradcam, "keras_model", lambda _: model)


def patch() -> Pixels:
    """Red in one corner, blue in the opposite one."""
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[:64, :64, 0] = 255
    pixels[160:, 160:, 2] = 255
    return pixels


@pytest.mark.usefixtures("red_or_blue")
def test_the_map_of_a_class_is_where_its_sign_is(saved: Saved) -> None:
    red, blue = gradcam.heat_maps(saved.bundle, [patch(), patch()], [0, 1])
    assert red.shape == blue.shape == (224, 224)
    assert red[20, 20] == red.max() == blue.max() == blue[200, 200] == 1
    assert red[200, 200] == blue[20, 20] == 0


@pytest.mark.usefixtures("red_or_blue")
def test_where_nothing_speaks_for_a_class_the_map_is_empty(saved: Saved) -> None:
    (heat,) = gradcam.heat_maps(saved.bundle, [np.zeros((224, 224, 3), np.uint8)], [0])
    assert not heat.any()


def test_a_bundles_own_network_gives_maps(saved: Saved) -> None:
    bundle: Bundle = saved.bundle
    rng = np.random.default_rng(0)
    patches = list(rng.integers(0, 256, (2, 224, 224, 3), dtype=np.uint8))
    maps = gradcam.heat_maps(bundle, patches, [0, 1])
    assert maps.shape == (2, 224, 224)
    assert maps.dtype == np.float32
    assert 0 <= maps.min() <= maps.max() <= 1
    assert gradcam.heat_maps(bundle, [], []).shape == (0, 224, 224)


def test_the_overlay_is_grey_without_heat_and_orange_with_it() -> None:
    heat = np.zeros((224, 224), np.float32)
    heat[0, 0] = 1
    shown = gradcam.over(patch(), heat)
    assert shown[100, 100].tolist() == [0, 0, 0]
    assert shown[10, 10].tolist() == [76, 76, 76]
    red, green, blue = shown[0, 0].tolist()
    assert red > green > blue
