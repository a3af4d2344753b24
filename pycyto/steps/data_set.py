"""The data set that an export fills: its rows, packed image by image, and its record.

Never are the rows of more than one image unpacked, so that an export of a
hundred images takes hardly more memory than one of a single image.
"""

from __future__ import annotations

import re
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from pycyto import files, provenance
from pycyto.manifest import (
    Row,
    files_in,
    iter_manifest,
    lines_of,
    read_manifest,
    refuse_twins,
    rows_in,
    write_lines,
)
from pycyto.records import CellKey

# Entry ID, object ID and the number of a point: a name that exports give, and hardly anybody else.
_EXPORTED = re.compile(r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(_p\d+)?\.png$")


class ImageKey(NamedTuple):
    """What finds an image's rows again."""

    project_id: str
    entry_id: str


class _Packed(NamedTuple):
    """The rows of one image as packed lines of the manifest (about 110 bytes per row)."""

    lines: bytes
    labels: Counter[str]


class Table:
    """The rows of a data set, of which one image's at a time can be changed."""

    def __init__(self) -> None:
        self._images: dict[ImageKey, _Packed] = {}

    def __bool__(self) -> bool:
        return bool(self._images)

    @contextmanager
    def of_image(self, image: ImageKey) -> Iterator[dict[CellKey, Row]]:
        """Give out the rows of an image to be changed; also after an error they are kept."""
        packed = self._images.get(image)
        found = rows_in(_unpacked(packed)) if packed else ()
        rows = {row.key: row for row in found}
        try:
            yield rows
        finally:
            self.put(image, rows.values())

    def put(self, image: ImageKey, rows: Iterable[Row]) -> None:
        """Keep these rows of an image instead of those that it had."""
        rows = list(rows)
        self._images.pop(image, None)
        if rows:
            packed = zlib.compress(lines_of(rows).encode(), 1)
            self._images[image] = _Packed(packed, Counter(row.label for row in rows))

    def lines(self) -> Iterator[str]:
        """Yield the manifest's lines, image by image, in the order of the cell keys."""
        for image in sorted(self._images):
            yield _unpacked(self._images[image])

    def files(self) -> Iterator[str]:
        """Yield the path of each patch below the folder."""
        for packed in self._images.values():
            yield from files_in(_unpacked(packed))

    def labels(self, project_id: str) -> Counter[str]:
        """Return how many rows of a project there are of each label."""
        ours = (packed for image, packed in self._images.items() if image.project_id == project_id)
        return sum((packed.labels for packed in ours), Counter())


def _unpacked(packed: _Packed) -> str:
    return zlib.decompress(packed.lines).decode()


@dataclass(slots=True)
class DataSet:
    """The data set as it grows: its rows, what they were cut from, what was done.

    Attributes
    ----------
    inputs
        States of images and of their objects, by project and entry ID.
    full_resolution
        Of the rows found there: for each project whether they are at full
        resolution; both where some are and some are not.
    """

    folder: Path
    arguments: Mapping[str, object]
    table: Table = field(default_factory=Table)
    inputs: dict[str, str] = field(default_factory=dict)
    full_resolution: dict[str, set[bool]] = field(default_factory=dict)
    new: int = 0
    kept: int = 0
    relabelled: int = 0
    removed: int = 0
    saved_at: float = field(default_factory=time.monotonic)

    def load(self) -> None:
        """Take over the data set that is in the folder.

        Raises
        ------
        BadInputError
            When its manifest or its record is not what it should be.
        """
        if not self._load(iter_manifest(self.folder)):
            # Sorted by another program: seldom enough to do it all in memory.
            self.table, self.full_resolution = Table(), {}
            self._load(sorted(read_manifest(self.folder), key=_image_of))
        self.inputs = provenance.recorded_inputs(self.folder, "export")

    def _load(self, rows: Iterable[Row]) -> bool:
        """Pack rows image by image; False if those of an image are not side by side."""
        seen = set()
        for image, of_image in groupby(rows, _image_of):
            if image in seen:
                return False
            seen.add(image)
            found = list(of_image)
            refuse_twins(self.folder, found)
            self.table.put(image, found)
            scales = self.full_resolution.setdefault(image.project_id, set())
            scales.update(row.downsample == 1.0 for row in found)
        return True

    def remove_strays(self) -> None:
        """Move patches that no row names to ``removed/``.

        An export that was killed between a patch and the manifest left them;
        where the cell is there still, it has been cut again in the same place.
        """
        found = {
            f"images/{patch.parent.name}/{patch.name}"
            for patch in self.folder.glob("images/*/*.png")
            if _EXPORTED.search(patch.name)
        }
        for file in found.difference(self.table.files()):
            self.remove(file)

    def remove(self, file: str) -> None:
        """Move a patch to ``removed/``, if it is there."""
        patch = self.folder / file
        if patch.exists():
            files.replace(patch, self.folder / "removed" / patch.name)
        self.removed += 1

    def save(self, counts: Mapping[str, object]) -> None:
        """Write the manifest and what it rests on, so that the next start goes on from here."""
        if not self.table and not (self.folder / "manifest.csv").exists():
            return
        write_lines(self.folder, self.table.lines())
        record = provenance.record("export", self.arguments, counts=counts, inputs=self.inputs)
        provenance.keep_record(self.folder, record)
        self.saved_at = time.monotonic()


def _image_of(row: Row) -> ImageKey:
    return ImageKey(row.project_id, row.entry_id)
