"""Cells that were called what they are not, as pictures, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified
from pycyto.images.crop import Pixels
from pycyto.images.pictures import data_uri
from pycyto.manifest import Row


@dataclass(frozen=True, slots=True)
class Pictured:
    """One cell that was called what it is not.

    Attributes
    ----------
    image, object_id, point_index
        What finds the cell again; the image may go by a pseudonym.
    picture, heat_map
        Data URIs of the patch, and of where the network looked in it.
    """

    image: str
    object_id: str
    point_index: int | None
    true: str
    called: str
    probabilities: Mapping[str, float]
    picture: str
    heat_map: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the cell as plain values, without its picture."""
        return {
            "image": self.image,
            "object_id": self.object_id,
            "point_index": self.point_index,
            "true": self.true,
            "called": self.called,
            "probabilities": dict(self.probabilities),
        }


def worst_undercalls(cells: Classified, limit: int) -> list[int]:
    """Return the positions of at most `limit` cells that were called less severe than they are.

    Those that fell by most classes come first, then those to whose true class
    the model gave least.
    """
    fall = cells.truth - cells.called
    given = cells.probabilities[np.arange(len(cells)), cells.truth]
    order = np.lexsort((given, -fall))
    return [int(index) for index in order if fall[index] > 0][:limit]


def surest_errors(cells: Classified, limit: int) -> list[int]:
    """Return the positions of at most `limit` wrongly called cells, the surest error first."""
    order = np.argsort(-cells.probabilities.max(axis=1), kind="stable")
    wrong = cells.truth != cells.called
    return [int(index) for index in order if wrong[index]][:limit]


def describe(
    row: Row, patch: Pixels, cells: Classified, index: int, heat: Pixels | None = None
) -> Pictured:
    """Return what a report shows of one cell.

    Parameters
    ----------
    row
        Of the manifest, as it may be shown.
    patch
        (224, 224, 3) uint8.
    heat
        The same with a heat map over it.
    """
    given = cells.probabilities[index]
    return Pictured(
        row.image_name,
        row.object_id,
        row.point_index,
        cells.labels[cells.truth[index]],
        cells.labels[cells.called[index]],
        {name: round(float(p), 4) for name, p in zip(cells.labels, given, strict=True)},
        data_uri(patch),
        None if heat is None else data_uri(heat),
    )
