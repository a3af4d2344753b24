"""Classified cells, made up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pycyto.evaluation.classified import Classified, Probabilities
from pycyto.evaluation.intervals import resampling

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")


def classified(
    truth: Sequence[int] | np.ndarray,
    probabilities: Probabilities,
    labels: Sequence[str] = LABELS,
    groups: Sequence[str] | None = None,
    *,
    seed: int = 0,
) -> Classified:
    """Return cells, each of a group of its own unless told."""
    names = groups or [f"g{number:04}" for number in range(len(truth))]
    drawn = resampling(names, seed)
    return Classified(np.array(truth, np.int64), probabilities, tuple(labels), drawn)


def called(
    truth: Sequence[int],
    said: Sequence[int],
    labels: Sequence[str] = LABELS,
    groups: Sequence[str] | None = None,
) -> Classified:
    """Return cells that a model called so, with a probability of 0.7."""
    probabilities = np.full((len(truth), len(labels)), 0.1)
    probabilities[np.arange(len(truth)), np.array(said, np.int64)] = 0.7
    return classified(truth, probabilities, labels, groups)


def hsil_of(sizes: Sequence[int], wrong: Sequence[int]) -> Classified:
    """Return HSIL cells of several groups, so many of each called NILM."""
    said = [
        0 if cell < bad else 3 for n, bad in zip(sizes, wrong, strict=True) for cell in range(n)
    ]
    groups = [f"g{number:04}" for number, n in enumerate(sizes) for _ in range(n)]
    return called([3] * len(said), said, groups=groups)
