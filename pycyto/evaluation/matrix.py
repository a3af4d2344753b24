"""What a model does where it was not trained: one field for each training and each test domain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pycyto.evaluation.classified import Classified, fields
from pycyto.evaluation.intervals import Estimate, Floats, Mask, interval_of
from pycyto.evaluation.metrics import macro_f1_of

# Version of cross_domain.json; docs/study.md describes it.
SCHEMA = 1


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """A training tested on one domain.

    Attributes
    ----------
    inside
        Whether the training domain holds the tested one.
    macro_f1
        Mean F1 over the classes that both have. A cell that was called a class which only the
        training domain has counts as wrong.
    scored
        These classes, the least severe first.
    not_scored
        Cells of other classes in the test, by class.
    missed, found
        Cells of the most severe class called the least severe one, and called right; None where
        one of the two is not scored.
    values
        Macro-F1 in each resample.
    """

    trained: str
    tested: str
    inside: bool
    scored: tuple[str, ...]
    not_scored: Mapping[str, int]
    macro_f1: Estimate
    accuracy: Estimate
    missed: Estimate | None
    found: Estimate | None
    values: Floats = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the field as plain values; docs/study.md explains them."""
        return {
            "trained_on": self.trained,
            "tested_on": self.tested,
            "inside": self.inside,
            "cells": self.macro_f1.cells,
            "groups": self.macro_f1.groups,
            "classes_scored": list(self.scored),
            "cells_not_scored": dict(self.not_scored),
            "macro_f1": self.macro_f1.to_json(),
            "accuracy": self.accuracy.to_json(),
            "most_severe_called_least_severe": self.missed.to_json() if self.missed else None,
            "most_severe_found": self.found.to_json() if self.found else None,
        }


@dataclass(frozen=True, slots=True)
class Drop:
    """How much macro-F1 a training loses outside: the mean inside less the mean outside."""

    trained: str
    inside: float | None
    outside: float | None
    drop: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "trained_on": self.trained,
            "mean_inside": self.inside,
            "mean_outside": self.outside,
            "drop": self.drop.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Matrix:
    """All trainings on all domains, with one way to treat colours.

    Attributes
    ----------
    trained
        Names of the trainings, and the domains that each learns from.
    tested
        Names of the tests.
    fields
        By training and test.
    failed
        Why a training could not be made, by name.
    """

    colour: str
    trained: Mapping[str, Sequence[str]]
    tested: Sequence[str]
    fields: Mapping[tuple[str, str], Field]
    failed: Mapping[str, str]

    @property
    def drops(self) -> list[Drop]:
        """Of each training that has a domain inside and one outside.

        Tests on several domains together have no say: they are of cells inside and outside.
        """
        tests = [name for name in self.tested if len(self.trained[name]) == 1]
        found = (
            drop_of(
                name, [self.fields[name, test] for test in tests if (name, test) in self.fields]
            )
            for name in self.trained
            if name not in self.failed
        )
        return [own for own in found if own is not None]

    def to_json(self) -> dict[str, Any]:
        """Return the matrix as plain values; docs/study.md explains them."""
        return {
            "colour": self.colour,
            "trainings": {name: list(own) for name, own in self.trained.items()},
            "tests": list(self.tested),
            "fields": [own.to_json() for own in self.fields.values()],
            "drops": [own.to_json() for own in self.drops],
            "not_trained": dict(self.failed),
        }


def means_of_single(matrix: Matrix) -> tuple[float | None, float | None]:
    """Return the mean macro-F1 of trainings on one domain, on that domain and on each other one."""
    single = {name: own[0] for name, own in matrix.trained.items() if len(own) == 1}
    found: dict[bool, list[float]] = {True: [], False: []}
    for (trained, tested), own in matrix.fields.items():
        if trained in single and tested in single and own.macro_f1.value is not None:
            found[own.inside].append(own.macro_f1.value)
    inside, outside = (float(np.mean(own)) if own else None for own in found.values())
    return inside, outside


def field_of(
    trained: str,
    tested: str,
    cells: Classified,
    shared: Collection[str],
    others: Mapping[str, int],
    *,
    inside: bool,
) -> Field:
    """Measure a training on the cells of one domain.

    Parameters
    ----------
    cells
        Those whose class the model knows.
    shared
        Classes that the training domain and the tested one both have.
    others
        Tested cells of classes that the model does not know, by class.
    """
    labels = cells.labels
    known = np.array([label in shared for label in labels])
    scored = known[cells.truth]
    tally = cells.tally(scored)
    support = tally.total.sum(axis=1)
    present = support > 0
    everything: Mask = np.ones((len(labels), len(labels)), bool)
    true, said = fields(len(labels))
    formula = macro_f1_of(present)
    both = bool(present[0] and present[-1])
    left = {
        label: int(((cells.truth == index) & ~scored).sum()) for index, label in enumerate(labels)
    }
    return Field(
        trained=trained,
        tested=tested,
        inside=inside,
        scored=tuple(label for label, is_there in zip(labels, present, strict=True) if is_there),
        not_scored={**{label: n for label, n in left.items() if n}, **others},
        macro_f1=tally.ratio(formula, everything),
        accuracy=tally.share(true == said, everything),
        missed=tally.share(said == 0, true == len(labels) - 1) if both else None,
        found=tally.share(said == true, true == len(labels) - 1) if both else None,
        values=tally.values(formula),
    )


def drop_of(trained: str, found: Sequence[Field]) -> Drop | None:
    """Return what a training loses outside; None where it has no inside or no outside.

    The resamples of different domains are independent of each other.
    """
    inside = [own for own in found if own.inside and own.macro_f1.value is not None]
    outside = [own for own in found if not own.inside and own.macro_f1.value is not None]
    if not inside or not outside:
        return None
    home, away = _mean(inside), _mean(outside)
    cells = sum(own.macro_f1.cells for own in (*inside, *outside))
    groups = min(own.macro_f1.groups for own in (*inside, *outside))
    sizes = {len(own.values) for own in (*inside, *outside)}
    values = _drawn(inside) - _drawn(outside) if len(sizes) == 1 else np.zeros(0)
    interval, withheld, undefined = interval_of(values, groups)
    drop = Estimate(home - away, cells, groups, None, interval, withheld, undefined=undefined)
    return Drop(trained, home, away, drop)


def _mean(found: Sequence[Field]) -> float:
    return float(np.mean([own.macro_f1.value for own in found if own.macro_f1.value is not None]))


def _drawn(found: Sequence[Field]) -> Floats:
    means: Floats = np.mean([own.values for own in found], axis=0)
    return means
