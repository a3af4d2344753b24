"""Two simulated scanners: pixel size, sharpness, colour, noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canvas import blurred
from noise import FloatImage


@dataclass(frozen=True)
class Scanner:
    """How a scanner turns optical density into a picture.

    Attributes
    ----------
    mpp
        Pixel size in um.
    white
        Grey levels of empty glass, red, green, blue.
    mixing
        Crosstalk between the colour channels, rows sum to 1, shape (3, 3).
    blur
        Deviation of the point spread in px.
    sharpening
        Strength of the scanner's own unsharp mask.
    noise
        Deviation of the sensor noise in grey levels.
    vignette
        Loss of light in the corners, 0 to 1.
    """

    name: str
    mpp: float
    white: tuple[float, float, float]
    mixing: tuple[tuple[float, float, float], ...]
    blur: float
    sharpening: float
    noise: float
    vignette: float


SCANNER_A = Scanner(
    name="Scanner A",
    mpp=0.25,
    white=(208.0, 207.0, 206.0),
    mixing=((0.94, 0.05, 0.01), (0.03, 0.94, 0.03), (0.01, 0.05, 0.94)),
    blur=0.75,
    sharpening=0.8,
    noise=1.3,
    vignette=0.03,
)
SCANNER_B = Scanner(
    name="Scanner B",
    mpp=0.22,
    white=(238.0, 234.0, 225.0),
    mixing=((0.86, 0.12, 0.02), (0.08, 0.84, 0.08), (0.03, 0.13, 0.84)),
    blur=1.15,
    sharpening=0.25,
    noise=1.0,
    vignette=0.06,
)


def _vignette(shape: tuple[int, int], loss: float) -> FloatImage:
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return np.asarray(1 - loss * (rows**2 + columns**2) / 2, dtype=np.float32)


def scan(
    rng: np.random.Generator, density: FloatImage, scanner: Scanner, *, tiled: bool = False
) -> NDArray[np.uint8]:
    """Take the picture.

    Parameters
    ----------
    density
        Optical density, shape (height, width, 3).
    tiled
        A slide scanner corrects its vignette, a camera does not.

    Returns
    -------
    array, shape (height, width, 3), uint8
    """
    light = blurred(np.exp(-density), scanner.blur)
    light = light @ np.array(scanner.mixing, np.float32).T
    light += scanner.sharpening * (light - blurred(light, 1.6))
    if not tiled:
        light *= _vignette(density.shape[:2], scanner.vignette)[..., None]
    # Exposure and white balance drift a little from one field to the next.
    balance = np.array(scanner.white) * rng.uniform(0.97, 1.015) * rng.uniform(0.99, 1.01, 3)
    levels = light * balance.astype(np.float32)
    # The noise of neighbouring pixels is correlated, as after demosaicing.
    grain = blurred(rng.standard_normal(levels.shape, dtype=np.float32), 0.6)
    return np.clip(levels + scanner.noise * 2 * grain + 0.5, 0, 255).astype(np.uint8)
