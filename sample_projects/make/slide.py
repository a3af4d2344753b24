"""A small whole-slide image: pyramidal, tiled, JPEG-compressed TIFF."""

from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

TILE_PX = 256
QUALITY = 82
LEVELS = (1, 4, 16)
"""Downsample of each level."""


def _description(width: int, height: int, mpp: float, magnification: int) -> str:
    """Description in the form that OpenSlide and QuPath read calibration from."""
    return (
        "Aperio-style image, drawn, not scanned\r\n"
        f"{width}x{height} ({TILE_PX}x{TILE_PX}) JPEG/RGB Q={QUALITY}"
        f"|AppMag = {magnification}|MPP = {mpp}"
    )


def write_slide(path: Path, pixels: NDArray[np.uint8], mpp: float, magnification: int = 40) -> None:
    """Write a slide with `LEVELS`.

    Parameters
    ----------
    pixels
        Shape (height, width, 3), RGB.
    mpp
        Pixel size of the full resolution in um.
    """
    height, width = pixels.shape[:2]
    with tifffile.TiffWriter(path) as writer:
        for level, downsample in enumerate(LEVELS):
            size = (width // downsample, height // downsample)
            writer.write(
                cv2.resize(pixels, size, interpolation=cv2.INTER_AREA),
                tile=(TILE_PX, TILE_PX),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": QUALITY},
                subfiletype=int(level > 0),
                description=_description(width, height, mpp, magnification) if level == 0 else None,
                metadata=None,
                software=False,
            )
