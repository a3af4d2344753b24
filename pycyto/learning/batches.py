"""Brings patches to the network: checked, in batches, read a few batches ahead.

Never are more than a few batches in memory. Threads suffice, since decoding and
hashing let go of Python's lock, and an error reaches the caller as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pycyto.images.colour import PatchReader
from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.learning.augmentation import AS_IT_IS, Look, Views
from pycyto.learning.sampling import Draws, Indices, Targets
from pycyto.manifest import Row

T = TypeVar("T")
R = TypeVar("R")


class Batch(NamedTuple):
    """What a network is given, (n, …), and class indices, (n,) int32.

    Pixels are (n, 224, 224, 3) uint8 RGB, features (n, d) float32.
    """

    inputs: npt.NDArray[Any]
    targets: Targets


@dataclass(frozen=True)
class PatchSet:
    """Labelled patches on disk.

    Attributes
    ----------
    folder
        Of the data set: file names in the rows are relative to it.
    rows
        All have a label that is among `labels`.
    labels
        Classes in the order of the network's outputs.
    reader
        Reads the patches; by default as they are.
    looks
        How to look at each of them; by default as it is.
    """

    folder: Path
    rows: Sequence[Row]
    labels: tuple[str, ...]
    reader: PatchReader | None = None
    looks: Sequence[Look] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, place: int) -> Pixels:
        """Return a patch as the network is to see it, (224, 224, 3) uint8 RGB.

        Raises
        ------
        BadInputError
            When it is missing, broken, or not the one of the manifest.
        """
        row = self.rows[place]
        pixels = self.reader(row) if self.reader else read_patch(self.folder, row)
        return self.looks[place].of(pixels, row.content_hash) if self.looks else pixels

    def content_of(self, place: int) -> str:
        """Return what decides these pixels, besides how they are looked at."""
        row = self.rows[place]
        colour = self.reader.name_for(row) if self.reader else ""
        return f"{row.content_hash} {colour}".rstrip()

    def seen_by(self, place: int, look: Look) -> str:
        """Return a name for how a patch of this set is looked at through a look."""
        if not self.looks:
            return look.name
        own = self.looks[place]
        return own.name if look.name == AS_IT_IS.name else f"{own.name}, then {look.name}"

    def some(self, places: npt.NDArray[np.int64]) -> PatchSet:
        """Return the set of some patches of this one, in that order."""
        rows = [self.rows[place] for place in places]
        looks = [self.looks[place] for place in places] if self.looks else None
        return replace(self, rows=rows, looks=looks)

    @cached_property
    def targets(self) -> Targets:
        """Class index of each row, (n,) int32."""
        return np.array([self.labels.index(row.label) for row in self.rows], np.int32)

    @cached_property
    def sources(self) -> Indices:
        """Number of the source of each row, (n,) int64."""
        names = [row.source for row in self.rows]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)


def in_order(patches: PatchSet, batch_size: int) -> Iterator[Batch]:
    """Yield all patches as they are.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """
    return _batches(patches.targets, batch_size, patches.read)


def drawn(patches: PatchSet, draws: Draws, views: Views, batch_size: int) -> Iterator[Batch]:
    """Yield random views of the patches that were drawn, in that order.

    They are the same whatever the number of threads.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """

    def read(place: int) -> Pixels:
        index = int(draws.indices[place])
        digest = patches.rows[index].content_hash
        return views.of(patches.read(index), digest, int(draws.views[place]))

    return _batches(patches.targets[draws.indices], batch_size, read)


def _batches(targets: Targets, batch_size: int, read: Callable[[int], Pixels]) -> Iterator[Batch]:
    def batch(start: int) -> Batch:
        of_these = targets[start : start + batch_size]
        return Batch(np.stack([read(start + i) for i in range(len(of_these))]), of_these)

    return ahead(batch, range(0, len(targets), batch_size))


def ahead(make: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield ``make(item)`` in order, a few made in advance by threads."""
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
