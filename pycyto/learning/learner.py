"""A model that learns from one batch after another.

This is what ``train_on_batch`` of Keras does, without the accounts that it keeps besides: those
take a fifth of the time where a head learns from features that are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.learning.backend import keras
from pycyto.learning.batches import Batch
from pycyto.learning.optimizer import adam


class Learner:
    """Minimises the cross-entropy with Adam.

    Parameters
    ----------
    model
        Keras model from what batches hold to probabilities, (n, k); it is changed in place.
    learning_rate
        Of the next step; ``optimizer.learning_rate`` changes it.
    smoothing
        So much of the truth is shared out among all classes.
    """

    def __init__(self, model: Any, learning_rate: float, smoothing: float) -> None:
        self.model = model
        self.optimizer = adam(learning_rate)
        self.optimizer.build(model.trainable_variables)
        self._step = _step_of(model, self.optimizer, smoothing)

    def learn(self, batch: Batch, weights: npt.NDArray[np.float32]) -> tuple[float, float]:
        """Learn from one batch, whose patches have weights in the loss, (n,).

        Returns
        -------
        loss, accuracy
            Before the step. All patches count alike in the second.
        """
        loss, accuracy = self._step(batch.inputs, batch.targets, weights)
        return float(loss), float(accuracy)


def _step_of(model: Any, optimizer: Any, smoothing: float) -> Any:
    """Return a step of learning as one call of TensorFlow."""
    import tensorflow as tf

    loss_of = _loss(smoothing, model.output.shape[-1])

    # Not compiled: that costs more than it saves on a processor, and is not repeatable.
    @tf.function(reduce_retracing=True)
    def step(inputs: Any, targets: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            answers = model(inputs, training=True)
            loss = loss_of(targets, answers, sample_weight=weights)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        right = tf.equal(tf.argmax(answers, axis=1, output_type=targets.dtype), targets)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    return step


def _loss(smoothing: float, n_classes: int) -> Any:
    """Return the cross-entropy with class indices of which so much is shared out."""
    losses, ops = keras().losses, keras().ops
    if not smoothing:
        return losses.SparseCategoricalCrossentropy()
    shared = losses.CategoricalCrossentropy(label_smoothing=smoothing)

    def loss(targets: Any, answers: Any, sample_weight: Any) -> Any:
        return shared(ops.one_hot(targets, n_classes), answers, sample_weight=sample_weight)

    return loss
