"""What a training does, phase by phase, and which layers learn in each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from pycyto.errors import UsageError
from pycyto.learning.backend import keras
from pycyto.learning.networks import Network, backbone_of

Learns = Literal["head", "head and last block", "all"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training.

    Attributes
    ----------
    learns
        Which layers change; the others are frozen.
    epochs
        At most so many.
    learning_rate
        Of Adam, in the first epoch.
    decays
        Whether the rate falls along half a cosine to nearly nothing.
    """

    name: str
    learns: Learns
    epochs: int
    learning_rate: float
    decays: bool = False

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
    """

    phases: tuple[Phase, ...]
    batch_size: int
    seed: int = 0
    patience: int = 10


def default_settings(
    network: Network,
    *,
    pretrained: bool,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> TrainingSettings:
    """Return how a network is trained unless told otherwise.

    A pretrained network learns as Coskun, Akuner and Kaplanoglu (2026) describe
    it: first the head alone, at 1e-4, then its last block too, at a tenth of
    that; batches of 8. The others learn all their layers in one phase, at 1e-3
    and falling, in batches of 32.

    Parameters
    ----------
    epochs
        Of each phase, at most.

    Raises
    ------
    UsageError
        When epochs or batch size are below 1.
    """
    for option, value in (("--epochs", epochs), ("--batch-size", batch_size)):
        if value is not None and value < 1:
            raise UsageError(f"{option} is {value}; it must be at least 1.")
    if not (pretrained and network.last_block):
        phase = Phase("all layers", "all", epochs or 30, 1e-3, decays=True)
        return TrainingSettings((phase,), batch_size or 32, seed)
    phases = (
        Phase("head", "head", epochs or 20, 1e-4),
        Phase("last block", "head and last block", epochs or 20, 1e-5),
    )
    return TrainingSettings(phases, batch_size or 8, seed)


def thaw(model: Any, network: Network, learns: Learns) -> None:
    """Make the layers of a phase trainable, and freeze the others.

    A frozen batch normalisation runs in inference mode, with the mean and
    variance that it was trained with: a few small batches of another kind of
    image would only spoil them. It stays frozen when the last block is thawed.
    """
    backbone = backbone_of(model)
    backbone.trainable = learns != "head"
    fixed = keras().layers.BatchNormalization
    # Layer by layer: thawing a whole network leaves what was frozen singly as it was.
    for layer in backbone.layers:
        layer.trainable = learns == "all" or (
            learns == "head and last block"
            and layer.name.startswith(network.last_block)
            and not isinstance(layer, fixed)
        )
