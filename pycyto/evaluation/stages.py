"""What happened to the cells at every stage: how many came, how many went on, and why not all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_WITHHELD = "(names withheld)"


@dataclass(frozen=True, slots=True)
class Line:
    """One count, and what it is the sum of where that is known."""

    name: str
    count: int
    parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """The counts that one step left."""

    name: str
    lines: tuple[Line, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the counts as nested plain values."""
        return {line.name: dict(line.parts) or line.count for line in self.lines}


def stage(name: str, counts: Mapping[str, Any], identifiers: Collection[str] = ()) -> Stage:
    """Return the counts of a step's record as lines.

    Numbers are taken as they are; a table of numbers (reasons, classes) becomes
    its sum with the parts below. Deeper tables are left out: they have places
    of their own.

    Parameters
    ----------
    counts
        Of a record: ``{"given": 12, "skipped": {"no class": 2}}``.
    identifiers
        Image names, patients, slides: counts under such a name are added up.
    """
    return Stage(name, tuple(_lines(counts, identifiers)))


def _lines(counts: Mapping[str, Any], identifiers: Collection[str]) -> Iterator[Line]:
    for name, value in counts.items():
        if _is_count(value):
            yield Line(_plain(name), value)
        elif isinstance(value, Mapping) and all(map(_is_count, value.values())):
            parts: Counter[str] = Counter()
            for inner, count in value.items():
                parts[_WITHHELD if inner in identifiers else _plain(inner)] += count
            yield Line(_plain(name), sum(value.values()), parts)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(name: str) -> str:
    return name.replace("_", " ")
