"""Smooth random textures, cut from a bank that is made once per pixel size."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatImage: TypeAlias = NDArray[np.float32]

BANK_SIDE = 1024
"""Side of one texture in px; a window of it wraps around."""


@lru_cache(maxsize=64)
def _texture(sigma_px: float, seed: int) -> FloatImage:
    """Tileable Gaussian noise of one grain size, mean 0 and deviation 1."""
    white = np.random.default_rng(seed).standard_normal((BANK_SIDE, BANK_SIDE))
    frequency = np.fft.fftfreq(BANK_SIDE)
    across = np.fft.rfftfreq(BANK_SIDE)
    squared = frequency[:, None] ** 2 + across[None, :] ** 2
    low_pass = np.exp(-2.0 * (np.pi * sigma_px) ** 2 * squared)
    smooth = np.fft.irfft2(np.fft.rfft2(white) * low_pass, s=white.shape)
    smooth -= smooth.mean()
    return np.asarray(smooth / smooth.std(), dtype=np.float32)


def cloud(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> FloatImage:
    """A random window of smooth noise.

    Parameters
    ----------
    rng
        Chooses the window and its mirror image.
    shape
        Height and width of the window in px.
    sigma_px
        Grain size: deviation of the Gaussian that smoothed the noise, in px.

    Returns
    -------
    array, shape ``shape``
        Noise of mean 0 and deviation 1 over the whole bank.
    """
    # Rounded to a geometric ladder, so that the cache serves nearly equal grains.
    rung = round(float(np.log2(max(sigma_px, 0.4))) * 4)
    bank = _texture(2.0 ** (rung / 4), 1000 + rung)
    top, left = rng.integers(0, BANK_SIDE, size=2)
    rows = (np.arange(shape[0]) * int(rng.choice((-1, 1))) + top) % BANK_SIDE
    columns = (np.arange(shape[1]) * int(rng.choice((-1, 1))) + left) % BANK_SIDE
    return np.asarray(bank[np.ix_(rows, columns)])
