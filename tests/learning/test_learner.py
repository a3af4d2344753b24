"""A learner steps as Keras does, and measures the loss that it makes less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycyto.learning.backend import keras, make_repeatable
from pycyto.learning.batches import Batch
from pycyto.learning.learner import Learner
from pycyto.learning.optimizer import adam

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(20, 12)).astype(np.float32)
CLASSES = RNG.integers(0, 3, 20).astype(np.int32)
WEIGHTS = RNG.uniform(0.5, 2, 20).astype(np.float32)
# The last one is smaller, as at the end of an epoch.
BATCHES = [slice(0, 8), slice(8, 16), slice(16, 20)] * 4


def network() -> Any:
    """Return a head like those of a frozen backbone: scaled, and with dropout."""
    make_repeatable(0)
    layers = keras().layers
    start = keras().Input((12,))
    scaled = layers.BatchNormalization(center=False, scale=False)(start)
    hidden = layers.Dropout(0.5)(layers.Dense(9, activation="relu")(scaled))
    return keras().Model(start, layers.Dense(3, activation="softmax")(hidden))


def test_it_learns_and_measures_as_keras_does() -> None:
    ours, theirs = network(), network()
    loss = "sparse_categorical_crossentropy"
    theirs.compile(adam(0.05), loss, metrics=["accuracy"], jit_compile=False)
    learner = Learner(ours, 0.05, 0.0)
    before = [weights.copy() for weights in ours.get_weights()]
    for some in BATCHES:
        found = learner.learn(Batch(FEATURES[some], CLASSES[some]), WEIGHTS[some])
        theirs.reset_metrics()
        logs = theirs.train_on_batch(
            FEATURES[some], CLASSES[some], sample_weight=WEIGHTS[some], return_dict=True
        )
        expected = [float(logs["loss"]), float(logs["accuracy"])]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    for one, other, old in zip(ours.get_weights(), theirs.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, old)
    assert int(learner.optimizer.iterations) == len(BATCHES)


@pytest.mark.parametrize(("smoothing", "best"), [(0.0, 0.99), (0.2, 0.9), (0.5, 0.75)])
def test_with_smoothing_the_loss_is_least_where_some_is_left_to_the_other_classes(
    smoothing: float, best: float
) -> None:
    layers = keras().layers
    start = keras().Input((2,))
    last = layers.Dense(2, activation="softmax", kernel_initializer="identity")
    learner = Learner(keras().Model(start, last(start)), 0.0, smoothing)

    def loss(given: float) -> float:
        inputs = np.log(np.tile(np.array([given, 1 - given], np.float32), (4, 1)))
        return learner.learn(Batch(inputs, np.zeros(4, np.int32)), np.ones(4, np.float32))[0]

    assert min((0.75, 0.9, 0.99), key=loss) == best
    truth = np.array([1 - smoothing / 2, smoothing / 2])
    assert loss(0.9) == pytest.approx(-(truth * np.log([0.9, 0.1])).sum(), rel=1e-5)
