"""What needs no look at a cell: a model must beat it before its figures mean anything.

Controls are fitted on the training part and applied to the cells that the model
is tested on; where these are of several folds, each fold by a control of the other
folds, as the model was. Both are drawn anew together, group by group, so that the
interval is of the difference between them. What a control goes by may be known of some
tested cells only, such as the size of a crop where other cells were cut from fields:
both are then compared on those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import Estimate, Mask, interval_of
from pycyto.evaluation.looks import Features, Looks, crop_sizes, outline_sizes
from pycyto.evaluation.metrics import Figures, macro_f1_of, score
from pycyto.manifest import Row

Truth = npt.NDArray[np.integer[Any]]
# Of a control that learns from some of the training cells, and is asked about some of the tested
# ones: masks of both, (m,) and (n,), to classes or probabilities of the latter, (., k).
Fit = Callable[[Mask, Mask], npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Control:
    """One control.

    Attributes
    ----------
    name, description
        What it is called, and what it looks at.
    figures
        None where it could not be made.
    lead
        Macro-F1 of the model less that of the control, on the same cells.
    reason
        Why it could not be made; empty where it could.
    of
        Number of all tested cells; `figures` has the number of those that are compared.
    beside
        Figures of the model on these cells, where they are some of all; else None.
    """

    name: str
    description: str
    figures: Figures | None = None
    lead: Estimate | None = None
    reason: str = ""
    of: int = 0
    beside: Figures | None = None

    @property
    def beaten(self) -> bool | None:
        """Whether all of the interval of the lead is above 0; None where that is not decidable."""
        if self.lead is None or self.lead.interval is None:
            return None
        return self.lead.interval[0] > 0

    def to_json(self) -> dict[str, Any]:
        """Return the control as plain values."""
        return {
            "description": self.description,
            "cells": self.of or None,
            "cells_compared": self.figures.n if self.figures else None,
            "figures": self.figures.to_json() if self.figures else None,
            "figures_of_the_model": self.beside.to_json() if self.beside else None,
            "lead_of_the_model": self.lead.to_json() if self.lead else None,
            "beaten": self.beaten,
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Trained:
    """The training cells that controls learn from: rows of the manifest, classes (m,), looks.

    Where the tested cells are of several folds they are the same cells, in the same order.
    """

    rows: Sequence[Row]
    truth: Truth
    looks: Looks


def controls(
    trained: Trained, rows: Sequence[Row], seen: Looks, model: Classified, seed: int
) -> list[Control]:
    """Return all controls beside a model.

    Parameters
    ----------
    rows, seen, model
        The n tested cells: rows, looks, and what the model said of them.
    """
    looks = trained.looks
    return [
        majority(trained.truth, model),
        _crop_size(trained, rows, model, seed),
        linear("outline only", "width, height and area of the expert's outline", trained.truth,
               (outline_sizes(trained.rows), outline_sizes(rows)), model, seed),
        linear("colour only", "mean red, green and blue of the patch", trained.truth,
               (looks.colours, seen.colours), model, seed),
        _padding(trained, seen, model, seed),
        nearest(trained.truth, (looks.thumbnails, seen.thumbnails), model),
    ]  # fmt: skip


def majority(train: Truth, model: Classified) -> Control:
    """Call every cell what is most frequent in training."""
    name = "most frequent class"
    if not len(train):
        return Control(name, "calls every cell the same", reason="there are no training cells")
    most = int(np.bincount(train, minlength=len(model.labels)).argmax())

    def fit(learnt: Mask, asked: Mask) -> npt.NDArray[Any]:
        often = int(np.bincount(train[learnt], minlength=len(model.labels)).argmax())
        return _certain(np.full(int(asked.sum()), often), model)

    control = Control(name, f"calls every cell {model.labels[most]}")
    return _beside(model, control, crossed(model, len(train), fit))


def linear(
    name: str,
    description: str,
    train: Truth,
    features: tuple[Features, Features],
    model: Classified,
    seed: int,
) -> Control:
    """Look at a few numbers of each cell only, by logistic regression.

    Parameters
    ----------
    train, features
        (m,) classes of the training cells; (m, d) and (n, d) numbers of these
        and of the tested cells, NaN where unknown: these cells are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    control = Control(name, description)
    known, told = (np.asarray(~np.isnan(own).any(axis=1)) for own in features)
    reason = _not_comparable(train, known, model, told)
    if reason:
        return replace(control, reason=reason)

    def fit(learnt: Mask, asked: Mask) -> npt.NDArray[Any]:
        some = learnt & known
        # Balanced, since a control that ignores rare classes would be too easy to beat.
        fitted = make_pipeline(
            StandardScaler(),
            LogisticRegression(class_weight="balanced", max_iter=1000, random_state=seed),
        )
        fitted.fit(features[0][some], train[some])
        probabilities = np.zeros((int(asked.sum()), len(model.labels)))
        probabilities[:, np.unique(train[some])] = fitted.predict_proba(features[1][asked])
        return probabilities

    return _beside(model, control, crossed(model, len(train), fit, told), told)


