"""What models of several domains learn from and are tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pycyto.errors import BadInputError, UsageError
from pycyto.labels import listed
from pycyto.manifest import UNKNOWN, Row, read_manifest
from pycyto.parts import (
    FOLDS_FILE,
    NO_FOLD,
    PARTS,
    SPLIT_FILE,
    dealt_out,
    parts_of_fold,
    read_folds,
    read_split,
)
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import CellKey, Reporter

By = Literal["source", "scanner", "site", "preparation"]
ALL, ALL_BUT = "all", "all but "


@dataclass(frozen=True, slots=True)
class Round:
    """Whom to learn from, and whom to test.

    Attributes
    ----------
    part
        Of each cell that may be learnt from or chosen by, of all domains.
    validate
        Whether there are validation cells among these.
    """

    part: Mapping[CellKey, str]
    tested: Sequence[Row]
    validate: bool


@dataclass(frozen=True, slots=True)
class Domains:
    """A split data set and its domains.

    Attributes
    ----------
    by
        What a domain is.
    domain
        Of each row, by cell key.
    rounds
        Every training is made once in each; all of them together test every tested cell once.
    files
        That decide who is learnt from, and who is tested.
    """

    folder: Path
    by: By
    rows: Sequence[Row]
    parts: Mapping[str, Sequence[Row]]
    domain: Mapping[CellKey, str]
    rounds: Sequence[Round]
    files: tuple[str, str]

    @property
    def domains(self) -> list[str]:
        """All that there are, the largest first."""
        names = [self.domain[row.key] for row in self.rows if row.label]
        return sorted(set(names), key=lambda name: (-names.count(name), name))

    def classes(self, part: str, domains: Sequence[str]) -> set[str]:
        """Return the classes that a part of some domains has."""
        return {row.label for row in self.parts[part] if self.domain[row.key] in domains}


def read_domains(
    folder: Path,
    by: By,
    reporter: Reporter,
    *,
    folds: bool,
    identifiers: bool,
    called: Mapping[str, str] = MappingProxyType({}),
) -> Domains:
    """Read a data set that is split, or divided into folds.

    Parameters
    ----------
    called
        Other names for domains; two that have one name are one domain.

    Raises
    ------
    BadInputError
        No split, or fewer than two domains.
    """
    rows = read_manifest(folder)
    parts, rounds = _by_folds(folder, rows) if folds else _by_split(folder, rows)
    found_names = {row.key: getattr(row, by) or UNKNOWN for row in rows}
    names = {key: called.get(name, name) for key, name in found_names.items()}
    if by == "site" and not identifiers:
        hide = pseudonyms_of(folder, reporter)
        told = {name: hide.of("site", name) for name in set(names.values())}
        for name, pseudonym in sorted(told.items()):
            if name != UNKNOWN:
                reporter.say(f"In the report {pseudonym} stands for {name}.")
        names = {key: told[name] for key, name in names.items()}
    table = FOLDS_FILE if folds else SPLIT_FILE
    found = Domains(folder, by, rows, parts, names, rounds, ("manifest.csv", table))
    if len(found.domains) < 2:
        raise BadInputError(
            f"All cells are of one {by} ({listed(found.domains)}): there is nothing to compare.",
            where=folder / "manifest.csv",
            remedy="Merge data sets of several, or name another --by.",
        )
    return found


def _by_split(
    folder: Path, rows: Sequence[Row]
) -> tuple[Mapping[str, Sequence[Row]], Sequence[Round]]:
    split = read_split(folder)
    parts = dealt_out(folder, rows, split)
    return parts, [Round(split, parts["test"], validate=True)]


def _by_folds(
    folder: Path, rows: Sequence[Row]
) -> tuple[Mapping[str, Sequence[Row]], Sequence[Round]]:
    folds = read_folds(folder)
    labelled = dealt_out(folder, rows, parts_of_fold(folds, NO_FOLD), NO_FOLD)["train"]
    rounds = [
        Round(
            {key: "train" for key, fold in folds.items() if fold != number},
            [row for row in labelled if folds[row.key] == number],
            validate=False,
        )
        for number in sorted(set(folds.values()))
    ]
    return dict.fromkeys(PARTS, labelled), rounds


def trainings_of(
    domains: Sequence[str], groups: Mapping[str, Sequence[str]], folder: Path
) -> dict[str, tuple[str, ...]]:
    """Return what is learnt from, by name; no set of domains twice."""
    wanted: dict[str, tuple[str, ...]] = {name: (name,) for name in domains}
    for name, members in groups.items():
        missing = sorted(set(members) - set(domains))
        if missing or not members:
            raise UsageError(
                f"The group {name!r} names {listed(missing) or 'nothing'}, which is not there.",
                where=folder,
                remedy=f"There are {listed(domains)}.",
            )
        if name in wanted or name == ALL:
            raise UsageError(f"The group {name!r} is called as a domain is.")
        wanted[name] = tuple(own for own in domains if own in members)
    wanted[ALL] = tuple(domains)
    for left_out in domains:
        rest = tuple(name for name in domains if name != left_out)
        wanted[ALL_BUT + left_out] = rest
    # Later names give way to earlier ones, but a group that is everything is called all.
    names = {own: name for name, own in reversed(wanted.items())} | {tuple(domains): ALL}
    return {name: own for name, own in wanted.items() if names[own] == name}
