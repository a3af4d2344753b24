"""Patches that are nearly the same in two parts: scanned, stored or imported twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

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


def _between(
    one: Sequence[tuple[Row, Thumbnail]], other: Sequence[tuple[Row, Thumbnail]]
) -> Iterator[tuple[Row, Row, float]]:
    if not (one and other):
        return
    ours, theirs = (np.stack([picture for _, picture in rows]) for rows in (one, other))
    hashes = perceptual_hashes(theirs)
    candidates: set[tuple[int, int]] = set()
    for turned in orientations(ours):
        candidates.update(near_hashes(perceptual_hashes(turned), hashes, HASH_BITS))
    if not candidates:
        return
    i, j = np.array(sorted(candidates)).T
    for first, second, correlation in zip(i, j, correlations(ours[i], theirs[j]), strict=True):
        if correlation >= LEAST_CORRELATION:
            yield one[first][0], other[second][0], float(correlation)
