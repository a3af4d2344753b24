"""The crop rule against a plain reference that looks at every pixel on its own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pycyto.images.crop import Pixels, Square, cut, square_around
from pycyto.records import Bounds

COORDINATES = st.floats(-700, 1400, allow_nan=False)
# Multiples of 1/64 are exact, so that differences of them are too.
EXACT = st.integers(-(10**9), 10**9).map(lambda n: n / 64)
DOWNSAMPLES = st.floats(0.05, 4)
SCENE: Pixels = np.random.default_rng(1).integers(1, 256, (310, 350, 3), np.uint8)


class Scene:
    """An image in memory that insists on boxes inside."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]
        self.reads = 0

    def read(self, left: int, top: int, width: int, height: int) -> Pixels:
        assert width > 0
        assert height > 0
        assert 0 <= left <= left + width <= self.width
        assert 0 <= top <= top + height <= self.height
        self.reads += 1
        return self.pixels[top : top + height, left : left + width]


def reference(pixels: Pixels, square: Square) -> Pixels:
    """Every pixel of the square on its own: from the image, or black."""
    columns = square.left + np.arange(square.width)
    rows = square.top + np.arange(square.width)
    inside = np.outer(
        np.isin(rows, range(pixels.shape[0])), np.isin(columns, range(pixels.shape[1]))
    )
    found = pixels[rows.clip(0, pixels.shape[0] - 1)][:, columns.clip(0, pixels.shape[1] - 1)]
    return np.where(inside[..., None], found, np.uint8(0))


@given(COORDINATES, COORDINATES, st.integers(1, 350), st.integers(1, 310))
def test_every_pixel_is_where_it_belongs(x: float, y: float, width: int, height: int) -> None:
    pixels = SCENE[:height, :width]
    square = square_around(x, y)
    patch = cut(Scene(pixels), square)
    assert patch.shape == (224, 224, 3)
    assert patch.dtype == np.uint8
    np.testing.assert_array_equal(patch, reference(pixels, square))


@settings(max_examples=50)
@given(COORDINATES, COORDINATES, DOWNSAMPLES)
@example(175.0, 155.0, 0.5)
@example(175.0, 155.0, 2.0)
@example(0.0, 309.9, 225 / 224)
def test_other_scales_resize_the_same_square(x: float, y: float, downsample: float) -> None:
    square = square_around(x, y, downsample)
    patch = cut(Scene(SCENE), square)
    assert patch.shape == (224, 224, 3)
    filter_ = Image.Resampling.BOX if square.width > 224 else Image.Resampling.BICUBIC
    canvas = Image.fromarray(reference(SCENE, square))
    expected = canvas if square.width == 224 else canvas.resize((224, 224), filter_)
    np.testing.assert_array_equal(patch, np.asarray(expected))


@given(EXACT, EXACT, DOWNSAMPLES)
def test_the_square_is_centred_to_half_a_pixel(x: float, y: float, downsample: float) -> None:
    square = square_around(x, y, downsample)
    assert -0.5 < square.left + square.width / 2 - x <= 0.5
    assert -0.5 < square.top + square.width / 2 - y <= 0.5
    assert abs(square.width - 224 * downsample) <= 0.5
    assert square.downsample == square.width / 224


@given(EXACT, EXACT, st.integers(-1000, 1000), DOWNSAMPLES)
def test_a_cell_that_moves_by_whole_pixels_takes_its_square_along(
    x: float, y: float, step: int, downsample: float
) -> None:
    square, moved = square_around(x, y, downsample), square_around(x + step, y - step, downsample)
    assert (moved.left, moved.top) == (square.left + step, square.top - step)


@pytest.mark.parametrize(
    ("x", "downsample", "left", "width"),
    [
        (112.0, 1.0, 0, 224),
        (112.49, 1.0, 0, 224),
        (112.5, 1.0, 1, 224),
        (111.5, 1.0, 0, 224),
        (111.49, 1.0, -1, 224),
        (0.0, 1.0, -112, 224),
        (-0.5, 1.0, -112, 224),
        (112.5, 225 / 224, 0, 225),
        (112.0, 225 / 224, 0, 225),
        (100.0, 0.5, 44, 112),
        (100.0, 224.5 / 224, -12, 225),
        (100.0, 224.49 / 224, -12, 224),
    ],
)
def test_half_pixels_go_up(x: float, downsample: float, left: int, width: int) -> None:
    assert square_around(x, x, downsample) == Square(left, left, width)


@pytest.mark.parametrize("wanted", [0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("mpp", [0.1, 0.12, 0.2201, 0.25, 0.499, 0.5027, 1.0])
def test_the_size_is_exact_at_every_ratio(mpp: float, wanted: float) -> None:
    square = square_around(100.25, 50.75, wanted / mpp)
    assert square.width == math.floor(224 * wanted / mpp + 0.5)
    assert cut(Scene(SCENE), square).shape == (224, 224, 3)


def test_halving_takes_the_mean_of_each_four() -> None:
    blocks = np.arange(224 * 224 * 3, dtype=np.int64).reshape(224, 224, 3) % 240 + 4
    fine = np.repeat(np.repeat(blocks, 2, 0), 2, 1)
    fine[::2, ::2] -= 4
    fine[1::2, 1::2] += 4
    patch = cut(Scene(fine.astype(np.uint8)), Square(0, 0, 448))
    np.testing.assert_array_equal(patch, blocks)


@pytest.mark.parametrize("left", [-224, -1000, 350, 1000])
def test_outside_is_black_and_nothing_is_read(left: int) -> None:
    scene = Scene(SCENE)
    for square in (Square(left, 0, 224), Square(0, left, 224)):
        assert not cut(scene, square).any()
    assert scene.reads == 0


@given(st.integers(-500, 500), st.integers(-500, 500), st.integers(1, 500))
@example(-224, 0, 224)
@example(0, -224, 224)
@example(-223, -223, 224)
@example(350, 0, 5)
@example(0, 310, 5)
@example(349, 309, 5)
def test_touching_is_having_a_pixel_in_common(left: int, top: int, width: int) -> None:
    square = Square(left, top, width)
    assert square.touches(350, 310) == bool(reference(SCENE, square).any())


@given(*[st.integers(-3, 13)] * 2, *[st.integers(0, 13)] * 2)
def test_holding_an_outline_is_holding_its_corners(
    left: int, top: int, width: int, height: int
) -> None:
    corners = [left, left + width, top, top + height]
    assert Square(0, 0, 10).holds(Bounds(left, top, width, height)) == all(
        0 <= corner <= 10 for corner in corners
    )
