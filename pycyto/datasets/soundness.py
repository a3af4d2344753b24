"""Whether a data set and its split are what they claim to be: classes, totals, labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pycyto.datasets.findings import Finding, entries, likenesses, places, remedy_for
from pycyto.datasets.groups import Group, groups_of
from pycyto.labels import SCHEMES, counted, did_you_mean, listed
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import CellKey

Parts = Mapping[str, Sequence[Row]]

BY_HAND = "class changed by hand"

# So many groups can give one to each part.
_ENOUGH_GROUPS = len(PARTS)
# A part may miss its share of the groups by so much, or by one group, before it is worth a note.
_OFF = 0.05


def soundness(
    rows: Sequence[Row],
    parts: Parts,
    split: Mapping[CellKey, str],
    record: Mapping[str, Any],
) -> Iterator[Finding]:
    """Yield what is odd about a data set, other than leaks.

    Parameters
    ----------
    rows
        All rows of the manifest.
    parts
        The labelled ones by part.
    split
        Part of each cell as it is written down, also of cells that are gone.
    record
        What the split left in ``record.json``; empty where there is none.
    """
    labelled = [row for part in parts.values() for row in part]
    learnt = {part: [row for row in own if _is_learnt(row)] for part, own in parts.items()}
    groups = groups_of(row for own in learnt.values() for row in own)
    yield from _classes(learnt, groups)
    yield from _lone_groups(groups)
    yield from _sources(labelled)
    yield from _odd_labels(labelled)
    yield from _twins(labelled)
    # Folds are all tested.
    yield from _helped(parts.get("test", labelled))
    yield from _totals(rows, labelled, split, record)
    yield from _fractions(parts, record)


def _is_learnt(row: Row) -> bool:
    """Whether a model could know its class."""
    scheme = SCHEMES.get(row.scheme)
    return scheme is None or row.label in scheme.names


def _classes(parts: Parts, groups: Sequence[Group]) -> Iterator[Finding]:
    holders = Counter(label for group in groups for label in {row.label for row in group.rows})
    scheme = SCHEMES.get(next((row.scheme for group in groups for row in group.rows), ""))
    for label in scheme.names if scheme else ():
        if label not in holders:
            yield Finding(
                "class without cells", "note", f"No cell is {label}: nothing will be known of it."
            )
    for label in sorted(holders):
        absent = [
            p for p, rows in parts.items() if rows and not any(r.label == label for r in rows)
        ]
        if not absent:
            continue
        where, held = listed(absent), holders[label]
        if held < _ENOUGH_GROUPS:
            what = (
                f"{label} comes from {counted(held, 'group')} and cannot be in every part: there "
                f"is none in {where}."
            )
            remedy = f"Label {label} on more slides."
        else:
            some = f"{counted(held, 'group')} {'has' if held == 1 else 'have'} some"
            what = f"There is no {label} in {where}, though {some}."
            remedy = (
                "Split anew with another seed or larger fractions; pycyto split wants --reshuffle "
                "for that."
            )
        yield Finding("class missing from a part", "warning", what, remedy=remedy)


def _lone_groups(groups: Sequence[Group]) -> Iterator[Finding]:
    holders: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for label in {row.label for row in group.rows}:
            holders[label].append(group)
    for label, own in sorted(holders.items()):
        if len(own) == 1 and len(groups) > 1:
            cells = [row for row in own[0].rows if row.label == label]
            yield Finding(
                "class of one group",
                "warning",
                f"All {len(cells)} {label} cells are of one {own[0].level}: what is learnt or "
                "measured of them is that one.",
                len(cells),
                f"Label {label} on more slides.",
                entries(cells),
            )


def _sources(rows: Sequence[Row]) -> Iterator[Finding]:
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        labels[row.source].add(row.label)
    if len(labels) < 2 or len({row.label for row in rows}) < 2:
        return
    lone = [source for source, found in labels.items() if len(found) == 1]
    if lone:
        cells = [row for row in rows if row.source in lone]
        yield Finding(
            "source of one class",
            "warning",
            f"{counted(len(lone), 'source')} of {len(labels)} hold cells of one class only "
            f"({listed(sorted({row.label for row in cells}))}): a model can tell these by the look "
            "of the source.",
            len(cells),
            "Label other classes there too, or leave the source out.",
        )


def _odd_labels(rows: Sequence[Row]) -> Iterator[Finding]:
    """Find classes that were typed into the manifest: a patch is filed under its class."""
    yield from _outside(rows)
    moved = [row for row in rows if (scheme := SCHEMES.get(row.scheme)) and
             row.file.split("/")[-2:-1] != [scheme.folder_of(row.label)]]  # fmt: skip
    for known in (False, True):
        own = [row for row in moved if (row.label in SCHEMES[row.scheme].names) == known]
        if own:
            names = listed(sorted({_told(row) for row in own}))
            yield Finding(
                BY_HAND,
                "failure",
                f"Changed by hand in the manifest, since the patch is filed under another class: "
                f"{counted(len(own), 'cell')} ({names}).",
                len(own),
                remedy_for(
                    own,
                    project="Put them right in QuPath and run pycyto export again, which mends the "
                    "manifest: so it stays known who decided what.",
                    source="Put ingested cells right in the source, or in a table of classes "
                    "(--table), and ingest it anew.",
                ),
                places(own),
            )


def _told(row: Row) -> str:
    """Return a class, and what it may be a misspelling of."""
    names = SCHEMES[row.scheme].names
    return row.label + ("" if row.label in names else did_you_mean(row.label, names))


def _outside(rows: Sequence[Row]) -> Iterator[Finding]:
    schemes = {name: set(scheme.names) for name, scheme in SCHEMES.items()}
    outside = [row for row in rows if row.label not in schemes.get(row.scheme, {row.label})]
    if outside:
        names = listed(sorted({row.label for row in outside}))
        yield Finding(
            "class outside the scheme",
            "note",
            f"Of classes that their scheme does not know, so that no model learns them or is "
            f"measured on them: {counted(len(outside), 'cell')} ({names}).",
            len(outside),
        )


def _twins(rows: Sequence[Row]) -> Iterator[Finding]:
    """Find one picture under two names of a class, within a part too."""
    same: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        same[row.content_hash].append(row)
    twins = [found for found in same.values() if len(found) > 1]
    torn = [found for found in twins if len({row.label for row in found}) > 1]
    if torn:
        concerned = [row for found in torn for row in found]
        yield Finding(
            "identical patches of different classes",
            "warning",
            f"In the manifest under more than one class: {counted(len(torn), 'picture')}.",
            len(concerned),
            remedy_for(
                concerned,
                project="Look at them in QuPath: two objects on one spot, or an image imported "
                "twice.",
                source="Take the wrong ones out of the source, and ingest it anew.",
            ),
            places(concerned),
            likenesses(torn),
        )
    elif twins:
        yield Finding(
            "identical patches",
            "note",
            f"In the manifest more than once: {counted(len(twins), 'picture')}.",
            sum(map(len, twins)),
            names=likenesses(twins),
        )


def _helped(tested: Sequence[Row]) -> Iterator[Finding]:
    helped = [row for row in tested if row.helped_by_model]
    if helped:
        yield Finding(
            "labels made with a model's help in the test",
            "warning",
            f"{len(helped)} of {len(tested)} test cells were chosen or labelled with a model's "
            "help, which favours models: evaluation leaves them out unless told.",
            len(helped),
            "Have them read blind, or accept figures without them.",
        )


def _totals(
    rows: Sequence[Row],
    labelled: Sequence[Row],
    split: Mapping[CellKey, str],
    record: Mapping[str, Any],
) -> Iterator[Finding]:
    gone = len(split.keys() - {row.key for row in labelled})
    if gone:
        yield Finding(
            "split names cells that are gone",
            "note",
            f"In the split, and not among the labelled cells of the manifest any more: "
            f"{counted(gone, 'cell')}. They keep their place in case they come back.",
            gone,
        )
    counts = record.get("counts", {})
    told = {name: counts.get(name) for name in ("given", "split")}
    found = {"given": len(rows), "split": len(labelled)}
    off = [name for name in told if isinstance(told[name], int) and told[name] != found[name]]
    if told["given"] == told["split"] and found["given"] == found["split"]:
        off = off[:1]  # there were no others, so that it is said once
    if off:
        word = {"given": "cells", "split": "labelled cells"}
        yield Finding(
            "totals do not add up",
            "warning",
            "; ".join(f"the split was made of {told[n]} {word[n]}, and {found[n]} are here"
                      for n in off).capitalize() + ".",
            remedy="Run pycyto split again: cells that have a part keep it.",
        )  # fmt: skip


def _fractions(parts: Parts, record: Mapping[str, Any]) -> Iterator[Finding]:
    asked = record.get("arguments", {}).get("fractions")
    cohort = record.get("arguments", {}).get("test_slides_per_diagnosis")
    if not isinstance(asked, list) or len(asked) != len(parts) or cohort is not None:
        return
    sizes = [len(groups_of(rows)) for rows in parts.values()]
    total = sum(sizes)
    off = [
        abs(size - share * total) > max(1, _OFF * total)
        for size, share in zip(sizes, asked, strict=True)
    ]
    if any(off):
        is_ = "/".join(f"{100 * size / total:.1f}" for size in sizes)
        was = "/".join(f"{100 * share:g}" for share in asked)
        yield Finding(
            "fractions are not those asked for",
            "note",
            f"{is_} % of the groups are in {'/'.join(parts)}, where {was} was asked for.",
        )
