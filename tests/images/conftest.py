"""Images on disk that the tests of this folder read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pycyto.images.crop import Pixels

HOLE = (256, 0)  # left and top of the tile that the scanner did not store
TILE = 256


@pytest.fixture(scope="session")
def scene() -> Pixels:
    """Pixels of which no two boxes are alike, 600 x 520."""
    return np.random.default_rng(0).integers(0, 256, (520, 600, 3), np.uint8)


@pytest.fixture(scope="session")
def slide_file(scene: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pyramid as an Aperio scanner writes it, without loss, one tile missing."""
    path = tmp_path_factory.mktemp("slides") / "Präparat 1.svs"
    with tifffile.TiffWriter(path) as writer:
        for level, pixels in enumerate((scene, scene[::2, ::2])):
            height, width = pixels.shape[:2]
            about = f"Aperio Image Library v11.2.1\r\n{width}x{height} (256x256)"
            writer.write(
                _tiles(pixels, hole=level == 0),
                shape=pixels.shape,
                dtype=np.uint8,
                photometric="rgb",
                compression="zlib",
                tile=(TILE, TILE),
                subfiletype=level,
                description=f"{about}|AppMag = 20|MPP = 0.5",
                metadata=None,
            )
    return path


def _tiles(pixels: Pixels, *, hole: bool) -> Iterator[Pixels | None]:
    for top in range(0, pixels.shape[0], TILE):
        for left in range(0, pixels.shape[1], TILE):
            tile = np.zeros((TILE, TILE, 3), np.uint8)
            part = pixels[top : top + TILE, left : left + TILE]
            tile[: part.shape[0], : part.shape[1]] = part
            yield None if hole and (left, top) == HOLE else tile
