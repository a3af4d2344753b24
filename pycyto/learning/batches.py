"""Brings patches to the network: checked, in batches, read a few batches ahead.

Never are more than a few batches in memory. Threads suffice, since decoding and
hashing let go of Python's lock, and an error reaches the caller as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.learning.augmentation import augmented
from pycyto.manifest import Row

Targets = npt.NDArray[np.int32]
T = TypeVar("T")
R = TypeVar("R")


class Batch(NamedTuple):
    """Pixels, (n, 224, 224, 3) uint8 RGB, and class indices, (n,) int32."""

    pixels: Pixels
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
    """

    folder: Path
    rows: Sequence[Row]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def targets(self) -> Targets:
        """Class index of each row, (n,) int32."""
        return np.array([self.labels.index(row.label) for row in self.rows], np.int32)

    @cached_property
    def class_weights(self) -> npt.NDArray[np.float32]:
        """Weight of each class, (k,) float32: rare classes count as much as frequent ones.

        ``n / (k * n_class)``, as scikit-learn's ``balanced``: 1 on average over
        the patches. A class without patches has the weight 0.
        """
        counts = np.bincount(self.targets, minlength=len(self.labels))
        weights = len(self) / (len(self.labels) * np.maximum(counts, 1))
        return np.where(counts, weights, 0).astype(np.float32)


def in_order(patches: PatchSet, batch_size: int) -> Iterator[Batch]:
    """Yield all patches as they are.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """
    return _batches(patches, range(len(patches)), batch_size, augment=None)


def shuffled(patches: PatchSet, batch_size: int, *, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield all patches in another order in each epoch, as random views.

    Order and views depend on seed, epoch and the set alone, whatever the number
    of threads.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(patches))

    def augment(pixels: Pixels, index: int) -> Pixels:
        return augmented(pixels, np.random.default_rng((seed, epoch, index)))

    return _batches(patches, [int(index) for index in order], batch_size, augment=augment)


def _batches(
    patches: PatchSet,
    order: Sequence[int],
    batch_size: int,
    *,
    augment: Callable[[Pixels, int], Pixels] | None,
) -> Iterator[Batch]:
    def read(index: int) -> Pixels:
        pixels = read_patch(patches.folder, patches.rows[index])
        return augment(pixels, index) if augment else pixels

    def batch(indices: Sequence[int]) -> Batch:
        return Batch(np.stack([read(index) for index in indices]), patches.targets[list(indices)])

    starts = range(0, len(order), batch_size)
    return _ahead(batch, [order[start : start + batch_size] for start in starts])


def _ahead(make: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
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