def _not_comparable(train: Truth, known: Mask, model: Classified, told: Mask) -> str:
    """Return why a control is not made that is known of some cells, (m,) and (n,); else empty."""
    unknown = f"not known of {int((~told).sum())} of {len(told)} cells"
    if not told.any():
        return unknown
    if len(np.unique(model.truth[told])) < 2 <= len(np.unique(model.truth)):
        return f"{unknown}, and the others are of one class"
    halves = _halves(model, len(train))
    classes = min(len(np.unique(train[learnt & known])) for learnt, _ in halves)
    return f"training cells of {classes} classes only" if classes < 2 else ""


def nearest(train: Truth, thumbnails: tuple[Features, Features], model: Classified) -> Control:
    """Call a cell what the training cell is that looks most like it from afar.

    Parameters
    ----------
    train, thumbnails
        (m,) classes of the training cells; (m, d) and (n, d) thumbnails.
    """
    from sklearn.neighbors import KNeighborsClassifier

    control = Control("nearest neighbour", "the training patch most alike, as 16 x 16 thumbnails")
    if not len(train):
        return replace(control, reason="there are no training cells")

    def fit(learnt: Mask, asked: Mask) -> npt.NDArray[Any]:
        fitted = KNeighborsClassifier(n_neighbors=1, algorithm="brute")
        fitted.fit(thumbnails[0][learnt], train[learnt])
        return _certain(fitted.predict(thumbnails[1][asked]), model)

    return _beside(model, control, crossed(model, len(train), fit))


def _certain(classes: Truth, model: Classified) -> npt.NDArray[Any]:
    """Return all probability for one class of each cell, (n, k)."""
    certain: npt.NDArray[Any] = np.eye(len(model.labels))[classes]
    return certain


def crossed(
    model: Classified, trained: int, fit: Fit, where: Mask | None = None
) -> npt.NDArray[Any]:
    """Return what a control says of the tested cells, (n, k), each fold apart.

    Parameters
    ----------
    trained
        Number of training cells.
    where
        (n,) mask of the cells that it is asked about, all by default; 0 stands for the others.
    """
    found = np.zeros((len(model), len(model.labels)))
    for learnt, asked in _halves(model, trained):
        some = asked if where is None else asked & where
        if some.any():
            found[some] = fit(learnt, some)
    return found


def _halves(model: Classified, trained: int) -> Iterator[tuple[Mask, Mask]]:
    """Yield which training cells a control learns from and which tested cells it is asked about."""
    if model.fold is None:
        yield np.ones(trained, bool), np.ones(len(model), bool)
        return
    for fold in np.unique(model.fold):
        yield model.fold != fold, model.fold == fold


def lead(model: Classified, control: Classified, where: Mask | None = None) -> Estimate:
    """Return the macro-F1 of a model less that of a control, on the same draws of groups.

    Parameters
    ----------
    where
        (n,) mask of the cells to compare them on; all by default.
    """
    ours, theirs = model.tally(where), control.tally(where)
    formula = macro_f1_of(ours.total.sum(axis=1) > 0)
    everything = np.ones(ours.total.shape, bool)
    one, other = ours.ratio(formula, everything), theirs.ratio(formula, everything)
    drawn = ours.values(formula) - theirs.values(formula)
    interval, withheld, undefined = interval_of(drawn, one.groups)
    value = None if one.value is None or other.value is None else one.value - other.value
    return Estimate(value, one.cells, one.groups, None, interval, withheld, undefined=undefined)


def _beside(
    model: Classified,
    control: Control,
    probabilities: npt.NDArray[Any],
    where: Mask | None = None,
) -> Control:
    cells = replace(model, probabilities=probabilities)
    some = None if where is None or where.all() else where
    return replace(
        control,
        figures=score(cells, some),
        lead=lead(model, cells, some),
        of=len(model),
        beside=None if some is None else score(model, some),
    )


def _crop_size(trained: Trained, rows: Sequence[Row], model: Classified, seed: int) -> Control:
    name, description = "crop size only", "width and height of the cell image before it was a patch"
    sizes = crop_sizes(trained.rows), crop_sizes(rows)
    if np.isnan(sizes[1]).all():
        return Control(name, description, reason="no tested cell came as a cropped image")
    return linear(name, description, trained.truth, sizes, model, seed)


def _padding(trained: Trained, seen: Looks, model: Classified, seed: int) -> Control:
    name, description = "padding only", "share of the patch that lies outside the image"
    shares = trained.looks.padding, seen.padding
    if len(trained.truth) and not shares[0].any():
        return Control(name, description, reason="no training patch leaves its image")
    return linear(name, description, trained.truth, shares, model, seed)
