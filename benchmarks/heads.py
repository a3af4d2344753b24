"""Heads on features that are kept: by pycyto, and as Keras and numpy would do it.

*Steps* are those of the head of ``mobilenetv2-multi`` (8192 features, 256 hidden units, batches of
32), by `pycyto.learning.learner` and by ``train_on_batch`` with Keras' own Adam. *Axes* are those
that a linear head is sought along, from products of the examples and by ``numpy.linalg.qr``.
Both sides take turns in one process, and the quicker of two turns counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pycyto.learning.backend import keras, make_repeatable
from pycyto.learning.batches import Batch
from pycyto.learning.features import head_of
from pycyto.learning.learner import Learner
from pycyto.learning.linear_head import along_axes
from pycyto.learning.networks import build

BATCH, FEATURES, RATE = 32, 8192, 1e-4
# The least gains.
STEPS, AXES = 1.3, 4.0


def steps(number: int) -> None:
    """Tell how many steps of learning are made in a second."""
    rng = np.random.default_rng(0)
    batches = [
        Batch(
            rng.normal(size=(BATCH, FEATURES)).astype(np.float32),
            rng.integers(0, 4, BATCH).astype(np.int32),
        )
        for _ in range(number)
    ]
    weights = rng.uniform(0.5, 2, BATCH).astype(np.float32)
    learner, model = Learner(_head(), RATE, 0.0), _head()
    model.compile(
        keras().optimizers.Adam(RATE), "sparse_categorical_crossentropy", jit_compile=False
    )

    def by_keras() -> None:
        for batch in batches:
            model.train_on_batch(batch.inputs, batch.targets, sample_weight=weights)

    def by_pycyto() -> None:
        for batch in batches:
            learner.learn(batch, weights)

    _tell(f"{number} steps of learning", by_keras, by_pycyto, STEPS)
    both = zip(learner.model.get_weights(), model.get_weights(), strict=True)
    apart = max(float(np.abs(ours - theirs).max()) for ours, theirs in both)
    print(f"  no weight further apart than {apart:.1e}")


def axes(cells: int) -> None:
    """Tell how long it takes to find the axes of so many examples."""
    features = np.random.default_rng(0).normal(size=(cells, FEATURES)).astype(np.float32)
    found: dict[str, Any] = {}

    def by_numpy() -> None:
        found["numpy"] = np.linalg.qr(features.T)[1].T

    def by_pycyto() -> None:
        found["pycyto"] = along_axes(features)

    _tell(f"axes of {cells} examples", by_numpy, by_pycyto, AXES)
    # Both are triangular, and the same but for signs.
    apart = np.abs(np.abs(found["numpy"]) - np.abs(found["pycyto"])).max()
    print(f"  no number further apart than {apart:.1e}, of up to {found['pycyto'].max():.0f}")


def _head() -> Any:
    make_repeatable(0)
    return head_of(build("mobilenetv2-multi", 4))


def _tell(what: str, peer: Callable[[], None], ours: Callable[[], None], bound: float) -> None:
    turns = [[_seconds(peer), _seconds(ours)] for _ in range(2)]
    slow, quick = np.min(turns, axis=0)
    gain = slow / quick
    met = "bound met" if gain >= bound else "bound missed"
    print(f"{what}: {slow:.2f} s, by pycyto {quick:.2f} s, {gain:.1f} times as fast", end=" ")
    print(f"({met}: {bound})")


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--cells", type=int, default=2600)
    asked = parser.parse_args()
    steps(asked.steps)
    axes(asked.cells)


if __name__ == "__main__":
    main()
