"""What a source of cells is: a reader of one published layout, and the records that it yields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pycyto.datasets.outlines import Outlines
from pycyto.labels import LabelScheme
from pycyto.manifest import UNKNOWN


@dataclass(frozen=True, slots=True)
class SourceCell:
    """One cell as its source publishes it.

    Attributes
    ----------
    name
        What it is called in the source, the same wherever the files lie: its identifiers are
        made from it.
    image, image_name
        The image file, and what it is called in the source.
    original_label
        Its class in the source's own words.
    slide
        What no split may divide, as the names of files tell; unknown where they tell nothing.
    centre
        (x, y) in full-resolution pixels of the image; None where the image shows this cell alone.
    mpp
        Micrometres per pixel of the image, where that is published.
    said
        Further columns of the manifest, for example ``preparation``.
    line
        Where a table has it, for messages; empty where the image alone is the cell.
    """

    name: str
    image: Path
    image_name: str
    original_label: str
    slide: str = UNKNOWN
    centre: tuple[float, float] | None = None
    mpp: float | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    line: str = ""

    @property
    def place(self) -> str:
        """What a message calls it: the line of its table, else its file."""
        return self.line or self.image_name


@dataclass(slots=True)
class Notes:
    """What a reader meets besides cells.

    Attributes
    ----------
    skipped
        How many cells or images were left out, by reason.
    problems
        What makes the source unfit, one sentence each with its file; all are told at once.
    warnings
        What the user should know although the work goes on.
    remarks
        What is told beside the figures, and is nothing to worry about.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def skip(self, reason: str, number: int = 1) -> None:
        """Count what was left out."""
        self.skipped[reason] += number


class Source(Protocol):
    """Reads one layout.

    Attributes
    ----------
    name
        What the manifest has as ``source``.
    scheme
        The classes that its cells are brought to.
    single
        Whether each image shows one cell, so that there is a choice of scale.
    outlined
        Whether its layout has outlines.
    published
        Whether it can be downloaded again.
    """

    name: str
    scheme: LabelScheme
    single: bool
    outlined: bool
    published: bool

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the cells, those of one image side by side.

        Raises
        ------
        BadInputError
            When the folder does not hold this layout.
        """

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return what was drawn of a cell, or None where nothing was.

        Raises
        ------
        BadInputError
            When the file of its outline is not what it should be.
        """
