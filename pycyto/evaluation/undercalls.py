"""The cells that were called less severe than they are, as pictures, the worst first."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pycyto.evaluation.metrics import Probabilities, called
from pycyto.manifest import Row


@dataclass(frozen=True, slots=True)
class Undercall:
    """One cell that was called less severe than it is.

    Attributes
    ----------
    image, object_id, point_index
        What finds the cell again; the image may go by a pseudonym.
    picture
        Data URI of the patch.
    """

    image: str
    object_id: str
    point_index: int | None
    true: str
    called: str
    probabilities: Mapping[str, float]
    picture: str

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


def worst(
    truth: npt.NDArray[np.integer[Any]], probabilities: Probabilities, limit: int
) -> list[int]:
    """Return the positions of at most `limit` undercalled cells.

    Those that fell by most classes come first, then those to whose true class
    the model gave least.

    Parameters
    ----------
    truth, probabilities
        (n,) class indices in order of severity and (n, k) floats.
    """
    fall = truth - called(probabilities)
    given = probabilities[np.arange(len(truth)), truth]
    order = np.lexsort((given, -fall))
    return [int(index) for index in order if fall[index] > 0][:limit]


def describe(
    row: Row,
    patch: npt.NDArray[np.uint8],
    true: int,
    probabilities: Probabilities,
    labels: Sequence[str],
) -> Undercall:
    """Return what a report shows of one cell.

    Parameters
    ----------
    row
        Of the manifest, as it may be shown.
    patch
        (224, 224, 3) uint8.
    probabilities
        (k,) floats.
    """
    return Undercall(
        row.image_name,
        row.object_id,
        row.point_index,
        labels[true],
        labels[int(np.argmax(probabilities))],
        {name: round(float(p), 4) for name, p in zip(labels, probabilities, strict=True)},
        _data_uri(patch),
    )


def _data_uri(patch: npt.NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    # JPEG, as the report should stay small enough to be mailed; nothing is measured on it.
    Image.fromarray(patch).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
