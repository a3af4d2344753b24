"""A bundle computed by OpenVINO: the same network and numbers, in float32, on CPUs.

OpenVINO's own model is made from the Keras model once, compared with it on
seeded patches, and kept in the bundle; with a kept one TensorFlow is not needed.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    NotWritableError,
    RefusedError,
)
from pycyto.images.crop import Pixels
from pycyto.learning.backend import quietly
from pycyto.learning.bundle import Bundle
from pycyto.learning.exported import Exported, keep, kept
from pycyto.learning.inference import Engine, Probabilities, keras_model
from pycyto.learning.networks import INPUT_SHAPE
from pycyto.provenance import version_of
from pycyto.records import SILENT, Reporter

# Largest difference of a probability from Keras'. Float32 in another order of
# summation makes some 1e-6.
TOLERANCE = 1e-3

_MADE_WITH = ("pycyto", "keras", "tensorflow", "openvino")
_KERAS_INSTEAD = "Leave --engine out or give --engine keras: it gives the model's own answers."


def openvino_engine(bundle: Bundle, reporter: Reporter = SILENT) -> Engine:
    """Return the engine of a bundle, with the model that is kept in it or made now.

    Raises
    ------
    MissingDependencyError
        OpenVINO is not installed, or cannot take the network over.
    RefusedError
        OpenVINO's probabilities are not Keras'.
    BadInputError
        Weights that are not the network's.
    """
    library()
    exported = kept(bundle, _versions()) or _exported_now(bundle, reporter)
    return Engine(f"OpenVINO {version_of('openvino')}", compiled(exported))


@cache
def library() -> Any:
    """Return the module ``openvino``, kept from reporting to its makers.

    Raises
    ------
    MissingDependencyError
        When it cannot be imported.
    """
    # By this package OpenVINO reports every import and conversion to a server. It does
    # without where it cannot import it, now and whenever it tries later.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        with quietly():
            import openvino
    except ImportError as error:
        raise MissingDependencyError(
            f"OpenVINO cannot be imported ({error}).",
            remedy='Install it: pip install "pycyto[openvino]". Or use --engine keras.',
        ) from error
    return openvino


def exported_from(model: Any) -> Exported:
    """Return what OpenVINO makes of a Keras model, with all numbers in float32.

    Raises
    ------
    MissingDependencyError
        When it cannot.
    """
    try:
        with quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _as_bytes(_converted(model))
    # What is raised depends on how the versions of three libraries do not fit.
    except Exception as error:
        raise MissingDependencyError(
            f"OpenVINO {version_of('openvino')} cannot take this network over "
            f"({type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}).",
            remedy="Install the versions that constraints.txt names, or use --engine keras.",
        ) from error


def compiled(exported: Exported, *, threads: int = 0) -> Callable[[Pixels], Probabilities]:
    """Return a function from (n, 224, 224, 3) uint8 RGB to (n, k) float32 probabilities.

    Parameters
    ----------
    threads
        At most so many; 0 for as many as there are cores.
    """
    core = library().Core()
    model = core.read_model(exported.graph, exported.numbers)
    # Without the first hint newer CPUs would compute in bfloat16.
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
    if threads:
        hints["INFERENCE_NUM_THREADS"] = str(threads)
    ready = core.compile_model(model, "CPU", hints)
    # A batch is shared out: threads that need not wait for each other after every layer
    # are quicker, the more so beside other programs.
    n_requests = ready.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    requests = [ready.create_infer_request() for _ in range(n_requests)]

    def run(batch: Pixels) -> Probabilities:
        parts = np.array_split(batch, min(len(requests), len(batch)))
        for request, part in zip(requests, parts, strict=False):
            request.start_async({0: part})
        return np.concatenate([_result(request) for request in requests[: len(parts)]])

    return run


def _result(request: Any) -> Probabilities:
    request.wait()
    # A copy, since the request's own memory is overwritten by the next batch.
    return np.array(request.get_output_tensor(0).data, np.float32)


def difference(one: Probabilities, other: Probabilities) -> float:
    """Return the largest difference of a probability, or infinity where classes differ."""
    same = np.array_equal(one.argmax(axis=1), other.argmax(axis=1))
    return float(np.abs(one - other).max()) if same else float("inf")


def seeded_patches(n: int, seed: int = 0) -> Pixels:
    """Return (n, 224, 224, 3) uint8 patches: areas of random colours under fine noise."""
    rng = np.random.default_rng(seed)
    areas = rng.integers(0, 256, (n, 7, 7, 3)).repeat(32, axis=1).repeat(32, axis=2)
    return np.clip(areas + rng.normal(0, 20, areas.shape), 0, 255).astype(np.uint8)


def _exported_now(bundle: Bundle, reporter: Reporter) -> Exported:
    reporter.say("OpenVINO's model is made from the weights; this takes a moment, once.")
    model = keras_model(bundle)
    exported = exported_from(model)
    _check(exported, model)
    try:
        keep(bundle, exported, _versions())
    except (NotWritableError, BadInputError) as error:
        reporter.say(f"It cannot be kept ({error.where}): {error.what}")
    return exported


def _versions() -> dict[str, str]:
    return {name: version_of(name) for name in _MADE_WITH}


def _check(exported: Exported, model: Any) -> None:
    patches = seeded_patches(8)
    found = difference(compiled(exported)(patches), np.asarray(model.predict_on_batch(patches)))
    if not found <= TOLERANCE:
        raise RefusedError(
            "OpenVINO calls other classes than Keras, or its probabilities differ by more than "
            f"{TOLERANCE:g}.",
            remedy=_KERAS_INSTEAD,
        )


def _converted(model: Any) -> Any:
    import tensorflow as tf

    function = tf.function(lambda pixels: model(pixels, training=False), autograph=False)
    traced = function.get_concrete_function(tf.TensorSpec((None, *INPUT_SHAPE), tf.float32))
    found = library().convert_model(traced)
    # Networks with swish (EfficientNet) come with their activations as further outputs.
    (classes,) = (output for output in found.outputs if len(output.partial_shape) == 2)
    alone = library().Model([classes], found.get_parameters())
    steps = library().preprocess.PrePostProcessor(alone)
    steps.input().tensor().set_element_type(library().Type.u8)
    return steps.build()


def _as_bytes(model: Any) -> Exported:
    """Return the two files of a model. OpenVINO writes them under a path only."""
    with tempfile.TemporaryDirectory(prefix="pycyto-") as folder:
        graph = Path(folder) / "model.xml"
        library().save_model(model, graph, compress_to_fp16=False)
        return Exported(graph.read_bytes(), graph.with_suffix(".bin").read_bytes())
