"""What an evaluation found, as one HTML page and as JSON.

The page needs nothing else: styles, drawings and pictures are in it, and its
own policy forbids it to fetch anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2

from pycyto.evaluation import curves, words
from pycyto.evaluation.controls import Control
from pycyto.evaluation.domains import Subset
from pycyto.evaluation.metrics import Figures
from pycyto.evaluation.stages import Stage
from pycyto.evaluation.undercalls import Undercall
from pycyto.labels import scheme_named

# Version of metrics.json; docs/metrics-schema.md describes it.
SCHEMA = 1
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
    class_groups
        From how many groups the tested cells of each class are.
    model
        What the bundle says of itself: ``id``, ``network``, ``scheme``, ``resolution``.
    split
        What `SplitSummary.to_json` gives.
    others
        ``others[label][called]``: tested cells whose class the model does not
        know, by their class and by what it called them. No other figure counts them.
    history
        Rows of the bundle's ``history.csv``.
    provenance
        What `pycyto.provenance.record` gives.
    confidential
        Whether names of images, sources and sites are in it rather than pseudonyms.
    """

    figures: Figures
    groups: Mapping[str, int]
    class_groups: Mapping[str, int]
    model: Mapping[str, str]
    controls: Sequence[Control]
    domains: Mapping[str, Sequence[Subset]]
    undercalls: Sequence[Undercall]
    stages: Sequence[Stage]
    split: Mapping[str, Any]
    provenance: Mapping[str, Any]
    others: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    history: Sequence[Mapping[str, str]] = ()
    confidential: bool = False

    @property
    def summary(self) -> list[str]:
        """The report in a few sentences."""
        return words.summary(self.figures, self.groups, self.class_groups, self.others)


def as_html(report: Report) -> str:
    """Return the report as one self-contained HTML page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pycyto.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=words.percent, of=words.of, number=words.number)
    beats, beside = words.beside_controls(report.figures, report.controls)
    return environment.get_template("report.html.j2").render(
        report=report,
        figures=report.figures,
        unknown=words.unknown(report.others, report.figures.labels[0]),
        held=words.held(report.groups),
        beats=beats,
        beside=beside,
        panels=curves.panels(report.history),
        drawing=(curves.WIDTH, curves.HEIGHT),
        colours=_colours(report),
        notice=NOTICE,
        confidential=CONFIDENTIAL if report.confidential else None,
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return the report's figures as plain values; docs/metrics-schema.md explains them."""
    beats, beside = words.beside_controls(report.figures, report.controls)
    return {
        "schema": SCHEMA,
        "kind": "pycyto evaluation",
        "notice": NOTICE,
        "confidential": CONFIDENTIAL if report.confidential else None,
        "summary": report.summary,
        "model": dict(report.model),
        "cells": report.figures.n,
        "groups": dict(report.groups),
        "groups_by_class": dict(report.class_groups),
        "decision": "highest probability",
        "figures": report.figures.to_json(),
        "controls": {control.name: control.to_json() for control in report.controls},
        "beats_every_control": beats,
        "beside_controls": beside,
        "cells_of_other_classes": {label: dict(seen) for label, seen in report.others.items()},
        "domains": {
            domain: {subset.name: subset.to_json() for subset in subsets}
            for domain, subsets in report.domains.items()
        },
        "worst_undercalls": [cell.to_json() for cell in report.undercalls],
        "stages": {stage.name: stage.to_json() for stage in report.stages},
        "split": dict(report.split),
        "provenance": dict(report.provenance),
    }


def _colours(report: Report) -> dict[str, str]:
    scheme = scheme_named(report.model["scheme"])
    return {name: "rgb({} {} {})".format(*scheme.colour_of(name)) for name in report.figures.labels}
