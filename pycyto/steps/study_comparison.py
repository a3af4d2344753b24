"""The matrix of domains of a study: who learns, who is tested, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto.manifest import read_manifest
from pycyto.records import Reporter
from pycyto.steps.cross_domain import CrossDomainResult, compare
from pycyto.steps.domains import Domains, read_domains, trainings_of
from pycyto.steps.study_file import TRAIN, ColourSettings, Places, Study
from pycyto.steps.study_models import training_options
from pycyto.steps.study_sources import DATA, Ready
from pycyto.steps.study_stages import TO_DO, Stage


@dataclass(frozen=True, slots=True)
class Comparison:
    """The matrix that a study asks for.

    Attributes
    ----------
    domains
        Of the pooled data set; where they are sources, by their names in the study.
    groups
        Names for several domains together.
    """

    study: Study
    domains: Domains
    groups: Mapping[str, Sequence[str]]

    def run(
        self, out: Path, places: Places, reasons: Mapping[str, str], reporter: Reporter
    ) -> CrossDomainResult | None:
        """Make the matrix; its trainings are kept by themselves.

        Parameters
        ----------
        reasons
            Why a network is not measured, by name; empty where it is.
        """
        study, network, asked = self.study, self.study.crossing, self.study.cross_domain
        if asked is None:
            return None
        if reasons[network.name]:
            reporter.warn(f"No matrix: {network.name} is not measured.")
            return None
        reporter.say(f"cross-domain: by {asked.by}, with {network.name}.")
        options = training_options(network, study.seeds[0], ColourSettings(), places)
        del options["calibrate"]
        reference = places.find(study.colour.reference) if study.colour.reference else None
        return compare(
            self.domains, out=out, group=self.groups, colour=asked.colour,
            stats=study.colour.stats, reference=reference, options=options, reporter=reporter,
        )  # fmt: skip


def comparison_of(
    study: Study, data: Stage, sources: Sequence[Ready], reporter: Reporter
) -> Comparison | None:
    """Return the matrix that a study asks for, if it does and its cells are known by now.

    Raises
    ------
    UsageError
        A group names a domain that is not there.
    BadInputError
        There are fewer than two domains.
    """
    asked = study.cross_domain
    if asked is None or data.output == TO_DO:
        return None
    called, groups = {}, asked.groups
    if asked.by == "source":
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
            group: tuple(sorted({called[name] for own in members for name in has[own]}))
            for group, members in asked.groups.items()
        }
    domains = read_domains(
        data.folder / DATA, asked.by, reporter, folds=study.split.folds is not None,
        identifiers=False, called=called,
    )  # fmt: skip
    # What is wrong with groups is to be told before hours of training.
    trainings_of(domains.domains, groups, domains.folder)
    return Comparison(study, domains, groups)
