"""Features are computed once, found again as long as nothing changes them, and never wrong."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto import files
from pycyto.errors import StaleError
from pycyto.learning.augmentation import STANDARD, Views
from pycyto.learning.batches import PatchSet
from pycyto.learning.feature_cache import FeatureCache, FeatureTable, _blocks, batches_of
from pycyto.learning.sampling import Draws

VIEWS = Views(STANDARD, 0)


@dataclass
class Means:
    """In the place of a network: its features are the mean of each channel."""

    seen: list[int] = field(default_factory=list)

    def predict_on_batch(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.seen.append(len(pixels))
        means: npt.NDArray[np.float32] = pixels.mean(axis=(1, 2)).astype(np.float32)
        return means


def table(cache: FeatureCache, patches: PatchSet, number: int | None = 0) -> FeatureTable:
    """Return the features of one view, or of the patches."""
    views = None if number is None else VIEWS
    return cache.table(patches, views, number or 0, lambda _: None)


def all_of(features: FeatureTable, n: int) -> npt.NDArray[np.float32]:
    return features.take(np.arange(n))


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features", Means(), "network")


def again(cache: FeatureCache, **changes: Any) -> FeatureCache:
    """Return the cache as a later process sees it."""
    return FeatureCache(
        changes.get("folder", cache.folder), Means(), changes.get("identity", cache.identity)
    )


def expected(patches: PatchSet, number: int | None) -> npt.NDArray[np.float32]:
    from pycyto.images.patches import read_patch

    shown = [(read_patch(patches.folder, row), row.content_hash) for row in patches.rows]
    if number is not None:
        shown = [(VIEWS.of(pixels, digest, number), digest) for pixels, digest in shown]
    return np.stack([pixels.mean(axis=(0, 1)) for pixels, _ in shown]).astype(np.float32)


@pytest.mark.parametrize("number", [None, 0, 3])
def test_they_are_those_of_the_views_and_are_found_again(
    number: int | None, cache: FeatureCache, patches: PatchSet
) -> None:
    for run in (cache, again(cache)):
        found = all_of(table(run, patches, number), len(patches))
        np.testing.assert_allclose(found, expected(patches, number), rtol=1e-6)
        assert (run.computed, run.found) == ((10, 0) if run is cache else (0, 10))
    assert sum(cache.extractor.seen) == 10


def test_another_network_view_or_patch_has_its_own(
    cache: FeatureCache, patches: PatchSet, tmp_path: Path
) -> None:
    table(cache, patches)
    for other in (
        lambda run: table(run, patches, 1),
        lambda run: table(run, patches, None),
        lambda run: run.table(patches, Views(STANDARD, 1), 0, lambda _: None),
        lambda run: run.table(
            patches, Views(replace(STANDARD, rotation=90.0), 0), 0, lambda _: None
        ),
        lambda run: table(run, replace(patches, rows=[patches.rows[1], *patches.rows[1:]])),
    ):
        run = again(cache)
        other(run)
        assert run.computed > 0
    run = again(cache, identity="another network")
    table(run, patches)
    assert run.found == 0


def test_a_corrected_label_leaves_them(cache: FeatureCache, patches: PatchSet) -> None:
    table(cache, patches)
    rows = [replace(row, label="HSIL", original_label="HSIL") for row in patches.rows]
    run = again(cache)
    table(run, replace(patches, rows=rows))
    assert run.computed == 0


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


def fill_with_zeros(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes(len(content) - 200))


def put_a_pickle(path: Path) -> None:
    np.save(path, np.array([{}], object), allow_pickle=True)


def put_another_table(path: Path) -> None:
    np.save(path, np.zeros((3, 3)))


@pytest.mark.parametrize(
    "spoil", [empty, cut, flip_a_bit, fill_with_zeros, put_a_pickle, put_another_table]
)
def test_a_broken_file_is_computed_again(
    spoil: Callable[[Path], None], cache: FeatureCache, patches: PatchSet
) -> None:
    before = all_of(table(cache, patches), len(patches))
    (path,) = cache.folder.glob("*.npy")
    spoil(path)
    for computed in (10, 0):
        run = again(cache)
        np.testing.assert_array_equal(all_of(table(run, patches), len(patches)), before)
        assert run.computed == computed


def test_a_file_names_nothing_and_a_broken_patch_leaves_none(
    cache: FeatureCache, patches: PatchSet, tmp_path: Path
) -> None:
    table(cache, patches)
    (path,) = cache.folder.iterdir()
    assert len(path.stem) == 64
    int(path.stem, 16)
    wrong = [replace(row, content_hash="0" * 64) for row in patches.rows]
    run = again(cache, folder=tmp_path / "other")
    with pytest.raises(StaleError):
        table(run, replace(patches, rows=wrong))
    assert not run.folder.exists() or not list(run.folder.iterdir())


def test_the_longest_unused_go_first_and_those_in_use_stay(
    cache: FeatureCache, patches: PatchSet
) -> None:
    for number in range(4):
        table(cache, patches, number)
    run = again(cache)
    old = {path: number for number, path in enumerate(cache.folder.glob("*.npy"))}
    for path, number in old.items():
        os.utime(path, (number, number))
    oldest = min(old, key=lambda path: old[path])
    files.write_bytes(cache.folder / ".x.npy.999999999.part", b"of a killed run")
    size = oldest.stat().st_size
    used = next(n for n in range(4) if run._path(patches, range(10), VIEWS, n) == oldest)
    table(run, patches, used)
    run.trim(3 * size)
    left = set(cache.folder.iterdir())
    assert left == {path for path, number in old.items() if number != 1}
    run.trim(0)
    assert set(cache.folder.iterdir()) == {oldest}


HASHES = st.lists(
    st.integers(0, 10**9).map(lambda n: hashlib.sha256(str(n).encode()).hexdigest()),
    max_size=2000,
)


@given(HASHES)
def test_blocks_have_every_patch_once_and_are_not_long(hashes: list[str]) -> None:
    blocks = list(_blocks(hashes))
    assert [index for block in blocks for index in block] == list(range(len(hashes)))
    assert all(0 < len(block) <= 256 for block in blocks)


def test_few_blocks_change_when_patches_come_and_go() -> None:
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(5000)]

    def contents(of: list[str]) -> set[str]:
        return {"".join(of[i] for i in block) for block in _blocks(of)}

    before = contents(hashes)
    for after in (hashes[:1000] + hashes[1100:], [*hashes[:30], "0" * 63 + "1", *hashes[30:]]):
        assert len(before - contents(after)) <= 5
    assert 5000 / 100 < len(before) < 5000 / 40


def test_batches_take_each_row_from_the_table_of_its_view() -> None:
    blocks = [np.zeros(3, [("features", "<f4", (2,))]), np.zeros(2, [("features", "<f4", (2,))])]
    tables = []
    for view in range(2):
        made = [block.copy() for block in blocks]
        made[0]["features"] = 10 * view + np.array([[0, 0], [1, 1], [2, 2]])
        made[1]["features"] = 10 * view + np.array([[3, 3], [4, 4]])
        tables.append(FeatureTable(made))
    targets = np.array([0, 1, 0, 1, 0], np.int32)
    draws = Draws(np.array([4, 0, 3, 3]), np.array([0, 1, 1, 0]))
    first, second = batches_of(tables, targets, draws, 3)
    assert first.inputs.tolist() == [[4, 4], [10, 10], [13, 13]]
    assert first.targets.tolist() == [0, 0, 1]
    assert second.inputs.tolist() == [[3, 3]]
