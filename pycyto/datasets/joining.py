"""Groups that show the same cells are one: a cell photographed twice must not be in two parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pycyto.datasets.groups import join, root_of
from pycyto.datasets.near import same_cells
from pycyto.images.crop import Pixels
from pycyto.images.likeness import Thumbnail
from pycyto.manifest import UNKNOWN, Row

# Names in the name of a joined group; the others are in the record.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of looking for cells that are in two groups.

    Attributes
    ----------
    rows
        In the order given, those of joined groups with one slide.
    groups
        The names of each set of groups that became one.
    pairs
        Pairs of cells of two groups that are nearly or exactly the same.
    torn
        Those of these pairs that have two classes.
    """

    rows: list[Row]
    groups: list[list[str]]
    pairs: int
    torn: list[tuple[Row, Row]]


def joined(
    rows: Sequence[Row], pictures: Sequence[Thumbnail], patch: Callable[[Row], Pixels]
) -> Joined:
    """Give the rows of groups that share a nearly identical cell one slide.

    Parameters
    ----------
    rows
        At least one, and without patients: groups are slides, else images.
    pictures
        The thumbnail of each, (32, 32) uint8.
    patch
        Returns the patch of a row, (224, 224, 3) uint8.
    """
    names = [_name(row) for row in rows]
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    parents: dict[str, str] = {}
    pairs, torn = 0, []
    for one, other in same_cells(np.stack(pictures), numbers, lambda n: patch(rows[n])):
        join(parents, names[one], names[other])
        pairs += 1
        if rows[one].label != rows[other].label:
            torn.append((rows[one], rows[other]))
    sets: dict[str, list[str]] = defaultdict(list)
    for name in sorted(parents):
        sets[root_of(parents, name)].append(name)
    slides = {name: _slide(found) for found in sets.values() for name in found}
    return Joined(
        [
            replace(row, slide=slides[name]) if name in slides else row
            for row, name in zip(rows, names, strict=True)
        ],
        sorted(sets.values()),
        pairs,
        torn,
    )


def _name(row: Row) -> str:
    return row.slide if row.slide != UNKNOWN else f"image {row.image_name}"


def _slide(names: Sequence[str]) -> str:
    rest = f" + {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return " + ".join(names[:_NAMED]) + rest
