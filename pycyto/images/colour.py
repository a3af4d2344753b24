"""Reads patches for a network, in one place: with their colours normalised, or as they are.

What a model was trained with is in its bundle (`Colour`). What a slide or a source
looks like is not: it is counted from all the patches of the data set at hand,
whatever their part or label, since no label is looked at.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.images.stain import (
    BACKGROUND,
    FEWEST,
    Statistics,
    Sums,
    normalise,
    sums_of,
)
from pycyto.manifest import UNKNOWN, Row, read_manifest
from pycyto.records import Reporter

Method = Literal["none", "reinhard"]
Kind = Literal["patch", "slide", "source"]
NO_COLOUR: Method = "none"
METHODS = cast("tuple[Method, ...]", get_args(Method))
KINDS = cast("tuple[Kind, ...]", get_args(Kind))

# What a colour is of: see `slide_of`.
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Colour:
    """How a model wants the colours of its patches.

    Attributes
    ----------
    target
        What tissue is to look like.
    stats
        Whose colours are brought there: those of each patch, slide or source.
    """

    target: Statistics
    stats: Kind

    def to_json(self) -> dict[str, Any]:
        """Return what a bundle keeps, with the constants of the rule for tissue."""
        return {
            "method": "reinhard",
            "space": "CIELAB",
            "stats": self.stats,
            "target": {
                "mean": list(self.target.mean),  # a list is what JSON gives back
                "deviation": list(self.target.deviation),
                "pixels": self.target.pixels,
            },
            "background": BACKGROUND,
            "fewest": FEWEST,
        }

    @property
    def digest(self) -> str:
        """12 hexadecimal digits that stand for all of it."""
        return hashlib.sha256(repr(self.to_json()).encode()).hexdigest()[:12]


def colour_from(value: object) -> Colour | None:
    """Return what a bundle keeps, checked; None is no normalisation.

    Raises
    ------
    ValueError
        It is not what `Colour.to_json` gives, or by another rule.
    """
    if value is None:
        return None
    try:
        found = dict(cast("Mapping[str, Any]", value))
        target = found["target"]
        colour = Colour(
            Statistics(
                _three(target["mean"], (-128.0, 128.0)),
                _three(target["deviation"], (0.0, 128.0)),
                int(target["pixels"]),
            ),
            found["stats"],
        )
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError("colour: not what pycyto writes") from error
    if colour.stats not in KINDS or colour.to_json() != found:
        raise ValueError("colour: by a rule that this version of pycyto does not know")
    return colour


def _three(values: Any, between: tuple[float, float]) -> tuple[float, float, float]:
    first, second, third = values
    for value in (first, second, third):
        if not isinstance(value, float) or not between[0] <= value <= between[1]:
            raise ValueError("out of range")
    return first, second, third


def slide_of(row: Row) -> Key:
    """Return site, patient and slide, or the image where no slide is known."""
    return slide_named(row.source, (row.site, row.patient, row.slide), row.image_key)


def slide_named(source: str, slide: tuple[str, str, str], image_key: str) -> Key:
    """Return what stands for a slide, by its names or else by its image."""
    if slide[-1] not in ("", UNKNOWN):
        return "slide", source, *slide
    return "image", image_key


def key_of(row: Row, kind: Kind) -> Key:
    """Return what a row shares its statistics with."""
    return ("source", row.source) if kind == "source" else slide_of(row)


class Normaliser:
    """Brings patches to the colours that a model wants.

    Attributes
    ----------
    left
        Names of patches that had too little tissue, or whose slide had, and stayed as they were.
    """

    def __init__(self, colour: Colour) -> None:
        self.colour = colour
        self.left: set[str] = set()

    def __call__(self, name: str, patch: Pixels, shared: Callable[[], Statistics]) -> Pixels:
        """Return a patch, (224, 224, 3) uint8 RGB, at the target, or as it is.

        Parameters
        ----------
        name
            What stands for the patch where it is counted.
        shared
            Gives the statistics of its slide or source; not asked where each patch has its own.
        """
        each = self.colour.stats == "patch"
        source = sums_of(patch).statistics if each else shared()
        changed = normalise(patch, source, self.colour.target)
        if changed is None:
            self.left.add(name)
            return patch
        return changed


class PatchReader:
    """Reads patches of one data set as a network is to see them.

    Parameters
    ----------
    folder
        Of the data set.
    colour
        None leaves the pixels as they are.
    statistics
        By `key_of`; not used where each patch has its own.
    """

    def __init__(
        self, folder: Path, colour: Colour | None, statistics: Mapping[Key, Statistics]
    ) -> None:
        self.folder = folder
        self.colour = colour
        self._statistics = statistics
        self._normaliser = Normaliser(colour) if colour else None

    @property
    def left(self) -> Collection[str]:
        """Cell keys of patches that had too little tissue and stayed as they were."""
        return self._normaliser.left if self._normaliser else frozenset()

    def __call__(self, row: Row) -> Pixels:
        """Return a patch, (224, 224, 3) uint8 RGB.

        Raises
        ------
        BadInputError
            When the patch is missing, broken, or not the one of the manifest.
        """
        return self.coloured(row, read_patch(self.folder, row))

    def coloured(self, row: Row, patch: Pixels) -> Pixels:
        """Return a patch that was read already as a network is to see it."""
        if self._normaliser is None:
            return patch
        kind = self._normaliser.colour.stats
        return self._normaliser(str(row.key), patch, lambda: self._statistics[key_of(row, kind)])

    def name_for(self, row: Row) -> str:
        """Return what decides the pixels of one patch besides its content."""
        if self.colour is None:
            return ""
        if self.colour.stats == "patch":
            return self.colour.digest
        return f"{self.colour.digest} {self._statistics[key_of(row, self.colour.stats)]}"


def reader_of(folder: Path, colour: Colour | None, reporter: Reporter) -> PatchReader:
    """Return what reads the patches of a data set, its statistics counted.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """
    if colour is None or colour.stats == "patch":
        return PatchReader(folder, colour, {})
    kind = colour.stats
    rows = read_manifest(folder)
    with reporter.progress("look at colours", len(rows)) as advance:
        sums = pooled(folder, rows, lambda row: key_of(row, kind), advance)
    return PatchReader(folder, colour, {key: found.statistics for key, found in sums.items()})


def pooled(
    folder: Path,
    rows: Iterable[Row],
    by: Callable[[Row], Key],
    advance: Callable[[int], None] = lambda _: None,
) -> dict[Key, Sums]:
    """Return the sums over the patches of each key."""
    rows = list(rows)
    found: dict[Key, Sums] = defaultdict(Sums)
    with ThreadPoolExecutor(2) as pool:
        for row, sums in zip(
            rows, pool.map(lambda row: sums_of(read_patch(folder, row)), rows), strict=True
        ):
            found[by(row)] += sums
            advance(1)
    return dict(found)
