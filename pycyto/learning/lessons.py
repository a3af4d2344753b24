"""What learns in a phase, and what it is shown: pixels, or features that are kept.

While the backbone is frozen its features are computed once and only the head is
trained, on those; otherwise the whole network sees the patches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pycyto.labels import counted
from pycyto.learning.augmentation import AS_IT_IS, Look, Views
from pycyto.learning.batches import Batch, PatchSet, drawn, in_order
from pycyto.learning.feature_cache import FeatureCache, Table, batches_of
from pycyto.learning.features import frozen_extractor_of, head_of, identity_of
from pycyto.learning.networks import Network
from pycyto.learning.sampling import Draws
from pycyto.records import Reporter

_MEASURED_AT_ONCE = 512


class Lesson(Protocol):
    """What a phase of training needs to know of its data."""

    @property
    def model(self) -> Any:
        """What is trained: it takes the inputs that the batches hold."""

    def training(self, draws: Draws, batch_size: int) -> Iterator[Batch]:
        """Yield the training patches that were drawn."""

    def validation(self, batch_size: int) -> Iterator[Batch]:
        """Yield all validation patches, unchanged and in order."""


@dataclass(frozen=True)
class OnPixels:
    """The whole network sees the patches."""

    model: Any
    train: PatchSet
    unchanged: PatchSet
    views: Views

    def training(self, draws: Draws, batch_size: int) -> Iterator[Batch]:
        """Yield views of patches."""
        return drawn(self.train, draws, self.views, batch_size)

    def validation(self, batch_size: int) -> Iterator[Batch]:
        """Yield patches."""
        return in_order(self.unchanged, batch_size)


@dataclass(frozen=True)
class OnFeatures:
    """The head sees what the frozen backbone has made of the patches."""

    model: Any
    train: PatchSet
    unchanged: PatchSet
    by_view: list[Table]
    plain: Table

    def training(self, draws: Draws, batch_size: int) -> Iterator[Batch]:
        """Yield features of views."""
        return batches_of(self.by_view, self.train.targets, draws, batch_size)

    def validation(self, batch_size: int) -> Iterator[Batch]:
        """Yield features of patches, in larger batches: they are small, and nothing is learnt."""
        rows = np.arange(len(self.unchanged))
        draws = Draws(rows, np.zeros_like(rows))
        return batches_of(
            [self.plain], self.unchanged.targets, draws, max(batch_size, _MEASURED_AT_ONCE)
        )


def on_features(
    model: Any,
    network: Network,
    train: PatchSet,
    unchanged: PatchSet,
    looks: Sequence[Look],
    *,
    folder: Path,
    reporter: Reporter,
) -> OnFeatures:
    """Find or compute the features of a model whose backbone is frozen.

    Parameters
    ----------
    looks
        At the training patches; one table is made of each.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    NotWritableError
        When `folder` cannot be written to.
    """
    cache = FeatureCache(folder, partial(frozen_extractor_of, model), identity_of(model, network))
    total = len(looks) * len(train) + len(unchanged)
    with reporter.progress("Features of the frozen backbone", total) as advance:
        wanted = [*((train, look) for look in looks), (unchanged, AS_IT_IS)]
        *by_view, plain = cache.tables(wanted, advance)
    cache.trim()
    reporter.say(
        f"Features of {counted(len(looks), 'view')} of {len(train)} training patches and of "
        f"{len(unchanged)} validation patches: {cache.computed} computed, {cache.found} found "
        f"in {folder}."
    )
    return OnFeatures(head_of(model), train, unchanged, by_view, plain)
