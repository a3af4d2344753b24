"""Adam in one pass over the weights.

Keras' own goes over the weights, their gradients and both moments by a dozen operations, each of
which reads and writes all of them. For a head of two million weights and batches of 32 that takes
longer than to find the gradients. TensorFlow has the same step as one operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from pycyto.learning.backend import keras

# The values of Kingma and Ba; the last as Keras has it.
_BETAS = (0.9, 0.999)
_EPSILON = 1e-7


def adam(learning_rate: float) -> Any:
    """Return an optimizer that steps as ``keras.optimizers.Adam`` does, within rounding errors.

    References
    ----------
    Kingma and Ba, *Adam: a method for stochastic optimization*, ICLR 2015.
    """
    return _kind()(learning_rate)


@cache
def _kind() -> Any:
    """Return the class; Keras is imported when it is first needed."""
    import tensorflow as tf

    class OnePassAdam(keras().optimizers.Optimizer):  # type: ignore[misc]
        def __init__(self, learning_rate: float) -> None:
            super().__init__(learning_rate, name="adam")

        def build(self, variables: Sequence[Any]) -> None:
            if self.built:
                return
            super().build(variables)
            self.moments = {
                own.value.ref(): [
                    self.add_variable_from_reference(own, name) for name in ("momentum", "velocity")
                ]
                for own in variables
            }

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            ops = keras().ops
            first, second = (own.value for own in self.moments[variable.ref()])
            step = ops.cast(self.iterations + 1, variable.dtype)
            powers = [ops.power(ops.cast(beta, variable.dtype), step) for beta in _BETAS]
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=first.handle, v=second.handle,
                beta1_power=powers[0], beta2_power=powers[1],
                lr=ops.cast(learning_rate, variable.dtype),
                beta1=_BETAS[0], beta2=_BETAS[1], epsilon=_EPSILON,
                grad=ops.cast(gradient, variable.dtype),
            )  # fmt: skip

    return OnePassAdam
