"""Which cells belong together, so that no split may part them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pycyto.labels import BETHESDA, SCHEMES
from pycyto.manifest import Row

LEVELS = ("patient", "slide", "image")


@dataclass(frozen=True, slots=True)
class Group:
    """Cells that stay together.

    Attributes
    ----------
    name
        The same for the same cells, whatever the order of the rows. It holds
        identifiers: never show it.
    level
        What it rests on: ``patient``, ``slide`` or ``image``, the best that is known.
    rows
        Sorted by cell key.
    """

    name: str
    level: str
    rows: tuple[Row, ...]


def groups_of(rows: Iterable[Row]) -> list[Group]:
    """Return the groups of some rows, sorted by name.

    `Row.group` says what a cell is filed under (patient, else slide, else
    image). On top of that, whatever shares the pixels of an image, or is in
    one entry of a project, is one group: an image that was imported twice, or
    whose patient was entered for some cells only, must not end up on both sides.
    """
    parents: dict[str, str] = {}
    ordered = sorted(rows, key=lambda row: str(row.key))
    for row in ordered:
        join(parents, row.group, f"image/{row.image_key}")
        join(parents, row.group, f"entry/{row.project_id}/{row.entry_id}")
    members: dict[str, list[Row]] = defaultdict(list)
    for row in ordered:
        members[root_of(parents, row.group)].append(row)
    groups = (_group(found) for found in members.values())
    return sorted(groups, key=lambda group: group.name)


def diagnosis_of(group: Group) -> str:
    """Return the most severe class of a group; one outside its scheme only where there is no other.

    A slide is reported by the worst that is on it.
    """
    labels = {row.label for row in group.rows}
    scheme = SCHEMES.get(group.rows[0].scheme, BETHESDA)
    known = [name for name in scheme.names if name in labels]
    return known[-1] if known else min(labels)


def _group(rows: list[Row]) -> Group:
    found = [row.group_and_level for row in rows]
    level = min((level for _, level in found), key=LEVELS.index)
    return Group(min(name for name, at in found if at == level), level, tuple(rows))


def root_of(parents: dict[str, str], name: str) -> str:
    """Return the one that stands for all that were joined with a name."""
    while (above := parents.setdefault(name, name)) != name:
        parents[name] = parents[above]
        name = above
    return name


def join(parents: dict[str, str], one: str, other: str) -> None:
    """Note that two names belong together."""
    parents[root_of(parents, other)] = root_of(parents, one)
