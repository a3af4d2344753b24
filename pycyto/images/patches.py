"""Reading a patch back, and making sure that it is the one that the manifest means."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto import files
from pycyto.errors import BadInputError, StaleError
from pycyto.images.crop import Pixels
from pycyto.images.png import END, png
from pycyto.manifest import PATCH_SIZE, Row

_MERGED = "A data set that was merged is merged again."
_EXPORTED = (
    f"Delete this file if it is there, and run pycyto export again, which cuts it anew. {_MERGED}"
)
# Only an export mends a data set where it lies.
_INGESTED = f"Restore the file, or ingest the source again into a new folder. {_MERGED}"


def content_hash(pixels: Pixels) -> str:
    """Return the SHA-256 of the pixels of a patch, (224, 224, 3) uint8, row by row.

    It is of the pixels, not of the file, so that two PNG encoders agree.
    """
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


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
    remedy = _INGESTED if row.is_ingested else _EXPORTED
    pixels = pixels_in(path, remedy)
    if content_hash(pixels) != row.content_hash:
        raise StaleError(
            "A patch is not the one that the manifest describes.", where=path, remedy=remedy
        )
    return pixels


def pixels_in(path: Path, remedy: str = _EXPORTED) -> Pixels:
    """Return the pixels of a patch, (224, 224, 3) uint8 RGB, whatever a manifest says of it.

    Parameters
    ----------
    remedy
        What to do about a patch that cannot be used.

    Raises
    ------
    BadInputError
        When the file is missing, no image, or not a 224 x 224 RGB one.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            # From the header alone: a small file can claim to be gigantic.
            _check_kind(image, path, remedy)
            return np.asarray(image)
    except FileNotFoundError as error:
        raise BadInputError("A patch is missing.", where=path, remedy=remedy) from error
    except Image.DecompressionBombError as error:
        raise BadInputError(
            f"A patch is {PATCH_SIZE} px square; this one claims to be gigantic.",
            where=path,
            remedy=remedy,
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInputError(
            f"This patch cannot be read ({error}).", where=path, remedy=remedy
        ) from error


def _check_kind(image: Image.Image, path: Path, remedy: str) -> None:
    width, height = image.size
    if (width, height) != (PATCH_SIZE, PATCH_SIZE) or image.mode != "RGB":
        raise BadInputError(
            f"A patch is {PATCH_SIZE} px square RGB; this one is {width} x {height} {image.mode}.",
            where=path,
            remedy=remedy,
        )


def write_patch(path: Path, pixels: Pixels) -> None:
    """Write a patch, (224, 224, 3) uint8 RGB, as PNG, whole or not at all.

    After a loss of power it may have broken off all the same: `is_whole` tells,
    and the next export cuts it again. To wait for the disk each time would take
    longer than all the rest.
    """
    files.write_bytes(path, png(pixels), lasting=False)


def is_whole(path: Path) -> bool:
    """Whether a patch is there and has not broken off: a look at its end, not at its pixels."""
    try:
        with path.open("rb") as stream:
            stream.seek(-len(END), os.SEEK_END)
            return stream.read() == END
    except OSError:
        return False
