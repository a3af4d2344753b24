"""Papanicolaou colours as optical density, and how they differ between preparations."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Colour: TypeAlias = NDArray[np.float32]


def _density(red: float, green: float, blue: float) -> Colour:
    return np.array((red, green, blue), dtype=np.float32)


HAEMATOXYLIN = _density(0.92, 1.0, 0.27)
GREY_VIOLET = _density(1.0, 0.97, 0.38)
BLUE_GREEN = _density(1.35, 0.62, 0.42)
EOSIN = _density(0.12, 1.75, 0.72)
ORANGE = _density(0.10, 1.05, 1.75)


@dataclass(frozen=True)
class Staining:
    """How one preparation took its stains.

    Attributes
    ----------
    nuclear, cytoplasmic
        Strength of the nuclear and of the cytoplasmic stains; 1 is average.
    green
        Share of blue-green in cyanophilic cytoplasm, 0 to 1.
    pink_cells
        Share of eosinophilic cells, the same for every class.
    hue
        Factor per channel, shape (3,), for the batch of the dye.
    """

    nuclear: float
    cytoplasmic: float
    green: float
    pink_cells: float
    hue: Colour


def draw_staining(rng: np.random.Generator) -> Staining:
    """A staining as another day in another laboratory would give it."""
    return Staining(
        nuclear=float(rng.uniform(0.88, 1.14)),
        cytoplasmic=float(rng.uniform(0.75, 1.5)),
        green=float(rng.uniform(0.1, 0.6)),
        pink_cells=float(rng.uniform(0.12, 0.45)),
        hue=rng.uniform(0.9, 1.1, 3).astype(np.float32),
    )
