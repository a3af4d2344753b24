"""Several data sets become one."""

from __future__ import annotations

import heapq
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path

import numpy as np
import orjson

from pycyto import files, provenance
from pycyto.datasets.findings import likenesses
from pycyto.datasets.merging import (
    Inventory,
    Meetings,
    check_resolutions,
    check_schemes,
    names_of,
    namesakes,
)
from pycyto.datasets.near import same_cells
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.images.likeness import Thumbnail, thumbnail
from pycyto.images.patches import pixels_in, read_patch
from pycyto.labels import counted, listed
from pycyto.manifest import Row, iter_manifest, lines_of, order, write_lines
from pycyto.pseudonyms import take_key
from pycyto.records import SILENT, CellKey, Reporter, path_from
from pycyto.steps.ingest import OUTLINES_END, OUTLINES_FILE, OUTLINES_HEAD
from pycyto.steps.profiles import icc_of, state

# Patches that are read ahead.
_CHUNK = 256
# Pairs that are named on the screen.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was joined.

    Attributes
    ----------
    by_source
        Cells of each source by label.
    repeated
        Cells that several data sets have with the very same row: they are in once.
    near
        Pairs of cells of two data sets whose patches show nearly the same.
    """

    out: Path
    cells: int
    by_source: Mapping[str, Mapping[str, int]]
    repeated: int
    near: Sequence[tuple[Row, Row]]


def merge(
    data: Sequence[str | Path], *, out: str | Path, reporter: Reporter = SILENT
) -> MergeResult:
    """Join data sets of sources and projects into one, which is then split anew.

    Patches get a second name on the same disk, and are copied elsewhere. Nothing in the data sets
    is changed.

    Parameters
    ----------
    data
        Folders with ``manifest.csv``, at least two.
    out
        Folder of the joined data set. It must not be there yet, and appears when all is done.

    Raises
    ------
    BadInputError
        A manifest or a patch is not what it should be.
    RefusedError
        Cells that are there twice, different schemes or resolutions, patches with and without
        the colour profiles of their images, or something in `out`.
    UsageError
        Fewer than two data sets.
    """
    folders = [path_from(one) for one in data]
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError(
            "A merge needs at least two data sets, each named once.",
            remedy="pycyto merge HERLEV SIPAKMED --out BOTH",
        )
    inventories = _inventories(folders)
    check_schemes(inventories)
    check_resolutions(inventories)
    icc = _one_state(inventories)
    target = path_from(out)
    with files.making_folder(target) as made:
        joining = _Joining(made)
        write_lines(made, joining.run(inventories, reporter))
        _write_outlines(made / OUTLINES_FILE, inventories)
        take_key(folders, made)
        result = _result(target, inventories, joining)
        provenance.keep_record(made, _record(inventories, result, icc=icc))
    _say(result, inventories, reporter)
    return result


def _one_state(inventories: Sequence[Inventory]) -> bool:
    """Return whether colour profiles were applied, or refuse where they were in some only."""
    states = {one.name: icc_of(one.folder) for one in inventories}
    if len(set(states.values())) > 1:
        told = listed(f"{name} {state(icc)}" for name, icc in states.items())
        raise RefusedError(
            f"The patches of these data sets were cut in two ways: {told}.",
            remedy="Export or ingest them again, all with --icc or all without. Images that have "
            "no profile stay as they are.",
        )
    return any(states.values())


def _inventories(folders: Sequence[Path]) -> list[Inventory]:
    """Look through the manifests, and refuse what is there twice."""
    meetings, found = Meetings(), []
    for number, (folder, name) in enumerate(zip(folders, names_of(folders), strict=True)):
        inventory = Inventory(folder, name)
        for row in iter_manifest(folder):
            inventory.add(row)
            meetings.add(row, number, inventory)
        if not inventory.cells:
            raise BadInputError("There is no cell in this data set.", where=folder)
        found.append(inventory)
    meetings.refuse(folders)
    return found


class _Joining:
    """Brings the patches of all data sets into one folder.

    Parameters
    ----------
    folder
        Of the joined data set.

    Attributes
    ----------
    by_source
        Cells that were brought in, by source and label.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pictures: list[Thumbnail] = []
        self._files: list[str] = []
        self._numbers: list[int] = []
        self.by_source: dict[str, Counter[str]] = defaultdict(Counter)

    def run(self, inventories: Sequence[Inventory], reporter: Reporter) -> Iterator[str]:
        """Bring each patch in, and yield its line of the manifest, in the order of the keys."""
        total = sum(one.cells - len(one.repeated) for one in inventories)
        with (
            reporter.progress("join patches", total) as advance,
            ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool,
        ):
            rows = _in_order(inventories)
            while chunk := list(islice(rows, _CHUNK)):
                # Decoding lets go of Python's lock.
                self._pictures += pool.map(lambda item: self._bring(inventories, *item), chunk)
                for number, row in chunk:
                    self._files.append(row.file)
                    self._numbers.append(number)
                    self.by_source[row.source][row.label] += 1
                    yield lines_of([row])
                advance(len(chunk))

    def _bring(self, inventories: Sequence[Inventory], number: int, row: Row) -> Thumbnail:
        source = inventories[number].folder
        picture = thumbnail(read_patch(source, row))
        files.link_or_copy(source / row.file, self._folder / row.file)
        return picture

    def near(self) -> list[tuple[Row, Row]]:
        """Return pairs of cells of two data sets that show nearly the same."""
        pairs = same_cells(
            np.stack(self._pictures),
            np.array(self._numbers, np.int64),
            lambda number: pixels_in(self._folder / self._files[number]),
        )
        files_of = [(self._files[one], self._files[other]) for one, other in pairs]
        wanted = set(chain.from_iterable(files_of))
        rows = {row.file: row for row in iter_manifest(self._folder) if row.file in wanted}
        return [(rows[one], rows[other]) for one, other in files_of]


