"""The same network trained on splits that leak, to show what they would have claimed.

Nothing of it is kept: no bundle, no weights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pycyto.errors import MissingDependencyError, UsageError
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.leaking import Leaking
from pycyto.evaluation.metrics import Figures, score
from pycyto.images.colour import PatchReader
from pycyto.images.patches import content_hash, write_patch
from pycyto.learning.augmentation import NOTHING, Views
from pycyto.learning.batches import PatchSet, in_order
from pycyto.learning.bundle import Bundle
from pycyto.learning.networks import build, network_named
from pycyto.learning.plan import TrainingSettings, settings_from
from pycyto.learning.training import fit
from pycyto.learning.weights import origin_of
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import Reporter, path_from
from pycyto.steps.tested import Tested

# Views of each patch that are made before the split.
_COPIES = 4
_RANDOM = Leaking(
    "random split",
    "cells are dealt out one by one, so that those of one patient, slide or image are on both "
    "sides",
)
_AUGMENTED = Leaking(
    "augmentation before the split",
    f"{_COPIES} views are made of each cell, and the views are dealt out: nearly every tested one "
    "has sisters in training",
)


def start_of(bundle: Bundle, weights: str | None) -> str:
    """Return where the network of a bundle started from, as `build` takes it.

    Parameters
    ----------
    weights
        The file, if it was one.

    Raises
    ------
    UsageError
        The network started from a file that is not named, or another one is.
    """
    origin = bundle.card["weights_origin"]
    if origin["kind"] != "file":
        return str(origin["kind"])
    if weights is None:
        raise UsageError(
            "This model started from a file of weights, and its leaking variants must as well.",
            remedy="Name the file with --weights.",
        )
    start = path_from(weights)
    if origin_of(str(start)) != origin:
        raise UsageError("These are not the weights that this model started from.", where=start)
    return str(start)


def leaking_variants(
    bundle: Bundle, test: Tested, start: str, seed: int, reporter: Reporter
) -> list[Leaking]:
    """Train the bundle's network anew on each variant of the split that leaks, and test it there.

    Parameters
    ----------
    start
        Where the network starts from, as `start_of` gives it.
    seed
        Decides who is dealt where, and which views are made.
    """
    parts = [[row for row in test.parts[part] if row.label in test.labels] for part in PARTS]
    cells, sizes = [row for rows in parts for row in rows], [len(rows) for rows in parts]
    trainer = _Trainer(bundle, test, start, seed, reporter)
    try:
        dealt = trainer.dealt(test.folder, cells, sizes, test.reader)
        random = replace(_RANDOM, figures=trainer.figures(dealt, trainer.settings))
        with tempfile.TemporaryDirectory(prefix="pycyto-") as folder:
            views = trainer.views(cells, Path(folder))
            dealt = trainer.dealt(Path(folder), views, [_COPIES * size for size in sizes])
            # The views are there already: no more are made of them.
            as_it_is = replace(trainer.settings, augmentation=NOTHING, views=1)
            augmented = replace(_AUGMENTED, figures=trainer.figures(dealt, as_it_is))
    except MissingDependencyError as error:
        return [replace(variant, reason=error.what) for variant in (_RANDOM, _AUGMENTED)]
    return [random, augmented]


@dataclass(frozen=True, slots=True)
class _Trainer:
    bundle: Bundle
    test: Tested
    start: str
    seed: int
    reporter: Reporter

    @property
    def settings(self) -> TrainingSettings:
        """Those of the model."""
        return settings_from(self.bundle.card["settings"])

    def dealt(
        self,
        folder: Path,
        rows: Sequence[Row],
        sizes: Sequence[int],
        reader: PatchReader | None = None,
    ) -> list[PatchSet]:
        """Deal rows out one by one, whoever they belong to."""
        order = np.random.default_rng(self.seed).permutation(len(rows))
        ends = np.cumsum(sizes)[:-1]
        return [
            PatchSet(folder, [rows[index] for index in part], self.test.labels, reader)
            for part in np.split(order, ends)
        ]

    def views(self, rows: Sequence[Row], folder: Path) -> list[Row]:
        """Write views of patches into a folder, and return their rows."""
        views = Views(self.settings.augmentation, self.seed)
        made: list[Row] = []
        for row in rows:
            patch = self.test.reader(row)
            for number in range(_COPIES):
                pixels = views.of(patch, row.content_hash, number)
                file = f"{len(made)}.png"
                write_patch(folder / file, pixels)
                made.append(replace(row, file=file, content_hash=content_hash(pixels)))
        return made

    def figures(self, dealt: Sequence[PatchSet], settings: TrainingSettings) -> Figures:
        """Train on the first part, choose the epoch by the second, and test on the third."""
        network = network_named(self.bundle.network)
        train, validation, tested = dealt
        model = build(network.name, len(self.test.labels), weights=self.start, seed=settings.seed)
        with tempfile.TemporaryDirectory(prefix="pycyto-") as features:
            fit(
                model,
                network,
                train,
                validation,
                settings,
                features=Path(features),
                reporter=self.reporter,
            )
        batches = in_order(tested, settings.batch_size)
        found = np.concatenate([model.predict_on_batch(batch.inputs) for batch in batches])
        drawn = resampling(self.test.group_names(tested.rows), self.seed)
        truth = tested.targets.astype(np.int64)
        return score(Classified(truth, found, self.test.labels, drawn))
