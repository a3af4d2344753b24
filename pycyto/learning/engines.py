"""Which engine computes a model's probabilities: chosen once, before the first patch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pycyto.errors import MissingDependencyError, RefusedError
from pycyto.learning.backend import has_gpu
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import Engine, keras_engine
from pycyto.learning.openvino_engine import openvino_engine
from pycyto.records import Reporter

EngineName = Literal["auto", "keras", "openvino"]


def choose_engine(bundle: Bundle, wanted: EngineName, reporter: Reporter) -> Engine:
    """Return an engine for a bundle, saying which.

    Parameters
    ----------
    wanted
        ``auto`` is OpenVINO where it is installed and TensorFlow has no GPU, and
        Keras where it is not, or OpenVINO cannot take the model over.

    Raises
    ------
    MissingDependencyError, RefusedError
        OpenVINO was asked for and is not here, or does not agree with Keras.
    BadInputError
        Weights that are not the network's.
    """
    engine = _chosen(bundle, wanted, reporter)
    reporter.say(f"Computed by {engine.name}.")
    return engine


def _chosen(bundle: Bundle, wanted: EngineName, reporter: Reporter) -> Engine:
    if wanted == "openvino":
        return openvino_engine(bundle, reporter)
    if wanted == "auto" and find_spec("openvino") is not None and not has_gpu():
        try:
            return openvino_engine(bundle, reporter)
        except (MissingDependencyError, RefusedError) as error:
            reporter.say(f"OpenVINO is not used: {error.what}")
    return keras_engine(bundle)
