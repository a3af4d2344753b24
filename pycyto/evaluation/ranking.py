"""How well probabilities rank cells, whatever the threshold: ROC and precision-recall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import Estimate, Floats, Mask, Resampling, interval_of

# A drawing shows no more.
_POINTS = 200
# Steps of a curve in the resamples: more of them change no digit that is shown.
_STEPS = 1000

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of one question: this class or worse.

    Attributes
    ----------
    auc
        Area under the ROC curve.
    average_precision
        Of the precision-recall curve, without interpolation.
    prevalence
        Share of the cells that are so: the precision of calling all of them so.
    roc
        False positive rate and sensitivity; empty where not defined.
    precision_recall
        Recall and precision; empty where not defined.
    """

    label: str
    auc: Estimate
    average_precision: Estimate
    prevalence: float | None
    roc: Points
    precision_recall: Points

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values, and the curves as points."""
        return {
            "auc": self.auc.to_json(),
            "average_precision": self.average_precision.to_json(),
            "prevalence": self.prevalence,
            "roc": [list(point) for point in self.roc],
            "precision_recall": [list(point) for point in self.precision_recall],
        }


def rankings(cells: Classified) -> list[Ranking]:
    """Return the ranking for each question, the most severe first."""
    return [_ranking(cells, index) for index in range(len(cells.labels) - 1, 0, -1)]


def areas(
    positive: Mask, scores: Floats, resampling: Resampling
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return ROC AUC and average precision in each resample, NaN where not defined.

    Each is a sum over the cells in the order of their scores, each counted as often
    as its group was drawn. Cells of one score are one step; beyond a thousand steps
    neighbouring ones are joined.

    Parameters
    ----------
    positive, scores
        (n,).
    """
    order = np.argsort(-scores, kind="stable")
    steps = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    steps = steps[:: math.ceil(len(steps) / _STEPS)]
    codes, is_so = resampling.codes[order], positive[order].astype(np.float32)
    found = np.full((2, len(resampling.weights)), np.nan)
    for some in resampling.pieces(len(scores)):
        # Whole numbers, which single precision holds exactly.
        weights = resampling.weights[some].astype(np.float32)[:, codes]
        every = np.add.reduceat(weights, steps, axis=1).astype(np.float64)
        hits = np.add.reduceat(weights * is_so, steps, axis=1).astype(np.float64)
        found[:, some] = _areas(hits, every - hits)
    return found[0], found[1]


def _areas(
    hits: npt.NDArray[np.float64], false: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the areas from (..., steps) true and false positives gained at each step."""
    above, beside = hits.cumsum(axis=-1), false.cumsum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (false * (above - hits / 2)).sum(-1) / (above[..., -1] * beside[..., -1])
        precision = above / np.maximum(above + beside, 1)
        average = (hits * precision).sum(-1) / above[..., -1]
    # Without a negative cell precision is 1 at every threshold, and says nothing.
    return auc, np.where(beside[..., -1] > 0, average, np.nan)


def _ranking(cells: Classified, index: int) -> Ranking:
    from sklearn import metrics

    label, positive, scores = cells.labels[index], cells.truth >= index, cells.at_least(index)
    groups = min(cells.resampling.holding(own) for own in (positive, ~positive))
    if positive.all() or not positive.any():
        undefined = Estimate(None, len(cells), groups, withheld="not defined")
        return Ranking(label, undefined, undefined, None, (), ())
    drawn = areas(positive, scores, cells.resampling)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    false, true, _ = metrics.roc_curve(positive, scores)
    values = metrics.roc_auc_score, metrics.average_precision_score
    auc, average = (
        _estimate(float(value(positive, scores)), own, len(cells), groups)
        for value, own in zip(values, drawn, strict=True)
    )
    return Ranking(
        label, auc, average, float(positive.mean()), _thinned(false, true),
        _thinned(recall[::-1], precision[::-1]),
    )  # fmt: skip


def _estimate(value: float, drawn: Floats, cells: int, groups: int) -> Estimate:
    interval, withheld, undefined = interval_of(drawn, groups)
    return Estimate(value, cells, groups, None, interval, withheld, undefined=undefined)


def _thinned(x: Floats, y: Floats) -> Points:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(np.int64))
    return tuple((round(float(x[i]), 4), round(float(y[i]), 4)) for i in kept)