def _in_order(inventories: Sequence[Inventory]) -> Iterator[tuple[int, Row]]:
    """Yield the rows of all data sets with the number of theirs; of repeated ones the first."""
    streams = [_numbered(number, one) for number, one in enumerate(inventories)]
    merged = heapq.merge(*streams, key=lambda item: order(item[1]))
    for _, same in groupby(merged, lambda item: item[1].key):
        yield min(same, key=lambda item: item[0])


def _numbered(number: int, inventory: Inventory) -> Iterator[tuple[int, Row]]:
    rows = iter_manifest(inventory.folder)
    # Sorted by another program: seldom enough to do it all in memory.
    yield from ((number, row) for row in (rows if inventory.ordered else sorted(rows, key=order)))


def _write_outlines(path: Path, inventories: Sequence[Inventory]) -> None:
    """Join the outlines of those data sets that have any."""
    having = [one for one in inventories if (one.folder / OUTLINES_FILE).exists()]
    if not having:
        return
    with files.writing(path) as stream:
        before = OUTLINES_HEAD
        for inventory in having:
            for line in _features(inventory):
                stream.write(f"{before}\n{line}")
                before = ","
        stream.write(OUTLINES_END)


def _features(inventory: Inventory) -> Iterator[str]:
    """Yield the features of a data set, but those of cells that an earlier one has too."""
    path = inventory.folder / OUTLINES_FILE
    with files.readable(path), path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            text = line.strip().removesuffix(",")
            if text.startswith('{"type":"Feature",') and _is_wanted(text, inventory, number):
                yield text


def _is_wanted(text: str, inventory: Inventory, number: int) -> bool:
    try:
        said = orjson.loads(text)["properties"]
        key = CellKey(*(said[name] for name in CellKey._fields))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            f"Line {number} is no outline ({error!r}).",
            where=inventory.folder / OUTLINES_FILE,
            remedy="Ingest this source again.",
        ) from error
    return str(key) not in inventory.repeated


def _result(out: Path, inventories: Sequence[Inventory], joining: _Joining) -> MergeResult:
    return MergeResult(
        out=out,
        cells=sum(labels.total() for labels in joining.by_source.values()),
        by_source=joining.by_source,
        repeated=sum(len(one.repeated) for one in inventories),
        near=joining.near(),
    )


def _record(
    inventories: Sequence[Inventory], result: MergeResult, *, icc: bool
) -> dict[str, object]:
    numbered = list(enumerate(inventories, 1))
    inputs = {
        f"{n}/manifest.csv": files.sha256_of(one.folder / "manifest.csv") for n, one in numbered
    }
    counts = {
        "given": result.cells + result.repeated,
        "patches": result.cells,
        "repeated": result.repeated,
        "near_identical_pairs": len(result.near),
        "by_data_set": {str(number): one.cells for number, one in numbered},
    }
    arguments = {"data_sets": len(inventories), "icc": icc}
    return provenance.record("merge", arguments, counts=counts, inputs=inputs)


def _say(result: MergeResult, inventories: Sequence[Inventory], reporter: Reporter) -> None:
    for one in inventories:
        reporter.say(
            f"{one.name}: {counted(one.cells, 'cell')}; micrometres per pixel: {one.mpps}."
        )
    for source, labels in result.by_source.items():
        told = listed(
            f"{label or 'unclassified'} {number}" for label, number in sorted(labels.items())
        )
        reporter.say(f"  {source}: {told}")
    reporter.say(f"{counted(result.cells, 'cell')} joined. Split them with pycyto split.")
    if result.repeated:
        reporter.say(
            f"{counted(result.repeated, 'cell')} are in several data sets, the same: once."
        )
    for name in namesakes(list(inventories)):
        reporter.warn(f"Two projects are called {name!r}: their cells count as one source.")
    if result.near:
        pairs = "\n".join(f"  {told}" for told in likenesses(result.near[:_TOLD]))
        reporter.warn(
            f"Nearly the same in two data sets: {counted(len(result.near), 'pair')} of patches.\n"
            f"{pairs}\nIf two are one cell, take one of them out of its source: a split can part "
            "them. pycyto audit shows those that it has parted."
        )
