"""Keras and TensorFlow: imported when first needed, quietly, and made repeatable."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from pycyto.errors import MissingDependencyError, UsageError

LARGEST_SEED = 2**32 - 1


@cache
def keras() -> Any:
    """Return the module ``keras``, running on TensorFlow. The first call takes seconds.

    Raises
    ------
    MissingDependencyError
        When Keras or TensorFlow cannot be imported.
    UsageError
        When this process runs Keras on something else already.
    """
    # 2: neither information nor warnings; TensorFlow has dozens that no user can act on.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Memory that TensorFlow keeps for the next batch. Else each large map is asked of the
    # system and given back, which takes as long as a convolution.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import keras as module
    except ImportError as error:
        raise MissingDependencyError(
            f"Keras cannot be imported ({error}).",
            remedy="Install pycyto again: python3 run.py does it in one line.",
        ) from error
    if module.backend.backend() != "tensorflow" or module.config.image_data_format() != (
        "channels_last"
    ):
        raise UsageError(
            "pycyto needs Keras on TensorFlow with channels last; "
            f"here it is {module.backend.backend()}, {module.config.image_data_format()}.",
            remedy="Remove keras.json from the folder .keras in your home folder.",
        )
    return module


def make_repeatable(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow.

    Without a GPU, equal seeds then give equal weights on one machine. On a GPU
    TensorFlow's repeatable operations are slower and some are missing, so there
    equal seeds give similar figures only.

    Raises
    ------
    UsageError
        When the seed is negative or above `LARGEST_SEED`.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"The seed is {seed}; it must lie between 0 and {LARGEST_SEED}.")
    keras().utils.set_random_seed(seed)
    if not _has_gpu():
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def has_gpu() -> bool:
    """Whether TensorFlow has a GPU to compute on.

    To ask it takes seconds, which are spent only where NVIDIA's driver is at
    hand: its device on Linux, that of the host in WSL 2.
    """
    return any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg"))) and _has_gpu()


@cache
def _has_gpu() -> bool:
    import tensorflow as tf

    # Without a driver the first look prints an error of CUDA's.
    with quietly():
        return bool(tf.config.list_physical_devices("GPU"))


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep what C++ code prints during a block, and show it only if the block fails.

    Some lines come before TensorFlow looks at its log level, so the file
    descriptor is the only place to catch them.
    """
    try:
        real = os.dup(2)
    except OSError:  # a program without a console, as on Windows
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(real, 2)
            os.close(real)
            if failed:
                held.seek(0)
                with contextlib.suppress(OSError):
                    os.write(2, held.read())
