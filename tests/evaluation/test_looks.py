from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycyto.evaluation.looks import crop_sizes, looks, outline_sizes, padded_share
from pycyto.images.crop import Square, cut
from pycyto.manifest import Row


class Grey:
    """An image that is grey all over, with a black cell of its own."""

    width, height = 300, 260

    def read(self, left: int, top: int, width: int, height: int) -> np.ndarray:
        pixels = np.full((self.height, self.width, 3), 120, np.uint8)
        pixels[100:140, 100:140] = 0
        return pixels[top : top + height, left : left + width]


def row(**values: Any) -> Row:
    return Row(
        project_id="p", entry_id="1", object_id="o", image_key="k", project_name="",
        image_name="", centroid_x=0.0, centroid_y=0.0, left=0, top=0, width=448, label="NILM",
        original_label="NILM", content_hash="", file="", point_index=None, downsample=2.0, **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "top", "share"),
    [
        (10, 10, 0),  # inside: the black cell is no margin
        (-56, 10, 56 / 224),
        (10, -112, 1 / 2),
        (300 - 56, 260 - 56, 1 - (1 / 4) ** 2),  # the corner
        (-100, -50, 1 - 124 * 174 / 224**2),
    ],
)
def test_the_padded_share_is_what_lies_outside_the_image(left: int, top: int, share: float) -> None:
    assert padded_share(cut(Grey(), Square(left, top, 224))) == pytest.approx(share)


def test_a_black_patch_is_all_margin() -> None:
    assert padded_share(np.zeros((224, 224, 3), np.uint8)) == 1


def test_patches_are_measured() -> None:
    patch = np.zeros((224, 224, 3), np.uint8)
    patch[:112] = 100, 50, 10
    found = looks([patch])
    assert found.colours.tolist() == [[50, 25, 5]]
    assert found.padding.tolist() == [[0.5]]
    small = found.thumbnails.reshape(16, 16, 3)
    assert (small[:8] == (100, 50, 10)).all()
    assert (small[8:] == 0).all()
    assert [own.shape for own in (looks([]).colours, looks([]).padding, looks([]).thumbnails)] == [
        (0, 3), (0, 1), (0, 768),
    ]  # fmt: skip


def test_sizes_are_in_patch_pixels_or_unknown() -> None:
    drawn = row(outline_width=20.0, outline_height=10.0, outline_area=160.0)
    sizes = outline_sizes([drawn, row()])
    assert sizes[0].tolist() == [10, 5, 40]
    assert np.isnan(sizes[1]).all()
    crops = crop_sizes([row(original_width=80, original_height=70), row()])
    assert crops[0].tolist() == [80, 70]
    assert np.isnan(crops[1]).all()
