"""What a head is given of several maps: all of the patch and its middle, at two scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycyto.learning.backend import keras
from pycyto.learning.features import extractor_of, head_of
from pycyto.learning.networks import NETWORKS, SCALED, backbone_of, build, last_map_of
from pycyto.learning.pooling import enlarged_middle, middle_weights, pooled
from pycyto.learning.thawing import thaw


@pytest.fixture(scope="module")
def multi() -> Any:
    return build("mobilenetv2-multi", 3)


def patches(n: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (n, 224, 224, 3), dtype=np.uint8)


def test_the_middle_is_seen_at_twice_its_size() -> None:
    pixels = np.zeros((1, 224, 224, 3), np.float32)
    pixels[0, 56:168, 56:168] = 7
    start = keras().Input((224, 224, 3))
    found = keras().Model(start, enlarged_middle(start)).predict_on_batch(pixels)
    assert found.shape == (1, 224, 224, 3)
    np.testing.assert_array_equal(found, 7)


@pytest.mark.parametrize("side", [7, 14, 28])
def test_weights_are_highest_in_the_middle_and_know_no_direction(side: int) -> None:
    weights = middle_weights(side)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-5)
    np.testing.assert_array_equal(weights, np.rot90(weights))
    assert weights.max() == weights[side // 2, side // 2] > 20 * weights[0, side // 2]


def test_a_cell_beside_the_middle_changes_one_mean_more_than_the_other() -> None:
    start = keras().Input((14, 14, 2))
    model = keras().Model(start, pooled([start], "pool"))
    maps = np.zeros((3, 14, 14, 2), np.float32)
    maps[..., 0] = 1
    maps[1, :3, :3, 1] = 9  # a neighbour
    maps[2, 6:8, 6:8, 1] = 9
    nothing, neighbour, cell = model.predict_on_batch(maps)
    assert nothing.shape == (4,)
    whole, middle = [0, 1], [2, 3]
    np.testing.assert_allclose(nothing, [1, 0, 1, 0], atol=1e-5)
    np.testing.assert_allclose(neighbour[whole], [1, 9 * 9 / 196], rtol=1e-5)
    np.testing.assert_allclose(neighbour[middle], [1, 0], atol=1e-3)
    assert cell[3] > 1 > cell[1]


def test_the_head_scales_features_while_it_learns_alone(multi: Any) -> None:
    scaled = multi.get_layer(SCALED)
    network = NETWORKS["mobilenetv2-multi"]
    thaw(multi, network, "last block")
    assert not scaled.trainable
    thaw(multi, network, "none")
    assert scaled.trainable
    assert not scaled.trainable_weights
    loud = np.random.default_rng(0).normal(5, 3, (64, scaled.input.shape[1])).astype(np.float32)
    levelled = scaled(loud, training=True).numpy()
    np.testing.assert_allclose(levelled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(levelled.std(axis=0), 1, atol=1e-2)


def test_head_and_extractor_are_the_whole(multi: Any) -> None:
    pixels = patches(2)
    features = extractor_of(multi).predict_on_batch(pixels)
    assert features.shape == (2, 2 * 2 * (192 + 576 + 1280))
    np.testing.assert_allclose(
        head_of(multi).predict_on_batch(features), multi.predict_on_batch(pixels), atol=1e-5
    )


def test_it_sees_with_the_very_weights_of_the_plain_network(multi: Any) -> None:
    plain = backbone_of(build("mobilenetv2", 3))
    ours, theirs = backbone_of(multi).get_weights(), plain.get_weights()
    assert sum(map(np.size, ours)) == sum(map(np.size, theirs))
    network = NETWORKS["mobilenetv2-multi"]
    assert thaw(multi, network, "none") == 0
    assert thaw(multi, network, "last block") == 879_040


def test_a_heat_map_is_drawn_from_the_last_map_of_the_whole_patch(multi: Any) -> None:
    assert last_map_of(multi).shape == (None, 7, 7, 1280)
    pixels = patches(1)
    last = keras().Model(multi.input, last_map_of(multi)).predict_on_batch(pixels)
    outside = pixels.copy()
    outside[:, :40, :40] = 0  # not in the middle half
    again = keras().Model(multi.input, last_map_of(multi)).predict_on_batch(outside)
    assert not np.array_equal(last, again)
