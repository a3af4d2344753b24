"""The bundle: a model folder that says what it is. Its format, loading and checking.

::

    bundle.json         what the model is, and the checksum of each other file
    network.weights.h5  weights only
    history.csv         one line per epoch
    trained_on.txt      SHA-256 of the cell key of each training and validation cell
    README.txt          the model card: the same for people
    evaluation.json     what evaluations found, in figures; see `pycyto.learning.evaluated`
    network.openvino.*  a cache of predict's; see `pycyto.learning.exported`

The network is rebuilt by pycyto's own code from its name, and only numbers are
read from the weights, so a bundle from elsewhere executes nothing. It names no
image, slide, patient, laboratory, project or folder, not even by a pseudonym.
What pycyto reads of ``bundle.json`` is checked; members that it does not know are
left alone.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from pycyto import files
from pycyto.errors import BadInputError, UsageError
from pycyto.images.colour import Colour, colour_from
from pycyto.images.resolution import Resolution
from pycyto.labels import scheme_named
from pycyto.learning.hdf5 import check_plain
from pycyto.learning.networks import network_named
from pycyto.manifest import PATCH_SIZE
from pycyto.records import CellKey
from pycyto.temperature import COLDEST, HOTTEST

FORMAT = 1
CARD_FILE = "bundle.json"
WEIGHTS_FILE = "network.weights.h5"
HISTORY_FILE = "history.csv"
TRAINED_ON_FILE = "trained_on.txt"
README_FILE = "README.txt"
CHECKED_FILES = (WEIGHTS_FILE, HISTORY_FILE, TRAINED_ON_FILE)
EVALUATION_FILE = "evaluation.json"
ALL_FILES = (CARD_FILE, README_FILE, EVALUATION_FILE, *CHECKED_FILES)
# Made from the weights when first used, and again when they are gone: no part of the model.
EXPORT_FILES = ("network.openvino.xml", "network.openvino.bin", "network.openvino.seal")

# Over how many orientations of a patch probabilities may be averaged.
ORIENTATIONS = (1, 2, 4, 8)

INTENDED_USE = "Research use only. Not a medical device; not for diagnosis."

_COPY_AGAIN = "Copy the whole folder again from where it was made, or train it again."
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Micrometres per patch pixel, and full-resolution pixels per patch pixel.
_MPP, _DOWNSAMPLE = (0.001, 1000.0), (0.01, 1000.0)
# Bytes: some ten thousand epochs, sixteen million cells, thirty times the largest network.
_LARGEST = {HISTORY_FILE: 1 << 20, TRAINED_ON_FILE: 1 << 30, WEIGHTS_FILE: 1 << 34}


@dataclass(frozen=True)
class Bundle:
    """A loaded and checked bundle.

    Attributes
    ----------
    labels
        Classes in the order of the network's outputs, the least severe first.
    scheme
        Name of the label scheme.
    network
        Key of `pycyto.learning.networks.NETWORKS`.
    resolution
        How patches must be cut for it.
    trained_on
        Marks of the cells that it has seen; see `was_trained_on`.
    card
        All of ``bundle.json``.
    bundle_id
        12 hexadecimal digits that depend on weights, labels, orientations, colour,
        temperature and profiles alone.
    orientations
        Over so many orientations of a patch its probabilities are averaged: 1, 2, 4 or 8.
    colour
        How patches must be coloured for it; None is as they are.
    icc
        Whether they must be cut with the colour profiles of their images.
    temperature
        At which it then gives them; 1 leaves them as they are.
    """

    path: Path
    labels: tuple[str, ...]
    scheme: str
    network: str
    resolution: Resolution
    trained_on: frozenset[str]
    card: Mapping[str, Any]
    bundle_id: str
    orientations: int = 1
    colour: Colour | None = None
    temperature: float = 1.0
    icc: bool = False

    @property
    def is_linear(self) -> bool:
        """Whether its head was fitted at once, without epochs."""
        return network_named(self.network).is_linear


def mark_of(key: CellKey) -> str:
    """Return what stands for a cell in ``trained_on.txt``.

    Without a key of its own, since a bundle must know its cells wherever it is.
    The UUIDs in a cell key are drawn at random, so that nobody can try them out.
    """
    return hashlib.sha256(str(key).encode()).hexdigest()


def was_trained_on(bundle: Bundle, key: CellKey) -> bool:
    """Whether a cell was among the training or validation cells of a model."""
    return mark_of(key) in bundle.trained_on


def id_of(
    weights_sha256: str,
    labels: Sequence[str],
    orientations: int = 1,
    colour: Colour | None = None,
    temperature: float = 1.0,
    *,
    icc: bool = False,
) -> str:
    """Return the bundle ID of what decides a model's probabilities."""
    averaged = () if orientations == 1 else (f"{orientations} orientations",)
    coloured = () if colour is None else (f"colour {colour.digest}",)
    calibrated = () if temperature == 1 else (f"temperature {temperature!r}",)
    profiled = ("icc",) if icc else ()
    content = "\n".join((weights_sha256, *labels, *averaged, *coloured, *calibrated, *profiled))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def load_bundle(path: Path) -> Bundle:
    """Load a bundle and check that it is whole. TensorFlow is not needed for it.

    Raises
    ------
    BadInputError
        A file is missing or changed, the format is unknown, or network, labels
        and weights do not belong together.
    """
    card = _read_card(path)
    _check_files(path, card)
    try:
        bundle = Bundle(
            path=path,
            labels=tuple(map(_text, _list(card["labels"]))),
            scheme=_text(card["scheme"]),
            network=network_named(_text(card["network"])).name,
            resolution=_resolution(_table(card["resolution"])),
            trained_on=_read_marks(path / TRAINED_ON_FILE),
            card=card,
            bundle_id=_text(card["bundle_id"]),
            orientations=_orientations(card.get("orientations", 1)),
            colour=colour_from(card.get("colour")),
            temperature=_number(card.get("temperature", 1.0), (COLDEST, HOTTEST), "temperature"),
            icc=_boolean(card.get("icc", False)),
        )
        _check_counts(card.get("counts", {}))
        _check_history(path / HISTORY_FILE)
        _check_labels(bundle)
    except (KeyError, TypeError, ValueError, csv.Error, UsageError) as error:
        raise BadInputError(
            f"This is no bundle that this version of pycyto can use ({_short(error)}).",
            where=path / CARD_FILE,
            remedy=_COPY_AGAIN,
        ) from error
    return bundle


