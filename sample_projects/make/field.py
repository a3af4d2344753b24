"""Lays cells out on a field and draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from canvas import Canvas, Points
from cells import HSIL, Plan, draw_plan, draw_squame
from clutter import clutter_field
from paint import Drawn, draw_cell
from scanner import Scanner, scan
from stains import Staining, draw_staining

Placed: TypeAlias = list[tuple[Plan, Points]]


@dataclass(frozen=True)
class Field:
    """A finished field.

    Attributes
    ----------
    pixels
        Shape (height, width, 3), uint8.
    cells
        The cells on it, outlines in px.
    """

    pixels: NDArray[np.uint8]
    cells: tuple[Drawn, ...]


def _grouped(rng: np.random.Generator, plans: Sequence[Plan]) -> list[list[Plan]]:
    """Small dark cells come in crowded groups, the others singly."""
    groups: list[list[Plan]] = [[plan] for plan in plans if plan.label != HSIL]
    small = [plan for plan in plans if plan.label == HSIL]
    while small:
        count = int(rng.choice((1, 2, 3, 5), p=(0.5, 0.25, 0.15, 0.1)))
        groups.append(small[:count])
        small = small[count:]
    order = rng.permutation(len(groups))
    return [groups[index] for index in order]


def _free_place(
    rng: np.random.Generator,
    size_um: tuple[float, float],
    radius: float,
    taken: list[tuple[Points, float]],
    margin: float,
) -> Points:
    """The first place that overlaps little, else the best of many."""
    best, best_room = np.zeros(2), -1.0
    for _ in range(60):
        place = rng.uniform((margin, margin), (size_um[0] - margin, size_um[1] - margin))
        room = min((float(np.hypot(*(place - p))) / (radius + r) for p, r in taken), default=9.0)
        if room > best_room:
            best, best_room = place, room
        # A random threshold leaves some cells apart, some touching, some overlapping.
        if room > rng.uniform(0.5, 1.1):
            break
    return best


def _layout(
    rng: np.random.Generator, plans: Sequence[Plan], size_um: tuple[float, float], margin: float
) -> Placed:
    """A centre in um for each cell."""
    taken: list[tuple[Points, float]] = []
    placed: Placed = []
    for group in _grouped(rng, plans):
        reach = max(plan.radius for plan in group) * len(group) ** 0.5
        anchor = _free_place(rng, size_um, reach, taken, margin)
        for index, plan in enumerate(group):
            angle = rng.uniform(0, 0.9) + index * 2 * np.pi / max(len(group), 1)
            away = 0.0 if len(group) == 1 else reach * rng.uniform(0.45, 0.8)
            place = anchor + away * np.array((np.cos(angle), np.sin(angle)))
            placed.append((plan, np.clip(place, margin * 0.6, np.array(size_um) - margin * 0.6)))
        taken.append((anchor, reach))
    return placed


def _squames(rng: np.random.Generator, canvas: Canvas, placed: Placed, staining: Staining) -> None:
    """Anucleate squames, more of them around small cells, whose surroundings are else empty."""
    area = canvas.size_um[0] * canvas.size_um[1] / 1e4
    small = [place for plan, place in placed if not plan.angular]
    places = [rng.uniform((0, 0), canvas.size_um) for _ in range(rng.poisson(0.5 * area))]
    places += [place + rng.normal(0, 12, 2) for place in small if rng.random() < 0.45]
    for place in places:
        plan = draw_squame(rng, staining.pink_cells)
        draw_cell(rng, canvas, plan, (float(place[0]), float(place[1])), staining)


class Stage:
    """A field while it is drawn: cells first, then what surrounds them.

    Attributes
    ----------
    canvas
        Optical density so far.
    staining
        How this preparation took its stains.
    """

    def __init__(self, rng: np.random.Generator, scanner: Scanner, size: tuple[int, int]) -> None:
        self._rng = rng
        self._scanner = scanner
        self._centres: list[Points] = []
        self.canvas = Canvas.blank(*size, scanner.mpp)
        self.staining = draw_staining(rng)

    def plan(self, label: str) -> Plan:
        """A random cell of a class."""
        return draw_plan(self._rng, label, self.staining.pink_cells)

    def cell(self, plan: Plan, centre_um: Points, *, body: Points | None = None) -> Drawn:
        """Draw one cell with its centroid at ``centre_um``."""
        self._centres.append(centre_um)
        where = (float(centre_um[0]), float(centre_um[1]))
        return draw_cell(self._rng, self.canvas, plan, where, self.staining, body=body)

    def scatter(self, labels: Sequence[str], margin_um: float = 15.0) -> list[Drawn]:
        """Draw one cell per label, spread over the field."""
        plans = [self.plan(label) for label in labels]
        placed = _layout(self._rng, plans, self.canvas.size_um, margin_um)
        _squames(self._rng, self.canvas, placed, self.staining)
        return [self.cell(plan, place) for plan, place in placed]

    def finish(self, *, inflammation: float, tiled: bool = False) -> NDArray[np.uint8]:
        """Add the clutter and take the picture."""
        centres = np.array(self._centres).reshape(-1, 2)
        clutter_field(self._rng, self.canvas, self.staining, centres, inflammation)
        return scan(self._rng, self.canvas.density, self._scanner, tiled=tiled)


def draw_field(
    rng: np.random.Generator, scanner: Scanner, size: tuple[int, int], labels: Sequence[str]
) -> Field:
    """Draw a camera field of ``size`` (width, height in px) with one cell per label."""
    stage = Stage(rng, scanner, size)
    cells = stage.scatter(labels)
    return Field(stage.finish(inflammation=rng.uniform(0.8, 3.2)), tuple(cells))
