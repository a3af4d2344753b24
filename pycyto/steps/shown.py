"""What a report may show: pseudonyms in the place of names, unless names were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pycyto.manifest import UNKNOWN, Row
from pycyto.pseudonyms import NAMES, pseudonyms_of
from pycyto.records import Reporter
from pycyto.steps.tested import Tested

# Columns whose pseudonyms the tables of a report show.
_COLUMNS = ("source", "site")


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


def say_names(
    named: Sequence[Row], hidden: Sequence[Row], reporter: Reporter, *, page: str = "report"
) -> None:
    """Tell the user, and nobody else, what the pseudonyms of a report's tables stand for.

    Parameters
    ----------
    named, hidden
        The same cells, with names and with pseudonyms.
    page
        What the report is called.
    """
    found = {
        getattr(other, column): getattr(own, column)
        for own, other in zip(named, hidden, strict=True)
        for column in _COLUMNS
    }
    for pseudonym, name in sorted(found.items()):
        if pseudonym not in ("", UNKNOWN):
            reporter.say(f"In the {page} {pseudonym} stands for {name}.")
