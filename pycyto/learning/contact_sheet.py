"""A picture of what the network is shown: patches of each class, and views of them.

It shows cells, so it is no part of a bundle.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pycyto import files
from pycyto.learning.augmentation import Views
from pycyto.learning.batches import PatchSet

PATCHES_OF_A_CLASS = 3
VIEWS = 7

_SIDE, _GAP, _HEAD = 112, 4, 16
_PAPER, _INK = "white", "black"


def write_contact_sheet(path: Path, patches: PatchSet, views: Views) -> None:
    """Write a PNG with a line per patch: itself, then its views from number 0 on.

    The patches are some of each class, chosen by the seed of the views.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    NotWritableError
        When the file cannot be written.
    """
    chosen = _chosen(patches, views.seed)
    size = (_GAP + (1 + VIEWS) * (_SIDE + _GAP), len(chosen) * (_HEAD + _SIDE + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    for line, index in enumerate(chosen):
        _draw_line(sheet, _GAP + line * (_HEAD + _SIDE + _GAP), patches, index, views)
    stream = io.BytesIO()
    sheet.save(stream, "PNG")
    files.write_bytes(path, stream.getvalue())


def _chosen(patches: PatchSet, seed: int) -> list[int]:
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in np.unique(patches.targets):
        members = generator.permutation(np.flatnonzero(patches.targets == label))
        chosen.extend(map(int, members[:PATCHES_OF_A_CLASS]))
    return chosen


def _draw_line(sheet: Image.Image, top: int, patches: PatchSet, index: int, views: Views) -> None:
    row = patches.rows[index]
    pixels = patches.read(index)
    shown = [pixels, *(views.of(pixels, row.content_hash, number) for number in range(VIEWS))]
    names = [row.label, *(f"view {number}" for number in range(VIEWS))]
    draw = ImageDraw.Draw(sheet)
    for place, (name, view) in enumerate(zip(names, shown, strict=True)):
        left = _GAP + place * (_SIDE + _GAP)
        draw.text((left, top), name, _INK)
        small = Image.fromarray(view).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        sheet.paste(small, (left, top + _HEAD))
