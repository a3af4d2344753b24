"""The matrix of domains of a study: who learns, who is tested, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto.manifest import read_manifest
from pycyto.records import SILENT, Reporter
from pycyto.steps.cross_domain import CrossDomainResult, cross_domain
from pycyto.steps.domains import read_domains, trainings_of
from pycyto.steps.study_file import (
    TRAIN,
    ColourSettings,
    CrossDomainSettings,
    Places,
    Study,
)
from pycyto.steps.study_models import training_options
from pycyto.steps.study_sources import DATA, Ready
from pycyto.steps.study_stages import TO_DO, Stage


@dataclass(frozen=True, slots=True)
class Comparison:
    """The matrix that a study asks for.

    Attributes
    ----------
    data
        The pooled data set.
    groups
        Names for several domains together.
    called
        What domains are called instead of the names that cells have: where these are sources,
        by their names in the study.
    """

    study: Study
    asked: CrossDomainSettings
    data: Path
    groups: Mapping[str, Sequence[str]]
    called: Mapping[str, str]

    def check(self) -> None:
        """Refuse domains that are not there, before hours of training.

        Raises
        ------
        UsageError
            A group names one that is not there.
        BadInputError
            There are fewer than two.
        """
        found = read_domains(
            self.data, self.asked.by, SILENT, folds=self._by_folds, identifiers=False,
            called=self.called,
        )  # fmt: skip
        trainings_of(found.domains, self.groups, self.data)

    def run(
        self, out: Path, places: Places, reasons: Mapping[str, str], reporter: Reporter
    ) -> CrossDomainResult | None:
        """Make the matrix; its trainings are kept by themselves.

        Parameters
        ----------
        reasons
            Why a network is not measured, by name; empty where it is.
        """
        study, network = self.study, self.study.crossing
        if reasons[network.name]:
            reporter.warn(f"No matrix: {network.name} is not measured.")
            return None
        reporter.say(f"cross-domain: by {self.asked.by}, with {network.name}.")
        options = training_options(network, study.seeds[0], ColourSettings(), places)
        del options["calibrate"]
        reference = places.find(study.colour.reference) if study.colour.reference else None
        return cross_domain(
            self.data, by=self.asked.by, out=out, group=self.groups, called=self.called,
            colour=self.asked.colour, stats=study.colour.stats, reference=reference,
            folds=self._by_folds, reporter=reporter, **options,
        )  # fmt: skip

    @property
    def _by_folds(self) -> bool:
        return self.study.split.folds is not None


def comparison_of(study: Study, data: Stage, sources: Sequence[Ready]) -> Comparison | None:
    """Return the matrix that a study asks for, if it does and its cells are known by now."""
    asked = study.cross_domain
    if asked is None or data.output == TO_DO:
        return None
    folder = data.folder / DATA
    if asked.by != "source":
        return Comparison(study, asked, folder, asked.groups, {})
    has = {
        own.settings.name: {row.source for row in read_manifest(own.data)}
        for own in sources
        if own.settings.role == TRAIN
    }
    called = {
        name: " + ".join(source for source, names in has.items() if name in names)
        for name in set().union(*has.values())
    }
    groups = {
        group: sorted({called[name] for member in members for name in has[member]})
        for group, members in asked.groups.items()
    }
    return Comparison(study, asked, folder, groups, called)
