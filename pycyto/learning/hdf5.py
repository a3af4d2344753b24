"""Whether an HDF5 file of weights holds numbers of its own, and nothing else.

HDF5 can do more than hold numbers: its links, external storage and virtual
data sets read other files of the machine, and a few bytes can stand for an
array that fills the memory. Keras refuses some of that, version by version,
and only once it reads a weight; here the whole file is looked at first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

# Kinds of numpy types that weights have: whole numbers, floats, Booleans.
_NUMBERS = "iufb"
# Weights hardly shrink when they are compressed; what grows by more is an attack.
_LARGEST_GROWTH = 16
_SMALL = 1 << 20
# The largest network has some 1,500 groups and weights. A file whose groups hold each
# other goes on for ever.
_MOST_OBJECTS = 20_000


def check_plain(path: Path) -> None:
    """Refuse a file of weights that holds more than numbers, or reaches beyond itself.

    Raises
    ------
    ValueError
        Saying what is in it that does not belong there.
    OSError
        When it is no HDF5 file.
    """
    if not path.is_file():
        raise OSError("no ordinary file")
    size = 0
    with h5py.File(path, "r") as file:
        for dataset in _datasets(file):
            _check_dataset(dataset)
            size += math.prod(dataset.shape) * dataset.dtype.itemsize
            if size > _LARGEST_GROWTH * path.stat().st_size + _SMALL:
                raise ValueError(f"its arrays would take {size} bytes of memory or more")


def _datasets(file: Any) -> Iterator[Any]:
    """Yield each data set of a file; no link is followed."""
    waiting, seen = [file], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1
            if seen > _MOST_OBJECTS:
                raise ValueError("its groups hold each other, or it has far too many")
            # Asked for by class, since the link itself would be followed.
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                raise ValueError(f"{name[:80]!r} in it is a link to elsewhere")
            item = group[name]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            if isinstance(item, h5py.Dataset):
                yield item


def _check_dataset(dataset: Any) -> None:
    name = str(dataset.name)[-80:]
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the numbers of {name!r} are in another file")
    if dataset.shape is None or dataset.dtype.kind not in _NUMBERS:
        raise ValueError(f"{name!r} holds no numbers")
