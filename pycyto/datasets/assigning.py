"""Which cells readers get to read, and in which order each of them sees these.

Everything here follows from the cells, their classes and the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pycyto.records import CellKey

# A cell that comes back sooner is remembered rather than read.
LEAST_DISTANCE = 11

# What the generator is for, so that one choice does not follow from another.
_CHOICE, _REPEATS, _ORDERS = 0, 1, 2


def chosen_cells(
    classes: Mapping[CellKey, str],
    count: int,
    *,
    seed: int,
    severity: Sequence[str] | None = None,
) -> list[CellKey]:
    """Return some cells by chance, in random order.

    Parameters
    ----------
    classes
        Class of each cell there is; its order does not matter.
    count
        How many to choose; all where there are fewer.
    severity
        Classes, the least severe first: then equally many of each are chosen, as far
        as there are, and what cannot be divided goes to the more severe ones. By
        default every cell has the same chance.
    """
    generator = np.random.default_rng((seed, _CHOICE))
    cells = sorted(classes, key=str)
    if severity is None:
        return [cells[index] for index in generator.permutation(len(cells))[:count]]
    chosen: list[CellKey] = []
    by_class = {name: [cell for cell in cells if classes[cell] == name] for name in severity}
    shares = equal_shares({name: len(own) for name, own in by_class.items()}, count)
    for name, own in by_class.items():
        chosen += [own[index] for index in generator.permutation(len(own))[: shares[name]]]
    return [chosen[index] for index in generator.permutation(len(chosen))]


def equal_shares(available: Mapping[str, int], count: int) -> dict[str, int]:
    """Return how many to take of each class, so that the smallest share is as large as can be.

    Parameters
    ----------
    available
        Cells of each class, the least severe first.
    """
    severity = list(available)
    shares = {}
    # What a small class lacks is left for those that follow, and so is a remainder.
    ordered = sorted(severity, key=lambda name: (available[name], severity.index(name)))
    for place, name in enumerate(ordered):
        shares[name] = min(available[name], count // (len(ordered) - place))
        count -= shares[name]
    return {name: shares[name] for name in severity}


def reading_orders(
    cells: int, readers: Sequence[str], *, repeat: float, seed: int
) -> dict[str, tuple[int, ...]]:
    """Return for each reader an order of cells, some of them twice.

    The two showings of a cell are at least `LEAST_DISTANCE` places apart where there
    are that many cells, and mostly about half of the order.

    Parameters
    ----------
    cells
        How many there are; they go by their numbers from 0.
    repeat
        The share of them that each reader sees twice, from 0 to 1: the same cells for
        all. Any share above 0 is at least one cell.
    """
    twice = max(math.floor(repeat * cells + 0.5), int(repeat > 0 and cells > 0))
    repeated = np.random.default_rng((seed, _REPEATS)).permutation(cells)[:twice]
    return {
        reader: _order(cells, repeated.tolist(), np.random.default_rng((seed, _ORDERS, number)))
        for number, reader in enumerate(readers)
    }


def _order(cells: int, repeated: Sequence[int], generator: np.random.Generator) -> tuple[int, ...]:
    """Return one order: first showings in its first half, second ones in its second half."""
    length = cells + len(repeated)
    first, second = _showings(length, len(repeated), generator)
    order = np.full(length, -1)
    order[first] = order[second] = generator.permutation(np.array(repeated, np.int64))
    once = np.setdiff1d(np.arange(cells), np.array(repeated, np.int64))
    order[order < 0] = generator.permutation(once)
    return tuple(order.tolist())


def _showings(
    length: int, count: int, generator: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Return the places of first and of second showings.

    Both are sorted, and the first of the ones belongs to the first of the others: so
    each pair is at least `count` places apart, and some more where that is too few.
    """
    half, margin = length // 2, max(0, LEAST_DISTANCE - count)
    end = max(count, half - margin // 2)
    start = min(length - count, half + (margin + 1) // 2)
    first = generator.permutation(end)[:count]
    second = start + generator.permutation(length - start)[:count]
    return sorted(first.tolist()), sorted(second.tolist())
