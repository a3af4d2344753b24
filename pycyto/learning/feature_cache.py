"""What a frozen backbone sees in patches, kept on disk, since it never sees anything else.

Patches are taken in blocks. A file holds the features of one view of one block,
and its name is a digest of all that decides them: the backbone's weights, the
preprocessing, the libraries, the view, and the content of each patch of the
block and how its colours are changed, in order. So nothing in here can be out of
date, and nothing is named after an image or a patient.

Where blocks end depends on the patches around the place alone. New patches in a
manifest, or others in the training part, so leave most blocks as they were; and a
block, once more computed, has the very same bits, which single patches would not:
in another batch they differ by a rounding error.

Features are kept as float32, as the network computes them. Half of that would be
enough to learn from, but then no longer give the result of the network itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from pycyto import files
from pycyto.learning.augmentation import Views
from pycyto.learning.batches import Batch, PatchSet, drawn, in_order
from pycyto.learning.sampling import Draws

# Bytes of files that no training under way needs; the longest unused go first.
LARGEST = 4 << 30

# A block ends after a patch whose content hash ends in this, one in 64, or when it is long.
_END = 64
_LONGEST = 256
_BATCH_SIZE = 32

Table = npt.NDArray[Any]


def default_folder() -> Path:
    """Return where features are kept unless told otherwise."""
    return Path(platformdirs.user_cache_dir("pycyto", appauthor=False)) / "features"


@dataclass
class FeatureCache:
    """Features of patches, computed where they are not on disk.

    Attributes
    ----------
    folder
        Made when it is needed. Any file in it may be deleted at any time.
    extractor
        Keras model from pixels to features, (n, d) float32.
    identity
        Whatever features depend on besides the patch and the view.
    found, computed
        How many features were there, and how many were not.
    """

    folder: Path
    extractor: Any
    identity: str
    found: int = 0
    computed: int = 0
    _used: set[Path] = field(default_factory=set)

    def table(
        self, patches: PatchSet, views: Views | None, number: int, advance: Callable[[int], None]
    ) -> FeatureTable:
        """Return the features of one view of all patches; without `views`, of the patches.

        Raises
        ------
        BadInputError
            When a patch is missing, broken, or not the one of the manifest.
        NotWritableError
            When the folder cannot be written to.
        """
        blocks = []
        for rows in _blocks([row.content_hash for row in patches.rows]):
            path = self._path(patches, rows, views, number)
            kept = _read(path, len(rows))
            if kept is None:
                self.computed += len(rows)
                _write(path, self._compute(patches, rows, views, number))
                kept = np.load(path, mmap_mode="r", allow_pickle=False)
            else:
                self.found += len(rows)
            self._used.add(path)
            blocks.append(kept)
            advance(len(rows))
        return FeatureTable(blocks)

    def trim(self, largest: int = LARGEST) -> None:
        """Delete the longest unused files beyond `largest` bytes, and what was left half written.

        What was used through this object stays.
        """
        files.remove_parts(self.folder)
        others = [(p.stat(), p) for p in self.folder.glob("*.npy") if p not in self._used]
        size = sum(path.stat().st_size for path in self._used)
        for status, path in sorted(others, key=lambda other: -other[0].st_mtime):
            size += status.st_size
            if size > largest:
                # Another training may hold it open, or have deleted it.
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, patches: PatchSet, rows: range, views: Views | None, number: int) -> Path:
        view = views.name_of(number) if views else "the patch itself"
        hashes = [patches.content_of(index) for index in rows]
        name = hashlib.sha256("\n".join([self.identity, view, *hashes]).encode()).hexdigest()
        return self.folder / f"{name}.npy"

    def _compute(
        self, patches: PatchSet, rows: range, views: Views | None, number: int
    ) -> npt.NDArray[np.float32]:
        if views is None:
            block = replace(patches, rows=patches.rows[rows.start : rows.stop])
            batches = in_order(block, _BATCH_SIZE)
        else:
            draws = Draws(np.array(rows), np.full(len(rows), number))
            batches = drawn(patches, draws, views, _BATCH_SIZE)
        return np.concatenate([self.extractor.predict_on_batch(batch.inputs) for batch in batches])


class FeatureTable:
    """Features of patches, (n, d) float32, of which only those asked for are in memory.

    Parameters
    ----------
    blocks
        From the files, in the order of the patches.
    """

    def __init__(self, blocks: Sequence[Table]) -> None:
        self._blocks = blocks
        self._starts = np.cumsum([0, *map(len, blocks)])

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the features of patches, (len(indices), d) float32."""
        return np.stack([self._row(int(index)) for index in indices])

    def _row(self, index: int) -> npt.NDArray[np.float32]:
        block = int(np.searchsorted(self._starts, index, side="right")) - 1
        features: npt.NDArray[np.float32] = self._blocks[block]["features"]
        return features[index - self._starts[block]]


def batches_of(
    tables: Sequence[FeatureTable], targets: npt.NDArray[np.int32], draws: Draws, batch_size: int
) -> Iterator[Batch]:
    """Yield features of patches that were drawn, each from the table of its view."""
    for start in range(0, len(draws.indices), batch_size):
        indices, views = (column[start : start + batch_size] for column in draws)
        rows = [tables[view].take(indices[i : i + 1])[0] for i, view in enumerate(views)]
        yield Batch(np.stack(rows), targets[indices])


def _blocks(hashes: Sequence[str]) -> Iterator[range]:
    """Cut a list of patches where their content says so; see above."""
    start = 0
    for index, digest in enumerate(hashes):
        stop = index + 1
        if int(digest[-8:], 16) % _END == 0 or stop - start == _LONGEST or stop == len(hashes):
            yield range(start, stop)
            start = stop


def _write(path: Path, features: npt.NDArray[np.float32]) -> None:
    table = np.empty(len(features), [("check", "<u4"), ("features", "<f4", features.shape[1:])])
    table["check"] = [zlib.crc32(row.tobytes()) for row in features]
    table["features"] = features
    with files.writing(path, binary=True, lasting=False) as stream:
        np.save(stream, table, allow_pickle=False)


def _read(path: Path, length: int) -> Table | None:
    """Return what a file holds, left on disk, or None where it is missing or broken."""
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
        checks = [zlib.crc32(row.tobytes()) for row in table["features"]]
        if len(table) != length or not np.array_equal(table["check"], checks):
            return None
        os.utime(path)
    # What is raised depends on how the file is wrong.
    except (OSError, ValueError, IndexError, KeyError, EOFError, TypeError):
        return None
    return table
