"""Features are computed once, found again as long as nothing changes them, and never wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pycyto import files
from pycyto.errors import StaleError
from pycyto.learning import feature_cache
from pycyto.learning.augmentation import AS_IT_IS, STANDARD, Look, Views
from pycyto.learning.batches import PatchSet
from pycyto.learning.feature_cache import FeatureCache, batches_of
from pycyto.learning.sampling import Draws

VIEWS = Views(STANDARD, 0)
LOOKS = [AS_IT_IS, VIEWS.look(0), VIEWS.look(3)]


@dataclass
class Means:
    """In the place of a network: its features are the mean of each channel."""

    seen: list[int] = field(default_factory=list)
    breaks_at: int | None = None

    def predict_on_batch(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if len(self.seen) == self.breaks_at:
            raise KeyboardInterrupt
        self.seen.append(len(pixels))
        means: npt.NDArray[np.float32] = pixels.mean(axis=(1, 2)).astype(np.float32)
        return means


def table(cache: FeatureCache, patches: PatchSet, look: Look = LOOKS[1]) -> npt.NDArray[np.float32]:
    """Return the features of one look at all patches."""
    (found,) = cache.tables([(patches, look)], lambda _: None)
    return np.stack(found)


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "features", Means, "network")


def again(cache: FeatureCache, **changes: Any) -> FeatureCache:
    """Return the cache as a later process sees it."""
    fresh: dict[str, Any] = {"extractor": Means, "found": 0, "computed": 0, "_used": set()}
    return replace(cache, **fresh | changes)


def some(patches: PatchSet, places: Sequence[int]) -> PatchSet:
    return replace(patches, rows=[patches.rows[place] for place in places])


def expected(patches: PatchSet, look: Look) -> npt.NDArray[np.float32]:
    from pycyto.images.patches import read_patch

    shown = [look.of(read_patch(patches.folder, row), row.content_hash) for row in patches.rows]
    return np.stack([pixels.mean(axis=(0, 1)) for pixels in shown]).astype(np.float32)


@pytest.mark.parametrize("look", LOOKS)
def test_they_are_those_of_the_views_and_are_found_again(
    look: Look, cache: FeatureCache, patches: PatchSet
) -> None:
    for run in (cache, again(cache)):
        np.testing.assert_allclose(table(run, patches, look), expected(patches, look), rtol=1e-6)
        assert (run.computed, run.found) == ((10, 0) if run is cache else (0, 10))


def test_any_selection_in_any_order_finds_them(cache: FeatureCache, patches: PatchSet) -> None:
    whole = table(cache, patches)
    places = [7, 2, 3]
    run = again(cache)
    np.testing.assert_array_equal(table(run, some(patches, places)), whole[places])
    assert (run.computed, run.found) == (0, 3)


def test_a_larger_selection_computes_what_is_new(cache: FeatureCache, patches: PatchSet) -> None:
    table(cache, some(patches, [5, 1]))
    run = again(cache)
    np.testing.assert_allclose(table(run, patches), expected(patches, LOOKS[1]), rtol=1e-6)
    assert (run.computed, run.found) == (8, 2)


def test_no_network_is_made_where_everything_is_kept(
    cache: FeatureCache, patches: PatchSet
) -> None:
    table(cache, patches)
    table(again(cache, extractor=lambda: pytest.fail("nothing is to be computed")), patches)


def test_the_network_sees_full_batches_only(
    cache: FeatureCache, patches: PatchSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_BATCH_SIZE", 4)
    network = Means()
    cache.extractor = lambda: network
    cache.tables([(patches, look) for look in LOOKS], lambda _: None)
    # 30 looks: seven batches and one that is filled up.
    assert network.seen == [4] * 8
    assert cache.computed == 30


def test_the_same_patch_twice_is_computed_once(cache: FeatureCache, patches: PatchSet) -> None:
    found = table(cache, some(patches, [1, 1, 2]))
    assert cache.computed == 2
    np.testing.assert_array_equal(found[0], found[1])


def test_another_network_view_or_patch_has_its_own(
    cache: FeatureCache, patches: PatchSet, tmp_path: Path
) -> None:
    table(cache, patches)
    turned = replace(STANDARD, rotation=90.0)
    for look in (AS_IT_IS, VIEWS.look(1), Views(STANDARD, 1).look(0), Views(turned, 0).look(0)):
        run = again(cache)
        table(run, patches, look)
        assert run.found == 0
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


def cut_to(size: int) -> Callable[[Path], None]:
    def shorten(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:size])

    return shorten


def flip_a_bit(place: int) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[place] ^= 4
        path.write_bytes(content)

    return flip


def fill_with_zeros(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:340] + bytes(len(content) - 340))


def put_something_else(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


@pytest.mark.parametrize(
    "spoil",
    [
        empty,
        cut,
        cut_to(3),
        cut_to(100),
        flip_a_bit(0),
        flip_a_bit(50),
        flip_a_bit(-20),
        flip_a_bit(-2),
        fill_with_zeros,
        put_something_else,
    ],
)
def test_a_broken_pack_is_computed_again(
    spoil: Callable[[Path], None], cache: FeatureCache, patches: PatchSet
) -> None:
    before = table(cache, patches)
    (path,) = cache.folder.glob("*.features")
    spoil(path)
    for computed in (10, 0):
        run = again(cache)
        np.testing.assert_array_equal(table(run, patches), before)
        assert run.computed == computed


def test_a_kill_in_the_middle_keeps_what_was_done(
    cache: FeatureCache, patches: PatchSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_BATCH_SIZE", 2)
    monkeypatch.setattr(feature_cache, "_MOST_IN_PACK", 4)
    with pytest.raises(KeyboardInterrupt):
        table(again(cache, extractor=lambda: Means(breaks_at=3)), patches)
    run = again(cache)
    np.testing.assert_allclose(table(run, patches), expected(patches, LOOKS[1]), rtol=1e-6)
    assert (run.computed, run.found) == (6, 4)


def test_two_trainings_at_once_keep_both_and_find_either(
    cache: FeatureCache, patches: PatchSet
) -> None:
    one, other = again(cache), again(cache)
    other._find = lambda wanted: {}  # type: ignore[method-assign]  # it looked before one wrote
    first = table(one, patches)
    np.testing.assert_array_equal(table(other, patches), first)
    kept = sorted(cache.folder.iterdir())
    assert len(kept) == 2
    flip_a_bit(-20)(kept[0])
    run = again(cache)
    np.testing.assert_array_equal(table(run, patches), first)
    assert run.computed == 0


def test_what_another_training_deletes_is_still_there_for_this_one(
    cache: FeatureCache, patches: PatchSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "_FEW_IN_PACK", 0)
    (found,) = cache.tables([(patches, LOOKS[1])], lambda _: None)
    again(cache).trim(0)
    if os.name != "nt":  # where what is open cannot be deleted
        assert not list(cache.folder.iterdir())
    np.testing.assert_allclose(np.stack(found), expected(patches, LOOKS[1]), rtol=1e-6)


def test_a_file_names_nothing_and_a_broken_patch_leaves_none(
    cache: FeatureCache, patches: PatchSet, tmp_path: Path
) -> None:
    table(cache, patches)
    (path,) = cache.folder.iterdir()
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
        before = set(cache.folder.glob("*"))
        table(cache, patches, VIEWS.look(number))
        (made,) = set(cache.folder.iterdir()) - before
        os.utime(made, (number, number))
    by_age = sorted(cache.folder.iterdir(), key=lambda path: path.stat().st_mtime)
    files.write_bytes(cache.folder / ".x.features.999999999.part", b"of a killed run")
    run = again(cache)
    table(run, some(patches, [3]), VIEWS.look(0))
    run.trim(3 * by_age[0].stat().st_size)
    assert set(cache.folder.iterdir()) == {by_age[0], by_age[2], by_age[3]}
    run.trim(0)
    assert set(cache.folder.iterdir()) == {by_age[0]}


def test_batches_take_each_row_from_the_table_of_its_view() -> None:
    tables = [
        [10 * view + np.full(2, place, np.float32) for place in range(5)] for view in range(2)
    ]
    targets = np.array([0, 1, 0, 1, 0], np.int32)
    draws = Draws(np.array([4, 0, 3, 3]), np.array([0, 1, 1, 0]))
    first, second = batches_of(tables, targets, draws, 3)
    assert first.inputs.tolist() == [[4, 4], [10, 10], [13, 13]]
    assert first.targets.tolist() == [0, 0, 1]
    assert second.inputs.tolist() == [[3, 3]]
