"""Adam in one pass steps as Keras' own does."""

from __future__ import annotations

from typing import Any

import numpy as np

from pycyto.learning.backend import keras, make_repeatable
from pycyto.learning.optimizer import adam

PIXELS = np.random.default_rng(0).normal(size=(64, 12)).astype(np.float32)
CLASSES = (PIXELS[:, 0] > 0.3).astype(np.int32)


def compiled(optimizer: Any) -> Any:
    make_repeatable(0)
    layers = keras().layers
    start = keras().Input((12,))
    hidden = layers.Dense(9, activation="relu")(layers.BatchNormalization()(start))
    model = keras().Model(start, layers.Dense(2, activation="softmax")(hidden))
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def learn(model: Any, steps: int, start: int = 0) -> None:
    for step in range(start, start + steps):
        model.optimizer.learning_rate = 0.05 / (1 + step)  # as it falls in training
        some = slice(8 * (step % 8), 8 * (step % 8) + 8)
        model.train_on_batch(PIXELS[some], CLASSES[some])


def test_it_steps_as_keras_does() -> None:
    ours, theirs = compiled(adam(0.05)), compiled(keras().optimizers.Adam(0.05))
    before = [weights.copy() for weights in ours.get_weights()]
    for model in (ours, theirs):
        learn(model, 40)
    for one, other, old in zip(ours.get_weights(), theirs.get_weights(), before, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        assert np.abs(one - old).max() > 1e-2
    assert int(ours.optimizer.iterations) == 40


def test_it_goes_on_from_its_variables() -> None:
    whole, first, rest = (compiled(adam(0.05)) for _ in range(3))
    learn(whole, 12)
    learn(first, 7)
    for ours, theirs in (
        (rest.variables, first.variables),
        (rest.optimizer.variables, first.optimizer.variables),
    ):
        for one, other in zip(ours, theirs, strict=True):
            one.assign(other)
    learn(rest, 5, start=7)
    for one, other in zip(rest.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
