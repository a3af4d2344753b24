"""Every patch comes once, checked, in an order that the seed decides, and few at a time."""

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
from pycyto.learning.batches import PatchSet, in_order, shuffled


def test_in_order_gives_the_files_as_they_are(patches: PatchSet) -> None:
    found = list(in_order(patches, 4))
    assert [len(batch.targets) for batch in found] == [4, 4, 2]
    pixels = np.concatenate([batch.pixels for batch in found])
    expected = [np.asarray(Image.open(patches.folder / row.file)) for row in patches.rows]
    np.testing.assert_array_equal(pixels, expected)
    targets = np.concatenate([batch.targets for batch in found])
    assert [patches.labels[target] for target in targets] == [row.label for row in patches.rows]


def test_each_epoch_has_all_patches_in_another_order(
    patches: PatchSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "augmented", lambda pixels, generator: pixels)
    epochs = [
        np.concatenate(
            [b.pixels.mean(axis=(1, 2, 3)) for b in shuffled(patches, 3, seed=0, epoch=n)]
        )
        for n in (1, 2)
    ]
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(np.sort(epochs[0]), np.sort(epochs[1]))
    assert len(np.unique(epochs[0])) == len(patches)


@pytest.mark.parametrize("processors", [1, 8])
def test_the_seed_decides_whatever_the_number_of_threads(
    patches: PatchSet, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(shuffled(patches, 3, seed=7, epoch=1))
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    for one, other in zip(shuffled(patches, 3, seed=7, epoch=1), expected, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        np.testing.assert_array_equal(one.targets, other.targets)
    again = next(shuffled(patches, 3, seed=8, epoch=1))
    assert not np.array_equal(again.pixels, expected[0].pixels)


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


def test_class_weights_are_those_of_scikit_learn(patches: PatchSet) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=patches.targets)
    np.testing.assert_allclose(patches.class_weights, expected, rtol=1e-6)
    with_absent = replace(patches, labels=("NILM", "LSIL", "HSIL"))
    assert with_absent.class_weights[1] == 0


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
        shuffled(replace(patches, folder=folder), 4, seed=0, epoch=1),
    ):
        with pytest.raises(BadInputError, match="patch") as raised:
            list(stream)
        assert raised.value.where == str(spoilt)
        assert raised.value.remedy
