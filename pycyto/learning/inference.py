"""A bundle at work: patches in, probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.learning.bundle import WEIGHTS_FILE, Bundle
from pycyto.learning.networks import INPUT_SHAPE, build

Probabilities = npt.NDArray[np.float32]


def classify(
    bundle: Bundle,
    patches: Iterable[Pixels],
    *,
    batch_size: int = 32,
    advance: Callable[[int], None] | None = None,
) -> Probabilities:
    """Return the probability of each class for each patch.

    Parameters
    ----------
    patches
        Each (224, 224, 3) uint8 RGB, cut as ``bundle.resolution`` says. They are
        taken batch by batch and not kept.
    advance
        Called after each batch with the number of its patches.

    Returns
    -------
    Probabilities
        (n, k) float32, columns in the order of ``bundle.labels``.

    Raises
    ------
    BadInputError
        A patch of another shape or type, or weights that are not the network's.
    """
    found: list[Probabilities] = [np.empty((0, len(bundle.labels)), np.float32)]
    for batch in _batches(patches, batch_size):
        model = _model(bundle.path, bundle.network, len(bundle.labels), bundle.bundle_id)
        found.append(np.asarray(model.predict_on_batch(batch), np.float32))
        if advance is not None:
            advance(len(batch))
    return np.concatenate(found)


@lru_cache(maxsize=1)
def _model(path: Path, network: str, n_classes: int, bundle_id: str) -> Any:  # noqa: ARG001
    """Build the network and load its weights; kept, since steps classify image by image.

    The bundle's ID is a parameter so that a bundle that was replaced is loaded anew.
    """
    model = build(network, n_classes)
    try:
        model.load_weights(path / WEIGHTS_FILE)
    # What Keras raises depends on how the file is wrong.
    except Exception as error:
        raise BadInputError(
            f"These weights are not those of the network {network}.",
            where=path / WEIGHTS_FILE,
            remedy="Copy the whole bundle again from where it was made, or train it again.",
        ) from error
    return model


def _batches(patches: Iterable[Pixels], size: int) -> Iterator[Pixels]:
    stream = iter(patches)
    while batch := list(islice(stream, size)):
        for patch in batch:
            if patch.shape != INPUT_SHAPE or patch.dtype != np.uint8:
                raise BadInputError(
                    f"A patch is {INPUT_SHAPE} uint8; this one is {patch.shape} {patch.dtype}."
                )
        yield np.stack(batch)
