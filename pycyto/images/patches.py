"""Reading a patch back, and making sure that it is the one that the manifest means."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto import files
from pycyto.errors import BadInputError, StaleError
from pycyto.images.crop import Pixels
from pycyto.manifest import PATCH_SIZE, Row

_REMEDY = "Run pycyto export again: it writes what is missing or has changed."


def content_hash(pixels: Pixels) -> str:
    """Return the SHA-256 of the pixels of a patch, (224, 224, 3) uint8, row by row.

    It is of the pixels, not of the file, so that two PNG encoders agree.
    """
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def read_patch(folder: Path, row: Row) -> Pixels:
    """Return the patch of a row of the manifest as (224, 224, 3) uint8 RGB.

    Parameters
    ----------
    folder
        The data set's folder.
    row
        Its row of the manifest.

    Raises
    ------
    BadInputError
        When the file is missing, no image, or not a 224 x 224 RGB one.
    StaleError
        When its pixels are not those that the manifest was written for.
    """
    path = folder / row.file
    try:
        with Image.open(path) as image:
            size, mode = image.size, image.mode
            pixels = np.asarray(image)
    except FileNotFoundError as error:
        raise BadInputError("A patch is missing.", where=path, remedy=_REMEDY) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInputError(
            f"This patch cannot be read ({error}).", where=path, remedy=_REMEDY
        ) from error
    if size != (PATCH_SIZE, PATCH_SIZE) or mode != "RGB":
        raise BadInputError(
            f"A patch is {PATCH_SIZE} px square RGB; this one is {size[0]} x {size[1]} {mode}.",
            where=path,
            remedy=_REMEDY,
        )
    if content_hash(pixels) != row.content_hash:
        raise StaleError(
            "A patch is not the one that the manifest describes.", where=path, remedy=_REMEDY
        )
    return pixels


def write_patch(path: Path, pixels: Pixels) -> None:
    """Write a patch as PNG, whole or not at all.

    Compression is light: Pillow's default makes files a fifth smaller for four
    times the work.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    files.write_bytes(path, buffer.getvalue())
