"""Patches come checked, in the order and as the views that were drawn, and few at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto.errors import BadInputError
from pycyto.images import patches as reading
from pycyto.learning import batches
from pycyto.learning.augmentation import STANDARD, Views
from pycyto.learning.batches import PatchSet, drawn, in_order
from pycyto.learning.sampling import Draws

VIEWS = Views(STANDARD, 7)
DRAWS = Draws(np.array([3, 9, 3, 0, 5, 1, 2]), np.array([0, 0, 1, 2, 0, 1, 0]))


def test_in_order_gives_the_files_as_they_are(patches: PatchSet) -> None:
    found = list(in_order(patches, 4))
    assert [len(batch.targets) for batch in found] == [4, 4, 2]
    pixels = np.concatenate([batch.inputs for batch in found])
    expected = [np.asarray(Image.open(patches.folder / row.file)) for row in patches.rows]
    np.testing.assert_array_equal(pixels, expected)
    targets = np.concatenate([batch.targets for batch in found])
    assert [patches.labels[target] for target in targets] == [row.label for row in patches.rows]


@pytest.mark.parametrize("processors", [1, 8])
def test_drawn_gives_the_views_that_were_drawn_whatever_the_number_of_threads(
    patches: PatchSet, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    found = list(drawn(patches, DRAWS, VIEWS, 3))
    assert [len(batch.targets) for batch in found] == [3, 3, 1]
    targets = np.concatenate([batch.targets for batch in found])
    np.testing.assert_array_equal(targets, patches.targets[DRAWS.indices])
    pixels = np.concatenate([batch.inputs for batch in found])
    for index, number, view in zip(*DRAWS, pixels, strict=True):
        row = patches.rows[index]
        expected = VIEWS.of(reading.read_patch(patches.folder, row), row.content_hash, number)
        np.testing.assert_array_equal(view, expected)


def test_few_patches_are_read_ahead(patches: PatchSet, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(os, "cpu_count", lambda: 1)

    def counting(folder: Path, row: object) -> object:
        read.append("one")
        return reading.read_patch(folder, row)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "read_patch", counting)
    stream = in_order(patches, 2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(read) <= 4


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def grey(path: Path) -> None:
    Image.open(path).convert("L").save(path)


def smaller(path: Path) -> None:
    Image.open(path).resize((200, 224)).save(path)


def one_pixel(path: Path) -> None:
    pixels = np.array(Image.open(path))
    pixels[100, 100, 0] ^= 1
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("spoil", [truncate, grey, smaller, one_pixel, Path.unlink])
def test_a_spoilt_patch_is_named(
    spoil: Callable[[Path], object], patches: PatchSet, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(patches.folder, tmp_path / "data"))
    spoilt = folder / patches.rows[5].file
    spoil(spoilt)
    for stream in (
        in_order(replace(patches, folder=folder), 4),
        drawn(replace(patches, folder=folder), DRAWS, VIEWS, 4),
    ):
        with pytest.raises(BadInputError, match="patch") as raised:
            list(stream)
        assert raised.value.where == str(spoilt)
        assert raised.value.remedy
