"""What misleads is counted as it is: neighbours, sizes, and what sizes alone tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.metrics import score
from pycyto.evaluation.misleading import Misleading, crowded, enlarged, size_alone
from pycyto.manifest import Row
from tests.manifests import a_row

LABELS = ("NILM", "HSIL")


def cell(number: int, x: float, y: float, **values: Any) -> Row:
    place = {"centroid_x": x, "centroid_y": y, "left": int(x) - 112, "top": int(y) - 112}
    return a_row(object_id=str(number), **place, **values)


def test_a_patch_is_crowded_by_cells_of_its_own_image() -> None:
    image = {"image_key": "one"}
    near = [cell(1, 500, 500, **image), cell(2, 600, 560, **image)]
    far = [cell(3, 900, 500, **image), cell(4, 505, 505, image_key="other")]
    assert crowded([*near, *far]) == 2
    # A small patch does not reach a cell that the larger one beside it reaches.
    small = replace(near[1], left=590, top=550, width=20)
    assert crowded([near[0], small, *far]) == 1


def test_the_median_enlargement_of_each_class() -> None:
    sizes = [("NILM", 224), ("NILM", 112), ("NILM", 112), ("HSIL", 56)]
    sized = [
        cell(0, 0, 0, label=label, original_width=width, original_height=width // 2)
        for label, width in sizes
    ]
    assert enlarged(sized, LABELS) == {"NILM": 2.0, "HSIL": 4.0}
    assert enlarged([cell(1, 0, 0, label="NILM")], LABELS) == {}


@pytest.mark.parametrize(("right", "said"), [(40, False), (20, True)])
def test_where_size_alone_does_as_well_as_the_model_it_is_said(right: int, said: bool) -> None:
    # Sizes tell 30 of 40 cells.
    sizes = [50 + 100 * (n % 2) if n < 30 else 150 - 100 * (n % 2) for n in range(40)]
    rows = [
        cell(n, 0, 0, label=LABELS[n % 2], original_width=size, original_height=size)
        for n, size in enumerate(sizes)
    ]
    truth = np.arange(40) % 2
    called = np.where(np.arange(40) < right, truth, 1 - truth)
    drawn = resampling([str(number) for number in range(40)], 0)
    model = Classified(truth, np.eye(2)[called], LABELS, drawn, np.arange(40) // 2 % 2 + 1)
    found = Misleading(
        source="herlev", honest=score(model), leaking={},
        size_alone=size_alone(rows, rows, model, 0), cells=40, crowded=0, cut=0, leaving=0,
    )  # fmt: skip
    assert found.size_alone.figures is not None
    assert bool(found.no_better) is said
    if said:
        assert found.no_better.startswith("herlev: the pictures' width and height alone have")


@pytest.mark.parametrize("tells", [True, False])
def test_sizes_alone_are_learnt_from_the_other_folds(tells: bool) -> None:
    # Where sizes tell the class in a way of its own in each fold, the other folds teach nothing.
    rows, fold = [], []
    for number in range(40):
        index, own = number % 2, number // 2 % 2
        large = index == (own if not tells else 1)
        size = 200 if large else 50
        row = cell(number, 0, 0, label=LABELS[index], original_width=size, original_height=size)
        rows.append(row)
        fold.append(own + 1)
    truth = np.array([LABELS.index(row.label) for row in rows])
    drawn = resampling([str(number) for number in range(40)], 0)
    model = Classified(truth, np.eye(2)[truth], LABELS, drawn, np.array(fold))
    found = size_alone(rows, rows, model, 0).figures
    assert found is not None
    assert found.accuracy.value == (1.0 if tells else 0.0)
    assert size_alone(rows, [cell(1, 0, 0)], model, 0).reason == "cut from larger images"
