"""What one model does on the cells of one source, and on the mean of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycyto.evaluation.calibration import calibration
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import Estimate, interval_of
from pycyto.evaluation.metrics import Figures, macro_f1_of, score
from pycyto.evaluation.ranking import Ranking, rankings
from pycyto.evaluation.thresholds import Threshold, thresholds

# Which cells of a source: those that the model itself has not seen, or, of all that it has learnt
# from, what models of the folds said that had not.
TEST_PART, OUT_OF_FOLD = "test part", "out of fold"
# Of a source with the role test.
NEW_GROUPS, KNOWN_GROUPS = "new groups", "groups that were trained on"
SPECIFICITIES = (0.65, 0.75, 0.90, 0.95, 0.97)


@dataclass(frozen=True, eq=False, slots=True)
class OfSource:
    """A model on the tested cells of one source.

    Attributes
    ----------
    name
        Of the source.
    which
        One of the four above; figures of groups that were trained on flatter.
    calibration_error
        Expected, of the probabilities as the model gives them.
    ranking
        Of the most severe class against the rest; None where one of the two is missing.
    at_specificity
        Sensitivity for the most severe class at so much specificity, by the cells' own ROC: no
        threshold that was fixed beforehand.
    transferred
        Thresholds for the most severe class that other cells of all training sources fixed.
    """

    name: str
    which: str
    figures: Figures
    calibration_error: Estimate
    ranking: Ranking | None
    at_specificity: Mapping[float, float]
    transferred: Sequence[Threshold]
    cells: Classified

    @property
    def flatters(self) -> bool:
        """Whether the model has learnt from the same groups, though not from these cells."""
        return self.which == KNOWN_GROUPS

    def to_json(self) -> dict[str, Any]:
        """Return the source as plain values; docs/study.md explains them."""
        return {
            "source": self.name,
            "which": self.which,
            "figures": self.figures.to_json(),
            "expected_calibration_error": self.calibration_error.to_json(),
            "most_severe_auc": self.ranking.auc.to_json() if self.ranking else None,
            "most_severe_sensitivity_at_specificity": {
                f"{key:.2f}": value for key, value in self.at_specificity.items()
            },
            "thresholds_from_validation": [own.to_json() for own in self.transferred],
        }


def of_source(name: str, which: str, cells: Classified, fixing: Classified) -> OfSource:
    """Measure a model on the cells of one source.

    Parameters
    ----------
    fixing
        Of all training sources: what thresholds are fixed on.
    """
    top = len(cells.labels) - 1
    positive = cells.truth == top
    both = bool(positive.any() and not positive.all())
    most_severe = cells.labels[-1]
    return OfSource(
        name=name,
        which=which,
        figures=score(cells),
        calibration_error=calibration(cells, cells.probabilities).error,
        ranking=rankings(cells)[0] if both else None,
        at_specificity=_at_specificity(cells) if both else {},
        transferred=[own for own in thresholds(fixing, cells) if own.label == most_severe],
        cells=cells,
    )


def _at_specificity(cells: Classified) -> dict[float, float]:
    """Return the best sensitivity for the most severe class at no less than each specificity."""
    positive = cells.truth == len(cells.labels) - 1
    scores = cells.at_least(len(cells.labels) - 1)
    steps = np.unique(scores)[::-1]
    found, kept = (
        np.array([(own >= step).mean() for step in steps])
        for own in (scores[positive], scores[~positive])
    )
    return {
        wanted: float(found[1 - kept >= wanted - 1e-9].max(initial=0.0)) for wanted in SPECIFICITIES
    }


def mean_macro_f1(sources: Sequence[OfSource]) -> Estimate:
    """Return the mean macro-F1 of several sources, which all count alike.

    Groups are drawn anew within each source, the sources independently of each other.
    """
    known = [own for own in sources if own.figures.macro_f1.value is not None]
    cells = sum(own.figures.n for own in known)
    groups = min((own.figures.macro_f1.groups for own in known), default=0)
    if not known:
        return Estimate(None, 0, 0, withheld="not defined")
    value = float(np.mean([own.figures.macro_f1.value for own in known]))
    drawn = [_drawn(own) for own in known]
    if len({len(own) for own in drawn}) > 1:
        return Estimate(value, cells, groups, withheld="too few groups in one source")
    interval, withheld, undefined = interval_of(np.mean(drawn, axis=0), groups)
    return Estimate(value, cells, groups, None, interval, withheld, undefined=undefined)


def _drawn(source: OfSource) -> Any:
    tally = source.cells.tally()
    return tally.values(macro_f1_of(tally.total.sum(axis=1) > 0))
