"""Patches that are nearly the same in two parts: scanned, stored or imported twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from pycyto.datasets.findings import Finding, places
from pycyto.images.likeness import (
    Thumbnail,
    correlations,
    near_hashes,
    orientations,
    perceptual_hashes,
)
from pycyto.manifest import Row

# Measured on cells of Herlev, SIPaKMeD and CRIC: what was stored as JPEG, turned, mirrored,
# blurred, made smaller and larger, brighter or flatter differs in at most 8 bits of the hash and
# correlates with 0.97 or more, 99 times of 100; two different cells that get past the hash
# correlate with at most 0.95, 99.9 times of 100. A shift by a few pixels hides a copy from both:
# overlapping crops of one image are found by where they were cut.
HASH_BITS = 8
LEAST_CORRELATION = 0.96

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
            f"{len(pairs)} pairs of patches in different parts show nearly the same.",
            len(rows),
            "Look at the pairs. If they are one cell, give their images the same patient or slide "
            "in QuPath, export again, and split with --reshuffle.",
            places(rows),
        )


def near_within(pictures: Thumbnail, groups: Positions) -> Iterator[tuple[int, int, float]]:
    """Yield pairs that are nearly the same, with their correlation, identical ones among them.

    Parameters
    ----------
    pictures
        (n, 32, 32) uint8, n at least 1.
    groups
        (n,) numbers; only pairs of two groups are looked for.
    """
    i, j = _candidates(pictures, pictures)
    apart = (i < j) & (groups[i] != groups[j])
    yield from _decided(pictures, pictures, i[apart], j[apart])


def _between(
    one: Sequence[tuple[Row, Thumbnail]], other: Sequence[tuple[Row, Thumbnail]]
) -> Iterator[tuple[Row, Row, float]]:
    if not (one and other):
        return
    ours, theirs = (np.stack([picture for _, picture in rows]) for rows in (one, other))
    for i, j, correlation in _decided(ours, theirs, *_candidates(ours, theirs)):
        yield one[i][0], other[j][0], correlation


def _candidates(ours: Thumbnail, theirs: Thumbnail) -> tuple[Positions, Positions]:
    """Return the positions of pairs that the hash proposes, each pair once."""
    hashes = perceptual_hashes(theirs)
    found: set[tuple[int, int]] = set()
    for turned in orientations(ours):
        found.update(near_hashes(perceptual_hashes(turned), hashes, HASH_BITS))
    i, j = np.array(sorted(found), np.int64).reshape(-1, 2).T
    return i, j


def _decided(
    ours: Thumbnail, theirs: Thumbnail, i: Positions, j: Positions
) -> Iterator[tuple[int, int, float]]:
    """Yield those of the pairs that correlate."""
    for first, second, correlation in zip(i, j, correlations(ours[i], theirs[j]), strict=True):
        if correlation >= LEAST_CORRELATION:
            yield int(first), int(second), float(correlation)
