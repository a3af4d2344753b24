"""What a split looks like: cells and groups of each class in each part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycyto.datasets.groups import LEVELS, groups_of
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import CellKey


@dataclass(frozen=True, slots=True)
class Held:
    """How much of something there is."""

    cells: int = 0
    groups: int = 0


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """A split in figures. It holds no identifier.

    Attributes
    ----------
    by_class
        ``by_class[part][label]``, for every part and every class of the data.
        A group that holds several classes counts for each.
    parts
        ``parts[part]``: all cells and groups of a part.
    levels
        How many groups rest on patients, on slides, and on images alone.
    missing
        ``missing[part]``: classes of which a part has no cell.
    """

    by_class: Mapping[str, Mapping[str, Held]]
    parts: Mapping[str, Held]
    levels: Mapping[str, int]
    missing: Mapping[str, tuple[str, ...]]

    def table(self) -> str:
        """Return the split as lines of text: cells (groups) of each class and part."""
        labels = list(next(iter(self.by_class.values())))
        lines = [["", *self.parts]]
        lines += [
            [label, *(_cell(found[label]) for found in self.by_class.values())] for label in labels
        ]
        lines += [["all", *map(_cell, self.parts.values())]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                [line[0].ljust(widths[0])]
                + [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
            ).rstrip()
            for line in lines
        )

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "parts": {part: _plain(held) for part, held in self.parts.items()},
            "by_class": {
                part: {label: _plain(held) for label, held in found.items()}
                for part, found in self.by_class.items()
            },
            "groups_by_level": dict(self.levels),
            "classes_missing": {part: list(names) for part, names in self.missing.items()},
        }


def summary(
    rows: Iterable[Row],
    parts: Mapping[CellKey, str],
    labels: Iterable[str] = (),
    names: Sequence[str] = PARTS,
) -> SplitSummary:
    """Return what is where.

    Parameters
    ----------
    rows
        Labelled rows of a manifest; each has a part.
    parts
        Part of each cell.
    labels
        Classes in the order wanted; others of the data follow by name.
    names
        All parts, in the order wanted.
    """
    groups = groups_of(rows)
    cells: Counter[tuple[str, str]] = Counter()
    holders: Counter[tuple[str, str]] = Counter()
    sizes: Counter[str] = Counter()
    for group in groups:
        # One that is torn counts in each of its parts.
        found_in = [(parts[row.key], row.label) for row in group.rows]
        cells.update(found_in)
        holders.update(set(found_in))
        sizes.update({part for part, _ in found_in})
    found = {label for _, label in cells}
    classes = [label for label in labels if label in found]
    classes += sorted(found.difference(classes))
    return SplitSummary(
        by_class={
            part: {label: Held(cells[part, label], holders[part, label]) for label in classes}
            for part in names
        },
        parts={
            part: Held(sum(cells[part, label] for label in classes), sizes[part]) for part in names
        },
        levels={level: sum(group.level == level for group in groups) for level in LEVELS},
        missing={
            part: tuple(label for label in classes if not cells[part, label]) for part in names
        },
    )


def _cell(held: Held) -> str:
    return f"{held.cells} ({held.groups})"


def _plain(held: Held) -> dict[str, int]:
    return {"cells": held.cells, "groups": held.groups}
