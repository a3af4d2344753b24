"""What a model says of patches whose features are kept, or will be.

The answers are those of `pycyto.learning.inference.classify` within rounding errors. Models that
differ in their heads alone, such as those of several folds, share what their backbone saw.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pycyto.learning.augmentation import look_at
from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import Bundle
from pycyto.learning.feature_cache import FeatureCache
from pycyto.learning.features import extractor_of, head_of, identity_of
from pycyto.learning.inference import Probabilities, keras_model
from pycyto.learning.networks import network_named
from pycyto.records import Reporter
from pycyto.temperature import at_temperature

_BATCH_SIZE = 512


def has_frozen_backbone(bundle: Bundle) -> bool:
    """Whether a model's backbone is as published, so that others see the same."""
    return all(phase["unfrozen"] == "none" for phase in bundle.card["settings"]["phases"])


def kept_answers(
    bundle: Bundle, patches: PatchSet, folder: Path, reporter: Reporter
) -> Probabilities:
    """Return the probability of each class for each patch, (n, k).

    It is the mean over ``bundle.orientations`` of the patch, at ``bundle.temperature``.

    Parameters
    ----------
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
    model = keras_model(bundle)
    head = head_of(model)
    identity = identity_of(model, network_named(bundle.network))
    cache = FeatureCache(folder, extractor_of(model), identity)
    looks = [(patches, look_at(number)) for number in range(bundle.orientations)]
    with reporter.progress("Classify cells by their features", len(looks) * len(patches)) as move:
        tables = cache.tables(looks, move)
    answers = np.empty((len(patches), len(bundle.labels)), np.float32)
    for start in range(0, len(patches), _BATCH_SIZE):
        some = slice(start, start + _BATCH_SIZE)
        said = [head.predict_on_batch(np.stack(table[some])) for table in tables]
        answers[some] = np.mean(said, axis=0, dtype=np.float32)
    cache.trim()
    if bundle.temperature == 1:
        return answers
    return at_temperature(answers, bundle.temperature).astype(np.float32)
