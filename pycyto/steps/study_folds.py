"""What models of a study say of cells that they have not seen: every cell, fold by fold.

A model of each fold learns from all others, for as many epochs as the model that is kept, so that
nothing has to be kept aside to choose by. One temperature for the model that is kept is fitted on
all their answers. The answers themselves are told at another one for each fold, fitted on the other
folds, so that a calibration error is honest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.learning.bundle import load_bundle
from pycyto.learning.calibrating import DECIMALS
from pycyto.learning.sampling import source_weights
from pycyto.manifest import Row
from pycyto.parts import read_folds, rows_by_part
from pycyto.records import CellKey, Reporter
from pycyto.steps.scored import Floats, classified_rows, read_scores, write_scores
from pycyto.steps.study_parts import StudyParts
from pycyto.steps.study_stages import Stage, Stages
from pycyto.temperature import at_temperature, best_temperature

SCORES_FILE = "scores.csv"
Train = Callable[[Path, int], None]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What the models of the folds said.

    Attributes
    ----------
    rows, probabilities
        All cells; (n, k), at the temperature of the other folds.
    temperature
        Fitted on all of them, for the model that is kept; 1 for none.
    """

    labels: tuple[str, ...]
    rows: Sequence[Row]
    probabilities: Floats
    temperature: float


def fold_stages(
    stages: Stages,
    name: str,
    data: Path,
    decides: object,
    inputs: Mapping[str, str],
    train: Callable[[Path, int], None],
) -> list[Stage]:
    """Train a model for each fold, and ask it about the cells of the fold.

    Parameters
    ----------
    train
        Given the place of a bundle and a fold, learns from all others.
    """
    numbers = range(1, max(read_folds(data).values()) + 1) if data.exists() else ()

    def make(fold: int, folder: Path) -> str:
        model = folder / "model"
        if not model.exists():
            train(model, fold)
        bundle = load_bundle(model)
        rows = [row for row in rows_by_part(data, fold)["test"] if row.label in bundle.labels]
        found, _ = classified_rows(bundle, data, rows, stages.reporter)
        write_scores(folder / SCORES_FILE, bundle.labels, rows, found)
        return files.sha256_of(folder / SCORES_FILE)

    return [
        stages.run(f"folds/{name}/{fold}", decides, inputs, partial(make, fold), goes_on=True)
        for fold in numbers
    ]
