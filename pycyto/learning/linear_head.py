"""A head without a hidden layer, held back by a penalty that training cells choose.

It is multinomial logistic regression with a penalty on the squares of its weights,
which has one solution: there are no epochs, and chance has no part in it. How strong
the penalty must be depends on where the model is to be used:

``linear``, on more cells of the same sources: each training cell is called by a head
that has not seen its group, and the penalty is the one whose macro-F1, the mean of the
sources, is best.

``far``, on cells of other laboratories: part of what a model learns of cells is their
laboratory. A stronger penalty keeps that out, at a price on cells of the same sources,
so that figures on those ask for too weak a one. What asks for a stronger one is how well
a *kind* of cell is called that was not learnt from. A kind is what a source itself calls
a class (its original label), where several kinds make up a class: are parabasal cells
NILM to who has not seen any? So the folds hold whole kinds; only classes of one kind are
dealt out by groups. Of the penalties whose figure is within one standard error of the
best the strongest is taken (Breiman et al., Classification and regression trees, 1984).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from pycyto.learning.augmentation import AS_IT_IS
from pycyto.learning.batches import PatchSet
from pycyto.learning.feature_cache import Features
from pycyto.learning.history import Epoch, Training, macro_f1
from pycyto.learning.lessons import on_features
from pycyto.learning.networks import CLASSES, FURTHEST, SCALED, Network
from pycyto.learning.plan import TrainingSettings
from pycyto.learning.sampling import Balance, Indices, Targets, patch_weights
from pycyto.learning.thawing import thaw
from pycyto.records import Reporter

# Of half the sum of all squared weights, beside the mean loss; strong ones first.
NEAR = (10.0, 3.0, 1.0, 0.3, 0.1)
FAR = (1000.0, 300.0, 100.0, 30.0)

_FOLDS = 4
_RESAMPLES = 200
_MOST_STEPS = 1000
# Of the loss where it counts as flat, at most. A strong penalty makes all sums small, and
# what the offsets are off by must be smaller.
_STEEPEST = 1e-4
_SMALLEST = 1e-7
# Features whose products are computed at once, in double precision.
_COLUMNS = 1024
# So much longer is each example squared: far below what single precision tells.
_APART = 1e-10
# What a class adds up to that has no examples.
_NEVER = -30.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """What a linear head learns from.

    Attributes
    ----------
    features
        (n, m).
    targets
        Class of each, (n,).
    sources, groups, kinds
        Numbers, (n,): of the source, of what must not be parted, and of what the
        source calls it.
    n_classes
        Of which some may have no example.
    balance
        How much each counts.
    """

    features: Floats
    targets: Targets
    sources: Indices
    groups: Indices
    kinds: Indices
    n_classes: int
    balance: Balance = "weights"

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """How much each counts, (n,), some 1 on average."""
        return patch_weights(self.targets, self.sources, self.n_classes, self.balance)

    def some(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        """Return those that are chosen, (n,) bool, balanced among themselves."""
        columns = ("features", "targets", "sources", "groups", "kinds")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})


@dataclass(frozen=True)
class Head:
    """Weights, (d, k), and offsets, (k,), of what a linear head adds up."""

    weights: Floats
    offsets: Floats

    def answers(self, features: npt.NDArray[Any]) -> Floats:
        """Return the probability of each class, (n, k)."""
        sums = features @ self.weights + self.offsets
        raised = np.exp(sums - sums.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_linear(
    model: Any,
    network: Network,
    train: PatchSet,
    validation: PatchSet,
    settings: TrainingSettings,
    *,
    folder: Path,
    reporter: Reporter,
) -> Training:
    """Fit the head of a model in place, as `pycyto.learning.training.fit` trains one.

    It is shown the patches as they are.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    NotWritableError
        When `folder` cannot be written to.
    """
    backbone = thaw(model, network, "none")
    (phase,) = settings.phases
    lesson = on_features(
        model,
        network,
        train,
        validation,
        [AS_IT_IS],
        folder=folder,
        reporter=reporter,
    )
    features = np.stack(lesson.by_view[0])
    scaled = model.get_layer(SCALED)
    means, variances = features.mean(axis=0, dtype=float), features.var(axis=0, dtype=float)
    scaled.set_weights([means, variances])
    spread = np.sqrt(variances + scaled.epsilon)
    features = _scaled(features, means, spread)
    along = along_axes(features)
    examples = examples_of(train, along, settings.balance)
    penalty = penalty_of(examples, far=network.head == "far", seed=settings.seed, reporter=reporter)
    (head,) = heads(examples, [penalty])
    loss, accuracy, _ = _measured(head.answers(along), train.targets)
    head = over_features(head, along, features)
    model.get_layer(CLASSES).set_weights([head.weights, head.offsets])
    found = (math.nan, math.nan, math.nan)
    if len(validation):
        own = _scaled(np.stack(lesson.plain), means, spread)
        found = _measured(head.answers(own), validation.targets)
    epoch = Epoch(1, phase.name, loss, accuracy, *found)
    return Training((epoch,), epoch, {phase.name: backbone}, penalty)


def along_axes(features: Features) -> Floats:
    """Return examples, (n, d), as they lie along axes of the space that they span, (n, m).

    No weights of a head point out of that space, so there it is sought: m is the smaller of n and
    d. With fewer examples than features the axes are those of an LQ decomposition, which products
    of the examples with each other tell (Cholesky) in a fraction of the time.
    """
    n, d = features.shape
    if n >= d:
        return features.astype(float)
    products = np.zeros((n, n))
    for start in range(0, d, _COLUMNS):
        block = features[:, start : start + _COLUMNS].astype(float)
        products += block @ block.T
    # Of two examples that are the same no axis tells one from the other.
    products[np.diag_indices(n)] *= 1 + _APART
    return np.asarray(np.linalg.cholesky(products), float)


def over_features(head: Head, along: Floats, features: Features) -> Head:
    """Return a head that was sought along axes as one over features themselves."""
    n, d = features.shape
    if n >= d:
        return head
    weights = solve_triangular(along, head.weights, lower=True, trans="T")
    return Head(features.T @ weights, head.offsets)


def examples_of(train: PatchSet, features: Floats, balance: Balance) -> Examples:
    """Return what training patches, whose features are scaled, are to a linear head."""
    return Examples(
        features,
        train.targets,
        train.sources,
        _numbered([str(row.group) for row in train.rows]),
        _numbered([f"{row.source}\n{row.original_label}" for row in train.rows]),
        len(train.labels),
        balance,
    )


def penalty_of(examples: Examples, *, far: bool, seed: int, reporter: Reporter) -> float:
    """Return the penalty that training cells ask for; see above.

    Parameters
    ----------
    far
        For cells of other laboratories, rather than of the same.
    seed
        Of the folds, and of the resamples of groups that the standard error is of.
    """
    penalties = FAR if far else NEAR
    folds = _folds(examples, by_kind=far, seed=seed)
    if folds is None:
        reporter.say(f"Too few groups to choose a penalty by: the strongest, {penalties[0]:g}.")
        return penalties[0]
    figure = _figure_of(examples, _called_out_of(folds, examples, penalties, reporter))
    everything = np.arange(len(examples.targets))
    figures = figure(everything)
    best = int(figures.argmax())
    told = ", ".join(f"{p:g}: {f:.3f}" for p, f in zip(penalties, figures, strict=True))
    reporter.say(f"Macro-F1 of training cells that were not learnt from, by penalty: {told}.")
    if not far:
        reporter.say(f"The penalty is {penalties[best]:g}, which is best.")
        return penalties[best]
    error = np.std([figure(drawn)[best] for drawn in _resamples(examples.groups, seed)])
    chosen = penalties[int(np.flatnonzero(figures >= figures[best] - error)[0])]
    reporter.say(f"The penalty is {chosen:g}, the strongest within a standard error, {error:.3f}.")
    return chosen


def _called_out_of(
    folds: Indices, examples: Examples, penalties: Sequence[float], reporter: Reporter
) -> npt.NDArray[np.int32]:
    """Return the class of each cell by a head of the other folds, (penalties, n)."""
    called = np.full((len(penalties), len(examples.targets)), -1, np.int32)

    def call(fold: int) -> None:
        hidden = folds == fold
        for own, head in zip(called, heads(examples.some(~hidden), penalties), strict=True):
            own[hidden] = head.answers(examples.features[hidden]).argmax(axis=1)

    # As many folds at once as there are cores, each on one.
    with (
        reporter.progress("Penalty of the head", _FOLDS) as advance,
        threadpool_limits(1),
        ThreadPoolExecutor(min(_FOLDS, os.cpu_count() or 1)) as pool,
    ):
        for _ in pool.map(call, range(_FOLDS)):
            advance(1)
    return called


def heads(examples: Examples, penalties: Sequence[float]) -> list[Head]:
    """Return the head of each penalty, quickest where they come from strong to weak."""
    # sklearn takes seconds to import.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=_MOST_STEPS, warm_start=True)
    weights = examples.weights
    found = []
    for penalty in penalties:
        steepest = _STEEPEST / max(1.0, penalty / 10)
        model.set_params(C=1 / (penalty * float(weights.sum())), tol=steepest)
        # Threads wait for each other longer than they compute, most of all on a busy machine.
        with threadpool_limits(1):
            model.fit(examples.features, examples.targets, weights)
        found.append(_head(model, examples.n_classes))
    return found


def _head(model: Any, n_classes: int) -> Head:
    """Return a fitted head of all classes; one without examples is never called."""
    coefficients, offsets = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # sklearn has one sum for two classes
        coefficients, offsets = coefficients * [-0.5, 0.5], offsets * [-0.5, 0.5]
    weights, sums = np.zeros((len(coefficients), n_classes)), np.full(n_classes, _NEVER)
    weights[:, model.classes_], sums[model.classes_] = coefficients, offsets
    return Head(weights, sums)


def _folds(examples: Examples, *, by_kind: bool, seed: int) -> Indices | None:
    """Return the fold of each cell, (n,); None where there are too few groups to make any."""
    from sklearn.model_selection import StratifiedGroupKFold

    targets, folds = examples.targets, np.zeros(len(examples.targets), np.int64)
    labels = np.unique(targets)
    n_groups = [len(np.unique(examples.groups[targets == label])) for label in labels]
    if len(labels) < 2 or min(n_groups) < _FOLDS:
        return None
    dealing = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for fold, (_, places) in enumerate(dealing.split(targets, targets, examples.groups)):
        folds[places] = fold
    for label in labels if by_kind else ():
        kinds, counts = np.unique(examples.kinds[targets == label], return_counts=True)
        if len(kinds) > 1:
            for place, kind in enumerate(kinds[np.argsort(-counts, kind="stable")]):
                folds[(targets == label) & (examples.kinds == kind)] = place % _FOLDS
    return folds


def _figure_of(examples: Examples, called: npt.NDArray[np.int32]) -> Callable[[Indices], Floats]:
    """Return what tells the figure of each penalty over some cells."""

    def figure(places: Indices) -> Floats:
        sources = examples.sources[places]
        parts = [places[sources == source] for source in np.unique(sources)]
        return np.mean(
            [[macro_f1(examples.targets[p], own[p]) for p in parts] for own in called], axis=1
        )

    return figure


def _resamples(groups: Indices, seed: int) -> Iterator[Indices]:
    """Yield cells of as many groups as there are, drawn with replacement."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    generator = np.random.default_rng(seed)
    for _ in range(_RESAMPLES):
        drawn = generator.integers(len(members), size=len(members))
        yield np.concatenate([members[place] for place in drawn])


def _scaled(features: Features, means: Floats, spread: Floats) -> Features:
    """Return what the layers before the last make of features, (n, d)."""
    scaled = (features - means.astype(np.float32)) / spread.astype(np.float32)
    return np.clip(scaled, -FURTHEST, FURTHEST)


def _measured(answers: Floats, targets: Targets) -> tuple[float, float, float]:
    """Return loss, accuracy and macro-F1."""
    own = answers[np.arange(len(targets)), targets]
    called = answers.argmax(axis=1).astype(np.int32)
    loss = float(-np.log(np.maximum(own, _SMALLEST)).mean())
    return loss, float((called == targets).mean()), macro_f1(targets, called)


def _numbered(names: Sequence[str]) -> Indices:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
