"""Which cells of the pooled data set a study learns from, tests on, and fixes thresholds on.

With fractions these are the parts of the split. With folds every cell is learnt from, by the
model that is kept, and every cell is tested, by the model of its fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto.manifest import Row, read_manifest
from pycyto.parts import FOLDS_FILE, read_folds, rows_by_part
from pycyto.records import CellKey


@dataclass(frozen=True, slots=True)
class StudyParts:
    """Labelled rows of the pooled data set.

    Attributes
    ----------
    learnt
        What the model has learnt from, or was chosen by.
    train
        What it has learnt from.
    tested
        Whose figures stand for the model on the sources that it has learnt from.
    fixing
        That thresholds are fixed on.
    fold
        Of each cell; None where the data set is split by fractions.
    """

    learnt: Sequence[Row]
    train: Sequence[Row]
    tested: Sequence[Row]
    fixing: Sequence[Row]
    fold: Mapping[CellKey, int] | None


def study_parts(data: Path) -> StudyParts:
    """Read which cells are where."""
    if (data / FOLDS_FILE).exists():
        folds = read_folds(data)
        rows = [row for row in read_manifest(data) if row.label]
        return StudyParts(rows, rows, rows, rows, folds)
    parts = rows_by_part(data)
    learnt = [*parts["train"], *parts["validation"]]
    return StudyParts(learnt, parts["train"], parts["test"], parts["validation"], None)
