"""Patches as pictures in a page."""

from __future__ import annotations

import base64
import io

from PIL import Image

from pycyto.images.crop import Pixels


def data_uri(pixels: Pixels) -> str:
    """Return a picture, (height, width, 3) uint8, as text that a page can hold.

    As JPEG, since a page should stay small enough to be mailed; nothing is measured on it.
    """
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
