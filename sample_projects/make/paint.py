"""Draws one cell: cytoplasm with folds and granules, halo, nuclei with chromatin."""

from dataclasses import dataclass

import cv2
import numpy as np
from shapely.geometry import Polygon

from canvas import Canvas, Points, bent_line, blurred, distance_inside, filled, stroked
from cells import Nucleus, Plan
from noise import FloatImage, cloud
from shapes import folded, resampled, rounded, squamous
from stains import BLUE_GREEN, EOSIN, GREY_VIOLET, HAEMATOXYLIN, ORANGE, Colour, Staining

ANNOTATION_VERTICES = 52
NUCLEUS_VERTICES = 32


@dataclass(frozen=True)
class Drawn:
    """A drawn cell in pixels of its field.

    Attributes
    ----------
    outline
        Border of the cell, shape (n, 2), x and y.
    nuclei
        Borders of its nuclei.
    """

    label: str
    kind: str
    outline: Points
    nuclei: tuple[Points, ...]


@dataclass(frozen=True)
class _Window:
    """A square of pixels around one cell, its origin at the centre of the cell."""

    mpp: float
    half: int
    fraction: Points

    @property
    def shape(self) -> tuple[int, int]:
        return 2 * self.half, 2 * self.half

    def pixels(self, points_um: Points) -> Points:
        return np.asarray(points_um / self.mpp + self.half + self.fraction)

    def cloud(self, rng: np.random.Generator, grain_um: float) -> FloatImage:
        return cloud(rng, self.shape, grain_um / self.mpp)


@dataclass(frozen=True)
class _Shapes:
    """Outlines of one cell in um around its centroid."""

    body: Points
    flap: Points
    nuclei: tuple[Points, ...]


def _shapes(rng: np.random.Generator, plan: Plan, body: Points | None) -> _Shapes:
    flap: Points = np.empty((0, 2))
    if body is not None:
        return _Shapes(body, flap, tuple(_membrane(rng, n) for n in plan.nuclei))
    if plan.angular:
        body = squamous(
            rng, plan.radius, plan.aspect, int(rng.integers(5, 10)), rng.uniform(1.2, 5.0)
        )
        if rng.random() < 0.3:
            reach = plan.radius * rng.uniform(0.6, 0.85)
            body, flap = folded(body, rng.uniform(0, 2 * np.pi), reach)
    else:
        body = rounded(rng, plan.radius, max(plan.aspect, 0.78), 0.035)
    centre = np.array(Polygon(body).buffer(0).centroid.coords[0])
    return _Shapes(body - centre, flap - centre, tuple(_membrane(rng, n) for n in plan.nuclei))


def _membrane(rng: np.random.Generator, nucleus: Nucleus) -> Points:
    ring = rounded(rng, nucleus.radius, nucleus.aspect, nucleus.irregularity)
    return np.asarray(ring + nucleus.offset)


def _wrinkles(rng: np.random.Generator, plan: Plan, window: _Window) -> FloatImage:
    """Dark creases that run through flat cytoplasm."""
    creases = np.zeros(window.shape, np.float32)
    for _ in range(int(rng.integers(0, 5)) if plan.angular else int(rng.integers(0, 2))):
        ends = rng.normal(0.0, 0.55 * plan.radius, (2, 2))
        line = window.pixels(bent_line(ends[0], ends[1], rng.uniform(-0.25, 0.25)))
        crease = stroked(line, window.shape, round(0.5 / window.mpp))
        sharp = blurred(crease, 0.25 / window.mpp)
        soft = blurred(crease, rng.uniform(0.8, 2.0) / window.mpp)
        creases += rng.uniform(0.2, 0.7) * sharp + rng.uniform(0.5, 2.2) * soft
    return creases


def _network(rng: np.random.Generator, window: _Window) -> FloatImage:
    """Fine crumpled lines: where a smooth texture crosses zero."""
    lines = np.exp(-((window.cloud(rng, 2.4) / 0.14) ** 2))
    lines += 0.7 * np.exp(-((window.cloud(rng, 1.3) / 0.2) ** 2))
    patches = np.clip(0.25 + 0.6 * window.cloud(rng, 4.5), 0, 1.5)
    return np.asarray(rng.uniform(0.2, 0.7) * lines * patches, dtype=np.float32)


def _thickness(
    rng: np.random.Generator, plan: Plan, shapes: _Shapes, window: _Window
) -> FloatImage:
    """Optical thickness of the cytoplasm, without the halo."""
    mask = filled(window.pixels(shapes.body), window.shape)
    flap = filled(window.pixels(shapes.flap), window.shape)
    uneven = 0.8 + 0.22 * window.cloud(rng, 6.0) + 0.08 * window.cloud(rng, 1.2)
    uneven += 0.13 * window.cloud(rng, 0.4) + _network(rng, window)
    depth = distance_inside(mask) * window.mpp
    rim = 0.35 * np.exp(-depth / 0.5)
    # Small cells are domes, so they thin out towards the border; flat cells do not.
    dome = 1.0 if plan.angular else 0.55 + 0.6 * (1 - np.exp(-depth / (0.3 * plan.radius)))
    thick = np.clip(uneven, 0.25, 2.0) * dome + rim + _wrinkles(rng, plan, window)
    return np.asarray(plan.thickness * (thick * mask + 0.85 * flap), dtype=np.float32)


