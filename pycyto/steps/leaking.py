"""The same network trained on splits that leak, to show what they would have claimed.

Nothing of it is kept: no bundle, no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pycyto.errors import MissingDependencyError, UsageError
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling
from pycyto.evaluation.leaking import Leaking
from pycyto.evaluation.metrics import Figures, score
from pycyto.learning.augmentation import NOTHING, Look, Views
from pycyto.learning.batches import PatchSet, in_order
from pycyto.learning.bundle import Bundle
from pycyto.learning.feature_cache import default_folder
from pycyto.learning.inference import over_orientations
from pycyto.learning.kept_answers import answers_of, is_frozen
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

    Where the cells are of several folds they are dealt out to as many, and each is tested.

    Parameters
    ----------
    start
        Where the network starts from, as `start_of` gives it.
    seed
        Decides who is dealt where, and which views are made.
    """
    trainer = _Trainer(bundle, test, start, seed, reporter)
    settings = trainer.settings
    looks = [Views(settings.augmentation, seed).look(number) for number in range(_COPIES)]
    # The views are there already: no more are made of them, and an epoch sees that many more.
    phases = tuple(
        replace(phase, epochs=max(1, phase.epochs // _COPIES)) for phase in settings.phases
    )
    as_it_is = replace(settings, augmentation=NOTHING, views=1, phases=phases)
    try:
        return [
            trainer.variant(_RANDOM, None, settings),
            trainer.variant(_AUGMENTED, looks, as_it_is),
        ]
    except MissingDependencyError as error:
        return [replace(variant, reason=error.what) for variant in (_RANDOM, _AUGMENTED)]


@dataclass(frozen=True)
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

    @cached_property
    def parts(self) -> list[list[Row]]:
        """The cells that are dealt out, as they are in the honest parts."""
        test = self.test
        names = ("test",) if test.folds else PARTS
        return [[row for row in test.parts[part] if row.label in test.labels] for part in names]

    def variant(
        self, which: Leaking, looks: Sequence[Look] | None, settings: TrainingSettings
    ) -> Leaking:
        """Deal cells, or looks at them, out one by one, whoever they belong to; train and test."""
        cells = [row for own in self.parts for row in own]
        times = len(looks or "1")
        shown = PatchSet(
            self.test.folder, cells * times, self.test.labels, self.test.reader,
            looks and [look for look in looks for _ in cells],
        )  # fmt: skip
        tested: list[Row] = []
        said = []
        for own in self.rounds(times):
            learnt, validation, asked = (shown.some(places) for places in own)
            said.append(self.answers(learnt, validation, asked, settings))
            tested += asked.rows
        probabilities = np.concatenate(said)
        by_source = {
            source: self.figures(tested, probabilities, source)
            for source in sorted({row.source for row in tested})
        }
        return replace(which, figures=self.figures(tested, probabilities), by_source=by_source)

    def rounds(self, times: int) -> Iterator[Sequence[npt.NDArray[np.int64]]]:
        """Yield places to learn from, to choose the epoch by, and to test, drawn at random."""
        sizes = [times * len(own) for own in self.parts]
        order = np.random.default_rng(self.seed).permutation(sum(sizes))
        if not self.test.folds:
            yield np.split(order, np.cumsum(sizes)[:-1])
            return
        folds = np.array_split(order, len(set(self.test.folds.values())))
        for number, fold in enumerate(folds):
            others = [own for other, own in enumerate(folds) if other != number]
            yield np.concatenate(others), order[:0], fold

    def answers(
        self,
        learnt: PatchSet,
        validation: PatchSet,
        asked: PatchSet,
        settings: TrainingSettings,
    ) -> npt.NDArray[np.float32]:
        """Train, and return what the network says of the patches to test, (n, k)."""
        network = network_named(self.bundle.network)
        model = build(network.name, len(self.test.labels), weights=self.start, seed=settings.seed)
        features = default_folder()
        fit(
            model, network, learnt, validation, settings, features=features,
            reporter=self.reporter,
        )  # fmt: skip
        number = 1 if asked.looks else self.bundle.orientations
        if is_frozen(settings):
            return answers_of(model, network, asked, number, features, self.reporter)
        run = over_orientations(model.predict_on_batch, number)
        batches = in_order(asked, settings.batch_size)
        return np.concatenate([np.asarray(run(batch.inputs), np.float32) for batch in batches])

    def figures(
        self, rows: Sequence[Row], probabilities: npt.NDArray[np.float32], source: str | None = None
    ) -> Figures:
        """Score what was said of rows, or of those of a source."""
        which = [i for i, row in enumerate(rows) if source in (None, row.source)]
        own = [rows[i] for i in which]
        drawn = resampling(self.test.group_names(own), self.seed)
        return score(
            Classified(self.test.truth(own), probabilities[which], self.test.labels, drawn)
        )
