"""A head without a hidden layer, held back as far as its own cells allow: it carries further.

What a model learns of one laboratory's cells is partly the laboratory. A strong
penalty on the weights keeps that out, at a price on cells of the same laboratory, so
that figures on those ask for too weak a one. What asks for the right one is another
question to the same cells: how well is a *kind* of cell called that was not learnt
from? A kind is what the source itself calls a class (its original label), where
several make up one class here: without parabasal cells, are they still NILM? So

1. each training cell is called by a head that has not seen its kind, or where a class
   is of one kind only, not its group;
2. the figure of a penalty is the macro-F1 of these answers, the mean of the sources;
3. of the penalties whose figure is within one standard error of the best, the strongest
   is taken (the rule of Breiman et al., Classification and regression trees, 1984).

Nothing but training cells decides. The head is multinomial logistic regression with a
penalty on the squares of its weights, which has one solution: there are no epochs, and
chance has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.learning.augmentation import Views
from pycyto.learning.batches import PatchSet
from pycyto.learning.feature_cache import Table
from pycyto.learning.history import Epoch, Training, macro_f1
from pycyto.learning.lessons import OnFeatures, on_features
from pycyto.learning.networks import CLASSES, FURTHEST, SCALED, Network
from pycyto.learning.plan import TrainingSettings
from pycyto.learning.sampling import Indices, Targets, patch_weights
from pycyto.learning.thawing import thaw
from pycyto.records import Reporter

# Of half the sum of all squared weights, beside the mean loss; strong ones first.
PENALTIES = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0)

_FOLDS = 4
_RESAMPLES = 200
_MOST_STEPS = 1000
_SMALLEST = 1e-7

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """What a linear head learns from.

    Attributes
    ----------
    features
        (n, d) float32, scaled and clipped.
    targets, weights
        Class of each, and how much it counts, (n,).
    sources, groups, kinds
        Numbers, (n,): of the source, of what must not be parted, and of what the
        source calls it.
    n_classes
        Of which some may have no example.
    """

    features: npt.NDArray[np.float32]
    targets: Targets
    weights: npt.NDArray[np.float32]
    sources: Indices
    groups: Indices
    kinds: Indices
    n_classes: int


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
    features: Path,
    reporter: Reporter,
) -> Training:
    """Fit the head of a model in place, as `pycyto.learning.training.fit` trains one.

    Each training patch counts once, by the mean of its views.

    Raises
    ------
    BadInputError
        When a patch is missing, broken, or not the one of the manifest.
    NotWritableError
        When `features` cannot be written to.
    """
    backbone = thaw(model, network, "none")
    (phase,) = settings.phases
    lesson = on_features(
        model,
        network,
        train,
        validation,
        Views(settings.augmentation, settings.seed),
        n_views=settings.views,
        folder=features,
        reporter=reporter,
    )
    means, variances = _moments(lesson.by_view)
    scaled = model.get_layer(SCALED)
    scaled.set_weights([means, variances])
    spread = np.sqrt(variances + scaled.epsilon)
    examples = examples_of(lesson, (means, spread), settings)
    penalty = penalty_of(examples, settings.seed, reporter)
    head = heads(examples, [penalty])[0]
    model.get_layer(CLASSES).set_weights([head.weights, head.offsets])
    loss, accuracy, _ = _measured(head.answers(examples.features), examples.targets)
    own = _scaled(lesson.plain, means, spread)
    epoch = Epoch(1, phase.name, loss, accuracy, *_measured(head.answers(own), validation.targets))
    return Training((epoch,), epoch, {phase.name: backbone}, penalty)


def examples_of(
    lesson: OnFeatures, scale: tuple[Floats, Floats], settings: TrainingSettings
) -> Examples:
    """Return what the training patches are to a linear head."""
    train, views = lesson.train, lesson.by_view
    features = sum(_scaled(table, *scale) for table in views) / np.float32(len(views))
    n_classes = len(train.labels)
    return Examples(
        np.asarray(features),
        train.targets,
        patch_weights(train.targets, train.sources, n_classes, settings.balance),
        train.sources,
        _numbered([str(row.group) for row in train.rows]),
        _numbered([f"{row.source}\n{row.original_label}" for row in train.rows]),
        n_classes,
    )


def penalty_of(examples: Examples, seed: int, reporter: Reporter) -> float:
    """Return the strongest penalty that is as good as the best; see above.

    Parameters
    ----------
    seed
        Of the folds, and of the resamples of groups that the standard error is of.
    """
    unseen = list(_unseen(examples, seed))
    if not unseen:
        reporter.say(f"Too few groups to choose a penalty by: the strongest, {PENALTIES[0]:g}.")
        return PENALTIES[0]
    called = np.full((len(PENALTIES), len(examples.targets)), -1, np.int32)
    with reporter.progress("Penalty of the head", len(unseen)) as advance:
        for hidden in unseen:
            for own, head in zip(called, heads(_some(examples, ~hidden), PENALTIES), strict=True):
                own[hidden] = head.answers(examples.features[hidden]).argmax(axis=1)
            advance(1)
    figure = _figure_of(examples, called)
    everything = np.arange(len(examples.targets))
    figures = figure(everything)
    best = int(figures.argmax())
    error = np.std([figure(drawn)[best] for drawn in _resamples(examples.groups, seed)])
    chosen = int(np.flatnonzero(figures >= figures[best] - error)[0])
    told = ", ".join(f"{p:g}: {f:.3f}" for p, f in zip(PENALTIES, figures, strict=True))
    reporter.say(
        f"Macro-F1 of training cells whose kind or group was not learnt from, by penalty: {told}. "
        f"{PENALTIES[chosen]:g} is the strongest within a standard error ({error:.3f})."
    )
    return PENALTIES[chosen]


def heads(examples: Examples, penalties: Sequence[float]) -> list[Head]:
    """Return the head of each penalty; quickest where they come from strong to weak."""
    # sklearn takes seconds to import.
    from sklearn.linear_model import LogisticRegression

    # No weight points out of the space that the examples span, so that is all there is to search.
    space, within = _spanned(examples.features)
    model = LogisticRegression(max_iter=_MOST_STEPS, warm_start=True)
    found = []
    for penalty in penalties:
        model.set_params(C=1 / (penalty * float(examples.weights.sum())))
        model.fit(within, examples.targets, examples.weights)
        found.append(_head(model, space, examples.n_classes))
    return found


def _spanned(
    features: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32] | None, npt.NDArray[np.float32]]:
    """Return axes, (d, n), and the features along them, (n, n), where these are fewer."""
    if len(features) >= features.shape[1]:
        return None, features
    axes, along = np.linalg.qr(features.T)
    return axes, np.ascontiguousarray(along.T)


def _head(model: Any, space: npt.NDArray[np.float32] | None, n_classes: int) -> Head:
    """Return a fitted head of all classes; one without examples is never called."""
    coefficients, offsets = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    if len(model.classes_) == 2:  # sklearn has one sum for two classes
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        offsets = np.concatenate([-offsets, offsets]) / 2
    along = coefficients.T if space is None else space @ coefficients.T
    weights = np.zeros((len(along), n_classes))
    sums = np.full(n_classes, -30.0)
    weights[:, model.classes_] = along
    sums[model.classes_] = offsets
    return Head(weights, sums)


def _unseen(examples: Examples, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield cells to leave out at a time, (n,) bool; the last time that a cell comes counts."""
    from sklearn.model_selection import StratifiedGroupKFold

    targets, kinds = examples.targets, examples.kinds
    n_groups = [len(np.unique(examples.groups[targets == label])) for label in np.unique(targets)]
    n_folds = min(_FOLDS, *n_groups) if len(n_groups) > 1 else 0
    if n_folds < 2:
        return
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for _, places in folds.split(targets, targets, examples.groups):
        hidden = np.zeros(len(targets), bool)
        hidden[places] = True
        yield hidden
    for label in np.unique(targets):
        own = np.unique(kinds[targets == label])
        if len(own) > 1:
            for kind in own:
                yield (kinds == kind) & (targets == label)


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


