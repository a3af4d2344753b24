"""A model in the place of one that `pycyto predict` would load: it needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np

from pycyto.images.crop import Pixels
from pycyto.images.resolution import Resolution
from pycyto.labels import BETHESDA
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import Engine
from pycyto.learning.nearest import Features

BUNDLE: Final = Bundle(
    path=Path(),
    labels=BETHESDA.names,
    scheme="bethesda",
    network="small",
    resolution=Resolution(),
    trained_on=frozenset(),
    card={},
    bundle_id="0123456789ab",
)

Probabilities = np.ndarray[Any, Any]


def likeliest(number: int) -> Probabilities:
    """Return the probability of each class, one of them far above the others."""
    probabilities: Probabilities = np.eye(len(BUNDLE.labels))[number] * 0.7 + 0.075
    return probabilities


def by_brightness(patch: Pixels) -> Probabilities:
    """Call the class by the brightness of the patch."""
    return likeliest(int(patch.sum()) % len(BUNDLE.labels))


def otherwise(patch: Pixels) -> Probabilities:
    """Call the class after that of `by_brightness`, as a second model may."""
    return likeliest((int(patch.sum()) + 1) % len(BUNDLE.labels))


@contextmanager
def in_place(
    of_patch: Callable[[Pixels], Probabilities] = by_brightness, bundle: Bundle = BUNDLE
) -> Iterator[None]:
    """Let `predict` use this model, whichever it is told to."""

    def run(batch: Pixels) -> Probabilities:
        return np.array([of_patch(patch) for patch in batch], np.float32)

    with (
        mock.patch("pycyto.steps.predict.choose_engine", return_value=Engine("a stub", run)),
        mock.patch("pycyto.steps.predict.load_bundle", return_value=bundle),
    ):
        yield


@contextmanager
def seeing_in_place(
    of_patch: Callable[[Pixels], Probabilities] = by_brightness,
) -> Iterator[None]:
    """... and let it see features: some of the pixels, by their difference to grey."""

    def engine(_: Bundle, see: Callable[[Features], None]) -> Engine:
        def run(batch: Pixels) -> Probabilities:
            see(batch[:, ::16, ::16].reshape(len(batch), -1).astype(np.float32) - 127.5)
            return np.array([of_patch(patch) for patch in batch], np.float32)

        return Engine("a stub that sees", run)

    with (
        in_place(of_patch),
        mock.patch("pycyto.steps.predict.seeing_engine", engine),
        mock.patch("pycyto.steps.similar.seeing_engine", engine),
    ):
        yield
