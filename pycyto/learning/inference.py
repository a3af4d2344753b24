"""A bundle at work: patches in, probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError
from pycyto.images.crop import Pixels
from pycyto.learning.bundle import WEIGHTS_FILE, Bundle
from pycyto.learning.features import with_features
from pycyto.learning.nearest import Features
from pycyto.learning.networks import INPUT_SHAPE, build
from pycyto.learning.orientations import oriented
from pycyto.provenance import version_of
from pycyto.temperature import at_temperature

Probabilities = npt.NDArray[np.float32]
Run = Callable[[Pixels], Probabilities]


@dataclass(frozen=True, slots=True)
class Engine:
    """What computes a bundle's probabilities.

    Attributes
    ----------
    name
        The library and its version, as a run records it.
    run
        Takes (n, 224, 224, 3) uint8 RGB and returns (n, k) float32. It is called
        from one thread at a time, which need not be the caller's of `classify`.
    """

    name: str
    run: Run


def keras_engine(bundle: Bundle) -> Engine:
    """Return the engine that every installation has; it loads the model at its first batch.

    A model whose weights are not the network's is a `BadInputError` then.
    """

    def run(batch: Pixels) -> Probabilities:
        return np.asarray(keras_model(bundle).predict_on_batch(batch), np.float32)

    return Engine(f"Keras {version_of('keras')}", run)


def seeing_engine(bundle: Bundle, see: Callable[[Features], None]) -> Engine:
    """Return Keras' engine, which shows besides what the network's head decides on.

    Parameters
    ----------
    see
        Called with the features of each batch, (n, d) float32, in the order of
        the batches, from the thread that computes. They are the mean over the
        bundle's orientations, as its probabilities are.
    """
    # `classify` runs a batch once for each orientation.
    looks: list[Features] = []

    @cache
    def model() -> Any:
        return with_features(keras_model(bundle))

    def run(batch: Pixels) -> Probabilities:
        features, probabilities = model().predict_on_batch(batch)
        looks.append(np.asarray(features, np.float32))
        if len(looks) == bundle.orientations:
            see(np.mean(looks, axis=0, dtype=np.float32))
            looks.clear()
        return np.asarray(probabilities, np.float32)

    return Engine(keras_engine(bundle).name, run)


def classify(
    bundle: Bundle,
    patches: Iterable[Pixels],
    *,
    engine: Engine | None = None,
    batch_size: int = 32,
    advance: Callable[[int], None] | None = None,
) -> Probabilities:
    """Return the probability of each class for each patch.

    It is the mean over ``bundle.orientations`` of the patch, at ``bundle.temperature``.

    Parameters
    ----------
    patches
        Each (224, 224, 3) uint8 RGB, cut as ``bundle.resolution`` says. They are
        taken a batch or two ahead of the computing, and not kept.
    engine
        Of this bundle; Keras by default.
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
    run = over_orientations((engine or keras_engine(bundle)).run, bundle.orientations)
    for probabilities in _computed(run, _batches(patches, batch_size)):
        found.append(probabilities)
        if advance is not None:
            advance(len(probabilities))
    answers = np.concatenate(found)
    if bundle.temperature == 1:
        return answers
    return at_temperature(answers, bundle.temperature).astype(np.float32)


def _computed(run: Run, batches: Iterable[Pixels]) -> Iterator[Probabilities]:
    """Yield what comes of each batch, in order, reading one batch while another is computed.

    It is the computing that has a thread of its own: what reads may count, show
    progress, or talk to Java, and stays in the caller's.
    """
    with ThreadPoolExecutor(1) as pool:
        before: Future[Probabilities] | None = None
        for batch in batches:
            latest = pool.submit(run, batch)
            if before is not None:
                yield before.result()
            before = latest
        if before is not None:
            yield before.result()


def over_orientations(run: Run, number: int) -> Run:
    """Return what averages the probabilities of patches over so many of their orientations.

    They are the first of `pycyto.learning.orientations`.
    """
    if number == 1:
        return run

    def averaged(batch: Pixels) -> Probabilities:
        said = [run(oriented(batch, turn)) for turn in range(number)]
        return np.mean(said, axis=0, dtype=np.float32)

    return averaged


def keras_model(bundle: Bundle) -> Any:
    """Return the Keras model of a bundle; the latest one is kept.

    Raises
    ------
    BadInputError
        Weights that are not the network's.
    """
    return _loaded(bundle.path, bundle.network, len(bundle.labels), bundle.bundle_id)


@lru_cache(maxsize=1)
def _loaded(path: Path, network: str, n_classes: int, bundle_id: str) -> Any:  # noqa: ARG001
    """Build the network and load its weights.

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
