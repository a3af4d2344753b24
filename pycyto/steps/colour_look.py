"""The colours of a data set before and after normalisation: figures, and cells to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pycyto.evaluation.colour_page import OfSource, Pair, Sheet
from pycyto.images.colour import Colour, PatchReader, reader_of, slide_of
from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.images.pictures import data_uri
from pycyto.images.stain import Sums, sums_of
from pycyto.labels import scheme_named
from pycyto.manifest import Row
from pycyto.records import Reporter

_PICTURE = 128
_UNCLASSIFIED = "unclassified"


class Looked:
    """A data set looked at once, before and after.

    Parameters
    ----------
    named
        Gives a source the name that it has in the page.
    cells, seed
        How many of each source and class are drawn, and which.
    """

    def __init__(
        self,
        data: Path,
        rows: Sequence[Row],
        colour: Colour,
        cells: int,
        seed: int,
        reporter: Reporter,
        named: Callable[[str], str],
    ) -> None:
        self._data, self._rows, self._colour, self._named = data, rows, colour, named
        self._cells, self._seed = cells, seed
        self._reader = reader_of(data, colour, reporter)
        self.sources = self._look(reporter)

    def _look(self, reporter: Reporter) -> list[OfSource]:
        sums: dict[str, tuple[Sums, Sums]] = defaultdict(lambda: (Sums(), Sums()))
        with (
            reporter.progress("compare colours", len(self._rows)) as advance,
            ThreadPoolExecutor(2) as pool,
        ):
            found = pool.map(lambda row: _sums(self._data, self._reader, row), self._rows)
            for row, (before, after) in zip(self._rows, found, strict=True):
                one, other = sums[row.source]
                sums[row.source] = one + before, other + after
                advance(1)
        return [self._of_source(name, *sums[name]) for name in sorted(sums)]

    def _of_source(self, name: str, before: Sums, after: Sums) -> OfSource:
        own = [row for row in self._rows if row.source == name]
        return OfSource(
            name=self._named(name),
            patches=len(own),
            slides=len(set(map(slide_of, own))),
            left=sum(str(row.key) in self._reader.left for row in own),
            before=before,
            after=after,
        )

    def sheets(self) -> list[dict[str, Any]]:
        """Return some cells of each source and class, before and after."""
        by: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self._rows:
            by[row.source, row.label].append(row)
        generator = np.random.default_rng(self._seed)
        found = []
        for source, label in sorted(by, key=self._order):
            own = by[source, label]
            drawn = generator.permutation(len(own))[: self._cells]
            pairs = [self._pair(own[index]) for index in drawn]
            name = label or _UNCLASSIFIED
            found.append(Sheet(self._named(source), name, len(own), pairs).to_json())
        return found

    def _order(self, key: tuple[str, str]) -> tuple[str, int, str]:
        """Sort by source, and classes as the scheme has them."""
        source, label = key
        names = next((scheme_named(row.scheme).names for row in self._rows if row.scheme), ())
        return source, names.index(label) if label in names else len(names), label

    def _pair(self, row: Row) -> Pair:
        patch = read_patch(self._data, row)
        after = self._reader.coloured(row, patch)
        return Pair(_picture(patch), _picture(after), str(row.key) in self._reader.left)


def _sums(data: Path, reader: PatchReader, row: Row) -> tuple[Sums, Sums]:
    patch = read_patch(data, row)
    return sums_of(patch), sums_of(reader.coloured(row, patch))


def _picture(pixels: Pixels) -> str:
    small = Image.fromarray(pixels).resize((_PICTURE, _PICTURE), Image.Resampling.BOX)
    return data_uri(np.asarray(small))
