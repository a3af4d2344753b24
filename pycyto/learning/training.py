"""The training loop: it learns, measures, stops early and keeps the best weights.

It is written out rather than left to ``Model.fit`` so that errors keep their
words, Ctrl-C works at once, and one figure, macro-F1 of the validation cells,
decides both which weights are kept and when to stop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.errors import PycytoError
from pycyto.learning.backend import keras, make_repeatable
from pycyto.learning.batches import Batch, PatchSet, Targets, in_order, shuffled
from pycyto.learning.networks import Network
from pycyto.learning.plan import Phase, TrainingSettings, thaw
from pycyto.records import SILENT, Reporter

# Every so many epochs a line is said: enough to follow, few enough to read.
SAY_EVERY = 5

# Probabilities below this count as this in the cross-entropy, as in Keras.
_SMALLEST = 1e-7


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the history.

    Attributes
    ----------
    epoch
        From 1, counted through all phases.
    loss, accuracy
        Of the training patches as the network saw them: augmented, with
        dropout, and the loss weighted by class.
    val_loss, val_accuracy, val_macro_f1
        Of the validation patches, unchanged and unweighted.
    """

    epoch: int
    phase: str
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: macro-F1, and between equals the smaller loss."""
        return self.val_macro_f1, -self.val_loss


@dataclass(frozen=True, slots=True)
class Training:
    """What a training came to: its history, and the epoch whose weights the model now has."""

    history: tuple[Epoch, ...]
    best: Epoch


def fit(
    model: Any,
    network: Network,
    train: PatchSet,
    validation: PatchSet,
    settings: TrainingSettings,
    *,
    reporter: Reporter = SILENT,
) -> Training:
    """Train a model in place; it ends with the weights of its best epoch.

    Adam minimises the cross-entropy, weighted so that all classes count alike.

    Parameters
    ----------
    model
        From `pycyto.learning.networks.build`.
    train, validation
        With the same labels; neither is empty.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    PycytoError
        When the loss is no longer a number.
    """
    make_repeatable(settings.seed)
    loop = _Loop(model, train, validation, settings, reporter)
    for phase in settings.phases:
        thaw(model, network, phase.learns)
        loop.run(phase)
        model.set_weights(loop.best_weights)
    return Training(tuple(loop.history), loop.best)


def macro_f1(targets: Targets, predicted: Targets) -> float:
    """Return the mean F1 of the classes that occur in `targets`; both are (n,)."""
    scores = []
    for label in np.unique(targets):
        hits = np.sum((targets == label) & (predicted == label))
        scores.append(2 * hits / (np.sum(targets == label) + np.sum(predicted == label)))
    return float(np.mean(scores))


@dataclass
class _Loop:
    """One training under way, with the best weights so far."""

    model: Any
    train: PatchSet
    validation: PatchSet
    settings: TrainingSettings
    reporter: Reporter
    history: list[Epoch] = field(default_factory=list)
    best_weights: list[npt.NDArray[np.float32]] = field(default_factory=list)

    @property
    def best(self) -> Epoch:
        """The best epoch of all phases so far; between equals the first."""
        return max(self.history, key=lambda epoch: epoch.rank)

    def run(self, phase: Phase) -> None:
        """Train one phase to its end."""
        self._compile(phase)
        since_better = 0
        total = phase.epochs * len(self.train)
        with self.reporter.progress(f"Training ({phase.name})", total) as advance:
            for number in range(phase.epochs):
                self.model.optimizer.learning_rate = phase.rate_in(number)
                epoch = self._epoch(phase.name, advance)
                since_better = 0 if self._is_best(epoch) else since_better + 1
                ends = since_better >= self.settings.patience or number + 1 == phase.epochs
                if ends or number % SAY_EVERY == 0:
                    self._say(epoch)
                if ends:
                    return

    def _compile(self, phase: Phase) -> None:
        self.model.compile(
            optimizer=keras().optimizers.Adam(phase.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            # Compiling costs more than it saves on a processor, and is not repeatable.
            jit_compile=False,
        )

    def _is_best(self, epoch: Epoch) -> bool:
        self.history.append(epoch)
        if self.best is epoch:
            self.best_weights = self.model.get_weights()
        return self.best is epoch

    def _epoch(self, phase: str, advance: Callable[[int], None]) -> Epoch:
        number = len(self.history) + 1
        loss = accuracy = 0.0
        size, seed = self.settings.batch_size, self.settings.seed
        for batch in shuffled(self.train, size, seed=seed, epoch=number):
            batch_loss, batch_accuracy = self._step(batch, number)
            share = len(batch.targets) / len(self.train)
            loss += share * batch_loss
            accuracy += share * batch_accuracy
            advance(len(batch.targets))
        return Epoch(number, phase, loss, accuracy, *self._measure(number))

    def _step(self, batch: Batch, epoch: int) -> tuple[float, float]:
        """Learn from one batch; return its loss and accuracy."""
        # Whether train_on_batch does this by itself depends on the version of Keras.
        self.model.reset_metrics()
        weights = self.train.class_weights[batch.targets]
        logs = self.model.train_on_batch(
            batch.pixels, batch.targets, sample_weight=weights, return_dict=True
        )
        loss = float(logs["loss"])
        _demand_number(loss, epoch)
        return loss, float(logs["accuracy"])

    def _measure(self, epoch: int) -> tuple[float, float, float]:
        """Return loss, accuracy and macro-F1 of the validation patches."""
        batches = in_order(self.validation, self.settings.batch_size)
        found = np.concatenate([self.model.predict_on_batch(batch.pixels) for batch in batches])
        targets = self.validation.targets
        own = found[np.arange(len(targets)), targets]
        loss = float(-np.log(np.maximum(own, _SMALLEST)).mean())
        _demand_number(loss, epoch)
        predicted = found.argmax(axis=1).astype(np.int32)
        return loss, float((predicted == targets).mean()), macro_f1(targets, predicted)

    def _say(self, epoch: Epoch) -> None:
        self.reporter.say(
            f"Epoch {epoch.epoch} ({epoch.phase}): loss {epoch.loss:.3f}, "
            f"validation loss {epoch.val_loss:.3f}, macro-F1 {epoch.val_macro_f1:.3f}"
        )


def _demand_number(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise PycytoError(
            f"The loss is no longer a number (epoch {epoch}): the training has diverged.",
            remedy="Try another --seed or a larger --batch-size; if it comes back, look for "
            "broken weights or patches. No model was written.",
        )
