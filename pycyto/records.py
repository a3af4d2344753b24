"""The frozen records that travel between the stages, and the words for them.

project
    A QuPath project folder (``project.qpproj``).
image
    One entry of a project, known by its entry ID: names repeat.
cell
    One annotation or detection that stands for a cell. A multi-point
    annotation is several cells, told apart by the point index.
patch
    The 224 x 224 RGB crop centred on a cell: what a classifier sees.
run
    One ``predict`` on a project: staged, partly written, written or undone.

Coordinates are full-resolution pixels of the image as QuPath shows it: x to the
right, y down, and (0, 0) the top left corner of the top left pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid5

# All identifiers that pycyto makes descend from this one.
NAMESPACE = UUID("6f0b6d3a-51b8-5c0c-9f0e-7d5a4b1c2e90")

# The mark on every object that pycyto created, and on every one it classified.
RUN_MARK = "pycyto: run"
UPDATED_MARK = "pycyto: updated by"
PROBABILITY = "pycyto: P("


class CellKey(NamedTuple):
    """What finds a cell again in QuPath."""

    project_id: str
    entry_id: str
    object_id: str
    point_index: int | None = None

    def __str__(self) -> str:
        point = "" if self.point_index is None else str(self.point_index)
        return f"{self.project_id}/{self.entry_id}/{self.object_id}/{point}"

    @property
    def place(self) -> str:
        """Where it is in its project, as people read and type it: ``entry ID/object ID#point``."""
        point = "" if self.point_index is None else f"#{self.point_index}"
        return f"{self.entry_id}/{self.object_id}{point}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box: left, top, width and height in full-resolution pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class ProjectObject:
    """One object of an image, as QuPath holds it.

    Attributes
    ----------
    object_id
        UUID, in lower case.
    kind
        ``annotation``, ``detection``, ``cell``, ``tile`` or ``tmaCore``.
    class_name
        QuPath's full name of the class, or None.
    centroid, nucleus_centroid
        (x, y), exact; a nucleus is known for QuPath cell objects only.
    points
        (x, y) of each point of a point annotation; empty for other outlines.
    area
        In square pixels; 0 for points and lines.
    geometry
        GeoJSON geometry as QuPath writes it: coordinates to 0.01 px.
    """

    object_id: str
    kind: str
    class_name: str | None
    centroid: tuple[float, float]
    bounds: Bounds
    area: float
    z: int = 0
    t: int = 0
    name: str | None = None
    locked: bool = False
    nucleus_centroid: tuple[float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    geometry: Mapping[str, Any] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)

    @property
    def made_by_pycyto(self) -> bool:
        """Whether pycyto created it: such objects are never labels."""
        return RUN_MARK in self.measurements

    @property
    def classified_by_pycyto(self) -> bool:
        """Whether its class is a prediction: such classes are never labels."""
        return UPDATED_MARK in self.measurements

    @property
    def undecided(self) -> bool:
        """Whether it has no class, or still the one that a run found most probable."""
        if self.class_name is None:
            return True
        said = {k: v for k, v in self.measurements.items() if k.startswith(PROBABILITY)}
        own = said.get(f"{PROBABILITY}{self.class_name})")
        return self.classified_by_pycyto and own is not None and own >= max(said.values())


@dataclass(frozen=True, slots=True)
class ImageObjects:
    """All objects of one image, and the state of the file that they were read from.

    Attributes
    ----------
    data_sha256
        SHA-256 of ``data.qpdata``; empty where the image has none yet.
    stale
        True where the file has changed since, and the user said to go on.
    """

    entry_id: str
    data_sha256: str
    objects: tuple[ProjectObject, ...]
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a project: a row of the manifest before its patch is cut."""

    key: CellKey
    kind: str
    class_name: str | None
    x: float
    y: float
    bounds: Bounds
    area: float
    z: int = 0
    t: int = 0

    @property
    def is_point(self) -> bool:
        """Whether it has no outline of its own."""
        return self.key.point_index is not None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one cell.

    Attributes
    ----------
    probabilities
        By class name, in the order of the scheme; they add up to 1.
    trained_on
        True where this very cell was among the model's training cells.
    """

    cell: Cell
    label: str
    probabilities: Mapping[str, float]
    trained_on: bool = False


def project_id_of_source(source: str) -> str:
    """Return what stands for a project where cells are of a public set or a folder of images."""
    return str(uuid5(NAMESPACE, f"source {source}"))


def is_of_source(project_id: str) -> bool:
    """Whether a project ID stands for a source: made from its name, where projects draw theirs."""
    try:
        return UUID(project_id).version == 5
    except ValueError:
        return False


def new_object_id(key: CellKey, run_id: str) -> str:
    """Return the UUID of the detection that a run makes of a cell.

    It depends on the cell and the run alone, so that loading a run twice makes
    the same objects, and two runs never make the same.
    """
    return str(uuid5(NAMESPACE, f"{key} {run_id}"))


def run_mark(run_id: str) -> int:
    """Return 24 bits of a run's UUID: exact in the float32 of a detection."""
    return UUID(run_id).int >> 104


class Reporter(Protocol):
    """How a step speaks to whoever started it."""

    def say(self, text: str) -> None:
        """Tell something that is worth reading."""

    def warn(self, text: str) -> None:
        """Tell something that the user should act on or know."""

    def progress(
        self, description: str, total: int | None
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Show progress; the block gets a function to call with each advance."""

    def tell(self, **facts: str) -> None:
        """Tell a program that has started this step what it needs to know; people see nothing."""


class Silent:
    """A reporter that says nothing: what the Python functions use by default."""

    def say(self, text: str) -> None:
        """Drop the text."""

    def warn(self, text: str) -> None:
        """Drop the text."""

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show nothing."""
        yield lambda _: None

    def tell(self, **facts: str) -> None:
        """Drop the facts."""


SILENT = Silent()


def path_from(value: str | Path) -> Path:
    """Return an absolute path, with ``~`` expanded, links kept as they are."""
    return Path(value).expanduser().absolute()