def _some(examples: Examples, chosen: npt.NDArray[np.bool_]) -> Examples:
    return Examples(
        examples.features[chosen],
        examples.targets[chosen],
        examples.weights[chosen],
        examples.sources[chosen],
        examples.groups[chosen],
        examples.kinds[chosen],
        examples.n_classes,
    )


def _moments(tables: Sequence[Table]) -> tuple[Floats, Floats]:
    """Return mean and variance of each feature, (d,), over all rows of tables."""
    count = sum(len(table) for table in tables)
    mean = sum(row.astype(np.float64) for table in tables for row in table) / count
    squares = sum((row - mean) ** 2 for table in tables for row in table)
    return np.asarray(mean), np.asarray(squares / count)


def _scaled(table: Table, means: Floats, spread: Floats) -> npt.NDArray[np.float32]:
    """Return what the layers before the last make of features, (n, d)."""
    scaled = (np.stack(table) - means.astype(np.float32)) / spread.astype(np.float32)
    return np.clip(scaled, -FURTHEST, FURTHEST)


def _measured(answers: Floats, targets: Targets) -> tuple[float, float, float]:
    """Return loss, accuracy and macro-F1."""
    own = answers[np.arange(len(targets)), targets]
    called = answers.argmax(axis=1).astype(np.int32)
    loss = float(-np.log(np.maximum(own, _SMALLEST)).mean())
    return loss, float((called == targets).mean()), macro_f1(targets, called)


def _numbered(names: Sequence[str]) -> Indices:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
