"""What an audit found: one finding per check that had something to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pycyto.labels import listed
from pycyto.manifest import Row

# A failure would make figures false, so that nothing goes on; a warning may make them flatter; a
# note is worth knowing.
Weight = Literal["failure", "warning", "note"]
WEIGHTS: tuple[Weight, ...] = ("failure", "warning", "note")

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an audit has to say.

    Attributes
    ----------
    check
        What was looked at, in words that stay the same.
    what
        A sentence that names nobody.
    cells
        How many cells it concerns.
    culprits
        Where they are: entry ID and object ID. For the owner of the data only.
    names
        The same with the names of their images, which can be patients': for the screen and
        ``audit.json``, never for a page.
    """

    check: str
    weight: Weight
    what: str
    cells: int = 0
    remedy: str = ""
    culprits: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def to_json(self, *, culprits: bool) -> dict[str, Any]:
        """Return the finding as plain values."""
        named = {"culprits": list(self.culprits), "names": list(self.names)} if culprits else {}
        return {
            "check": self.check,
            "weight": self.weight,
            "what": self.what,
            "cells": self.cells,
            "remedy": self.remedy,
            **named,
        }

    def told(self) -> str:
        """Return the finding for somebody who has the data."""
        lines = [self.what]
        which = self.names or self.culprits
        if which:
            more = len(which) - _SHOWN
            shown = listed(which[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
            lines.append(f"  which: {shown}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings on a data set and one split of it.

    Attributes
    ----------
    findings
        The gravest first.
    split
        What `SplitSummary.to_json` gives.
    inputs
        SHA-256 of the manifest and of the split.
    """

    findings: tuple[Finding, ...]
    split: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)

    def of(self, weight: Weight) -> tuple[Finding, ...]:
        """Return the findings of one weight."""
        return tuple(found for found in self.findings if found.weight == weight)

    @property
    def passed(self) -> bool:
        """Whether nothing makes figures false."""
        return not self.of("failure")

    def to_json(self, *, culprits: bool = False) -> dict[str, Any]:
        """Return the audit as plain values; without culprits it may travel with a model."""
        return {
            "passed": self.passed,
            "findings": [found.to_json(culprits=culprits) for found in self.findings],
            "split": dict(self.split),
            "inputs": dict(self.inputs),
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by weight, otherwise in their own order."""
    return tuple(sorted(findings, key=lambda found: WEIGHTS.index(found.weight)))


def places(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return where cells are, without repeating: entry ID and object ID, and the point's index."""
    return tuple(dict.fromkeys(row.key.place for row in rows))


def entries(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the entry IDs of the images that some cells are on."""
    return tuple(f"entry ID {name}" for name in dict.fromkeys(row.entry_id for row in rows))


def likenesses(found: Iterable[Sequence[Row]]) -> tuple[str, ...]:
    """Return cells that look the same, with their images, sources and labels."""
    return tuple(
        " = ".join(f"{row.key.place} ({_image_of(row)}, {row.label})" for row in rows)
        for rows in found
    )


def _image_of(row: Row) -> str:
    return f"{row.image_name} of {row.source}" if row.source else row.image_name


def remedy_for(rows: Iterable[Row], *, project: str, source: str) -> str:
    """Return what to do about cells of projects, of sources that were ingested, or of both."""
    # The order of the kinds: projects first.
    kinds = sorted({row.is_ingested for row in rows})
    return " ".join(dict.fromkeys(source if ingested else project for ingested in kinds))
