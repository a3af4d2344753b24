"""What an evaluation found, as one HTML page and as JSON.

The page needs nothing else: styles, drawings and pictures are in it, and its
own policy forbids it to fetch anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pycyto.evaluation import curves, drawing, words
from pycyto.evaluation.assisted import Assisted
from pycyto.evaluation.controls import Control
from pycyto.evaluation.domains import Subset
from pycyto.evaluation.gallery import Pictured
from pycyto.evaluation.gates import Verdict
from pycyto.evaluation.intervals import METHODS, MIN_GROUPS, RESAMPLES
from pycyto.evaluation.leaking import MARK, Leaking
from pycyto.evaluation.learning_curves import learning_curves
from pycyto.evaluation.measured import Measured
from pycyto.evaluation.metrics import Figures
from pycyto.evaluation.stages import Stage
from pycyto.labels import scheme_named
from pycyto.pages import rendered

# Version of metrics.json; docs/metrics-schema.md describes it.
SCHEMA = 4
NOTICE = "Research use only. Not for diagnosis."
CONFIDENTIAL = (
    "Confidential: this report names images, sources and sites. Keep it where the data are."
)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that an evaluation found. It names what its maker puts into it.

    Attributes
    ----------
    groups
        How many groups of the tested cells rest on ``patient``, ``slide`` and ``image``.
    model
        What the bundle says of itself: ``id``, ``network``, ``scheme``, ``resolution``,
        ``temperature``, and whether it was ``fitted_at_once``, as a linear head is.
    chosen
        Cells that were asked for.
    split
        What `SplitSummary.to_json` gives.
    audit
        What `Audit.to_json` gives, without culprits.
    verdicts
        On the bounds that were asked for.
    leaking
        Variants of the split that leak, if they were asked for.
    others
        ``others[label][called]``: tested cells whose class the model does not
        know, by their class and by what it called them. No other figure counts them.
    assisted
        Tested cells whose label a model had a part in; None where there are none.
    validation
        What must be said beside figures of validation cells; see `words.of_validation`.
    history
        Rows of the bundle's ``history.csv``.
    provenance
        What `pycyto.provenance.record` gives.
    confidential
        Whether names of images, sources and sites are in it rather than pseudonyms.
    folds
        So many models have classified the cells, each those of a fold that it had not seen; 0
        where it was the model itself.
    """

    measured: Measured
    groups: Mapping[str, int]
    model: Mapping[str, Any]
    controls: Sequence[Control]
    domains: Mapping[str, Sequence[Subset]]
    undercalls: Sequence[Pictured]
    errors: Sequence[Pictured]
    chosen: Sequence[Pictured]
    stages: Sequence[Stage]
    split: Mapping[str, Any]
    audit: Mapping[str, Any]
    provenance: Mapping[str, Any]
    verdicts: Sequence[Verdict] = ()
    others: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    assisted: Assisted | None = None
    leaking: Sequence[Leaking] = ()
    validation: str = ""
    history: Sequence[Mapping[str, str]] = ()
    confidential: bool = False
    folds: int = 0

    @property
    def figures(self) -> Figures:
        """Of the tested cells whose class the model knows."""
        return self.measured.figures

    @property
    def summary(self) -> list[str]:
        """The report in a few sentences."""
        said = words.summary(self.figures, self.groups, self.others, folds=self.folds)
        return [
            *words.by_folds(self.folds),
            *said,
            *words.with_help(self.assisted, self.figures),
        ]


def as_html(report: Report) -> str:
    """Return the report as one self-contained HTML page."""
    figures, found = report.figures, report.measured
    beats, beside = words.beside_controls(figures, report.controls)
    filters = {
        "percent": words.percent,
        "percent_between": words.percent_between,
        "of": words.of,
        "number": words.number,
        "between": words.between,
    }
    return rendered(
        "pycyto.evaluation",
        "report.html.j2",
        filters,
        report=report,
        found=found,
        figures=figures,
        least=figures.labels[0],
        most=figures.labels[-1],
        unknown=words.unknown(report.others, figures.labels[0]),
        held=words.held(report.groups),
        beats=beats,
        beside=beside,
        drawings={
            "ranking": curves.ranking_curves(found.rankings),
            "calibration": [curves.reliability(found.calibrated)],
            "abstaining": [
                curves.abstaining_curve(found.abstaining, figures.labels[-1], figures.labels[0])
            ],
            "training": learning_curves(report.history),
        },
        size=drawing,
        leaking_mark=MARK,
        min_groups=MIN_GROUPS,
        resamples=RESAMPLES,
        colours=_colours(report),
        notice=NOTICE,
        confidential=CONFIDENTIAL if report.confidential else None,
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return the report's figures as plain values; docs/metrics-schema.md explains them."""
    beats, beside = words.beside_controls(report.figures, report.controls)
    figures, found = report.figures, report.measured
    return {
        "schema": SCHEMA,
        "kind": "pycyto evaluation",
        "notice": NOTICE,
        "confidential": CONFIDENTIAL if report.confidential else None,
        "summary": report.summary,
        "model": dict(report.model),
        "cells": figures.n,
        "groups": dict(report.groups),
        "groups_by_class": {own.label: own.groups for own in figures.classes},
        "folds": report.folds or None,
        "decision": "highest probability",
        "intervals": dict(METHODS),
        "figures": figures.to_json(),
        "validation": found.validation.to_json() if found.validation else None,
        "named_figures": {name: own.to_json() for name, own in found.named.items()},
        "gates": [verdict.to_json() for verdict in report.verdicts],
        "thresholds": [line.to_json() for line in found.thresholds],
        "ranking": {own.label: own.to_json() for own in found.rankings},
        "calibration": found.calibrated.to_json(),
        "abstaining": [point.to_json() for point in found.abstaining],
        "controls": {control.name: control.to_json() for control in report.controls},
        "beats_every_control": beats,
        "beside_controls": beside,
        "leaking_variants": {own.name: own.to_json() for own in report.leaking},
        "assisted_labels": report.assisted.to_json() if report.assisted else None,
        "cells_of_other_classes": {label: dict(seen) for label, seen in report.others.items()},
        "domains": {
            domain: {subset.name: subset.to_json() for subset in subsets}
            for domain, subsets in report.domains.items()
        },
        "worst_undercalls": [cell.to_json() for cell in report.undercalls],
        "surest_errors": [cell.to_json() for cell in report.errors],
        "chosen_cells": [cell.to_json() for cell in report.chosen],
        "stages": {stage.name: stage.to_json() for stage in report.stages},
        "split": dict(report.split),
        "audit": dict(report.audit),
        "provenance": dict(report.provenance),
    }


def _colours(report: Report) -> dict[str, str]:
    scheme = scheme_named(report.model["scheme"])
    return {name: "rgb({} {} {})".format(*scheme.colour_of(name)) for name in report.figures.labels}
