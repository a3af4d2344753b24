"""What a frozen MobileNetV2 sees, at two scales, per second: by pycyto and by plain Keras.

Plain Keras is ``predict_on_batch`` of the same network with its batch normalisations, in a process
of its own with TensorFlow's own allocation of memory. Both see the same batches of 32; the largest
difference of a feature is told, and the peak memory of each process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil

from pycyto.learning.features import extractor_of
from pycyto.learning.folding import folded
from pycyto.learning.networks import build

BATCH = 32
# The least gain.
BOUND = 1.3


def measure(way: str, weights: str, batches: int) -> dict[str, object]:
    """Return views per second, peak MiB, and the features of the first batch of noise."""
    extractor = extractor_of(build("mobilenetv2-multi", 4, weights=weights))
    if way == "pycyto":
        extractor = folded(extractor)
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 224, 224, 3)).astype(np.uint8)
    features = extractor.predict_on_batch(pixels)
    start = time.perf_counter()
    for _ in range(batches):
        extractor.predict_on_batch(pixels)
    seconds = time.perf_counter() - start
    memory = psutil.Process().memory_info()
    return {
        "speed": batches * BATCH / seconds,
        "peak": getattr(memory, "peak_wset", memory.rss) / 2**20,
        "features": np.asarray(features, float).tolist(),
    }


def in_a_process(way: str, weights: str, batches: int) -> dict[str, object]:
    """Measure in a process of its own, since TensorFlow is set up once in each."""
    own = {} if way == "pycyto" else {"TF_CPU_ALLOCATOR_USE_BFC": "false"}
    command = [sys.executable, "-m", "benchmarks.features", "--only", way]
    command += ["--weights", weights, "--batches", str(batches)]
    done = subprocess.run(
        command, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure both, twice in turn, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="none", help="file of weights; random without it")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--only", choices=("keras", "pycyto"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        print(json.dumps(measure(asked.only, asked.weights, asked.batches)))
        return
    runs = [
        [in_a_process(way, asked.weights, asked.batches) for way in ("keras", "pycyto")]
        for _ in range(2)
    ]
    speeds = np.array([[run["speed"] for run in pair] for pair in runs]).max(axis=0)
    keras, ours = (np.array(run["features"]) for run in runs[0])
    gain = speeds[1] / speeds[0]
    print(f"Keras: {speeds[0]:.1f} views per second, {runs[0][0]['peak']:.0f} MiB in the end")
    print(f"pycyto: {speeds[1]:.1f} views per second, {runs[0][1]['peak']:.0f} MiB in the end")
    print(f"{gain:.2f} times as fast ({'bound met' if gain >= BOUND else 'bound missed'}: {BOUND})")
    print(f"largest difference {np.abs(ours - keras).max():.1e}, of up to {keras.max():.2f}")


if __name__ == "__main__":
    main()
