"""What a model says of the cells that it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.assisted import Assisted
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.metrics import score
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import classify
from pycyto.manifest import Row
from pycyto.records import Reporter
from pycyto.steps.tested import Tested


@dataclass(frozen=True, eq=False, slots=True)
class Answers:
    """The cells of a test, classified.

    Attributes
    ----------
    known, validation
        See `Tested`.
    everything
        The known cells and those aside, in that order.
    others
        (n, k) probabilities of cells of classes that the model does not know.
    """

    known: Classified
    everything: Classified
    validation: Classified
    others: npt.NDArray[np.float32]


def answers(bundle: Bundle, test: Tested, seed: int, reporter: Reporter) -> Answers:
    """Classify all cells of a test that nothing was said of yet.

    Parameters
    ----------
    seed
        Of the resamples that intervals come from.
    """
    parts = test.known, test.aside, test.others, test.validation
    rows = [row for part in parts for row in part]
    found = _said(bundle, test, rows, reporter)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    known, aside, others, validation = np.split(found, ends)
    return Answers(
        known=_classified(test, test.known, known, seed),
        everything=_classified(
            test, [*test.known, *test.aside], np.concatenate([known, aside]), seed
        ),
        validation=_classified(test, test.validation, validation, seed),
        others=others,
    )


def assisted(test: Tested, found: Answers) -> Assisted | None:
    """Return what labels made with a model's help change; None where there are none."""
    if test.aside:
        return Assisted(len(test.aside), counted=False, other=score(found.everything))
    helped = np.array([row.helped_by_model for row in test.known], bool)
    if not helped.any():
        return None
    other = None if helped.all() else score(found.known, ~helped)
    return Assisted(int(helped.sum()), counted=True, other=other)


def _said(
    bundle: Bundle, test: Tested, rows: Sequence[Row], reporter: Reporter
) -> npt.NDArray[np.float32]:
    """Return the probabilities of rows, (n, k): those that are there, and the others anew."""
    new = [row for row in rows if row.key not in test.said]
    with reporter.progress("classify test and validation cells", len(new)) as advance:
        found = iter(classify(bundle, map(test.reader, new), advance=advance))
    all_said = [test.said[row.key] if row.key in test.said else next(found) for row in rows]
    return np.array(all_said, np.float32).reshape(len(rows), len(test.labels))


def _classified(
    test: Tested, rows: Sequence[Row], probabilities: npt.NDArray[np.float32], seed: int
) -> Classified:
    drawn = resampling(test.group_names(rows), seed)
    fold = np.array([test.folds[row.key] for row in rows], np.int64) if test.folds else None
    return Classified(test.truth(rows), probabilities, test.labels, drawn, fold)
