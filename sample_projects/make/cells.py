"""What the cells of the four Bethesda classes look like, as ranges to draw from."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Range: TypeAlias = tuple[float, float]

INTERMEDIATE_NUCLEUS_UM2 = 35.0
"""Area of a normal intermediate nucleus, the yardstick of the Bethesda criteria."""

NILM, ASC_US, LSIL, HSIL = CLASSES = ("NILM", "ASC-US", "LSIL", "HSIL")


@dataclass(frozen=True)
class Kind:
    """One morphological type. Lengths in um; ranges are low and high.

    Attributes
    ----------
    share
        Share of this kind among the cells of its class.
    radius
        Mean radius of the cell.
    angular
        Flat with corners (squamous) or small and rounded.
    thickness
        Optical thickness of the cytoplasm; 1 is a superficial cell.
    nucleus
        Area of the nucleus as a multiple of the intermediate nucleus.
    nuclear_aspect
        Short by long axis of the nucleus.
    irregularity
        Wobble of the nuclear membrane.
    density
        Optical density of the chromatin.
    grain
        Size of the chromatin clumps.
    contrast
        Unevenness of the chromatin.
    membrane
        Extra density at the nuclear membrane.
    halo, double
        Chance of a koilocytic halo and of a second nucleus.
    """

    label: str
    name: str
    share: float
    radius: Range
    angular: bool
    thickness: Range
    nucleus: Range
    nuclear_aspect: Range
    irregularity: Range
    density: Range
    grain: Range
    contrast: Range
    membrane: Range
    halo: float = 0.0
    double: float = 0.0


KINDS = (
    Kind(
        NILM, "superficial", 0.28, (18, 26), True, (0.8, 1.3), (0.42, 0.68), (0.75, 1.0),
        (0.005, 0.02), (1.45, 1.9), (0.5, 0.8), (0.03, 0.08), (0.0, 0.1),
    ),
    Kind(
        NILM, "intermediate", 0.42, (17, 26), True, (0.7, 1.3), (0.85, 1.35), (0.68, 0.95),
        (0.005, 0.02), (0.72, 1.0), (0.4, 0.6), (0.10, 0.18), (0.1, 0.25), double=0.03,
    ),
    Kind(
        NILM, "reactive", 0.13, (16, 25), True, (0.8, 1.5), (1.4, 2.25), (0.72, 0.95),
        (0.005, 0.02), (0.72, 1.02), (0.4, 0.6), (0.08, 0.16), (0.15, 0.3), double=0.1,
    ),
    Kind(
        NILM, "parabasal", 0.17, (8.5, 12), False, (1.5, 2.6), (1.15, 1.8), (0.8, 1.0),
        (0.005, 0.02), (0.75, 1.05), (0.4, 0.6), (0.10, 0.18), (0.1, 0.25),
    ),
    Kind(
        ASC_US, "enlarged", 0.8, (17, 26), True, (0.7, 1.4), (2.0, 3.2), (0.68, 0.95),
        (0.01, 0.03), (0.85, 1.22), (0.5, 0.7), (0.12, 0.2), (0.1, 0.25), double=0.04,
    ),
    Kind(
        ASC_US, "equivocal halo", 0.2, (17, 25), True, (0.8, 1.5), (2.0, 3.0), (0.7, 0.95),
        (0.01, 0.03), (0.85, 1.22), (0.5, 0.7), (0.12, 0.2), (0.1, 0.25), halo=0.5,
    ),
    Kind(
        LSIL, "koilocyte", 0.68, (18, 27), True, (0.9, 1.6), (2.9, 4.6), (0.62, 0.92),
        (0.02, 0.055), (1.05, 1.6), (0.7, 1.1), (0.16, 0.28), (0.1, 0.3), halo=1.0, double=0.4,
    ),
    Kind(
        LSIL, "dysplastic", 0.32, (18, 27), True, (0.8, 1.4), (2.9, 4.8), (0.62, 0.92),
        (0.02, 0.05), (1.0, 1.45), (0.6, 1.0), (0.15, 0.26), (0.15, 0.35), double=0.3,
    ),
    Kind(
        HSIL, "severe", 0.65, (6.6, 9.0), False, (1.3, 2.6), (2.0, 3.6), (0.66, 0.95),
        (0.04, 0.085), (1.4, 1.9), (0.7, 1.1), (0.3, 0.45), (0.25, 0.55),
    ),
    Kind(
        HSIL, "moderate", 0.35, (8.0, 12.0), False, (1.2, 2.2), (2.1, 3.8), (0.64, 0.92),
        (0.03, 0.075), (1.2, 1.75), (0.7, 1.1), (0.28, 0.42), (0.25, 0.5), double=0.04,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Nucleus:
    """One nucleus to draw. Lengths in um, offset from the centre of the cell."""

    offset: tuple[float, float]
    radius: float
    aspect: float
    irregularity: float
    density: float
    grain: float
    contrast: float
    membrane: float


@dataclass(frozen=True)
class Plan:
    """One cell to draw. Lengths in um.

    Attributes
    ----------
    halo
        Width of the clear zone around the nucleus, 0 for none.
    halo_depth
        How clear the halo is, 0 to 1.
    pink
        Eosinophilic part of the cytoplasm, 0 to 1.
    defocus
        Deviation of the blur, in um.
    """

    label: str
    kind: str
    radius: float
    angular: bool
    aspect: float
    thickness: float
    nuclei: tuple[Nucleus, ...]
    halo: float
    halo_depth: float
    pink: float
    defocus: float


def draw_squame(rng: np.random.Generator, pink_cells: float) -> Plan:
    """Draw an anucleate squame: a flat cell without nucleus, which nobody annotates."""
    return Plan(
        label="",
        kind="squame",
        radius=rng.uniform(14, 24),
        angular=True,
        aspect=rng.uniform(0.6, 0.95),
        thickness=rng.uniform(0.5, 1.1),
        nuclei=(),
        halo=0.0,
        halo_depth=0.0,
        pink=rng.uniform(0.3, 0.9) if rng.random() < pink_cells else rng.uniform(0.0, 0.12),
        defocus=abs(rng.normal(0.0, 0.3)),
    )


def _nucleus(
    rng: np.random.Generator, kind: Kind, offset: tuple[float, float], scale: float
) -> Nucleus:
    area = rng.uniform(*kind.nucleus) * INTERMEDIATE_NUCLEUS_UM2 * scale
    return Nucleus(
        offset=offset,
        radius=float(np.sqrt(area / np.pi)),
        aspect=rng.uniform(*kind.nuclear_aspect),
        irregularity=rng.uniform(*kind.irregularity),
        density=rng.uniform(*kind.density),
        grain=rng.uniform(*kind.grain),
        contrast=rng.uniform(*kind.contrast),
        membrane=rng.uniform(*kind.membrane),
    )


def _nuclei(rng: np.random.Generator, kind: Kind, radius: float) -> tuple[Nucleus, ...]:
    """One nucleus near the centre, or two side by side."""
    away = radius * rng.uniform(0.0, 0.2 if kind.angular else 0.12)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = away * np.cos(angle), away * np.sin(angle)
    if rng.random() >= kind.double:
        return (_nucleus(rng, kind, (x, y), 1.0),)
    gap = 0.95 * float(np.sqrt(kind.nucleus[0] * INTERMEDIATE_NUCLEUS_UM2 / np.pi))
    turn = rng.uniform(0, np.pi)
    dx, dy = gap * np.cos(turn), gap * np.sin(turn)
    return tuple(_nucleus(rng, kind, (x + side * dx, y + side * dy), 0.75) for side in (-1.0, 1.0))


def _fitting_radius(rng: np.random.Generator, kind: Kind, nuclei: tuple[Nucleus, ...]) -> float:
    """A cell radius that holds its nuclei with a rim of cytoplasm around them."""
    reach = max(nucleus.radius / nucleus.aspect**0.5 for nucleus in nuclei)
    return float(max(rng.uniform(*kind.radius), reach * 1.18))


def draw_plan(rng: np.random.Generator, label: str, pink_cells: float) -> Plan:
    """Draw one cell of a class.

    Parameters
    ----------
    label
        One of `CLASSES`.
    pink_cells
        Chance of eosinophilic cytoplasm, independent of the class.
    """
    kinds = [kind for kind in KINDS if kind.label == label]
    shares = np.array([kind.share for kind in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
    nuclei = _nuclei(rng, kind, float(np.mean(kind.radius)))
    has_halo = rng.random() < kind.halo
    equivocal = label != LSIL
    return Plan(
        label=label,
        kind=kind.name,
        radius=_fitting_radius(rng, kind, nuclei),
        angular=kind.angular,
        aspect=rng.uniform(0.72, 0.98),
        thickness=rng.uniform(*kind.thickness),
        nuclei=nuclei,
        halo=rng.uniform(1.0, 2.5) if has_halo and equivocal else rng.uniform(3.0, 6.5) * has_halo,
        halo_depth=rng.uniform(0.3, 0.5) if equivocal else rng.uniform(0.5, 0.92),
        pink=rng.uniform(0.45, 1.0) if rng.random() < pink_cells else rng.uniform(0.0, 0.12),
        defocus=abs(rng.normal(0.0, 0.16)),
    )
