"""What needs no look at a cell: a model must beat it before its figures mean anything.

Controls are fitted on the training part and applied to the cells that the model
is tested on, so that their figures stand beside the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.metrics import Figures, Probabilities, score
from pycyto.manifest import Row

Features = npt.NDArray[np.float64]
Truth = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Control:
    """One control.

    Attributes
    ----------
    name, description
        What it is called, and what it looks at.
    figures
        None where it could not be made.
    reason
        Why not; empty where it could.
    """

    name: str
    description: str
    figures: Figures | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the control as plain values."""
        figures = self.figures.to_json() if self.figures else None
        return {"description": self.description, "figures": figures, "reason": self.reason}


def majority(train: Truth, truth: Truth, labels: Sequence[str]) -> Control:
    """Call every cell what is most frequent in training.

    Parameters
    ----------
    train, truth
        (m,) and (n,) class indices of the training and the tested cells.
    """
    name = "most frequent class"
    if not len(train):
        return Control(name, "calls every cell the same", None, "there are no training cells")
    most = int(np.bincount(train, minlength=len(labels)).argmax())
    always = np.zeros((len(truth), len(labels)))
    always[:, most] = 1
    return Control(name, f"calls every cell {labels[most]}", score(truth, always, labels))


def colour(
    train: tuple[Features, Truth], test: tuple[Features, Truth], labels: Sequence[str], seed: int
) -> Control:
    """Look at the mean red, green and blue of a patch only.

    Parameters
    ----------
    train, test
        (m, 3) means and (m,) class indices; see `mean_colours`.
    """
    return _fitted(
        "colour only", "mean red, green and blue of the patch", train, test, labels, seed
    )


def outline(
    train: tuple[Features, Truth], test: tuple[Features, Truth], labels: Sequence[str], seed: int
) -> Control:
    """Look at the size of the expert's outline only.

    Parameters
    ----------
    train, test
        (m, 3) sizes, NaN where unknown, and (m,) class indices; see `outline_sizes`.
    """
    name, description = "outline only", "width, height and area of the expert's outline"
    unknown = int(np.isnan(test[0]).any(axis=1).sum())
    if unknown:
        reason = f"{unknown} of {len(test[0])} cells have no outline"
        return Control(name, description, None, reason)
    known = ~np.isnan(train[0]).any(axis=1)
    return _fitted(name, description, (train[0][known], train[1][known]), test, labels, seed)


def mean_colours(patches: Iterable[npt.NDArray[np.uint8]]) -> Features:
    """Return the mean red, green and blue of each patch, (n, 3) float64."""
    means = [patch.reshape(-1, 3).mean(axis=0) for patch in patches]
    return np.array(means, np.float64).reshape(-1, 3)


def outline_sizes(rows: Sequence[Row]) -> Features:
    """Return width, height and area of outlines in patch pixels, (n, 3) float64 with NaN."""
    sizes = [
        (
            _over(row.outline_width, row.downsample),
            _over(row.outline_height, row.downsample),
            _over(row.outline_area, row.downsample**2),
        )
        for row in rows
    ]
    return np.array(sizes, np.float64).reshape(-1, 3)


def _fitted(
    name: str,
    description: str,
    train: tuple[Features, Truth],
    test: tuple[Features, Truth],
    labels: Sequence[str],
    seed: int,
) -> Control:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = np.unique(train[1])
    if len(classes) < 2:
        return Control(name, description, None, f"training cells of {len(classes)} classes only")
    # Balanced, since a control that ignores rare classes would be too easy to beat.
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(class_weight="balanced", max_iter=1000, random_state=seed),
    )
    model.fit(*train)
    probabilities: Probabilities = np.zeros((len(test[0]), len(labels)))
    if len(test[0]):
        probabilities[:, classes] = model.predict_proba(test[0])
    return Control(name, description, score(test[1], probabilities, labels))


def _over(value: float | None, scale: float) -> float:
    return float("nan") if value is None else value / scale