def _read_card(path: Path) -> dict[str, Any]:
    if not (path / CARD_FILE).is_file():
        raise BadInputError(
            f"This is no bundle: there is no {CARD_FILE} in it.",
            where=path,
            remedy="Name a folder that pycyto train has written.",
        )
    card = files.read_json(path / CARD_FILE)
    found = card.get("format") if isinstance(card, dict) else None
    if found != FORMAT:
        raise BadInputError(
            f"This bundle has the format {found!r}; this version of pycyto reads {FORMAT}.",
            where=path / CARD_FILE,
            remedy="Install the version of pycyto that wrote it, or train again.",
        )
    return dict(card)


def _check_files(path: Path, card: Mapping[str, Any]) -> None:
    sums = card.get("files")
    for name in CHECKED_FILES:
        file = path / name
        if not file.is_file():
            raise BadInputError("A file of the bundle is missing.", where=file, remedy=_COPY_AGAIN)
        files.check_size(file, _LARGEST[name])
        if not isinstance(sums, dict) or files.sha256_of(file) != sums.get(name):
            raise BadInputError(
                "A file of the bundle has changed since it was written.",
                where=file,
                remedy=_COPY_AGAIN,
            )


def _resolution(value: Mapping[str, Any]) -> Resolution:
    mpp, seen = value["mpp"], value.get("trained_mpp")
    trained_mpp = [_scale(item, _MPP) for item in _list(seen)] if seen is not None else []
    if trained_mpp and (len(trained_mpp) != 2 or trained_mpp[0] > trained_mpp[1]):
        raise ValueError(f"trained_mpp {trained_mpp[:3]}")
    return Resolution(
        None if mpp is None else _scale(mpp, _MPP),
        _scale(value["downsample"], _DOWNSAMPLE),
        (trained_mpp[0], trained_mpp[1]) if trained_mpp else None,
    )


def _read_marks(path: Path) -> frozenset[str]:
    marks = frozenset(path.read_text(encoding="ascii").split())
    if not all(_DIGEST.fullmatch(mark) for mark in marks):
        raise ValueError(f"{path.name} holds more than digests")
    return marks


def _check_counts(counts: object) -> None:
    """Refuse counts that a report could not show."""
    for part in _table(counts).values():
        for count in _table(part).values():
            if not isinstance(count, int) or isinstance(count, bool):
                raise TypeError("counts are whole numbers")


def _check_history(path: Path) -> None:
    """Refuse a history that is no table: a report draws it."""
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if None in row or None in row.values():
                raise ValueError(f"{path.name} is no table")


def _orientations(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in ORIENTATIONS:
        return value
    raise ValueError(f"orientations {_shown(value)}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} where a text should be")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{_shown(value)} where true or false should be")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{_shown(value)} where a list should be")
    return value


def _table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{_shown(value)} where a table should be")
    return value


def _scale(value: Any, between: tuple[float, float]) -> float:
    return _number(value, between, "resolution")


def _number(value: Any, between: tuple[float, float], what: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and between[0] <= value <= between[1]:
        return float(value)
    raise ValueError("{} {}: no number from {:g} to {:g}".format(what, _shown(value), *between))


def _shown(value: object) -> str:
    return repr(value)[:80]


def _check_labels(bundle: Bundle) -> None:
    """Refuse labels that are not those the weights were trained for, in that order."""
    order = tuple(name for name in scheme_named(bundle.scheme).names if name in bundle.labels)
    if bundle.labels != order or len(order) < 2:
        raise ValueError(f"labels {', '.join(bundle.labels)[:80]}")
    if bundle.card["patch_size"] != PATCH_SIZE:
        raise ValueError(f"patch size {_shown(bundle.card['patch_size'])}")
    weights = bundle.card["files"][WEIGHTS_FILE]
    if bundle.bundle_id != id_of(
        weights,
        bundle.labels,
        bundle.orientations,
        bundle.colour,
        bundle.temperature,
        icc=bundle.icc,
    ):
        raise ValueError("labels and weights do not belong together")
    outputs = _outputs_of(bundle.path / WEIGHTS_FILE)
    if outputs != len(bundle.labels):
        raise ValueError(f"{len(bundle.labels)} labels, weights for {outputs}")


def _outputs_of(weights: Path) -> int | None:
    """Return the number of classes that the head in a weights file tells apart."""
    try:
        check_plain(weights)
        with h5py.File(weights) as file:
            # Keras counts them: dense, dense_1. The last one is the one that answers.
            dense = [name for name in file["layers"] if name.startswith("dense")]
            shapes = [file["layers"][max(dense, key=_counted)]["vars"]["0"].shape] if dense else []
    except (OSError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{weights.name} holds no weights") from error
    return int(shapes[0][1]) if shapes and len(shapes[0]) == 2 else None


def _counted(name: str) -> tuple[int, str]:
    return len(name), name


def _short(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).split("\n")[0]
