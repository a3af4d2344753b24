"""Cells of a source become patches, rows and thumbnails, and what is wrong is collected."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import uuid5

from pycyto import files
from pycyto.datasets.harmonise import Table
from pycyto.datasets.outlines import Outlines, area_of
from pycyto.datasets.sources.cells import Notes, Source, SourceCell
from pycyto.datasets.sources.folders import refuse_dead_links
from pycyto.errors import BadInputError, itemised
from pycyto.images.crop import Square, cut, square_around
from pycyto.images.likeness import Thumbnail, thumbnail
from pycyto.images.patches import content_hash, write_patch
from pycyto.images.reading import FieldImage
from pycyto.images.resolution import check_downsample
from pycyto.labels import counted, listed
from pycyto.manifest import PATCH_SIZE, Row
from pycyto.records import NAMESPACE, project_id_of_source

CROPPED = "larger than the patch: their middle is shown"
LEAVING = "nearer to the edge than half a patch: what lies outside is black"
NO_OUTLINE = "without an outline"
BAD_OUTLINE = "with an outline that cannot be read"
TWIN = "the same picture, pixel by pixel, as another cell of their class"
TORN = "the same picture, pixel by pixel, under two labels"


@dataclass(slots=True)
class Cutting:
    """One source on its way into a folder.

    Attributes
    ----------
    fit
        Whether images of single cells are brought to the size of the patch.
    icc
        Whether colour profiles in the images are applied.
    counts
        What is worth knowing of cells that are in.
    rows, pictures
        One row and one thumbnail, (32, 32) uint8, per patch.
    profiles
        Name of the colour profile that was applied, by image; empty where it has none.
    """

    source: Source
    table: Table
    folder: Path
    fit: bool
    icc: bool = False
    notes: Notes = field(default_factory=Notes)
    counts: Counter[str] = field(default_factory=Counter)
    rows: list[Row] = field(default_factory=list)
    pictures: list[Thumbnail] = field(default_factory=list)
    profiles: dict[Path, str] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)
    # Place and label of all cells of one picture.
    _pictures: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    # What `counts` has of each row.
    _counted: list[Counter[str]] = field(default_factory=list)
    _broken: bool = False
    _unknown: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def run(self, src: Path) -> Iterator[tuple[Row, Outlines | None]]:
        """Write the patch of each cell, and yield its row with what was drawn of it."""
        if src.is_dir():
            refuse_dead_links(src)
        by_image = groupby(self.source.cells(src, self.notes), lambda cell: cell.image)
        for path, cells in by_image:
            wanted = [(cell, label) for cell in cells if (label := self._label_of(cell))]
            if wanted:
                yield from self._of_image(path, wanted)

    def leave_out_torn(self) -> None:
        """Take back the cells of a published set whose very picture has two labels.

        Who made a folder can say which label is right, so that one is a problem; of a published
        set nobody can.
        """
        torn = {
            content: listed(f"{place} is {label}" for place, label in cells)
            for content, cells in self._pictures.items()
            if len({label for _, label in cells}) > 1
        }
        if self.source.published:
            self.notes.warnings += [f"Left out, {TORN}: {told}." for told in torn.values()]
        else:
            self.notes.problems += [
                f"{TORN.capitalize()}: {told}. Keep the one that is right."
                for told in torn.values()
            ]
        kept = []
        for row, picture, of_row in zip(self.rows, self.pictures, self._counted, strict=True):
            if row.content_hash in torn:
                self.notes.skip(TORN)
                self.counts -= of_row
                files.remove(self.folder / row.file)
            else:
                kept.append((row, picture))
        for content in torn:
            del self._pictures[content]
        self.counts[TWIN] = len(self.twins)
        self.rows = [row for row, _ in kept]
        self.pictures = [picture for _, picture in kept]

    @property
    def twins(self) -> list[tuple[str, str]]:
        """Places of pairs of cells of one class that are the same picture."""
        return [
            (first, other)
            for (first, _), *others in self._pictures.values()
            for other, _ in others
            if other != first
        ]

    def refuse_problems(self, src: Path) -> None:
        """Raise `BadInputError` with everything that makes the source unfit, or if it is empty."""
        problems = [*self._unknown_classes(), *self.notes.problems]
        if problems:
            raise BadInputError(
                f"{counted(len(problems), 'problem')} in this source; no data set was made.\n"
                f"{itemised(problems)}",
                where=src,
                remedy=self._remedy(),
            )
        if not self.rows:
            skipped = [f"{number}: {reason}" for reason, number in self.notes.skipped.items()]
            reasons = [*skipped, *self.notes.warnings]
            told = ("\n" + itemised(reasons)) if reasons else ""
            raise BadInputError(
                f"There is no cell in this source.{told}",
                where=src,
                remedy="See docs/sources.md for the layouts that are read.",
            )

    def _remedy(self) -> str:
        """Return what to do about a source with problems."""
        remedies = [
            "Mend or remove what is named"
            + (", or download the set again." if self.source.published else ".")
        ]
        if self._broken:
            remedies.append("Images are to be 8-bit RGB without transparent parts.")
        if self._unknown:
            remedies.append(
                f"Known classes: {listed(self.table.originals)}. --table FILE says what becomes of "
                "others (docs/sources.md)."
            )
        return " ".join(remedies)

    def _unknown_classes(self) -> Iterator[str]:
        for name, places in self._unknown.items():
            first = f"the first: {places[0]}" if len(places) > 1 else places[0]
            yield (
                f"The class {name!r} ({counted(len(places), 'cell')}; {first}) is not in the table "
                f"of classes.{self.table.near(name)}"
            )

    def _label_of(self, cell: SourceCell) -> str | None:
        """Return the class that a cell gets, or None, with the reason noted."""
        earlier = self._places.get(cell.name)
        if earlier is not None:
            self.notes.problems.append(
                f"The cell {cell.name} is there twice: {earlier} and {cell.place}."
            )
            return None
        self._places[cell.name] = cell.place
        mapped = self.table.find(cell.original_label)
        if mapped is None:
            self._unknown[cell.original_label].append(cell.place)
            return None
        if mapped.label is None:
            self.notes.skip(f"{mapped.original}: left out by the table")
        return mapped.label

    def _of_image(
        self, path: Path, cells: list[tuple[SourceCell, str]]
    ) -> Iterator[tuple[Row, Outlines | None]]:
        try:
            image = FieldImage(path, icc=self.icc)
            if self.icc:
                self.profiles[path] = image.profile.name if image.profile else ""
            try:
                for cell, label in cells:
                    yield self._cut(cell, label, image)
            finally:
                image.close()
        except BadInputError as error:
            self._broken = True
            self.notes.problems.append(f"{cells[0][0].image_name}: {error.what}")

    def _cut(self, cell: SourceCell, label: str, image: FieldImage) -> tuple[Row, Outlines | None]:
        size = image.width, image.height
        before = self.counts.copy()
        square = self._square(cell, *size)
        pixels = cut(image, square)
        outlines = self._outlines(cell)
        row = _row(cell, label, self.table, self.source.name, square, size)
        row = replace(row, content_hash=content_hash(pixels), **_measured(outlines))
        self._pictures[row.content_hash].append((cell.place, row.label))
        write_patch(self.folder / row.file, pixels)
        self.rows.append(row)
        self._counted.append(self.counts - before)
        self.pictures.append(thumbnail(pixels))
        return row, outlines

    def _square(self, cell: SourceCell, width: int, height: int) -> Square:
        """Return the square around a cell, and note what is lost or black in it."""
        if cell.centre is not None:
            square = square_around(*cell.centre)
            inside = 0 <= square.left <= width - PATCH_SIZE
            inside = inside and 0 <= square.top <= height - PATCH_SIZE
            self.counts[LEAVING] += not inside
            return square
        longest = max(width, height)
        downsample = longest / PATCH_SIZE if self.fit else 1.0
        check_downsample(downsample)
        self.counts[CROPPED] += longest > PATCH_SIZE and not self.fit
        return square_around(width / 2, height / 2, downsample)

    def _outlines(self, cell: SourceCell) -> Outlines | None:
        if not self.source.outlined:
            return None
        try:
            outlines = self.source.outlines(cell)
        except BadInputError as error:
            self.counts[BAD_OUTLINE] += 1
            self.notes.warnings.append(f"{cell.image_name}: {error.what}")
            return None
        self.counts[NO_OUTLINE] += outlines is None
        return outlines


def object_id_of(source: str, cell: SourceCell) -> str:
    """Return the UUID of a cell, which depends on its names in the source alone."""
    return str(uuid5(NAMESPACE, f"cell {source}/{cell.name}"))


def _row(
    cell: SourceCell, label: str, table: Table, source: str, square: Square, size: tuple[int, int]
) -> Row:
    """Return the row of a cell; its identifiers depend on its names in the source alone."""
    image_key = hashlib.sha256(f"{source}/{cell.image_name}".encode()).hexdigest()[:16]
    object_id = object_id_of(source, cell)
    single = cell.centre is None
    x, y = cell.centre or (size[0] / 2, size[1] / 2)
    said: dict[str, Any] = dict(cell.said)
    return Row(
        project_id=project_id_of_source(source),
        entry_id=image_key,
        object_id=object_id,
        point_index=None,
        image_key=image_key,
        project_name=source,
        image_name=cell.image_name,
        centroid_x=x,
        centroid_y=y,
        left=square.left,
        top=square.top,
        width=square.width,
        downsample=square.downsample,
        mpp=None if cell.mpp is None else cell.mpp * square.downsample,
        label=label,
        original_label=cell.original_label,
        scheme=table.scheme.name,
        label_origin="manual",
        selected_by="manual",
        source=source,
        slide=cell.slide,
        original_width=size[0] if single else None,
        original_height=size[1] if single else None,
        content_hash="",
        file=f"images/{table.scheme.folder_of(label)}/{image_key}_{object_id}.png",
        **said,
    )


def _measured(outlines: Outlines | None) -> dict[str, Any]:
    """Return what the manifest has of a cell's outline."""
    if outlines is None or outlines.cell is None:
        return {}
    left, top, right, bottom = outlines.cell.bounds
    return {
        "outline_width": right - left,
        "outline_height": bottom - top,
        "outline_area": area_of(outlines.cell),
    }
