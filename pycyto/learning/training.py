"""The training loop: it learns, measures, stops early and keeps the best weights.

It is written out rather than left to ``Model.fit`` so that errors keep their
words, Ctrl-C works at once, and one figure, macro-F1 of the validation cells,
decides both which weights are kept and when to stop.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import PycytoError
from pycyto.labels import counted
from pycyto.learning.augmentation import Views
from pycyto.learning.backend import make_repeatable
from pycyto.learning.batches import PatchSet
from pycyto.learning.checkpoint import Arrays, Checkpoint, State
from pycyto.learning.history import Epoch, Training, macro_f1
from pycyto.learning.learner import Learner
from pycyto.learning.lessons import Lesson, OnPixels, on_features
from pycyto.learning.linear_head import fit_linear
from pycyto.learning.networks import Network
from pycyto.learning.plan import Phase, TrainingSettings
from pycyto.learning.sampling import Draws, draws_of, patch_weights
from pycyto.learning.thawing import backbone_size, thaw
from pycyto.records import SILENT, Reporter

# Every so many epochs a line is said: enough to follow, few enough to read.
SAY_EVERY = 5

# Of a training that was told to leave the backbone as it is.
ONLY_THE_HEAD = "No weight of the backbone learns in any phase: only the head does."

# Probabilities below this count as this in the cross-entropy, as in Keras.
_SMALLEST = 1e-7


def fit(
    model: Any,
    network: Network,
    train: PatchSet,
    validation: PatchSet,
    settings: TrainingSettings,
    *,
    features: Path | None = None,
    checkpoint: Checkpoint | None = None,
    reporter: Reporter = SILENT,
) -> Training:
    """Train a model in place; it ends with the weights of its best epoch.

    Adam minimises the cross-entropy, weighted as ``settings.balance`` says. A linear head
    has no epochs: see `pycyto.learning.linear_head`.

    Parameters
    ----------
    model
        From `pycyto.learning.networks.build`.
    train, validation
        With the same labels. Where `validation` is empty no epoch is chosen: the weights that are
        kept are the mean over the last quarter of the epochs of each phase.
    features
        Folder that keeps what a frozen backbone sees, so that it sees each view
        once. None: it sees them anew in every epoch, to the same result within
        rounding errors (but for EfficientNet, which then drops connections).
    checkpoint
        Where to keep what is needed to go on after an interruption, and to
        look for what an interrupted training has kept. It stays there.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    RefusedError
        When `checkpoint` is that of another training.
    NotWritableError
        When `features` or `checkpoint` cannot be written.
    PycytoError
        When the loss is no longer a number.
    """
    make_repeatable(settings.seed)
    if network.is_linear:
        return _linear(model, network, train, validation, settings, features, reporter)
    kept = checkpoint.load(reporter) if checkpoint else None
    learning = _learning_weights(model, network, settings, reporter)
    run = _Run(model, network, train, validation, settings, features, checkpoint, reporter)
    try:
        run.all_phases(kept)
    except KeyboardInterrupt:
        if checkpoint:
            reporter.say(_what_is_kept(len(run.history)))
        raise
    return Training(tuple(run.history), run.best, learning)


def _linear(
    model: Any,
    network: Network,
    train: PatchSet,
    validation: PatchSet,
    settings: TrainingSettings,
    features: Path | None,
    reporter: Reporter,
) -> Training:
    """Fit a linear head; without a folder for features these are kept until it is fitted."""
    with contextlib.ExitStack() as stack:
        if features is None:
            made = tempfile.TemporaryDirectory(prefix="pycyto-", ignore_cleanup_errors=True)
            features = Path(stack.enter_context(made))
        return fit_linear(
            model, network, train, validation, settings, folder=features, reporter=reporter
        )


def _what_is_kept(n_epochs: int) -> str:
    if not n_epochs:
        return "No epoch was finished, so no model is there and the same command begins anew."
    return (
        f"{counted(n_epochs, 'finished epoch')} kept: the same command goes on from there, and "
        "with --restart it begins anew."
    )


def _learning_weights(
    model: Any, network: Network, settings: TrainingSettings, reporter: Reporter
) -> dict[str, int]:
    """Count and tell how many weights of the backbone learn in each phase."""
    counts = {phase.name: thaw(model, network, phase.unfrozen) for phase in settings.phases}
    told = ", ".join(f"{count:,} in the phase “{name}”" for name, count in counts.items())
    reporter.say(f"Of {backbone_size(model):,} weights of the backbone learn: {told}.")
    *_, last = settings.phases
    if last.unfrozen == "none":
        reporter.warn(ONLY_THE_HEAD)
    elif not any(counts.values()):
        reporter.warn(
            f"No weight of the backbone learns, not in the phase “{last.name}” either: only the "
            "head does."
        )
    return counts


@dataclass
class _Run:
    """One training under way, with the best weights so far."""

    model: Any
    network: Network
    train: PatchSet
    validation: PatchSet
    settings: TrainingSettings
    features: Path | None
    checkpoint: Checkpoint | None
    reporter: Reporter
    history: list[Epoch] = field(default_factory=list)
    best_weights: Arrays = ()
    since_better: int = 0

    @property
    def best(self) -> Epoch:
        """The best epoch of all phases so far; between equals the first."""
        return max(self.history, key=lambda epoch: epoch.rank)

    def all_phases(self, kept: State | None) -> None:
        """Train all phases, or what is left of them."""
        for index, phase in enumerate(self.settings.phases):
            if kept and index < kept.phase:
                continue
            thaw(self.model, self.network, phase.unfrozen)
            lesson = self._lesson(phase)
            smoothing = self.settings.label_smoothing
            learner = Learner(lesson.model, phase.learning_rate, smoothing)
            if kept and index == kept.phase:
                self._go_on(learner, kept)
            else:
                self.best_weights, self.since_better = lesson.model.get_weights(), 0
            self._phase(index, lesson, learner)
            lesson.model.set_weights(self.best_weights)

    def _lesson(self, phase: Phase) -> Lesson:
        settings = self.settings
        views = Views(settings.augmentation, settings.seed)
        if phase.unfrozen != "none" or self.features is None:
            return OnPixels(self.model, self.train, self.validation, views)
        return on_features(
            self.model,
            self.network,
            self.train,
            self.validation,
            [views.look(number) for number in range(settings.views)],
            folder=self.features,
            reporter=self.reporter,
        )

    def _go_on(self, learner: Learner, kept: State) -> None:
        """Put everything where it was when the kept epoch ended."""
        for variables, values in (
            (learner.model.variables, kept.model),
            (learner.optimizer.variables, kept.optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.history = list(kept.history)
        self.best_weights, self.since_better = kept.best, kept.since_better
        self.reporter.say(f"Going on after epoch {len(self.history)}.")

    def _phase(self, index: int, lesson: Lesson, learner: Learner) -> None:
        """Train one phase to its end."""
        phase = self.settings.phases[index]
        done = sum(epoch.phase == phase.name for epoch in self.history)
        total = (phase.epochs - done) * len(self._draws(phase, 1).indices)
        with self.reporter.progress(f"Training ({phase.name})", total) as advance:
            for number in range(done, phase.epochs):
                if self.since_better >= self.settings.patience:
                    return
                learner.optimizer.learning_rate = phase.rate_in(number)
                epoch = self._epoch(phase, lesson, learner, advance)
                self._take(epoch, lesson.model, number - (phase.epochs - phase.averaged))
                self._keep(index, learner)
                ends = self.since_better >= self.settings.patience or number + 1 == phase.epochs
                if ends or number % SAY_EVERY == 0:
                    self._say(epoch)

    def _take(self, epoch: Epoch, model: Any, before: int) -> None:
        """Put an epoch into the history, and keep its weights if it is the best.

        Without validation cells none is: its weights go into the mean of the last ones.

        Parameters
        ----------
        before
            So many of the epochs before it are in that mean; none where that is not above 0.
        """
        self.history.append(epoch)
        self.since_better += 1
        if self.best is not epoch:
            return
        weights, self.since_better = model.get_weights(), 0
        if before > 0 and not len(self.validation):
            kept = zip(self.best_weights, weights, strict=True)
            weights = [old + (new - old) / (before + 1) for old, new in kept]
        self.best_weights = weights

    def _keep(self, index: int, learner: Learner) -> None:
        if self.checkpoint:
            state = State(
                history=tuple(self.history),
                phase=index,
                since_better=self.since_better,
                model=[variable.numpy() for variable in learner.model.variables],
                optimizer=[variable.numpy() for variable in learner.optimizer.variables],
                best=self.best_weights,
            )
            self.checkpoint.save(state)

    @cached_property
    def _weights(self) -> npt.NDArray[np.float32]:
        """Weight of each training patch in the loss, (n,)."""
        train = self.train
        return patch_weights(train.targets, train.sources, len(train.labels), self.settings.balance)

    def _draws(self, phase: Phase, epoch: int) -> Draws:
        return draws_of(
            self.train.targets,
            epoch=epoch,
            seed=self.settings.seed,
            views=self.settings.views_in(phase),
            oversample=self.settings.oversamples,
        )

    def _epoch(
        self, phase: Phase, lesson: Lesson, learner: Learner, advance: Callable[[int], None]
    ) -> Epoch:
        number = len(self.history) + 1
        loss = accuracy = 0.0
        draws = self._draws(phase, number)
        weights = iter(self._weights[draws.indices])
        for batch in lesson.training(draws, self.settings.batch_size):
            of_these = np.fromiter(weights, np.float32, len(batch.targets))
            found, right = learner.learn(batch, of_these)
            self._demand_number(found, number)
            share = len(batch.targets) / len(draws.indices)
            loss += share * found
            accuracy += share * right
            advance(len(batch.targets))
        return Epoch(number, phase.name, loss, accuracy, *self._measure(lesson, number))

    def _measure(self, lesson: Lesson, epoch: int) -> tuple[float, float, float]:
        """Return loss, accuracy and macro-F1 of the validation patches; NaN without any."""
        if not len(self.validation):
            return math.nan, math.nan, math.nan
        batches = lesson.validation(self.settings.batch_size)
        found = np.concatenate([lesson.model.predict_on_batch(batch.inputs) for batch in batches])
        targets = self.validation.targets
        own = found[np.arange(len(targets)), targets]
        loss = float(-np.log(np.maximum(own, _SMALLEST)).mean())
        self._demand_number(loss, epoch)
        predicted = found.argmax(axis=1).astype(np.int32)
        return loss, float((predicted == targets).mean()), macro_f1(targets, predicted)

    def _say(self, epoch: Epoch) -> None:
        said = f"Epoch {epoch.epoch} ({epoch.phase}): loss {epoch.loss:.3f}"
        if len(self.validation):
            said += f", validation loss {epoch.val_loss:.3f}, macro-F1 {epoch.val_macro_f1:.3f}"
        self.reporter.say(said)

    def _demand_number(self, loss: float, epoch: int) -> None:
        if math.isfinite(loss):
            return
        if self.checkpoint:  # going on would only come here again
            self.checkpoint.remove()
        raise PycytoError(
            f"The loss is no longer a number (epoch {epoch}): the training has diverged.",
            remedy="Try another --seed or a larger --batch-size; if it comes back, look for "
            "broken weights or patches. No model was written.",
        )
