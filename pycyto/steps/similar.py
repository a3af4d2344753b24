"""Adjudicated cells that look like a predicted one, found while the cells stream through the model.

What is alike is what the network's head decides on: the features behind its last
convolution, compared by the cosine of their angle. The labels shown are people's,
from a consensus or an adjudication, never the model's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pycyto.errors import BadInputError
from pycyto.images.crop import Square
from pycyto.images.patches import read_patch, write_patch
from pycyto.labels import listed
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import classify, seeing_engine
from pycyto.learning.nearest import DECIMALS, Features, nearest, unit_vectors
from pycyto.manifest import UNKNOWN, Row, iter_manifest, refuse_twins
from pycyto.qupath.similar_table import SimilarCell, patch_file, similar_folder, write_similar
from pycyto.records import CellKey, Reporter
from pycyto.steps.colours import reader_for
from pycyto.steps.resolutions import refuse_other_resolution

# How many are shown beside a cell.
COUNT = 6
# Label origins of cells on which several people have agreed, or one has decided between them.
ADJUDICATED = ("consensus", "adjudicated")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a patch was cut.

    Attributes
    ----------
    slide
        Site, patient and slide by name; the last is ``unknown`` where nothing says.
    """

    key: CellKey
    image_key: str
    square: Square
    slide: tuple[str, str, str]


def place_of(row: Row) -> Place:
    """Return where the patch of a row was cut."""
    square = Square(row.left, row.top, row.width)
    return Place(row.key, row.image_key, square, (row.site, row.patient, row.slide))


