"""What a model says of patches whose features are kept, or will be.

The answers are those of `pycyto.learning.inference.classify` within rounding errors. Models that
differ in their heads alone, such as those of several folds, share what their backbone saw.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pycyto.learning.augmentation import look_at
from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import Bundle
from pycyto.learning.feature_cache import FeatureCache
from pycyto.learning.features import frozen_extractor_of, head_of, identity_of
from pycyto.learning.inference import Probabilities, keras_model
from pycyto.learning.networks import Network, network_named
from pycyto.learning.plan import TrainingSettings
from pycyto.records import Reporter
from pycyto.temperature import at_temperature

_BATCH_SIZE = 512


def is_frozen(settings: TrainingSettings) -> bool:
    """Whether the backbone of a model stays as published, so that others see the same."""
    return all(phase.unfrozen == "none" for phase in settings.phases)


def kept_answers(
    bundle: Bundle, patches: PatchSet, folder: Path, reporter: Reporter
) -> Probabilities:
    """Return what `answers_of` does, at ``bundle.temperature``."""
    model, network = keras_model(bundle), network_named(bundle.network)
    answers = answers_of(model, network, patches, bundle.orientations, folder, reporter)
    if bundle.temperature == 1:
        return answers
    return at_temperature(answers, bundle.temperature).astype(np.float32)


def answers_of(
    model: Any,
    network: Network,
    patches: PatchSet,
    orientations: int,
    folder: Path,
    reporter: Reporter,
) -> Probabilities:
    """Return the probability of each class for each patch, (n, k).

    Parameters
    ----------
    model
        From patches to probabilities.
    orientations
        The answer is the mean over so many of the patch.
    folder
        Of the features.

    Raises
    ------
    BadInputError
        A patch is missing, broken, or not the one of the manifest, or weights are not the
        network's.
    NotWritableError
        The folder cannot be written to.
    """
    head = head_of(model)
    cache = FeatureCache(folder, partial(frozen_extractor_of, model), identity_of(model, network))
    looks = [(patches, look_at(number)) for number in range(orientations)]
    with reporter.progress("Classify cells by their features", len(looks) * len(patches)) as move:
        tables = cache.tables(looks, move)
    answers = np.empty((len(patches), len(patches.labels)), np.float32)
    for start in range(0, len(patches), _BATCH_SIZE):
        some = slice(start, start + _BATCH_SIZE)
        said = [head.predict_on_batch(np.stack(table[some])) for table in tables]
        answers[some] = np.mean(said, axis=0, dtype=np.float32)
    cache.trim()
    return answers
