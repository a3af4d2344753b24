"""Reinhard's normalisation: what counts, what pools, what stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pycyto.errors import BadInputError
from pycyto.images import stain
from pycyto.images.crop import Pixels


def patch(seed: int, low: int = 60, high: int = 200) -> Pixels:
    """Return noise without padding or background."""
    return np.random.default_rng(seed).integers(low, high, (64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_is_cielab(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(stain.lab_of(np.array([[rgb]], np.uint8))[0, 0], lab, atol=0.05)


@given(st.permutations(range(4)))
def test_sums_pool_exactly(order: list[int]) -> None:
    parts = [stain.sums_of(patch(seed)) for seed in order]
    whole = stain.sums_of(np.concatenate([patch(seed) for seed in range(4)]))
    assert sum(parts, stain.Sums()) == whole


def test_statistics_are_those_of_lab() -> None:
    pixels = patch(1)
    found, lab = stain.sums_of(pixels).statistics, stain.lab_of(pixels).reshape(-1, 3)
    np.testing.assert_allclose(found.mean, lab.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.deviation, lab.std(axis=0), atol=0.01)


def test_padding_and_background_do_not_count() -> None:
    pixels = patch(2)
    framed = np.concatenate([pixels, np.zeros_like(pixels), np.full_like(pixels, 235)])
    found, alone = stain.sums_of(framed), stain.sums_of(pixels)
    assert found.statistics == alone.statistics
    assert found.pixels == 2 * alone.pixels


def test_colours_become_those_of_the_target() -> None:
    pixels = patch(3, 90, 160)
    source = stain.sums_of(pixels).statistics
    target = stain.Statistics((55.0, 10.0, -8.0), (5.0, 4.0, 6.0), 10**6)
    changed = stain.normalise(pixels, source, target)
    assert changed is not None
    found = stain.sums_of(changed).statistics
    np.testing.assert_allclose(found.mean, target.mean, atol=0.3)
    np.testing.assert_allclose(found.deviation, target.deviation, atol=0.3)


def test_own_colours_change_nothing() -> None:
    pixels = patch(4, 1, 219)
    own = stain.sums_of(pixels).statistics
    changed = stain.normalise(pixels, own, own)
    assert changed is not None
    assert np.abs(changed.astype(int) - pixels).max() <= 1


def test_padding_stays_black() -> None:
    pixels = patch(5)
    pixels[:, :10] = 0
    target = stain.Statistics((80.0, 0.0, 0.0), (5.0, 5.0, 5.0), 10**6)
    changed = stain.normalise(pixels, stain.sums_of(pixels).statistics, target)
    assert changed is not None
    assert not changed[:, :10].any()
    assert changed[:, 10:].any(axis=-1).all()


def test_little_tissue_leaves_a_patch_as_it_is() -> None:
    plain, target = stain.sums_of(patch(6)).statistics, stain.sums_of(patch(7)).statistics
    pale = np.full((64, 64, 3), 235, np.uint8)
    assert stain.normalise(pale, plain, target) is None
    assert stain.normalise(patch(6), stain.sums_of(pale).statistics, target) is None


def test_one_colour_is_shifted() -> None:
    flat = np.full((64, 64, 3), 120, np.uint8)
    target = stain.Statistics((70.0, 5.0, 5.0), (5.0, 5.0, 5.0), 10**6)
    changed = stain.normalise(flat, stain.sums_of(flat).statistics, target)
    assert changed is not None
    np.testing.assert_allclose(stain.lab_of(changed[0, 0]), target.mean, atol=0.5)


def test_a_reference_is_read_whole_and_refused_without_tissue(tmp_path: Path) -> None:
    pixels = np.concatenate([patch(seed) for seed in range(20)])  # taller than a band
    Image.fromarray(pixels).save(tmp_path / "field.png")
    assert stain.reference_statistics(tmp_path / "field.png") == stain.sums_of(pixels).statistics
    Image.fromarray(np.full((64, 64, 3), 240, np.uint8)).save(tmp_path / "glass.png")
    with pytest.raises(BadInputError, match="0 pixels of tissue"):
        stain.reference_statistics(tmp_path / "glass.png")


@pytest.mark.parametrize("rgb", [(255, 255, 255), (128, 128, 128), (130, 60, 140), (3, 200, 90)])
def test_a_colour_goes_there_and_back(rgb: tuple[int, int, int]) -> None:
    lab = stain.lab_of(np.array([[rgb]], np.uint8))[0, 0].tolist()
    assert np.abs(np.subtract(stain.rgb_of((lab[0], lab[1], lab[2])), rgb)).max() <= 1
