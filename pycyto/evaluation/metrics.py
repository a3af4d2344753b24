"""Figures of a classifier, for classes that are ordered by severity.

A figure that cannot be computed is None and reads "not defined". It is never 0
and never left out silently: a test without HSIL says nothing about HSIL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import Classified, Counts, Formula, Tally, fields
from pycyto.evaluation.intervals import Estimate, Mask
from pycyto.evaluation.screening import AtLeast, at_least


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class against all others.

    Attributes
    ----------
    recall, missed
        Share of its cells that were called so, and that were not (false negative rate).
    precision
        Share of the cells called so that are.
    specificity
        Share of the cells of other classes that were not called so.
    f1
        Not defined where the class is absent from the truth.
    """

    label: str
    recall: Estimate
    missed: Estimate
    precision: Estimate
    specificity: Estimate
    f1: Estimate

    @property
    def support(self) -> int:
        """Cells that truly are of this class."""
        return self.recall.cells

    @property
    def groups(self) -> int:
        """Groups that hold one."""
        return self.recall.groups

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "support": self.support,
            "groups": self.groups,
            "recall": self.recall.to_json(),
            "false_negative_rate": self.missed.to_json(),
            "precision": self.precision.to_json(),
            "specificity": self.specificity.to_json(),
            "f1": self.f1.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one classifier on one set of cells.

    Attributes
    ----------
    labels
        Classes, the least severe first.
    absent
        Classes with no cell in the truth: averages leave them out.
    confusion
        ``confusion[true][called]``: cells.
    shares
        The same as shares of the cells of the true class.
    accuracy
        Share of cells called right.
    macro_f1
        Mean F1 of the classes present in the truth.
    kappa
        Cohen's, with quadratic weights; not defined where chance alone agrees fully.
    undercall
        Called less severe than they are, of the cells for which that is
        possible: the least severe class cannot be undercalled, and counting it
        would make the rate look small.
    overcall
        Called more severe than they are, of the cells for which that is possible.
    at_least
        For each class but the least severe: this or worse.
    """

    labels: tuple[str, ...]
    absent: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    shares: tuple[tuple[Estimate, ...], ...]
    accuracy: Estimate
    macro_f1: Estimate
    kappa: Estimate
    undercall: Estimate
    overcall: Estimate
    classes: tuple[ClassFigures, ...]
    at_least: tuple[AtLeast, ...]

    @property
    def n(self) -> int:
        """Cells."""
        return self.accuracy.cells

    @property
    def worst_miss(self) -> Estimate:
        """Cells of the most severe class that were called the least severe one."""
        return self.shares[-1][0]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values; docs/metrics-schema.md explains them."""
        return {
            "n": self.n,
            "labels": list(self.labels),
            "classes_absent_from_truth": list(self.absent),
            "accuracy": self.accuracy.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "quadratic_weighted_kappa": self.kappa.to_json(),
            "most_severe_called_least_severe": self.worst_miss.to_json(),
            "undercall": self.undercall.to_json(),
            "overcall": self.overcall.to_json(),
            "per_class": {found.label: found.to_json() for found in self.classes},
            "at_least": {found.label: found.to_json() for found in self.at_least},
            "confusion": [list(row) for row in self.confusion],
            "confusion_by_row": [[share.value for share in row] for row in self.shares],
        }


def score(
    cells: Classified, where: Mask | None = None, prevalence: Mapping[str, float] | None = None
) -> Figures:
    """Compare what cells are with what they were called.

    Parameters
    ----------
    where
        (n,) mask of the cells to look at; all by default.
    prevalence
        Share of the cells in practice that are of a class or worse, by that class.

    References
    ----------
    Quadratic weights: Cohen, Psychological Bulletin 70 (1968) 213.
    """
    tally, size = cells.tally(where), len(cells.labels)
    true, said = fields(size)
    everything = np.ones((size, size), bool)
    support = tally.total.sum(axis=1)
    return Figures(
        labels=cells.labels,
        absent=tuple(cells.labels[index] for index in np.flatnonzero(support == 0)),
        confusion=tuple(tuple(map(int, row)) for row in tally.total),
        shares=tuple(
            tuple(tally.share(said == column, true == row) for column in range(size))
            for row in range(size)
        ),
        accuracy=tally.share(true == said, everything),
        macro_f1=tally.ratio(macro_f1_of(support > 0), everything),
        kappa=tally.ratio(quadratic_kappa, everything),
        undercall=tally.share(said < true, true > 0),
        overcall=tally.share(said > true, true < size - 1),
        classes=tuple(_of_class(tally, index, name) for index, name in enumerate(cells.labels)),
        at_least=tuple(
            at_least(tally, index, cells.labels[index], (prevalence or {}).get(cells.labels[index]))
            for index in range(1, size)
        ),
    )


def macro_f1_of(present: Mask) -> Formula:
    """Return the mean F1 of some classes, not defined where one of them has no cell.

    Without that condition a resample that misses a rare class would count as one
    in which the class gives no trouble.
    """

    def formula(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        hits, support, called = _margins(counts)
        f1 = 2 * hits / np.maximum(support + called, 1)
        complete = (support[..., present] > 0).all(axis=-1)
        return f1[..., present].sum(axis=-1), np.asarray(complete * int(present.sum()))

    return formula


def _of_class(tally: Tally, index: int, label: str) -> ClassFigures:
    true, said = fields(len(tally.total))
    is_so, called_so = true == index, said == index

    def f1(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        hits, support, called = (margin[..., index] for margin in _margins(counts))
        return 2 * hits, np.where(support > 0, support + called, 0)

    return ClassFigures(
        label=label,
        recall=tally.share(called_so, is_so),
        missed=tally.share(~called_so, is_so),
        precision=tally.share(is_so, called_so),
        specificity=tally.share(~called_so, ~is_so),
        f1=tally.ratio(f1, is_so),
    )


def quadratic_kappa(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return what is divided by what for Cohen's kappa with quadratic weights."""
    rank = np.arange(counts.shape[-1])
    weights = (rank[:, None] - rank[None, :]) ** 2
    _, true, said = _margins(counts)
    total = np.maximum(counts.sum((-1, -2)), 1)
    by_chance = (true[..., :, None] * said[..., None, :] * weights).sum((-1, -2)) / total
    return by_chance - (weights * counts).sum((-1, -2)), by_chance


def _margins(counts: Counts) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return for each class the cells called right, the cells there are, and the cells called."""
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1), counts.sum(-2)