def _with_halo(
    rng: np.random.Generator, plan: Plan, nuclei: FloatImage, window: _Window
) -> tuple[FloatImage, FloatImage]:
    """Factor that clears the halo, and the thickened rim around it."""
    outside = (nuclei < 0.5).astype(np.uint8)
    away = cv2.distanceTransform(outside, cv2.DIST_L2, 3).astype(np.float32) * window.mpp
    away += 0.22 * plan.halo * window.cloud(rng, 2.5)
    edge = 0.5 - 0.5 * np.tanh((away - plan.halo) / 0.7)
    wall = np.exp(-(((away - plan.halo - 1.2) / 1.3) ** 2))
    factor = 1.0 - plan.halo_depth * edge
    return factor.astype(np.float32), (plan.halo_depth * 0.75 * wall).astype(np.float32)


def _granules(rng: np.random.Generator, window: _Window) -> FloatImage:
    """Fine dark specks, patchy over the cytoplasm."""
    specks = np.clip(window.cloud(rng, 0.3) - rng.uniform(0.9, 1.7), 0, 2)
    patches = np.clip(0.5 + 0.6 * window.cloud(rng, 5.0), 0, 1.6)
    return np.asarray(rng.uniform(0.1, 0.3) * specks * patches, dtype=np.float32)


def _one_sided(rng: np.random.Generator, plan: Plan, window: _Window) -> FloatImage:
    """Eosin rarely takes evenly: stronger on one side of the cell."""
    angle = rng.uniform(0, 2 * np.pi)
    steps = (np.arange(2 * window.half, dtype=np.float32) - window.half) * window.mpp / plan.radius
    slope = np.cos(angle) * steps[None, :] + np.sin(angle) * steps[:, None]
    return np.asarray(0.85 + rng.uniform(0.1, 0.8) * slope + 0.3 * window.cloud(rng, 5.0))


def _cytoplasm_colour(
    rng: np.random.Generator, plan: Plan, staining: Staining, window: _Window
) -> FloatImage:
    """Density per unit of thickness, shape (height, width, 3)."""
    green = np.clip(staining.green + rng.normal(0, 0.25) + 0.25 * window.cloud(rng, 8.0), 0, 1)
    pink = np.clip(plan.pink * _one_sided(rng, plan, window), 0, 1)
    blue = green[..., None] * BLUE_GREEN + (1 - green)[..., None] * GREY_VIOLET
    orange = float(rng.random() < 0.08) * rng.uniform(0.3, 0.8)
    warm: Colour = (1 - orange) * EOSIN + orange * ORANGE
    mixed = 0.105 * (1 - pink)[..., None] * blue + rng.uniform(0.14, 0.27) * pink[..., None] * warm
    return np.asarray(mixed * staining.hue, dtype=np.float32)


def _chromatin(
    rng: np.random.Generator, nucleus: Nucleus, mask: FloatImage, window: _Window
) -> FloatImage:
    """Density of one nucleus: clumped chromatin and the membrane."""
    clumps = window.cloud(rng, nucleus.grain)
    texture = 1.0 + nucleus.contrast * (clumps + 0.35 * np.clip(clumps - 0.8, 0, 2))
    texture += 0.05 * window.cloud(rng, 0.3)
    depth = distance_inside(mask) * window.mpp
    ring = nucleus.membrane * np.exp(-((depth / 0.45) ** 2))
    return np.asarray(nucleus.density * np.clip(texture + ring, 0.3, 2.2) * mask, dtype=np.float32)


def _cell_density(
    rng: np.random.Generator, plan: Plan, shapes: _Shapes, window: _Window, staining: Staining
) -> FloatImage:
    masks = [filled(window.pixels(nucleus), window.shape) for nucleus in shapes.nuclei]
    thick = _thickness(rng, plan, shapes, window)
    specks = _granules(rng, window) * (thick > 0.1)
    if plan.halo > 0:
        factor, wall = _with_halo(rng, plan, np.max(masks, axis=0), window)
        cover = filled(window.pixels(shapes.body), window.shape)
        thick, specks = thick * factor + wall * cover * plan.thickness, specks * factor
    colour = _cytoplasm_colour(rng, plan, staining, window)
    density = staining.cytoplasmic * thick[..., None] * colour
    nuclear = specks
    for nucleus, mask in zip(plan.nuclei, masks, strict=True):
        nuclear = nuclear + staining.nuclear * _chromatin(rng, nucleus, mask, window)
    density += nuclear[..., None] * HAEMATOXYLIN * staining.hue
    return blurred(density, plan.defocus / window.mpp)


def draw_cell(
    rng: np.random.Generator,
    canvas: Canvas,
    plan: Plan,
    centre_um: tuple[float, float],
    staining: Staining,
    *,
    body: Points | None = None,
) -> Drawn:
    """Draw a cell on the canvas.

    Parameters
    ----------
    centre_um
        Where the centroid of the cell lies, x and y in um from the upper left corner.
    body
        Outline in um around the centre, instead of a random one.

    Returns
    -------
    Drawn
        The outlines, in px of the field, that an annotator would draw.
    """
    shapes = _shapes(rng, plan, body)
    centre = np.array(centre_um) / canvas.mpp
    whole = np.floor(centre).astype(int)
    reach = float(np.abs(shapes.body).max()) + 4.0
    window = _Window(canvas.mpp, int(np.ceil(reach / canvas.mpp)), centre - whole)
    density = _cell_density(rng, plan, shapes, window, staining)
    canvas.add(density, int(whole[0]) - window.half, int(whole[1]) - window.half)
    return Drawn(
        label=plan.label,
        kind=plan.kind,
        outline=resampled(shapes.body / canvas.mpp + centre, ANNOTATION_VERTICES),
        nuclei=tuple(resampled(n / canvas.mpp + centre, NUCLEUS_VERTICES) for n in shapes.nuclei),
    )
