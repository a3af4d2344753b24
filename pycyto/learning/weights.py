"""Where a network starts from: nothing, ImageNet, or a file."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError, MissingDependencyError, UsageError
from pycyto.learning.backend import keras
from pycyto.learning.hdf5 import check_plain

NONE, IMAGENET = "none", "imagenet"

# Standard deviation of ImageNet's pixels by channel (red, green, blue; 1 is white).
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def default_weights(network: str) -> str:
    """Return where a network starts from when nothing is said."""
    return NONE if network == "small" else IMAGENET


@dataclass(frozen=True, slots=True)
class Published:
    """ImageNet weights without top, as Keras publishes them.

    Attributes
    ----------
    application
        Name of the network in ``keras.applications``.
    file
        Name of the file.
    md5
        That Keras checks it by; empty where Keras has none.
    """

    application: str
    file: str
    md5: str = ""

    @property
    def place(self) -> Path:
        """Where Keras keeps the file once it has downloaded it."""
        home = os.environ.get("KERAS_HOME")
        return (Path(home) if home else Path.home() / ".keras") / "models" / self.file

    def __str__(self) -> str:
        checksum = f"MD5 {self.md5}" if self.md5 else "Keras publishes no checksum of it"
        return f"{self.file} ({checksum})"

    def check(self) -> None:
        """Refuse a file in that place that is another.

        Raises
        ------
        BadInputError
            When its checksum is not the published one.
        """
        if not (self.md5 and self.place.is_file()):
            return
        with files.readable(self.place), self.place.open("rb") as stream:
            found = hashlib.file_digest(stream, _md5).hexdigest()
        if found != self.md5:
            raise BadInputError(
                f"This is not the file of ImageNet weights that Keras publishes: its MD5 is "
                f"{found}, that one's is {self.md5}.",
                where=self.place,
                remedy="Delete it, or put the right one in its place; a download that broke off "
                "looks like this.",
            )


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def origin_of(weights: str, published: Published | None = None) -> dict[str, str]:
    """Return what a bundle tells about its start: no path, since paths hold names.

    Parameters
    ----------
    published
        The network's own, for ``imagenet``.
    """
    if weights == IMAGENET and published:
        digest = {"sha256": files.sha256_of(published.place)} if published.place.is_file() else {}
        return {"kind": IMAGENET, "file": published.file, **digest}
    if weights in (NONE, IMAGENET):
        return {"kind": weights}
    return {"kind": "file", "sha256": files.sha256_of(Path(weights))}


def load_weights(backbone: Any, network: str, published: Published | None, weights: str) -> None:
    """Put published weights into a backbone.

    Parameters
    ----------
    published
        Those of the network, if there are any.
    weights
        ``none`` (nothing is done), ``imagenet``, or a path.

    Raises
    ------
    UsageError, BadInputError, MissingDependencyError
        As `pycyto.learning.networks.build` says.
    """
    if weights == NONE:
        return
    if published is None:
        raise UsageError(
            f"The network {network!r} learns from nothing; there are no weights for it.",
            remedy="Leave --weights out, or choose another --network.",
        )
    if weights == IMAGENET:
        published.check()
        backbone.set_weights(_from_keras(published))
    else:
        _load_file(backbone, network, Path(weights))
    if published.application.startswith("EfficientNet"):
        _correct_efficientnet(backbone)


def _from_keras(published: Published) -> list[Any]:
    """Return Keras' ImageNet weights; Keras downloads them when it has not kept them."""
    try:
        model = getattr(keras().applications, published.application)(
            include_top=False, weights="imagenet", input_shape=(224, 224, 3)
        )
    # Keras raises a bare Exception for a failed download, others for a broken file.
    except Exception as error:
        raise MissingDependencyError(
            f"The ImageNet weights of {published.application} are not here and could not be "
            "downloaded.",
            where=published.place,
            remedy=f"On a machine with internet access, let Keras download {published}; "
            "copy it to that place here, or name the copy with --weights FILE. "
            "The network small needs no weights.",
        ) from error
    return list(model.get_weights())


def _load_file(backbone: Any, network: str, path: Path) -> None:
    if not path.is_file():
        raise BadInputError(
            "There is no such weights file.",
            where=path,
            remedy="--weights takes imagenet, none, or the path of a .h5 file.",
        )
    # Keras chooses its reader by this ending, and others can hold more than weights.
    if path.suffix != ".h5":
        raise BadInputError("A weights file must be a Keras .h5 file.", where=path)
    try:
        check_plain(path)
        backbone.load_weights(path)
    # What a wrong file raises depends on how it is wrong: OSError, ValueError, KeyError...
    except Exception as error:
        raise BadInputError(
            f"This file does not hold weights of {network} without its top layer "
            f"({_first_line(error)}).",
            where=path,
            remedy=f"Take the Keras file for {network} whose name ends in notop or no_top. A file "
            "that was saved as .weights.h5 must keep that ending.",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _correct_efficientnet(backbone: Any) -> None:
    """Make the input's normalisation divide by the deviation, as the authors' code does.

    The published file holds the deviation where Keras' layer takes its square
    root. For ``weights="imagenet"`` Keras adds a layer against that; here the
    factor goes into the variance, so that the graph is the same for all weights.
    """
    normalisation = next(
        layer for layer in backbone.layers if isinstance(layer, keras().layers.Normalization)
    )
    mean, variance, count = normalisation.get_weights()
    normalisation.set_weights([mean, variance * _IMAGENET_DEVIATION, count])
    # Keras computes with what this derives from the weights, not with the weights.
    normalisation.finalize_state()
