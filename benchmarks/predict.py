"""Patches per second of prediction by OpenVINO and of ``keras.predict``, in one run.

Both compute the same network with the same random weights, in float32, in batches
of 32, on the same number of threads; each round times one after the other. Ours is
the whole of `pycyto.learning.inference.classify`, from a stream of patches on. The
ratio of processor seconds is shown too, since other programs spoil it less; and, as
the physical limit, how fast both compute beside numpy's product of two large matrices.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pycyto.images.crop import Pixels
from pycyto.images.resolution import Resolution
from pycyto.learning.backend import keras
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import Engine, Probabilities, classify
from pycyto.learning.networks import build
from pycyto.learning.openvino_engine import compiled, difference, exported_from, seeded_patches
from pycyto.provenance import version_of

BATCH = 32
LABELS = ("NILM", "ASC-US", "LSIL", "ASC-H", "HSIL", "SCC")
# How many times as fast, at least.
BOUNDS = {"resnet50": 1.6, "efficientnetb0": 2.2}
# No bundle is read: `classify` takes the labels from it and no more.
BUNDLE = Bundle(Path(), LABELS, "bethesda", "", Resolution(), frozenset(), {}, "")


class Taken(NamedTuple):
    """Seconds by the clock, and of all processors that this process has used."""

    clock: float
    processors: float


def taken(work: Callable[[], object]) -> Taken:
    """Return how long something takes."""
    clock, processors = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - clock, time.process_time() - processors)


def ratio(pairs: list[tuple[Taken, Taken]], by: str) -> str:
    """Return how many times as long the first of each pair takes: median, least and most."""
    found = sorted(getattr(first, by) / getattr(second, by) for first, second in pairs)
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


def operations(model: Any) -> int:
    """Return the floating-point operations of one patch: two per weight that it meets."""
    found = 0
    for layer in model.layers:
        if isinstance(layer, keras().Model):
            found += operations(layer)
        elif layer.weights and hasattr(layer, "kernel"):
            # A kernel is met once for every place of the output; a depthwise one has one
            # channel of input for each of output.
            places = int(np.prod(layer.output.shape[1:-1]))
            found += 2 * places * int(np.prod(layer.kernel.shape))
    return found


def matrix_speed() -> float:
    """Return the floating-point operations per processor second of a product of matrices."""
    side = 3000
    one = np.random.default_rng(0).random((side, side), np.float32)
    _ = one @ one  # the first call starts the threads
    return 2 * side**3 / min(taken(lambda: one @ one).processors for _ in range(5))


def measure(network: str, patches: Pixels, rounds: int, threads: int) -> None:
    """Print both speeds for one network, their ratio, and how far the answers differ."""
    model = build(network, len(LABELS), seed=1)
    engine = Engine("OpenVINO", compiled(exported_from(model), threads=threads))
    bundle = replace(BUNDLE, network=network)

    def theirs() -> Probabilities:
        return np.asarray(model.predict(patches, batch_size=BATCH, verbose=0))

    def ours() -> Probabilities:
        return classify(bundle, patches, engine=engine, batch_size=BATCH)

    # The first call of each is not timed: Keras traces its graph in it.
    one, other = theirs(), ours()
    apart, same = np.abs(one - other).max(), difference(one, other) < np.inf
    pairs = [(taken(theirs), taken(ours)) for _ in range(rounds)]
    keras_speed, our_speed = (
        len(patches) / statistics.median(one.clock for one in times)
        for times in zip(*pairs, strict=True)
    )
    print(f"{network:<16} keras.predict {keras_speed:.1f}/s, ours {our_speed:.1f}/s")
    print(f"{'':<16} by the clock {ratio(pairs, 'clock')} times, bound {BOUNDS[network]}")
    print(f"{'':<16} by seconds of processors {ratio(pairs, 'processors')} times")
    shares = ", ".join(
        f"{who} {share:.0%}"
        for who, share in zip(
            ("keras.predict", "ours"), _of_limit(model, patches, pairs), strict=True
        )
    )
    print(f"{'':<16} of the speed of a product of matrices: {shares}")
    print(f"{'':<16} largest difference {apart:.1e}, classes {'the same' if same else 'DIFFER'}")


def _of_limit(
    model: Any, patches: Pixels, pairs: Sequence[tuple[Taken, Taken]]
) -> tuple[float, float]:
    """Return the share of the limit that either reaches in its best round."""
    work, limit = len(patches) * operations(model), matrix_speed()
    first, second = (min(one.processors for one in times) for times in zip(*pairs, strict=True))
    return work / first / limit, work / second / limit


def main() -> None:
    """Measure each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=4, help="of 32 patches, in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    keras()  # sets TensorFlow's log level before it is imported
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(asked.threads)
    versions = ", ".join(f"{name} {version_of(name)}" for name in ("keras", "tensorflow"))
    print(
        f"{asked.threads} threads, batches of {BATCH}, {asked.rounds} rounds of "
        f"{asked.batches * BATCH} patches; {versions}, openvino {version_of('openvino')}"
    )
    patches = seeded_patches(asked.batches * BATCH)
    for network in BOUNDS:
        measure(network, patches, asked.rounds, asked.threads)


if __name__ == "__main__":
    main()
