"""A picture that says of every pixel where it is, in every kind of file that tests want it in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from pycyto.images.crop import Pixels

WIDTH, HEIGHT = 700, 600
# Each is the corner that the four middle pixels of a red square of 8 pixels share: an outline
# centred there has its middle there, to the last digit.
PLACES = ((150, 130), (560, 140), (140, 470), (520, 430), (20, 580))
# What the scanner left out around the picture in a slide that has a bounding box.
BOUNDS = (137, 91)
MPP = 0.25
_HALF = 4
_MIDDLE = slice(112 - 24, 112 + 24)
_NOISE = 20  # of JPEG


def picture() -> Pixels:
    """Return the picture, (600, 700, 3) uint8: green tells x, blue tells y, red is a landmark."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([np.zeros_like(x), x // 4, y // 4], axis=-1).astype(np.uint8)
    for column, row in PLACES:
        pixels[row - _HALF : row + _HALF, column - _HALF : column + _HALF, 0] = 255
    return pixels


def shown(patch: Pixels) -> tuple[float, float, float, float]:
    """Return where a patch has its landmark, and at which (x, y) its middle says it was cut.

    The first two are in patch pixels from its upper left corner, the others in pixels of the
    picture, to a few pixels.
    """
    middle = patch[_MIDDLE, _MIDDLE]  # the other landmarks are farther off
    red = middle[..., 0].astype(float) * (middle[..., 0] > _NOISE)
    rows, columns = np.indices(red.shape) + _MIDDLE.start + 0.5
    colours = middle.reshape(-1, 3)
    inside = colours[colours[:, 1:].any(axis=1)]  # black is beyond the edge
    x, y = np.median(inside[:, 1:], axis=0) * 4 + 2 if len(inside) else (np.nan, np.nan)
    total = red.sum() or np.nan
    return (
        float((red * columns).sum() / total),
        float((red * rows).sum() / total),
        float(x),
        float(y),
    )


def write_pyramid(path: Path, *downsamples: float, **options: Any) -> None:
    """Write a tiled TIFF with further levels, as OpenSlide reads it; none needs to be a half."""
    pixels = picture()
    more = {"compression": "zlib", **options}
    bigtiff = more.pop("bigtiff", False)
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as tiff:
        _write(tiff, pixels, **more)
        for downsample in downsamples:
            _write(tiff, smaller(pixels, downsample), **{**more, "subfiletype": 1})


def write_aperio(path: Path) -> None:
    """Write a slide as an Aperio scanner does: levels at 1, 4 and 15.9, each with its words."""
    pixels = picture()
    with tifffile.TiffWriter(path) as tiff:
        for downsample in (1.0, 4.0, 15.9):
            level = smaller(pixels, downsample)
            height, width = level.shape[:2]
            about = f"Aperio Image Library v11.2.1\r\n{width}x{height} (128x128)"
            about += f"|AppMag = 40|MPP = {MPP}"
            flags = {"subfiletype": int(downsample > 1), "description": about}
            _write(tiff, level, compression="zlib", **flags)


def write_with_sub_levels(path: Path) -> None:
    """Write a TIFF whose smaller levels hang below the first, as in OME-TIFF."""
    pixels = picture()
    with tifffile.TiffWriter(path) as tiff:
        _write(tiff, pixels, compression="zlib", subifds=2)
        for downsample in (2.33, 3.7):
            _write(tiff, smaller(pixels, downsample), compression="zlib", subfiletype=1)


def write_bounded(path: Path) -> None:
    """Write a Leica SCN slide: one scanned area in a wide empty slide, at 1 and 3.7."""
    pixels = picture()
    levels = [pixels, smaller(pixels, 3.7)]
    nm = round(MPP * 1000)
    left, top = (nm * side for side in BOUNDS)
    dimensions = "".join(
        f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{n}" ifd="{n}"/>'
        for n, level in enumerate(levels)
    )
    about = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="a" sizeX="{1000 * nm}" sizeY="{800 * nm}"><barcode/>'
        f'<image name="i"><pixels sizeX="{WIDTH}" sizeY="{HEIGHT}">{dimensions}</pixels>'
        f'<view sizeX="{WIDTH * nm}" sizeY="{HEIGHT * nm}" offsetX="{left}" offsetY="{top}"/>'
        "<scanSettings><objectiveSettings><objective>40</objective></objectiveSettings>"
        "<illuminationSettings><illuminationSource>brightfield</illuminationSource>"
        "</illuminationSettings></scanSettings></image></collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for level in levels:
            _write(tiff, level, compression="zlib", description=about)


def write_stack(path: Path, axes: str) -> None:
    """Write an ImageJ stack of three planes: the picture, and two that are moved and inverted."""
    pixels = picture()
    planes = np.stack([pixels, np.roll(pixels, 50, axis=1), 255 - pixels])
    tifffile.imwrite(path, planes, imagej=True, photometric="rgb", metadata={"axes": axes})


def write_oriented(path: Path, orientation: int) -> None:
    """Write the picture, and that it is to be shown turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture()).save(path, exif=exif, quality=95)


def smaller(pixels: Pixels, downsample: float) -> Pixels:
    """Return it smaller by a factor that need not be whole."""
    if downsample == 1:
        return pixels
    size = round(pixels.shape[1] / downsample), round(pixels.shape[0] / downsample)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def deep(pixels: Pixels) -> npt.NDArray[np.uint16]:
    """Return it in 16 bits, each value used."""
    return pixels.astype(np.uint16) * 257


def _write(tiff: tifffile.TiffWriter, pixels: Pixels, **options: Any) -> None:
    resolution = (10_000 / MPP, 10_000 / MPP)
    given = {"photometric": "rgb", "tile": (128, 128), "metadata": None, **options}
    tiff.write(pixels, resolution=resolution, resolutionunit="CENTIMETER", **given)
