"""Every patch of a data set is read and checked once; its thumbnail is kept beside the data."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pycyto import files
from pycyto.errors import BadInputError, NotWritableError
from pycyto.images.likeness import SIDE, Thumbnail, thumbnail
from pycyto.images.patches import read_patch
from pycyto.manifest import Row
from pycyto.records import CellKey, Reporter

# Thumbnails of a million patches.
_LARGEST = 1 << 31
_HASH = "S64"

Found = Thumbnail | BadInputError


def thumbnails_of(
    folder: Path, rows: Sequence[Row], cache: Path, reporter: Reporter, *, anew: bool
) -> dict[CellKey, Found]:
    """Return the thumbnail of each patch by cell, or what is wrong with it.

    Parameters
    ----------
    cache
        File of thumbnails by content hash. A patch whose hash is in it, and whose
        file is there, is not read again.
    anew
        Read every patch all the same.
    """
    known = {} if anew else _load(cache)
    with reporter.progress("look at patches", len(rows)) as advance:

        def find(row: Row) -> Found:
            there = known.get(row.content_hash)
            if there is not None and (folder / row.file).is_file():
                return there
            try:
                return thumbnail(read_patch(folder, row))
            except BadInputError as error:
                return error

        found = []
        # Decoding and hashing let go of Python's lock.
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for one in pool.map(find, rows):
                found.append(one)
                advance(1)
    fresh = dict(_pairs(rows, found))
    if fresh.keys() != known.keys():
        _save(cache, fresh)
    return {row.key: one for row, one in zip(rows, found, strict=True)}


def _pairs(rows: Sequence[Row], found: Sequence[Found]) -> Iterator[tuple[str, Thumbnail]]:
    for row, one in zip(rows, found, strict=True):
        if not isinstance(one, BadInputError):
            yield row.content_hash, one


def _load(cache: Path) -> dict[str, Thumbnail]:
    """Return what is kept; nothing where it is not there or not what it should be."""
    try:
        files.check_size(cache, _LARGEST)
        with cache.open("rb") as stream, np.load(stream, allow_pickle=False) as kept:
            hashes, pictures = kept["hashes"], kept["thumbnails"]
    # What a broken file raises depends on how it is broken.
    except Exception:  # noqa: BLE001
        return {}
    fits = hashes.dtype == _HASH and pictures.dtype == np.uint8
    if not fits or pictures.shape != (len(hashes), SIDE, SIDE):
        return {}
    return dict(zip((name.decode("ascii", "replace") for name in hashes), pictures, strict=True))


def _save(cache: Path, found: Mapping[str, Thumbnail]) -> None:
    """Keep thumbnails, where that is possible: they only save time."""
    stream = io.BytesIO()
    pictures = np.stack(list(found.values())) if found else np.empty((0, SIDE, SIDE), np.uint8)
    np.savez(stream, hashes=np.array(list(found), _HASH), thumbnails=pictures)
    try:
        files.write_bytes(cache, stream.getvalue())
    except NotWritableError:
        return
