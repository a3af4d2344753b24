"""What a study found, as one self-contained HTML page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pycyto.evaluation.cross_domain_page import FILTERS
from pycyto.evaluation.intervals import MIN_GROUPS, RESAMPLES, Estimate
from pycyto.evaluation.leaking import MARK
from pycyto.evaluation.matrix import Matrix, means_of_single
from pycyto.evaluation.measured import slug
from pycyto.evaluation.metrics import Figures
from pycyto.evaluation.misleading import Misleading
from pycyto.evaluation.of_source import OUT_OF_FOLD, SPECIFICITIES, TEST_PART, OfSource
from pycyto.evaluation.published import Paper
from pycyto.evaluation.report import NOTICE
from pycyto.evaluation.words import between, in_brackets, number, of
from pycyto.labels import counted, scheme_named
from pycyto.pages import rendered

# Version of study.json; docs/study.md describes it.
SCHEMA = 1


@dataclass(frozen=True, eq=False, slots=True)
class OfModel:
    """One network with one seed.

    Attributes
    ----------
    sources
        The test part of each source that was learnt from, and the sources with the role test.
    mean
        Macro-F1, mean of the sources that were learnt from.
    named
        Figures of the test part of all sources together, by the names of `pycyto evaluate`.
    costs
        Seconds, memory, parameters, size; what is not known is missing.
    """

    network: str
    seed: int
    sources: Sequence[OfSource]
    mean: Estimate
    named: Mapping[str, Estimate]
    costs: Mapping[str, Any]

    @property
    def learnt(self) -> list[OfSource]:
        """Test parts of the sources that were learnt from."""
        return [own for own in self.sources if own.which in (TEST_PART, OUT_OF_FOLD)]

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain values."""
        return {
            "network": self.network,
            "seed": self.seed,
            "mean_macro_f1_of_sources": self.mean.to_json(),
            "sources": [own.to_json() for own in self.sources],
            "test_part": {name: own.to_json() for name, own in self.named.items()},
            "costs": dict(self.costs),
        }


