"""What must never be on both sides of a split, found from the manifest alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shapely import STRtree, box

from pycyto.datasets.findings import Finding, entries, likenesses, places, remedy_for
from pycyto.datasets.groups import LEVELS, Group, groups_of
from pycyto.labels import counted
from pycyto.manifest import Row
from pycyto.records import CellKey

_RESHUFFLE = (
    "If split.csv was changed by hand, put it back. Else make a new split with pycyto split "
    "--reshuffle, and train with it: models of the old one can then not be tested on it."
)

Parts = Mapping[str, Sequence[Row]]


def leaks(parts: Parts) -> Iterator[Finding]:
    """Yield what stands in more than one part: groups, images, cells, patches, overlapping crops.

    Parameters
    ----------
    parts
        Labelled rows by part.
    """
    part_of = {row.key: part for part, rows in parts.items() for row in rows}
    rows = [row for part in parts.values() for row in part]
    yield from _torn_groups(groups_of(rows), part_of)
    for kind in _KINDS:
        yield from _torn(rows, part_of, kind)
    yield from _overlapping(rows, part_of)


def _torn_groups(groups: Sequence[Group], part_of: Mapping[CellKey, str]) -> Iterator[Finding]:
    torn = [group for group in groups if len({part_of[row.key] for row in group.rows}) > 1]
    for level in LEVELS:
        own = [group for group in torn if group.level == level]
        if own:
            rows = [row for group in own for row in group.rows]
            total = sum(group.level == level for group in groups)
            yield Finding(
                "group in several parts",
                "failure",
                f"In more than one part: {len(own)} of {counted(total, level)}, so that figures "
                "would measure memory.",
                len(rows),
                _RESHUFFLE,
                entries(rows),
            )


@dataclass(frozen=True, slots=True)
class _Kind:
    """Something that cells can have in common, and what to say where parts share it.

    Attributes
    ----------
    ingested
        What to do about cells of a source, where it is something else.
    alike
        Whether they are pictures to be compared, so that their names are told.
    """

    check: str
    identity: Callable[[Row], Hashable]
    noun: str
    sentence: str
    remedy: str
    named: Callable[[Sequence[Row]], tuple[str, ...]] = places
    ingested: str = ""
    alike: bool = False


_KINDS = (
    _Kind(
        "image in several parts",
        lambda row: row.image_key,
        "image",
        "In more than one part: cells of {}.",
        _RESHUFFLE,
        entries,
    ),
    _Kind(
        "cell in several parts",
        lambda row: (row.object_id, row.point_index),
        "cell",
        "In more than one part: {}, exported from two copies of a project.",
        "Export each cell from one project only, and split anew.",
    ),
    _Kind(
        "identical patch in several parts",
        lambda row: row.content_hash,
        "picture",
        "In more than one part: {}, pixel by pixel the same.",
        "Leave out one of each pair, or give both images the same patient or slide in QuPath; "
        "then export and split anew.",
        ingested="Take one of each pair out of the source, then ingest and split anew.",
        alike=True,
    ),
)


def _torn(rows: Sequence[Row], part_of: Mapping[CellKey, str], kind: _Kind) -> Iterator[Finding]:
    same: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        same[kind.identity(row)].append(row)
    torn = [found for found in same.values() if len({part_of[row.key] for row in found}) > 1]
    if torn:
        concerned = [row for found in torn for row in found]
        what = kind.sentence.format(counted(len(torn), kind.noun))
        remedy = remedy_for(concerned, project=kind.remedy, source=kind.ingested or kind.remedy)
        names = likenesses(torn) if kind.alike else ()
        yield Finding(
            kind.check, "failure", what, len(concerned), remedy, kind.named(concerned), names
        )


def _overlapping(rows: Sequence[Row], part_of: Mapping[CellKey, str]) -> Iterator[Finding]:
    """Find crops of one image that show the same pixels in two parts."""
    by_plane: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        by_plane[row.image_key, row.z, row.t].append(row)
    pairs = [
        pair
        for found in by_plane.values()
        if len({part_of[row.key] for row in found}) > 1
        for pair in _overlaps(found)
        if part_of[pair[0].key] != part_of[pair[1].key]
    ]
    if pairs:
        concerned = list(dict.fromkeys(row for pair in pairs for row in pair))
        yield Finding(
            "overlapping crops in several parts",
            "failure",
            f"{len(pairs)} pairs of overlapping crops have one in another part than the other: "
            "the model would be tested on pixels that it has seen.",
            len(concerned),
            _RESHUFFLE,
            places(concerned),
        )


def _overlaps(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    squares = [box(r.left, r.top, r.left + r.width, r.top + r.width) for r in rows]
    tree = STRtree(squares)
    for one, other in tree.query(squares, predicate="intersects").T:
        # Squares that only touch share no pixel.
        if one < other and squares[one].intersection(squares[other]).area > 0:
            yield rows[one], rows[other]
