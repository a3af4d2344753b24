"""All that is measured of one model, and the names under which bounds can be set for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pycyto.evaluation.abstaining import Abstaining, abstaining
from pycyto.evaluation.calibration import Calibrated, calibrated
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import Estimate, resampling
from pycyto.evaluation.metrics import Figures, score
from pycyto.evaluation.ranking import Ranking, rankings
from pycyto.evaluation.thresholds import Threshold, thresholds


@dataclass(frozen=True, slots=True)
class Measured:
    """What a model does on the tested cells.

    Attributes
    ----------
    figures
        With each cell called what has the highest probability.
    validation
        The same on the validation cells; None where there are none, or tested ones are of folds.
    """

    figures: Figures
    validation: Figures | None
    thresholds: Sequence[Threshold]
    rankings: Sequence[Ranking]
    calibrated: Calibrated
    abstaining: Sequence[Abstaining]

    @property
    def named(self) -> dict[str, Estimate]:
        """Figures of the tested cells by the names that bounds are set for."""
        return dict(_named(self))


def measured(
    test: Classified, validation: Classified, prevalence: Mapping[str, float] | None = None
) -> Measured:
    """Measure a model on tested cells, beside validation cells, of which there may be none.

    Parameters
    ----------
    prevalence
        Share of the cells in practice that are of a class or worse, by that class.
    """
    return Measured(
        figures=score(test, prevalence=prevalence),
        validation=score(validation) if len(validation) and test.fold is None else None,
        thresholds=thresholds(validation, test),
        rankings=rankings(test),
        calibrated=calibrated(validation, test),
        abstaining=abstaining(test),
    )


def names_of(labels: Sequence[str], prevalence: Mapping[str, float] | None = None) -> list[str]:
    """Return the names of all figures that a model of these classes has."""
    none = np.zeros(0, np.int64)
    cells = Classified(none, np.zeros((0, len(labels))), tuple(labels), resampling([], 0))
    return list(measured(cells, cells, prevalence).named)


def slug(label: str) -> str:
    """Return a class as it is written in the name of a figure: ``asc_us``."""
    return label.lower().replace("-", "_").replace(" ", "_")


def _named(found: Measured) -> Iterator[tuple[str, Estimate]]:
    figures = found.figures
    yield "accuracy", figures.accuracy
    yield "macro_f1", figures.macro_f1
    yield "kappa", figures.kappa
    yield "undercall", figures.undercall
    yield "overcall", figures.overcall
    for true, row in zip(figures.labels, figures.shares, strict=True):
        for called, share in zip(figures.labels, row, strict=True):
            if called != true:
                yield f"{slug(true)}_to_{slug(called)}", share
    for own in figures.classes:
        name = slug(own.label)
        yield f"{name}_sensitivity", own.recall
        yield f"{name}_missed", own.missed
        yield f"{name}_precision", own.precision
        yield f"{name}_specificity", own.specificity
        yield f"{name}_f1", own.f1
    yield from _named_screening(found)
    before = found.calibrated.before
    yield "calibration_error", before.error
    yield "log_loss", before.log_loss
    yield "brier", before.brier


def _named_screening(found: Measured) -> Iterator[tuple[str, Estimate]]:
    for own in found.figures.at_least:
        name = f"{slug(own.label)}_plus"
        yield f"{name}_sensitivity", own.sensitivity
        yield f"{name}_specificity", own.specificity
        yield f"{name}_ppv", own.ppv
        yield f"{name}_npv", own.npv
        if own.elsewhere:
            yield f"{name}_ppv_at_prevalence", own.elsewhere.ppv
            yield f"{name}_npv_at_prevalence", own.elsewhere.npv
    for ranking in found.rankings:
        yield f"{slug(ranking.label)}_plus_auc", ranking.auc
        yield f"{slug(ranking.label)}_plus_average_precision", ranking.average_precision
