"""Which training patches an epoch draws, and how much each class counts in the loss.

Balance is a matter of drawing numbers of rows of the training part, after the
split: no patch is ever copied, so none can get into another part.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Targets = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]

# weights: rare classes count more in the loss; sources: and all sources alike;
# oversample: their patches come more often.
Balance = Literal["weights", "sources", "oversample", "both", "none"]


class Draws(NamedTuple):
    """Patches by index, (n,) int64, and the number of the view of each, (n,) int64."""

    indices: Indices
    views: Indices


def draws_of(
    targets: Targets, *, epoch: int, seed: int, views: int | None, oversample: bool
) -> Draws:
    """Return the patches of an epoch, in another order each time.

    Each patch comes once; with `oversample` each class comes as often as the
    most frequent one, all its patches before any of them again.

    Parameters
    ----------
    targets
        Class of each training patch, (n,) int32.
    epoch
        From 1.
    views
        So many views of each patch there are: epoch after epoch and draw after
        draw they take turns, the first epoch showing view 0. None: every epoch
        and draw has a view of its own.
    """
    generator = np.random.default_rng((seed, epoch))
    indices, repeats = _passes(targets, generator, oversample=oversample)
    order = generator.permutation(len(indices))
    indices, repeats = indices[order], repeats[order]
    if views is not None:
        return Draws(indices, (epoch - 1 + repeats) % views)
    most = int(repeats.max(initial=0)) + 1
    return Draws(indices, (epoch - 1) * most + repeats)


def _passes(
    targets: Targets, generator: np.random.Generator, *, oversample: bool
) -> tuple[Indices, Indices]:
    """Return indices, and how often each was drawn before."""
    if not oversample:
        return np.arange(len(targets)), np.zeros(len(targets), np.int64)
    most = np.bincount(targets).max()
    indices, repeats = [], []
    for label in np.unique(targets):
        members = np.flatnonzero(targets == label)
        passes = -(-most // len(members))
        drawn = np.concatenate([generator.permutation(members) for _ in range(passes)])
        indices.append(drawn[:most])
        repeats.append(np.arange(most) // len(members))
    return np.concatenate(indices), np.concatenate(repeats)


def patch_weights(
    targets: Targets, sources: Indices, n_classes: int, balance: Balance
) -> npt.NDArray[np.float32]:
    """Return the weight of each training patch in the loss, (n,) float32; some 1 on average.

    With ``sources`` all sources count alike, and in each all the classes that it
    has; otherwise a patch has the weight of its class.

    Parameters
    ----------
    targets
        Class of each patch, (n,) int32.
    sources
        Number of the source of each patch, (n,) int64.
    """
    if balance != "sources":
        return class_weights(targets, n_classes, balance)[targets]
    kinds, kind, counts = np.unique(
        sources * n_classes + targets, return_inverse=True, return_counts=True
    )
    classes_in = np.bincount(kinds // n_classes)
    weights = 1.0 / (counts[kind] * classes_in[sources])
    return (weights / weights.mean()).astype(np.float32)


def source_weights(sources: Indices) -> npt.NDArray[np.float64]:
    """Return weights by which all sources count alike, (n,), from the number of each one's source.

    Each is one over the number of cells of its source.
    """
    return 1.0 / np.bincount(sources)[sources]


def class_weights(targets: Targets, n_classes: int, balance: Balance) -> npt.NDArray[np.float32]:
    """Return the weight of each class in the loss, (n_classes,) float32.

    ``n / (k * n_class)``, as scikit-learn's ``balanced``: 1 on average over the
    patches. A class without patches has the weight 0. With ``both`` they are
    those of the patches that there are, whatever is drawn.
    """
    counts = np.bincount(targets, minlength=n_classes)
    weights = np.ones(n_classes)
    if balance in ("weights", "both"):
        weights = len(targets) / (n_classes * np.maximum(counts, 1))
    return np.where(counts, weights, 0).astype(np.float32)
