"""A random view is still the cell: nothing invented at the border, nothing shifted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pycyto.images.crop import Pixels
from pycyto.learning.augmentation import _REACH, _rotated, augmented


def disc(radius: float) -> Pixels:
    y, x = np.mgrid[:224, :224] - 111.5
    return np.repeat(((x**2 + y**2 < radius**2) * np.uint8(255))[..., None], 3, axis=2)


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def test_the_generator_alone_decides(noise: Pixels) -> None:
    first, again, other = (augmented(noise, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (224, 224, 3)
    assert first.dtype == np.uint8


def test_no_rotation_and_no_zoom_change_nothing(noise: Pixels) -> None:
    np.testing.assert_array_equal(_rotated(noise, 0.0, 1.0), noise)


def test_a_quarter_turn_is_about_the_centre(noise: Pixels) -> None:
    turned = _rotated(noise, math.pi / 2, 1.0)
    wrong = [np.abs(turned.astype(int) - np.rot90(noise, times)).max() for times in (1, 3)]
    assert min(wrong) <= 1  # bilinear weights are a rounding error away from 0 and 1


@pytest.mark.parametrize("zoom", [0.9, 1.1])
def test_zoom_enlarges_a_disc_and_keeps_it_in_the_middle(zoom: float) -> None:
    zoomed = _rotated(disc(60), 0.2, zoom) > 127
    area = zoomed[..., 0].sum()
    assert area == pytest.approx(math.pi * 60**2 * zoom**2, rel=0.01)
    y, x = np.nonzero(zoomed[..., 0])
    assert (x.mean(), y.mean()) == pytest.approx((111.5, 111.5), abs=0.1)


def test_the_farthest_corner_lies_within_the_mirrored_border() -> None:
    angle = math.radians(15)
    assert 112 / 0.9 * (math.cos(angle) + math.sin(angle)) - 112 < _REACH - 1
    white = np.full((224, 224, 3), 255, np.uint8)
    assert (_rotated(white, angle, 0.9) == 255).all()


def test_light_changes_little_and_all_eight_directions_occur() -> None:
    grey = np.full((224, 224, 3), 128, np.uint8)
    levels = [int(augmented(grey, np.random.default_rng(seed)).mean()) for seed in range(50)]
    assert 115 <= min(levels) < 122
    assert 134 < max(levels) <= 141
    corner = np.zeros((224, 224, 3), np.uint8)
    corner[:60, :30] = 255
    views = [augmented(corner, np.random.default_rng(seed)) > 90 for seed in range(60)]
    masses = {
        tuple(np.round((np.argwhere(view[..., 0]).mean(axis=0) - 112) / 25)) for view in views
    }
    assert len(masses) >= 8
