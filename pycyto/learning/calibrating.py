"""The temperature of a model, fitted when it has learnt and kept in its bundle.

It is fitted on the validation cells, which have chosen the epoch too. So the
model looks a little better on them than it is, and the temperature is, if
anything, a little too low.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pycyto.labels import counted
from pycyto.learning.batches import PatchSet, in_order
from pycyto.learning.inference import over_orientations
from pycyto.learning.sampling import source_weights
from pycyto.records import Reporter
from pycyto.temperature import best_temperature

Calibrate = Literal["temperature", "none"]

# What is fitted on fewer cells says more of these cells than of the model.
FEWEST = 50

_BATCH_SIZE = 32


def temperature_of(
    model: Any,
    validation: PatchSet,
    *,
    orientations: int,
    by_source: bool,
    reporter: Reporter,
) -> float:
    """Return the temperature at which a model's answers fit the validation cells best; else 1.

    Parameters
    ----------
    model
        From patches to probabilities.
    orientations
        Over so many its answers are averaged, as they will be.
    by_source
        All sources count alike, however many cells they have.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """
    cells = counted(len(validation), "validation cell")
    if len(validation) < FEWEST:
        reporter.say(f"No temperature: {cells} are too few to fit it on, {FEWEST} are needed.")
        return 1.0
    answer = over_orientations(model.predict_on_batch, orientations)
    answers = []
    with reporter.progress("Temperature of the model", len(validation)) as advance:
        for batch in in_order(validation, _BATCH_SIZE):
            answers.append(np.asarray(answer(batch.inputs)))
            advance(len(batch.targets))
    weights = source_weights(validation.sources) if by_source else None
    found = best_temperature(validation.targets, np.concatenate(answers), weights)
    if found is None:
        reporter.say(f"No temperature: on {cells} the model is all but right, or all but guesses.")
        return 1.0
    reporter.say(f"Temperature {found:.2f}, fitted on {cells}.")
    return found
