"""A phase changes the layers that it says, and says how many weights those are."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from pycyto.errors import UsageError
from pycyto.learning.backend import keras
from pycyto.learning.networks import NETWORKS, backbone_of, build, network_named
from pycyto.learning.thawing import Unfrozen, backbone_size, thaw

PRETRAINED = [name for name in NETWORKS if name != "small"]


@cache
def built(name: str) -> Any:
    return build(name, 4)


def thawed(name: str, unfrozen: Unfrozen) -> tuple[int, list[Any]]:
    """Thaw a network; return the number of weights and the layers that learn."""
    model = built(name)
    count = thaw(model, network_named(name), unfrozen)
    return count, [layer for layer in backbone_of(model).layers if layer.trainable_weights]


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_last_block_has_weights_and_no_batch_normalisation(name: str) -> None:
    model = built(name)
    assert thawed(name, "none") == (0, [])
    # A kernel and an offset for each layer of the head.
    assert len(model.trainable_weights) == (2 if network_named(name).is_linear else 4)
    some, learning = thawed(name, "last block")
    assert some > 0
    assert not any(isinstance(layer, keras().layers.BatchNormalization) for layer in learning)
    # The very last convolution is among them: nothing after it stays fixed.
    convolutions = [layer for layer in backbone_of(model).layers if "Conv" in type(layer).__name__]
    assert convolutions[-1] in learning
    assert convolutions[0] not in learning
    every, _ = thawed(name, "all")
    assert some < every <= backbone_size(model)


@pytest.mark.parametrize("name", PRETRAINED)
def test_so_many_last_layers_that_have_weights_and_are_no_batch_normalisation(name: str) -> None:
    weighted = [
        layer for layer in backbone_of(built(name)).layers if "conv" in type(layer).__name__.lower()
    ]
    for number in (1, 3, len(weighted)):
        count, learning = thawed(name, number)
        assert learning == weighted[-number:]
        assert count == sum(weight.size for layer in learning for weight in layer.get_weights())
    with pytest.raises(UsageError, match=f"{name} has {len(weighted)} layers"):
        thaw(built(name), network_named(name), len(weighted) + 1)


@pytest.mark.parametrize(
    ("name", "kinds", "count"),
    [
        ("resnet50", [], 0),  # an addition and an activation
        ("vgg16", ["Conv2D"], 3 * 3 * 512 * 512 + 512),
        ("efficientnetb0", ["BatchNormalization"], 2 * 1280),
        ("mobilenetv2", ["BatchNormalization"], 2 * 1280),
    ],
)
def test_the_last_two_layers_of_keras_are_taken_literally(
    name: str, kinds: list[str], count: int
) -> None:
    found, learning = thawed(name, "paper")
    assert [type(layer).__name__ for layer in learning] == kinds
    assert found == count


def test_a_phase_changes_what_it_says_and_nothing_else() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    model = build("mobilenetv2", 2)
    network = network_named("mobilenetv2")
    allowed: dict[Unfrozen, tuple[str, ...]] = {
        "none": (),
        "last block": network.last_block,
        1: ("Conv_1",),
    }
    for unfrozen, names in allowed.items():
        thaw(model, network, unfrozen)
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", jit_compile=False)
        before = {weight.path: weight.numpy() for weight in model.weights}
        model.train_on_batch(pixels, np.array([0, 1]))
        changed = {w.path for w in model.weights if not np.array_equal(before[w.path], w.numpy())}
        assert changed
        heads = ("hidden", "classes", *names)
        assert all(path.split("/")[-2].startswith(heads) for path in changed)
