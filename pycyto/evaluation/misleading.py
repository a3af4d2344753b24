"""What makes the figures of a source look better than they are, or mean less than they seem to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.controls import Control, linear
from pycyto.evaluation.looks import crop_sizes
from pycyto.evaluation.metrics import Figures
from pycyto.evaluation.words import number
from pycyto.manifest import PATCH_SIZE, Row

_NAME, _DESCRIPTION = "picture's size alone", "width and height of the picture that a cell came as"


@dataclass(frozen=True, slots=True)
class Misleading:
    """Of one source that is learnt from.

    Attributes
    ----------
    honest
        Of the model, on cells of groups that were not learnt from.
    leaking
        Macro-F1 that splits that leak claim of this source, by their name.
    size_alone
        What width and height of the pictures tell of the classes of this source by themselves.
    cells, crowded
        All cells, and those whose patch shows another cell of this data set.
    cut, leaving
        Cells that were cut from a larger image, and those whose patch reaches beyond it.
    enlarged
        By class: the median of how many times a picture of its own would be enlarged if it were
        brought to the size of a patch. Empty where cells were cut from larger images.
    """

    source: str
    honest: Figures
    leaking: Mapping[str, float]
    size_alone: Control
    cells: int
    crowded: int
    cut: int
    leaving: int
    enlarged: Mapping[str, float] = field(default_factory=dict)

    @property
    def no_better(self) -> str:
        """A sentence where the size of the pictures alone does as well as the model; else empty."""
        alone = self.size_alone.figures
        ours = self.size_alone.beside or self.honest
        if alone is None or (alone.macro_f1.value or 0) < (ours.macro_f1.value or 0):
            return ""
        return (
            f"{self.source}: the pictures' width and height alone have macro-F1 "
            f"{number(alone.macro_f1)}, the model {number(ours.macro_f1)}. There it shows no sign "
            "of knowing more than the size of a cell."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the source as plain values; docs/study.md explains them."""
        return {
            "source": self.source,
            "macro_f1": self.honest.macro_f1.to_json(),
            "macro_f1_claimed_by_leaking_splits": dict(self.leaking),
            "size_of_the_picture_alone": self.size_alone.to_json(),
            "cells": self.cells,
            "with_another_cell_in_the_patch": self.crowded,
            "cut_from_an_image": self.cut,
            "patch_leaves_the_image": self.leaving,
            "most_severe": self.honest.classes[-1].recall.to_json(),
            "median_enlargement_if_brought_to_fit": dict(self.enlarged),
        }


def crowded(rows: Sequence[Row]) -> int:
    """Return how many patches show the centre of another cell of the same image."""
    by_image: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_image[row.image_key].append(row)
    return sum(_crowded(own) for own in by_image.values())


def _crowded(rows: Sequence[Row]) -> int:
    centres = np.array([(row.centroid_x, row.centroid_y) for row in rows])
    corners = np.array([(row.left, row.top) for row in rows])
    widths = np.array([row.width for row in rows])
    # Of each cell from each patch.
    off = centres[None] - corners[:, None]
    shown = ((off >= 0) & (off < widths[:, None, None])).all(axis=2)
    return int((shown.sum(axis=1) > 1).sum())


def enlarged(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, float]:
    """Return the median enlargement of each class if its pictures were brought to fit a patch."""
    largest = crop_sizes(rows).max(axis=1)
    known = {label: largest[[row.label == label for row in rows]] for label in labels}
    return {
        label: float(np.median(PATCH_SIZE / sizes))
        for label, sizes in known.items()
        if len(sizes) and not np.isnan(sizes).any()
    }


def size_alone(
    trained: Sequence[Row], tested: Sequence[Row], model: Classified, seed: int
) -> Control:
    """Learn the classes of one source from the size of its pictures.

    Parameters
    ----------
    trained, tested
        Rows of that source; the same ones where `model` has folds. Cells that were cut from a
        larger image are left out.
    model
        What a model said of the tested ones.
    """
    sizes = crop_sizes(trained), crop_sizes(tested)
    if np.isnan(sizes[1]).all():
        return Control(_NAME, _DESCRIPTION, reason="cut from larger images")
    truth = np.array([model.labels.index(row.label) for row in trained], np.int64)
    return linear(_NAME, _DESCRIPTION, truth, sizes, model, seed)
