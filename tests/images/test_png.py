"""Whatever is written as PNG, every reader finds the same pixels in it."""

from __future__ import annotations

import io

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from pycyto.images.crop import Pixels
from pycyto.images.png import END, png

SIDES = st.integers(1, 20)
PIXELS = st.tuples(SIDES, SIDES, st.just(3)).flatmap(lambda shape: npst.arrays(np.uint8, shape))


@given(PIXELS)
def test_two_readers_find_the_same_pixels(pixels: Pixels) -> None:
    content = png(pixels)
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), pixels)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    np.testing.assert_array_equal(decoded[..., ::-1], pixels)
    assert content.endswith(END)


def test_a_view_into_a_larger_image_is_written_as_it_looks() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (300, 300, 4), np.uint8)
    view = scene[10:234, 20:244, :3]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(view)))), view)


def test_files_of_photographed_cells_are_not_much_larger_than_pillows() -> None:
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:224, :224]
    smooth = 120 + 80 * np.sin(x / 30) * np.cos(y / 40)
    noisy = smooth[..., None] + generator.normal(0, 4, (224, 224, 3))
    pixels = noisy.clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert len(png(pixels)) < 1.1 * len(buffer.getvalue())
