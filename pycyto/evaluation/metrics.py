"""Figures of a classifier, for classes that are ordered by severity.

A figure that cannot be computed is None and reads "not defined". It is never 0
and never left out silently: a test without HSIL says nothing about HSIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError

Classes = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of` cells."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """From 0 to 1, or None where there is nothing to take a share of."""
        return self.count / self.of if self.of else None

    def to_json(self) -> dict[str, Any]:
        """Return the share with both its numbers."""
        return {"value": self.value, "count": self.count, "of": self.of}


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class against all others.

    Attributes
    ----------
    support
        Cells that truly are of this class.
    recall, missed
        Share of them that were called so, and that were not (false negative rate).
    precision
        Share of the cells called so that are.
    specificity
        Share of the cells of other classes that were not called so.
    f1
        None where the class is absent from the truth.
    """

    label: str
    support: int
    recall: Share
    precision: Share
    specificity: Share
    f1: float | None

    @property
    def missed(self) -> Share:
        """Share of the cells of this class that were called another."""
        return Share(self.recall.of - self.recall.count, self.recall.of)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "support": self.support,
            "recall": self.recall.to_json(),
            "false_negative_rate": self.missed.to_json(),
            "precision": self.precision.to_json(),
            "specificity": self.specificity.to_json(),
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class AtLeast:
    """How well cells of a class or worse are told from the less severe ones."""

    label: str
    sensitivity: Share
    specificity: Share

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "sensitivity": self.sensitivity.to_json(),
            "specificity": self.specificity.to_json(),
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
    accuracy
        Share of cells called right.
    macro_f1
        Mean F1 of the classes present in the truth.
    kappa
        Cohen's, with quadratic weights; None where chance alone agrees fully.
    undercall
        Called less severe than they are, of the cells for which that is
        possible: the least severe class cannot be undercalled, and counting it
        would make the rate look small.
    overcall
        Called more severe than they are, of the cells for which that is possible.
    worst_miss
        Cells of the most severe class that were called the least severe one.
    at_least
        For each class but the least severe: this or worse.
    """

    labels: tuple[str, ...]
    absent: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    accuracy: Share
    macro_f1: float | None
    kappa: float | None
    undercall: Share
    overcall: Share
    worst_miss: Share
    classes: tuple[ClassFigures, ...]
    at_least: tuple[AtLeast, ...]

    @property
    def n(self) -> int:
        """Cells."""
        return self.accuracy.of

    @property
    def shares(self) -> tuple[tuple[Share, ...], ...]:
        """The confusion by rows: of the cells of a true class, those called so."""
        return tuple(tuple(Share(cell, sum(row)) for cell in row) for row in self.confusion)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values; docs/metrics-schema.md explains them."""
        return {
            "n": self.n,
            "labels": list(self.labels),
            "classes_absent_from_truth": list(self.absent),
            "accuracy": self.accuracy.to_json(),
            "macro_f1": self.macro_f1,
            "quadratic_weighted_kappa": self.kappa,
            "most_severe_called_least_severe": self.worst_miss.to_json(),
            "undercall": self.undercall.to_json(),
            "overcall": self.overcall.to_json(),
            "per_class": {found.label: found.to_json() for found in self.classes},
            "at_least": {found.label: found.to_json() for found in self.at_least},
            "confusion": [list(row) for row in self.confusion],
            "confusion_by_row": [[share.value for share in row] for row in self.shares],
        }


def called(probabilities: Probabilities) -> Classes:
    """Return the class of the highest probability for each row, (n,) int64."""
    return np.asarray(np.argmax(probabilities, axis=1), np.int64)


def score(
    truth: npt.NDArray[np.integer[Any]], probabilities: Probabilities, labels: Sequence[str]
) -> Figures:
    """Compare what cells are with what they were called.

    Parameters
    ----------
    truth
        (n,) integers: index of the true class in `labels`.
    probabilities
        (n, k) floats: what a model gives each class. The highest one counts.
    labels
        The k classes, the least severe first.

    Raises
    ------
    BadInputError
        When the shapes do not fit, a probability is not finite, or a true class
        is not one of `labels`.

    References
    ----------
    Quadratic weights: Cohen, Psychological Bulletin 70 (1968) 213.
    """
    _check(truth, probabilities, labels)
    size = len(labels)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (truth, called(probabilities)), 1)
    classes = tuple(_class_figures(counts, index, label) for index, label in enumerate(labels))
    defined = [found.f1 for found in classes if found.f1 is not None]
    return Figures(
        labels=tuple(labels),
        absent=tuple(found.label for found in classes if not found.support),
        confusion=tuple(tuple(map(int, row)) for row in counts),
        accuracy=_share(np.trace(counts), counts),
        macro_f1=sum(defined) / len(defined) if defined else None,
        kappa=_kappa(counts),
        undercall=_share(np.tril(counts, -1), counts[1:]),
        overcall=_share(np.triu(counts, 1), counts[:-1]),
        worst_miss=_share(counts[-1, 0], counts[-1]),
        classes=classes,
        at_least=tuple(_at_least(counts, index, labels[index]) for index in range(1, size)),
    )


def _class_figures(counts: Counts, index: int, label: str) -> ClassFigures:
    hits, true, said = counts[index, index], counts[index], counts[:, index]
    others = np.delete(counts, index, axis=0)
    support = int(true.sum())
    return ClassFigures(
        label=label,
        support=support,
        recall=_share(hits, true),
        precision=_share(hits, said),
        specificity=_share(np.delete(others, index, axis=1), others),
        f1=float(2 * hits / (support + said.sum())) if support else None,
    )


def _at_least(counts: Counts, index: int, label: str) -> AtLeast:
    return AtLeast(
        label,
        sensitivity=_share(counts[index:, index:], counts[index:]),
        specificity=_share(counts[:index, :index], counts[:index]),
    )


def _kappa(counts: Counts) -> float | None:
    total = counts.sum()
    if not total:
        return None
    rank = np.arange(len(counts))
    weights = (rank[:, None] - rank[None, :]) ** 2
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    disagreement = (weights * chance).sum()
    return float(1 - (weights * counts).sum() / disagreement) if disagreement else None


def _share(count: npt.ArrayLike, of: npt.ArrayLike) -> Share:
    return Share(int(np.sum(count)), int(np.sum(of)))


def _check(
    truth: npt.NDArray[np.integer[Any]], probabilities: Probabilities, labels: Sequence[str]
) -> None:
    if len(labels) < 2 or truth.ndim != 1 or probabilities.shape != (len(truth), len(labels)):
        raise BadInputError(
            f"{truth.shape} true classes and {probabilities.shape} probabilities do not fit "
            f"{len(labels)} classes."
        )
    if not np.isfinite(probabilities).all():
        bad = int((~np.isfinite(probabilities).all(axis=1)).sum())
        raise BadInputError(
            f"The model gave {bad} cells a probability that is not a number.",
            remedy="Train it again: its weights are not usable.",
        )
    if len(truth) and not 0 <= truth.min() <= truth.max() < len(labels):
        raise BadInputError(f"A true class is outside the {len(labels)} classes.")
