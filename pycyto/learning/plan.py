"""What a training does, phase by phase."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pycyto.errors import UsageError
from pycyto.learning.augmentation import AUGMENTATIONS, NOTHING, STANDARD, Augmentation, Named
from pycyto.learning.sampling import Balance
from pycyto.learning.thawing import Unfrozen

# How many views of each patch the head learns from; see benchmarks/README.md.
DEFAULT_VIEWS = 4

# The one phase of a linear head.
LINEAR = "linear head"

# Beyond it the truth would be shared out more than it is told.
_MOST_SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training.

    Attributes
    ----------
    unfrozen
        Which layers of the backbone change beside the head; the others are frozen.
    epochs
        At most so many.
    learning_rate
        Of Adam, in the first epoch.
    decays
        Whether the rate falls along half a cosine to nearly nothing.
    """

    name: str
    unfrozen: Unfrozen
    epochs: int
    learning_rate: float
    decays: bool = False

    @property
    def averaged(self) -> int:
        """Over so many of the last epochs weights are averaged where no cell can choose one.

        From epoch to epoch figures go up and down by chance; those of the mean do less. See
        Izmailov et al., Averaging weights leads to wider optima (UAI 2018).
        """
        return max(1, self.epochs // 4)

    def rate_in(self, epoch: int) -> float:
        """Return the learning rate of an epoch, the first being 0."""
        if not self.decays:
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything that decides a training besides the patches.

    Attributes
    ----------
    patience
        A phase ends after so many epochs without a better validation figure.
    views
        So many random views of each patch take turns, epoch by epoch, while the
        backbone is frozen. In other phases every epoch has views of its own.
    balance
        What makes rare classes count.
    augmentation
        How far the views of the training patches differ from them.
    label_smoothing
        So much of the truth of a training patch is shared out among all classes.
    """

    phases: tuple[Phase, ...]
    batch_size: int
    seed: int = 0
    patience: int = 10
    views: int = DEFAULT_VIEWS
    balance: Balance = "weights"
    augmentation: Augmentation = STANDARD
    label_smoothing: float = 0.0

    @property
    def oversamples(self) -> bool:
        """Whether patches of rare classes are drawn more often."""
        return self.balance in ("oversample", "both")

    def views_in(self, phase: Phase) -> int | None:
        """Return how many views of a patch there are in a phase; None where each is new."""
        return self.views if phase.unfrozen == "none" else None


def default_settings(  # noqa: PLR0913  (each is an option of the command)
    *,
    pretrained: bool,
    linear: bool = False,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    views: int | None = None,
    unfreeze: Unfrozen | None = None,
    balance: Balance = "weights",
    augmentation: Named = "standard",
    label_smoothing: float = 0.0,
) -> TrainingSettings:
    """Return how a network is trained unless told otherwise.

    A pretrained network learns as Coskun, Akuner and Kaplanoglu (2026) describe
    it: first the head alone, at 1e-4, then its last block too, at a tenth of
    that; batches of 8. The others learn all their layers in one phase, at 1e-3
    and falling, in batches of 32. A linear head is fitted at once, on a frozen backbone.

    Parameters
    ----------
    linear
        Whether the head is; then neither `epochs`, `batch_size` nor `label_smoothing`
        mean anything, it sees patches as they are, nothing of the backbone learns, and
        `balance` is by weights.
    epochs
        Of each phase, at most.
    unfreeze
        What of the backbone learns in the second phase, by default the last
        block; ``none`` leaves that phase out.
    label_smoothing
        From 0 to 0.5; see Szegedy et al., Rethinking the Inception architecture
        (CVPR 2016).

    Raises
    ------
    UsageError
        When a number is below 1, `label_smoothing` is not in its range, `views` or
        `unfreeze` are given for a network that starts from nothing, or a linear head
        is given what means nothing to it.
    """
    layers = unfreeze if isinstance(unfreeze, int) else None
    _demand_positive(epochs=epochs, batch_size=batch_size, views=views, unfreeze=layers)
    if not 0 <= label_smoothing <= _MOST_SMOOTHING:
        raise UsageError(f"--label-smoothing is {label_smoothing:g}; it must be from 0 to 0.5.")
    how = AUGMENTATIONS[augmentation]
    if linear:
        _refuse_for_linear(
            epochs=epochs,
            batch_size=batch_size,
            views=views,
            unfreeze=None if unfreeze == "none" else unfreeze,
            label_smoothing=label_smoothing or None,
            balance=None if balance in ("weights", "sources", "none") else balance,
        )
        phases, how = [Phase(LINEAR, "none", 1, 0.0)], NOTHING
    elif not pretrained:
        _refuse_without_start(views=views, unfreeze=unfreeze)
        phases = [Phase("all layers", "all", epochs or 30, 1e-3, decays=True)]
    else:
        phases = _of_pretrained(unfreeze or "last block", epochs or 20)
    # Without augmentation all views are the patch itself.
    number = 1 if how == NOTHING else views or DEFAULT_VIEWS
    return TrainingSettings(
        tuple(phases),
        batch_size or (8 if pretrained else 32),
        seed,
        views=number if pretrained or linear else DEFAULT_VIEWS,
        balance=balance,
        augmentation=how,
        label_smoothing=label_smoothing,
    )


def _of_pretrained(unfreeze: Unfrozen, epochs: int) -> list[Phase]:
    phases = [Phase("head", "none", epochs, 1e-4)]
    if unfreeze != "none":
        phases.append(Phase(_name_of(unfreeze), unfreeze, epochs, 1e-5))
    return phases


def _name_of(unfrozen: Unfrozen) -> str:
    if isinstance(unfrozen, int):
        return f"last {unfrozen} layers" if unfrozen > 1 else "last layer"
    return "last two layers" if unfrozen == "paper" else unfrozen


def _demand_positive(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {value}; it must be at least 1.")


def _refuse_without_start(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"--{name} is about a network that starts from published weights; "
                "this one learns all its layers at once.",
                remedy=f"Leave --{name} out, or name --weights.",
            )


def _refuse_for_linear(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} {value} means nothing to a linear head: it is fitted at once, on a "
                "frozen backbone, to each patch as it is.",
                remedy=f"Leave {option} out, or take another network.",
            )


def settings_from(values: Mapping[str, Any]) -> TrainingSettings:
    """Return settings as a bundle holds them.

    Raises
    ------
    KeyError, TypeError
        When they are not what this version writes.
    """
    phases = tuple(Phase(**phase) for phase in values["phases"])
    how = Augmentation(**values["augmentation"])
    return TrainingSettings(**{**values, "phases": phases, "augmentation": how})
