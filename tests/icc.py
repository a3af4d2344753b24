"""Colour profiles as a camera or a scanner would embed them, of which the outcome is known."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto.images.crop import Pixels

# Of sRGB, brought to D50.
_PRIMARIES = {
    "r": (0.4360747, 0.2225045, 0.0139322),
    "g": (0.3850649, 0.7168786, 0.0971045),
    "b": (0.1430804, 0.0606169, 0.7141733),
}
_D50 = (0.9642, 1.0, 0.8249)


def profile(gamma: float, *, order: str = "rgb", name: str = "Camera X") -> bytes:
    """Return an ICC profile of the primaries of sRGB and a curve of its own.

    Parameters
    ----------
    order
        Which primary each channel stands for: ``bgr`` swaps red and blue.
    """
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {
        b"desc": _described(name),
        b"cprt": b"text" + bytes(4) + b"none\0" + bytes(3),
        b"wtpt": _xyz(*_D50),
        **{f"{at}XYZ".encode(): _xyz(*_PRIMARIES[of]) for at, of in zip("rgb", order, strict=True)},
        **{f"{at}TRC".encode(): curve for at in "rgb"},
    }
    start = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(content), len(data))
        content += data
    head = struct.pack(">I", start + len(content)) + bytes(4) + struct.pack(">I", 0x02100000)
    head += b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + _xyz(*_D50)[8:]
    return head.ljust(128, b"\0") + table + content


def srgb_of(pixels: Pixels, gamma: float, *, order: str = "rgb") -> Pixels:
    """Return what pixels with such a profile are in sRGB."""
    light = (pixels[..., ["rgb".index(of) for of in order]] / 255.0) ** gamma
    curved = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(np.clip(curved, 0, 1) * 255).astype(np.uint8))


def embed(path: Path, content: bytes) -> None:
    """Put a profile into an image that is there; its pixels stay."""
    with Image.open(path) as image:
        image.load()
    image.save(path, icc_profile=content)


def _described(name: str) -> bytes:
    text = name.encode("ascii") + b"\0"
    data = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(8 + 3 + 67)
    return data + bytes(-len(data) % 4)


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))
