"""Patches that are nearly the same in two parts: scanned, stored or imported twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from pycyto.datasets.findings import Finding, likenesses, places, remedy_for
from pycyto.images.crop import Pixels
from pycyto.images.likeness import (
    Thumbnail,
    laid_over,
    near_hashes,
    orientations,
    pearson,
    perceptual_hashes,
)
from pycyto.labels import counted
from pycyto.manifest import Row

# Measured on cells of Herlev, SIPaKMeD and CRIC: what was stored as JPEG, turned, mirrored,
# blurred, made smaller and larger, brighter or flatter differs in at most 8 bits of the hash and
# correlates with 0.97 or more, 99 times of 100; two different cells that get past the hash
# correlate with at most 0.95, 99.9 times of 100. A shift by a few pixels hides a copy from both:
# overlapping crops of one image are found by where they were cut.
HASH_BITS = 8
LEAST_CORRELATION = 0.96

# A set that is taken in is searched more closely, since a group too many that is joined costs
# little, and one too few is a leak. In Herlev and SIPaKMeD 53 pairs of cells in two fields are laid
# over each other with 0.9 or more, and the eye takes all of them for one cell; from 0.88 to 0.9 it
# is three of six.
PROPOSING = 0.88
SAME_CELL = 0.9

_BLOCK = 512  # pairs of thumbnails that are compared at once

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two patches of different parts that show nearly the same."""

    one: Row
    other: Row
    parts: tuple[str, str]
    correlation: float


def near_pairs(parts: Mapping[str, Sequence[tuple[Row, Thumbnail]]]) -> list[NearPair]:
    """Return the pairs between parts, the most alike first; identical patches are not among them.

    Parameters
    ----------
    parts
        By part, rows with their thumbnail, (32, 32) uint8.
    """
    found = [
        NearPair(one, other, (a, b), correlation)
        for a, b in combinations(parts, 2)
        for one, other, correlation in _between(parts[a], parts[b])
        if one.content_hash != other.content_hash
    ]
    return sorted(found, key=lambda pair: -pair.correlation)


def near_finding(pairs: Sequence[NearPair]) -> Iterator[Finding]:
    """Yield what an audit says about these pairs."""
    if pairs:
        rows = list(dict.fromkeys(row for pair in pairs for row in (pair.one, pair.other)))
        yield Finding(
            "near-identical patches in several parts",
            "warning",
            f"Nearly the same in different parts: {counted(len(pairs), 'pair')} of patches.",
            len(rows),
            "Look at the pairs. "
            + remedy_for(
                rows,
                project="If they are one cell, give their images the same patient or slide in "
                "QuPath, export again, and split with --reshuffle.",
                source="If ingested cells are one, take one of them out of the source, and ingest "
                "and split it anew; a study does both when it is started again.",
            ),
            places(rows),
            likenesses((pair.one, pair.other) for pair in pairs),
        )


def same_cells(
    pictures: Thumbnail, groups: Positions, patch: Callable[[int], Pixels]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of patches of two groups that show one cell, photographed or stored twice.

    Parameters
    ----------
    pictures
        (n, 32, 32) uint8, n at least 1.
    groups
        (n,) numbers; only pairs of two groups are looked for.
    patch
        Returns the patch of a number, (224, 224, 3) uint8; called for few.
    """
    for one, other in sorted(_alike(pictures, pictures, PROPOSING, groups)):
        if laid_over(patch(one), patch(other)) >= SAME_CELL:
            yield one, other


def _between(
    one: Sequence[tuple[Row, Thumbnail]], other: Sequence[tuple[Row, Thumbnail]]
) -> Iterator[tuple[Row, Row, float]]:
    if not (one and other):
        return
    ours, theirs = (np.stack([picture for _, picture in rows]) for rows in (one, other))
    found = _alike(ours, theirs, LEAST_CORRELATION)
    for (i, j), correlation in sorted(found.items()):
        yield one[i][0], other[j][0], correlation


def _alike(
    ours: Thumbnail, theirs: Thumbnail, least: float, groups: Positions | None = None
) -> dict[tuple[int, int], float]:
    """Return the positions of pairs that are alike in one of eight orientations.

    With groups, `ours` and `theirs` are the same, and a pair is of two of these.
    """
    found: dict[tuple[int, int], float] = {}
    hashes = perceptual_hashes(theirs)
    for turned in orientations(ours):
        proposed = near_hashes(perceptual_hashes(turned), hashes, HASH_BITS)
        i, j = np.fromiter(chain.from_iterable(proposed), np.int64).reshape(-1, 2).T
        if groups is not None:
            apart = (i < j) & (groups[i] != groups[j])
            i, j = i[apart], j[apart]
        for at in range(0, len(i), _BLOCK):
            block = slice(at, at + _BLOCK)
            values = pearson(turned[i[block]], theirs[j[block]])
            for one, other, value in zip(i[block], j[block], values, strict=True):
                if value >= least:
                    pair = int(one), int(other)
                    found[pair] = max(found.get(pair, -1.0), float(value))
    return found
