"""Copies of a picture are found however they were turned or stored; other pictures are not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from pycyto.datasets.near import HASH_BITS, LEAST_CORRELATION
from pycyto.images.crop import Pixels
from pycyto.images.likeness import (
    laid_over,
    near_hashes,
    orientations,
    pearson,
    perceptual_hashes,
    thumbnail,
)


def cell(seed: int, *, side: int = 224) -> Pixels:
    """Something like a cell: smooth blobs on a tinted ground, padded with black below 224."""
    rng = np.random.default_rng(seed)
    blobs = rng.uniform(60, 220, (9, 9, 3)).astype(np.uint8)
    inner = Image.fromarray(blobs).resize((side, side), Image.Resampling.BICUBIC)
    patch = Image.new("RGB", (224, 224))
    patch.paste(inner, ((224 - side) // 2, (224 - side) // 2))
    return np.asarray(patch)


def jpeg(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=50)
    return Image.open(stream)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "diagonal": lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    "stored as JPEG": jpeg,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "flatter": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "out of focus": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "made smaller": lambda image: image.resize((112, 112)).resize((224, 224)),
}


def compare(one: Pixels, other: Pixels) -> tuple[bool, float]:
    """Return whether the hash proposes the pair, and how the pictures correlate."""
    a, b = thumbnail(one)[None], thumbnail(other)[None]
    hashes = perceptual_hashes(b)
    proposed = any(
        list(near_hashes(perceptual_hashes(turned), hashes, HASH_BITS))
        for turned in orientations(a)
    )
    return proposed, max(float(pearson(turned, b)[0]) for turned in orientations(a))


@pytest.mark.parametrize("side", [224, 96])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(name: str, side: int) -> None:
    for seed in range(5):
        original = cell(seed, side=side)
        copy = np.asarray(COPIES[name](Image.fromarray(original)).convert("RGB"))
        proposed, correlation = compare(original, copy)
        assert proposed
        assert correlation >= LEAST_CORRELATION


@pytest.mark.parametrize("side", [224, 96])
def test_other_cells_are_not_alike_though_their_frames_are(side: int) -> None:
    for seed in range(20):
        _, correlation = compare(cell(seed, side=side), cell(seed + 100, side=side))
        assert correlation < LEAST_CORRELATION


def test_the_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(1, 255, (2, 1, 32, 32), dtype=np.uint8)
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert pearson(one, other)[0] == pytest.approx(expected)


def test_eight_orientations_differ() -> None:
    picture = np.arange(32 * 32, dtype=np.uint8).reshape(1, 32, 32)
    assert len({turned.tobytes() for turned in orientations(picture)}) == 8


def test_an_even_picture_is_like_nothing() -> None:
    black, grey = np.zeros((1, 32, 32), np.uint8), np.full((1, 32, 32), 90, np.uint8)
    assert pearson(black, black)[0] == 0
    assert pearson(grey, grey)[0] == 0


def test_near_hashes_are_those_of_few_different_bits() -> None:
    one = np.array([0b1011, 0b0000], np.uint64)
    other = np.array([0b1000, 0b1111], np.uint64)
    assert list(near_hashes(one, other, 1)) == [(0, 1), (1, 0)]
    assert len(list(near_hashes(one, other, 2))) == 3


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_copies_fit_when_they_are_laid_over(change: Callable[[Image.Image], Image.Image]) -> None:
    patch = cell(1, side=150)
    copy = np.asarray(change(Image.fromarray(patch)).convert("RGB"))
    assert laid_over(patch, copy) > 0.97


@pytest.mark.parametrize("side", [60, 150, 224])
def test_other_cells_do_not_fit(side: int) -> None:
    assert all(laid_over(cell(1, side=side), cell(n, side=side)) < 0.7 for n in range(2, 8))


def test_a_shift_and_a_turn_are_found() -> None:
    field = cell(1, side=224)
    shifted = np.zeros_like(field)
    shifted[14:, :-10] = field[:-14, 10:]
    assert laid_over(np.rot90(field), shifted) > 0.97


def test_nothing_is_like_nothing() -> None:
    black = np.zeros((224, 224, 3), np.uint8)
    assert laid_over(black, cell(1)) == -1
    assert laid_over(np.full_like(black, 90), np.full_like(black, 90)) == 0


def test_a_thumbnail_holds_on_to_nothing_else() -> None:
    """Else it keeps fifty times its own size, which the audit of many patches felt."""
    assert thumbnail(cell(1)).flags.owndata
