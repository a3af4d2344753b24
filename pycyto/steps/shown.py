"""What a report may show: pseudonyms in the place of names, unless names were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pycyto.manifest import UNKNOWN, Row
from pycyto.pseudonyms import NAMES, pseudonyms_of
from pycyto.records import Reporter
from pycyto.steps.tested import Tested

# Columns whose pseudonyms the tables of a report show.
SHOWN_NAMES = ("source", "site")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the report may show.

    Attributes
    ----------
    rows
        The known cells, with pseudonyms unless names were asked for.
    withheld
        Names that no count may be filed under.
    """

    rows: Sequence[Row]
    withheld: frozenset[str]
    confidential: bool


def shown_of(test: Tested, reporter: Reporter, *, identifiers: bool) -> Shown:
    """Hide the names of the tested cells, or not."""
    if identifiers:
        return Shown(test.known, frozenset(), confidential=True)
    pseudonyms = pseudonyms_of(test.folder, reporter)
    rows = [pseudonyms.hide(row) for row in test.known]
    return Shown(rows, _names_in(test.rows), confidential=False)


def _names_in(rows: Sequence[Row]) -> frozenset[str]:
    columns = (*NAMES, "file", "entry_id")
    return frozenset(getattr(row, name) for row in rows for name in columns) - {"", UNKNOWN}


def say_names(test: Tested, shown: Shown, reporter: Reporter) -> None:
    """Tell the user, and nobody else, what the pseudonyms of the report's tables stand for."""
    if shown.confidential:
        return
    found = {
        getattr(hidden, column): getattr(named, column)
        for named, hidden in zip(test.known, shown.rows, strict=True)
        for column in SHOWN_NAMES
    }
    for pseudonym, name in sorted(found.items()):
        if pseudonym != UNKNOWN:
            reporter.say(f"In the report {pseudonym} stands for {name}.")
