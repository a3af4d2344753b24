"""What models of a study say of cells that they have not seen: every cell, fold by fold.

A model of each fold learns from all the others, for as many epochs as the model that is kept, so
that no cell has to be kept aside to choose by. The temperature of the model that is kept is fitted
on all their answers. The answers themselves are told at another one in each fold, fitted on the
other folds, so that no cell has a say in its own probability.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pycyto import files
from pycyto.labels import scheme_named
from pycyto.learning.bundle import load_bundle
from pycyto.learning.feature_cache import default_folder
from pycyto.learning.sampling import source_weights
from pycyto.manifest import Row
from pycyto.parts import read_folds, rows_by_part
from pycyto.records import Reporter
from pycyto.steps.scored import Floats, answered_rows, joined, read_scores, write_scores
from pycyto.steps.study_parts import study_parts
from pycyto.steps.study_stages import Stage, Stages
from pycyto.temperature import at_temperature, best_temperature

_MODEL, _SCORES = "model", "scores.csv"

# Given a fold, the place for a bundle and a reporter, learns from all other folds.
Learn = Callable[[int, Path, Reporter], object]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What the models of the folds said of the cells that they had not seen.

    Attributes
    ----------
    labels
        Classes that any of them knows.
    rows, probabilities
        All cells of these, and (n, k), at the temperature of the other folds.
    temperature
        Fitted on the answers of all folds, for the model that is kept; 1 for none.
    """

    labels: tuple[str, ...]
    rows: Sequence[Row]
    probabilities: Floats
    temperature: float


@dataclass(frozen=True, slots=True)
class Folds:
    """How the models of the folds are made.

    Attributes
    ----------
    name
        Of the network and its seed: their folder.
    number
        Of folds.
    data
        The pooled data set.
    decides, inputs
        As of `pycyto.steps.study_stages.Stages.run`.
    """

    name: str
    number: int
    data: Path
    decides: object
    inputs: Mapping[str, str]

    def stages(self, stages: Stages, learn: Learn) -> list[Stage]:
        """Train a model for each fold, and ask it about the cells of that fold."""
        return [
            stages.run(
                f"folds/{self.name}/fold{fold}", self.decides, self.inputs,
                partial(self._make, learn, fold), goes_on=True,
            )
            for fold in range(1, self.number + 1)
        ]  # fmt: skip

    def _make(self, learn: Learn, fold: int, folder: Path, reporter: Reporter) -> str:
        # What an earlier try has finished is there already.
        if not (folder / _MODEL).exists():
            learn(fold, folder / _MODEL, reporter)
        bundle = load_bundle(folder / _MODEL)
        rows = rows_by_part(self.data, fold)["test"]
        found = answered_rows(bundle, self.data, rows, default_folder(), reporter)
        write_scores(folder / _SCORES, bundle.labels, rows, found)
        return files.sha256_of(folder / _SCORES)


def out_of_fold(data: Path, stages: Sequence[Stage], *, by_source: bool) -> OutOfFold:
    """Put together what the models of all folds said, and fit temperatures on it.

    Parameters
    ----------
    by_source
        All sources count alike in that, however many cells they have.
    """
    tested = study_parts(data).tested
    names = scheme_named(tested[0].scheme).names
    labels, said = joined([read_scores(stage.folder / _SCORES) for stage in stages], names)
    rows = [row for row in tested if row.label in labels]
    answers = np.stack([said[row.key] for row in rows])
    folds = read_folds(data)
    fold = np.array([folds[row.key] for row in rows])
    fit = partial(_temperature, rows, labels, answers, by_source=by_source)
    crossed = np.empty_like(answers)
    for number in np.unique(fold):
        crossed[fold == number] = at_temperature(answers[fold == number], fit(fold != number))
    return OutOfFold(labels, rows, crossed, fit(fold > 0))


def _temperature(
    rows: Sequence[Row],
    labels: Sequence[str],
    answers: Floats,
    where: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *,
    by_source: bool,
) -> float:
    """Return the temperature that fits some of the answers best; 1 where none does."""
    truth = np.array([labels.index(row.label) for row in rows])
    sources = np.unique([row.source for row in rows], return_inverse=True)[1]
    weights = source_weights(sources[where]) if by_source else None
    return best_temperature(truth[where], answers[where], weights) or 1.0