@dataclass
class References:
    """Adjudicated cells with their features: all in memory, (m, d) float32.

    Attributes
    ----------
    rows
        By cell key, so that the same data give the same answers.
    vectors
        The features at length 1.
    """

    folder: Path
    rows: Sequence[Row]
    vectors: Features
    _places: list[Place] = field(init=False)
    _squares: npt.NDArray[np.int64] = field(init=False)
    _in_image: Mapping[object, npt.NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        self._places = [place_of(row) for row in self.rows]
        squares = [(p.square.left, p.square.top, p.square.width) for p in self._places]
        self._squares = np.array(squares, np.int64)
        found: dict[object, list[int]] = defaultdict(list)
        for index, place in enumerate(self._places):
            for name in _names_of(place):
                found[name].append(index)
        self._in_image = {name: np.array(indices) for name, indices in found.items()}

    def hidden_from(self, places: Sequence[Place]) -> npt.NDArray[np.bool_]:
        """Return which references show a cell itself, (len(places), m).

        That is the cell under its own key, and whatever was cut so near to it in
        the same image that the two patches share pixels: they are alike for this
        reason alone.
        """
        hidden = np.zeros((len(places), len(self.rows)), np.bool_)
        for row, place in zip(hidden, places, strict=True):
            for name in _names_of(place):
                there = self._in_image.get(name)
                if there is not None:
                    row[there] |= _overlap(self._squares[there], place.square)
        return hidden

    def same_slide(self, index: int, place: Place) -> bool:
        """Whether a reference is from the slide of a cell."""
        other = self._places[index]
        named = place.slide[-1] not in ("", UNKNOWN) and place.slide == other.slide
        return named or not set(_names_of(place)).isdisjoint(_names_of(other))


def _names_of(place: Place) -> tuple[object, ...]:
    """Return the two names of an image, either of which may change when files are moved."""
    return place.image_key, place.key[:2]


def _overlap(squares: npt.NDArray[np.int64], square: Square) -> npt.NDArray[np.bool_]:
    left, top, width = squares.T
    return np.asarray(
        (left < square.left + square.width)
        & (square.left < left + width)
        & (top < square.top + square.width)
        & (square.top < top + width)
    )


def references_in(
    folder: Path, bundle: Bundle, *, any_resolution: bool, reporter: Reporter
) -> References:
    """Read the adjudicated cells of a data set and look at them with a model.

    Raises
    ------
    BadInputError
        There is none, or the labels are of another scheme than the model's.
    RefusedError
        The patches were cut at another resolution than the model's.
    """
    rows = _adjudicated(folder)
    _refuse_other_scheme(rows, bundle, folder)
    if not any_resolution:
        refuse_other_resolution(rows, bundle, folder / "manifest.csv")
    seen: list[Features] = []
    engine = seeing_engine(bundle, seen.append)
    patches = map(reader_for(bundle, folder, reporter), rows)
    with reporter.progress("adjudicated cells", len(rows)) as advance:
        classify(bundle, patches, engine=engine, advance=advance)
    _say(rows, reporter)
    return References(folder, rows, unit_vectors(np.concatenate(seen)))


def _adjudicated(folder: Path) -> list[Row]:
    rows = [row for row in iter_manifest(folder) if row.label and row.label_origin in ADJUDICATED]
    refuse_twins(folder, rows)
    if not rows:
        raise BadInputError(
            "No cell in this data set has a label from a consensus or an adjudication.",
            where=folder / "manifest.csv",
            remedy="Have cells read by two people (pycyto assign), then export them: "
            "pycyto export PROJECT --reviewed --out DATA_SET.",
        )
    return sorted(rows, key=lambda row: str(row.key))


def _refuse_other_scheme(rows: Iterable[Row], bundle: Bundle, folder: Path) -> None:
    others = {row.scheme for row in rows} - {bundle.scheme, ""}
    if others:
        raise BadInputError(
            f"These cells are labelled by {listed(sorted(others))}, the model by {bundle.scheme}.",
            where=folder / "manifest.csv",
            remedy="Name a data set of the model's scheme.",
        )


def _say(rows: Sequence[Row], reporter: Reporter) -> None:
    origins = Counter(row.label_origin for row in rows)
    counts = listed(f"{origins[name]} {name}" for name in ADJUDICATED if origins[name])
    reporter.say(f"Similar cells are looked for among {len(rows)} ({counts}).")
    if len(rows) < COUNT:
        reporter.warn(f"There are fewer than {COUNT} cells to choose from.")


class SimilarCells:
    """The nearest references of each cell that was looked at; some 50 bytes are kept of each.

    Attributes
    ----------
    places
        Of the cells, in the order in which they are looked at: a cell must be here
        before its features come.
    """

    def __init__(self, references: References) -> None:
        self.places: list[Place] = []
        self._references = references
        self._indices: list[npt.NDArray[np.int32]] = []
        self._similarities: list[npt.NDArray[np.float32]] = []
        self._looked_at = 0

    def see(self, features: Features) -> None:
        """Find what is like the next cells, whose features are (n, d)."""
        places = self.places[self._looked_at : self._looked_at + len(features)]
        self._looked_at += len(features)
        hidden = self._references.hidden_from(places)
        indices, similarities = nearest(features, self._references.vectors, hidden, COUNT)
        self._indices.append(indices)
        self._similarities.append(similarities)

    def write(self, run: Path) -> dict[str, int]:
        """Write the tables of a run, image by image, and each patch that they name once.

        Returns
        -------
        dict
            ``references``: cells to choose from; ``fewer``: cells for which fewer than
            six were left.
        """
        indices, similarities = np.concatenate(self._indices), np.concatenate(self._similarities)
        left = np.isfinite(similarities)
        self._write_patches(similar_folder(run), np.unique(indices[left]).tolist())

        def items(cells: Iterable[int]) -> Iterator[SimilarCell]:
            for cell in cells:
                for rank in range(int(left[cell].sum())):
                    found = int(indices[cell, rank]), float(similarities[cell, rank])
                    yield self._similar(self.places[cell], rank + 1, *found)

        for entry_id, cells in groupby(
            sorted(range(len(indices)), key=self._entry_of), self._entry_of
        ):
            write_similar(run, entry_id, items(cells))
        fewer = int((left.sum(axis=1) < COUNT).sum())
        return {"references": len(self._references.rows), "fewer": fewer}

    def _entry_of(self, cell: int) -> str:
        return self.places[cell].key.entry_id

    def _similar(self, place: Place, rank: int, index: int, similarity: float) -> SimilarCell:
        row = self._references.rows[index]
        return SimilarCell(
            cell=place.key,
            rank=rank,
            label=row.label,
            label_origin=row.label_origin,
            similarity=round(similarity, DECIMALS),
            same_slide=self._references.same_slide(index, place),
            content_hash=row.content_hash,
        )

    def _write_patches(self, folder: Path, indices: Iterable[int]) -> None:
        """Write pixels anew rather than copy files, which may hold more than pixels."""
        for row in (self._references.rows[index] for index in indices):
            pixels = read_patch(self._references.folder, row)
            write_patch(folder / patch_file(row.content_hash), pixels)
