"""Outlines of cells and nuclei, in micrometres around the origin."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from shapely import affinity
from shapely.geometry import Polygon, box

Points: TypeAlias = NDArray[np.float64]

DENSE = 180
"""Vertices of an outline while it is drawn; annotations keep fewer."""


def _ring(angle: Points, radius: Points) -> Points:
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)


def squamous(
    rng: np.random.Generator, radius: float, aspect: float, corners: int, softness: float
) -> Points:
    """A flat, angular cell: corners joined by slightly bent edges.

    Parameters
    ----------
    radius
        Mean radius in um.
    aspect
        Short by long axis.
    corners
        Number of corners.
    softness
        Rounding of the corners, in vertices of the dense outline.

    Returns
    -------
    array, shape (DENSE, 2)
        x and y in um.
    """
    angle = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * np.pi / corners
    corner = _ring(angle, radius * rng.uniform(0.78, 1.22, corners))
    per_edge = DENSE // corners + 1
    step = np.linspace(0.0, 1.0, per_edge, endpoint=False)[:, None]
    edges = []
    for start, end in zip(corner, np.roll(corner, -1, axis=0), strict=True):
        outward = np.array([end[1] - start[1], start[0] - end[0]])
        bend = rng.uniform(-0.07, 0.16) * 4 * step * (1 - step)
        edges.append(start + (end - start) * step + outward * bend)
    dense = gaussian_filter1d(np.concatenate(edges), softness, axis=0, mode="wrap")
    ragged = rng.standard_normal(len(dense))
    fray = 0.5 * ragged + 1.6 * gaussian_filter1d(ragged, 2.0, mode="wrap")
    dense *= (1.0 + rng.uniform(0.004, 0.016) * fray)[:, None]
    return _turned(dense * (aspect**-0.5, aspect**0.5), rng.uniform(0, 2 * np.pi))


def rounded(rng: np.random.Generator, radius: float, aspect: float, irregularity: float) -> Points:
    """An oval whose radius wobbles: small cells and all nuclei.

    Parameters
    ----------
    radius
        Radius in um of the circle of equal area.
    aspect
        Short by long axis.
    irregularity
        Relative amplitude of the wobble; 0.01 is smooth, 0.08 is notched.

    Returns
    -------
    array, shape (DENSE, 2)
        x and y in um.
    """
    angle = np.linspace(0, 2 * np.pi, DENSE, endpoint=False)
    wobble = np.zeros(DENSE)
    for order in range(2, 9):
        size = rng.normal(0.0, irregularity / order**0.6)
        wobble += size * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    # Many notches make a star, which no nucleus is: bound the whole wobble.
    wobble *= min(1.0, 1.3 * irregularity / max(float(wobble.std()), 1e-6))
    ring = _ring(angle, radius * (1.0 + np.clip(wobble, -0.4, 0.4)))
    return _turned(ring * (aspect**-0.5, aspect**0.5), rng.uniform(0, 2 * np.pi))


def _turned(points: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


def largest_polygon(shape: object) -> Polygon:
    """The largest polygon in whatever a geometric operation returned."""
    parts = getattr(shape, "geoms", [shape])
    polygons = [part for part in parts if isinstance(part, Polygon) and not part.is_empty]
    return max(polygons, key=lambda part: part.area, default=Polygon())


def folded(outline: Points, direction: float, distance: float) -> tuple[Points, Points]:
    """Fold the part of a cell beyond a line back over the rest.

    Parameters
    ----------
    outline
        x and y in um.
    direction
        Direction of the fold from the origin, in radians.
    distance
        Distance of the fold line from the origin in um.

    Returns
    -------
    body, flap
        Outline of the folded cell without the flap, and of the flap that lies on it.
    """
    turned = affinity.rotate(Polygon(outline).buffer(0), -direction, (0, 0), use_radians=True)
    far = 1000.0
    body = largest_polygon(turned.intersection(box(-far, -far, distance, far)))
    flap = largest_polygon(turned.intersection(box(distance, -far, far, far)))
    if body.is_empty or flap.is_empty:
        return outline, np.empty((0, 2))
    mirrored = affinity.translate(affinity.scale(flap, -1, 1, origin=(0, 0)), 2 * distance)
    lying = largest_polygon(mirrored.intersection(body))
    body, lying = (
        affinity.rotate(part, direction, (0, 0), use_radians=True) for part in (body, lying)
    )
    return np.asarray(body.exterior.coords)[:-1], np.asarray(lying.exterior.coords)[:-1]


def resampled(points: Points, count: int) -> Points:
    """An outline with ``count`` vertices at equal distances along it."""
    closed = np.concatenate((points, points[:1]))
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    wanted = np.linspace(0.0, length[-1], count, endpoint=False)
    return np.stack([np.interp(wanted, length, closed[:, axis]) for axis in (0, 1)], axis=1)
