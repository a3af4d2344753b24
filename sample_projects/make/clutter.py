"""Everything on a slide that is not an epithelial cell."""

import numpy as np

from canvas import Canvas, Points, bent_line, blurred, filled, stroked
from noise import FloatImage, cloud
from shapes import rounded
from stains import BLUE_GREEN, GREY_VIOLET, HAEMATOXYLIN, Staining


def _somewhere(rng: np.random.Generator, canvas: Canvas) -> Points:
    return rng.uniform((0, 0), canvas.size_um)


def _polar(radius: float, angle: float) -> Points:
    return radius * np.array((np.cos(angle), np.sin(angle)))


def _clump(rng: np.random.Generator, count: int, step_um: float) -> Points:
    """Positions that grew side by side, shape (count, 2), in um around the first."""
    places = [np.zeros(2)]
    while len(places) < count:
        base = places[int(rng.integers(len(places)))]
        candidate = base + _polar(step_um * rng.uniform(0.8, 1.3), rng.uniform(0, 2 * np.pi))
        nearest = min(float(np.hypot(*(candidate - place))) for place in places)
        if nearest > 0.62 * step_um:
            places.append(candidate)
    return np.array(places)


def _lobes(rng: np.random.Generator, place: Points, swelling: float) -> list[Points]:
    """Two to four lobes of one nucleus, in um."""
    first = rng.uniform(0, 2 * np.pi)
    lobes = []
    for turn in range(int(rng.integers(2, 5))):
        spot = place + _polar(rng.uniform(0.7, 1.9), first + 1.7 * turn)
        size = swelling * rng.uniform(0.8, 1.7)
        lobes.append(rounded(rng, size, rng.uniform(0.75, 1), 0.05) + spot)
    return lobes


def _neutrophil_masks(
    rng: np.random.Generator, places: Points, half: int, mpp: float
) -> tuple[FloatImage, FloatImage]:
    """Coverage by lobes and by cell bodies, in a window of twice ``half`` px."""
    shape = (2 * half, 2 * half)
    lobes, bodies = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    swelling = rng.uniform(0.8, 1.15)
    for place in places:
        body = rounded(rng, rng.uniform(2.8, 4.2), rng.uniform(0.8, 1), 0.08) + place
        bodies += filled(body / mpp + half, shape)
        for lobe in _lobes(rng, place, swelling):
            depth = np.float32(rng.uniform(0.6, 1.1))
            lobes = np.maximum(lobes, depth * filled(lobe / mpp + half, shape))
    return lobes, bodies


def draw_neutrophils(
    rng: np.random.Generator, canvas: Canvas, staining: Staining, where: Points, count: int
) -> None:
    """A clump of neutrophils: lobed dark nuclei in scant, frayed cytoplasm."""
    places = _clump(rng, count, rng.uniform(3.2, 6.0))
    half = int(np.ceil((np.abs(places).max() + 9.0) / canvas.mpp))
    lobes, bodies = _neutrophil_masks(rng, places, half, canvas.mpp)
    frayed = bodies * np.clip(0.6 + 0.7 * cloud(rng, lobes.shape, 0.8 / canvas.mpp), 0.0, 2)
    # Stained to a blot or still clear: alike within a clump.
    grainy = 1 + 0.15 * cloud(rng, lobes.shape, 0.5 / canvas.mpp)
    nuclear = rng.uniform(1.3, 2.1) * lobes * grainy + 0.12 * frayed
    density = staining.nuclear * nuclear[..., None] * HAEMATOXYLIN * staining.hue
    density += 0.06 * staining.cytoplasmic * frayed[..., None] * BLUE_GREEN
    soft = blurred(density.astype(np.float32), abs(rng.normal(0, 0.25)) / canvas.mpp)
    left, top = np.round(where / canvas.mpp).astype(int) - half
    canvas.add(soft, int(left), int(top))


def draw_debris(rng: np.random.Generator, canvas: Canvas, where: Points) -> None:
    """A shred of granular material."""
    radius = rng.uniform(2.0, 9.0)
    half = int(np.ceil(radius * 2.2 / canvas.mpp))
    shape = (2 * half, 2 * half)
    shred = rounded(rng, radius, rng.uniform(0.3, 0.9), 0.22)
    mask = blurred(filled(shred / canvas.mpp + half, shape), 0.6 / canvas.mpp)
    fine = cloud(rng, shape, 0.25 / canvas.mpp) + cloud(rng, shape, 1.4 / canvas.mpp)
    grit = np.clip(fine + rng.uniform(-1.0, 0.8), 0, 2.5)
    colour = GREY_VIOLET if rng.random() < 0.8 else BLUE_GREEN
    density = rng.uniform(0.04, 0.2) * (mask * grit)[..., None] * colour
    left, top = np.round(where / canvas.mpp).astype(int) - half
    canvas.add(density.astype(np.float32), int(left), int(top))


