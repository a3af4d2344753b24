"""The sheet shows the patches and the very views that the network sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.learning.augmentation import STANDARD, Views
from pycyto.learning.batches import PatchSet
from pycyto.learning.contact_sheet import VIEWS, write_contact_sheet

# The first cell of the sheet, and how far the next is to the right and below.
LEFT, TOP, SIDE, RIGHT, DOWN = 4, 20, 112, 116, 132


def halved(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))


def test_each_line_is_a_patch_and_its_views(patches: PatchSet, tmp_path: Path) -> None:
    views = Views(STANDARD, 5)
    write_contact_sheet(tmp_path / "sheet.png", patches, views)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[0] // DOWN == 6  # three of each class
    plain = {}
    for row in patches.rows:
        pixels = read_patch(patches.folder, row)
        plain[halved(pixels).tobytes()] = (row, pixels)
    found = []
    for line in range(6):
        cells = [
            sheet[TOP + line * DOWN :, LEFT + place * RIGHT :][:SIDE, :SIDE]
            for place in range(1 + VIEWS)
        ]
        row, pixels = plain[cells[0].tobytes()]
        found.append(row)
        for number, cell in enumerate(cells[1:]):
            view = views.of(pixels, row.content_hash, number)
            np.testing.assert_array_equal(cell, halved(view))
    assert [row.label for row in found] == ["NILM"] * 3 + ["HSIL"] * 3
    assert len({row.key for row in found}) == 6