@dataclass(frozen=True, eq=False, slots=True)
class OfNetwork:
    """A network with all its seeds, the first of which is told in full.

    Attributes
    ----------
    reason
        Why it was not measured; empty where it was.
    """

    name: str
    models: Sequence[OfModel]
    reason: str = ""

    @property
    def means(self) -> list[float]:
        """Mean macro-F1 of the sources with each seed."""
        return [own.mean.value for own in self.models if own.mean.value is not None]

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain values."""
        means = self.means
        return {
            "network": self.name,
            "not_measured": self.reason or None,
            "seeds": [own.seed for own in self.models],
            "mean_over_seeds": sum(means) / len(means) if means else None,
            "range_over_seeds": [min(means), max(means)] if means else None,
            "models": [own.to_json() for own in self.models],
        }


@dataclass(frozen=True, slots=True)
class Sheet:
    """Cells of one class of one source: data URIs of pictures, out of so many cells."""

    source: str
    label: str
    cells: int
    pictures: Sequence[str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in of a source.

    Attributes
    ----------
    skipped
        Cells that were left out when it was taken in, by reason.
    same
        Cells of a source with the role test that were left out, since they were trained on.
    not_scored
        Its cells of classes that the model does not know, by class.
    """

    name: str
    kind: str
    role: str
    cells: int
    groups: int
    by_label: Mapping[str, int]
    skipped: Mapping[str, int] = field(default_factory=dict)
    same: int = 0
    not_scored: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the source as plain values."""
        return {
            "source": self.name,
            "kind": self.kind,
            "role": self.role,
            "cells": self.cells,
            "groups": self.groups,
            "by_class": dict(self.by_label),
            "left_out_when_taken_in": dict(self.skipped),
            "left_out_since_trained_on": self.same,
            "of_unknown_classes": dict(self.not_scored),
        }


@dataclass(frozen=True, eq=False, slots=True)
class StudyReport:
    """Everything that a study found.

    Attributes
    ----------
    networks
        In the order of the study; the first that was measured is told in full.
    evaluation
        ``metrics.json`` of that model's own evaluation.
    misleading
        Of each source that is learnt from.
    matrices, by, crossing
        Of the comparison of domains, and the network that learnt for it; none where it was not
        made.
    """

    title: str
    scheme: str
    sources: Sequence[Taken]
    networks: Sequence[OfNetwork]
    evaluation: Mapping[str, Any]
    misleading: Sequence[Misleading]
    matrices: Sequence[Matrix]
    by: str
    crossing: str
    papers: Sequence[Paper]
    atlas: Sequence[Sheet]
    provenance: Mapping[str, Any]

    @property
    def first(self) -> OfModel:
        """The model that is told in full."""
        return next(own.models[0] for own in self.networks if own.models)

    @property
    def folds(self) -> int:
        """How many models of folds speak for the first; 0 where it speaks for itself."""
        return int(self.evaluation["folds"] or 0)

    @property
    def beside_controls(self) -> list[str]:
        """What is said of the first model beside controls, of all cells and of sources."""
        of_sources = (own.no_better for own in self.misleading)
        return [*self.evaluation["beside_controls"], *filter(None, of_sources)]

    @property
    def summary(self) -> list[str]:
        """The report in a few sentences, what is most dangerous first, and what flatters last."""
        sources = self.first.sources
        return [
            *(_missed(own) for own in sources if not own.flatters),
            _mean(self.first),
            *self.beside_controls,
            *(f"Flattering: {_missed(own)}" for own in sources if own.flatters),
        ]


def _missed(source: OfSource) -> str:
    where, worst = f"{source.name} ({source.which})", source.figures.labels[-1]
    if not source.figures.worst_miss.of:
        return f"{where} has no {worst} cell: nothing is known about missed {worst} there."
    return f"{where}: {_called(source.figures)}."


def _called(figures: Figures) -> str:
    """Return how many of the most severe cells were called the least severe class."""
    miss = figures.worst_miss
    least, worst = figures.labels[0], figures.labels[-1]
    return f"{of(miss)} {worst} cells {in_brackets(miss)} were called {least}"


def told_in_card(source: OfSource) -> str:
    """Return what a model card tells of a source that was kept for the test, but its name."""
    figures, macro = source.figures, source.figures.macro_f1
    told = _called(figures) if figures.worst_miss.of else f"it has no {figures.labels[-1]} cell"
    return (
        f"Of {counted(figures.n, 'cell')} of a source that it had not learnt from: {told}; "
        f"macro-F1 {number(macro)} ({between(macro)})."
    )


def _mean(model: OfModel) -> str:
    together = model.named["macro_f1"]
    return (
        f"{model.network}, seed {model.seed}, {model.learnt[0].which}: macro-F1 "
        f"{number(model.mean)}, the mean of {counted(len(model.learnt), 'source')}; "
        f"{number(together)} for all {together.cells} cells together."
    )


def as_json(report: StudyReport) -> dict[str, Any]:
    """Return the report's figures as plain values; docs/study.md explains them."""
    return {
        "schema": SCHEMA,
        "kind": "pycyto study",
        "notice": NOTICE,
        "title": report.title,
        "summary": report.summary,
        "sources": [own.to_json() for own in report.sources],
        "networks": [own.to_json() for own in report.networks],
        "leaking_variants": report.evaluation["leaking_variants"],
        "controls": report.evaluation["controls"],
        "misleading": [own.to_json() for own in report.misleading],
        "cross_domain": {
            "by": report.by,
            "network": report.crossing,
            "matrices": [own.to_json() for own in report.matrices],
        },
        "published": [own.key for own in report.papers],
        "provenance": dict(report.provenance),
    }


def _figure_name(classes: Sequence[str], name: str) -> str:
    """Return the name of a figure as people say it: ``hsil_to_nilm`` is HSIL called NILM."""
    said = name
    for label in classes:
        said = said.replace(slug(label), label)
    return said.replace("_to_", " called ").replace("_", " ").replace(" f1", " F1")


def as_html(report: StudyReport) -> str:
    """Return the report as one page."""
    scheme = scheme_named(report.scheme)
    return rendered(
        "pycyto.evaluation",
        "study.html.j2",
        {**FILTERS, "figure_name": partial(_figure_name, scheme.names)},
        report=report,
        first=report.first,
        labels=report.first.sources[0].figures.labels,
        at_once=report.evaluation["model"]["fitted_at_once"],
        leaking=report.evaluation["leaking_variants"],
        controls=report.evaluation["controls"],
        leaking_mark=MARK,
        colours_tried={own.colour: means_of_single(own) for own in report.matrices},
        specificities=SPECIFICITIES,
        notice=NOTICE,
        min_groups=MIN_GROUPS,
        resamples=RESAMPLES,
        colours={name: "rgb({} {} {})".format(*scheme.colour_of(name)) for name in scheme.names},
        size=None,
    )