def draw_mucus(rng: np.random.Generator, canvas: Canvas) -> None:
    """Faint strands that run from one place."""
    half = int(np.ceil(110 / canvas.mpp))
    shape = (2 * half, 2 * half)
    strands = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(2, 6))):
        first, last = rng.normal(0, 8, 2), np.clip(rng.normal(0, 45, 2), -95, 95)
        line = bent_line(first, last, rng.uniform(-0.2, 0.2)) / canvas.mpp + half
        strand = stroked(line, shape, int(rng.integers(2, 9)))
        strands += blurred(strand, rng.uniform(0.5, 2.5) / canvas.mpp)
    rough = np.clip(0.7 + 0.5 * cloud(rng, shape, 1.2 / canvas.mpp), 0, 2)
    density = 0.05 * (strands * rough)[..., None] * BLUE_GREEN
    left, top = np.round(_somewhere(rng, canvas) / canvas.mpp).astype(int) - half
    canvas.add(density.astype(np.float32), int(left), int(top))


def draw_specks(rng: np.random.Generator, canvas: Canvas, count: int) -> None:
    """Bacteria and dust: dots of about a micrometre, some out of focus."""
    for _ in range(count):
        radius = rng.uniform(0.2, 0.6)
        blur = rng.choice((0.0, 0.2, 2.2), p=(0.6, 0.34, 0.06))
        radius = radius if blur < 1 else rng.uniform(1.5, 3.2)
        half = int(np.ceil((radius + 3 * blur + 1) / canvas.mpp))
        outline = rounded(rng, radius, rng.uniform(0.5, 1), 0.1) / canvas.mpp + half
        dot = filled(outline, (2 * half, 2 * half))
        density = rng.uniform(0.3, 1.2) * blurred(dot, blur / canvas.mpp)[..., None] * HAEMATOXYLIN
        left, top = np.round(_somewhere(rng, canvas) / canvas.mpp).astype(int) - half
        canvas.add(density.astype(np.float32), int(left), int(top))


def haze(rng: np.random.Generator, canvas: Canvas) -> FloatImage:
    """Uneven film on the glass, shape (height, width, 3), in optical density."""
    shape = canvas.density.shape[:2]
    film = 0.006 * cloud(rng, shape, 30 / canvas.mpp) + 0.003 * cloud(rng, shape, 1.5 / canvas.mpp)
    return np.asarray(np.clip(film, 0, None)[..., None] * GREY_VIOLET, dtype=np.float32)


def _clear_place(
    rng: np.random.Generator, canvas: Canvas, nuclei: Points, count: int
) -> Points | None:
    """A place for a clump where it hides no nucleus, if one is found soon."""
    reach = 9.0 + 2.6 * count**0.5
    for _ in range(12):
        where = _somewhere(rng, canvas)
        if len(nuclei) == 0 or np.hypot(*(nuclei - where).T).min() > reach:
            return where
    return None


def _inflame(
    rng: np.random.Generator, canvas: Canvas, staining: Staining, nuclei: Points, clumps: int
) -> None:
    for _ in range(clumps):
        count = int(min(1 + rng.geometric(0.2), 40)) if rng.random() < 0.94 else 60
        where = _clear_place(rng, canvas, nuclei, count)
        if where is not None:
            draw_neutrophils(rng, canvas, staining, where, count)


def clutter_field(
    rng: np.random.Generator,
    canvas: Canvas,
    staining: Staining,
    nuclei: Points,
    inflammation: float,
) -> None:
    """Fill a field with what surrounds the cells.

    Parameters
    ----------
    nuclei
        Centres of the cells in um, shape (n, 2), which clumps leave visible.
    inflammation
        Neutrophil clumps per 10,000 um2.
    """
    area = canvas.size_um[0] * canvas.size_um[1] / 1e4
    _inflame(rng, canvas, staining, nuclei, int(rng.poisson(inflammation * area)))
    for _ in range(rng.poisson(2.2 * area)):
        draw_debris(rng, canvas, _somewhere(rng, canvas))
    for _ in range(rng.poisson(0.12 * area)):
        draw_mucus(rng, canvas)
    draw_specks(rng, canvas, int(rng.poisson(5.0 * area)))
    canvas.density[...] += haze(rng, canvas)
