"""Groups are given their parts, one after the other, so that every part resembles the whole."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pycyto.datasets.groups import Group
from pycyto.errors import RefusedError
from pycyto.records import CellKey

Counts = npt.NDArray[np.float64]


class Placement:
    """Groups being placed, one after the other.

    ``shares`` is (groups, strata): which share of a stratum's cells a group
    holds, so that a rare class weighs as much as a common one. ``have`` is
    (parts, strata): the share that each part has by now.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        names: Sequence[str],
        fractions: npt.ArrayLike,
        need: Sequence[int],
    ) -> None:
        self.groups = groups
        self.names = names
        self.fractions = np.asarray(fractions, np.float64)
        self.need = need
        self.classes = sorted({row.label for group in groups for row in group.rows})
        self.shares = _shares(groups)
        self.holds = np.array(
            [[any(row.label == name for row in g.rows) for name in self.classes] for g in groups]
        )
        self.have = np.zeros((len(names), self.shares.shape[1]))
        self.part_of = np.full(len(groups), -1)

    def keep(self, previous: Mapping[CellKey, str]) -> None:
        """Put the groups that have a part back into it."""
        by_entry: dict[tuple[str, str], set[str]] = {}
        for key, part in previous.items():
            by_entry.setdefault((key.project_id, key.entry_id), set()).add(part)
        for index, group in enumerate(self.groups):
            entries = {(row.project_id, row.entry_id) for row in group.rows}
            parts = set().union(*(by_entry.get(entry, set()) for entry in entries))
            if len(parts) > 1:
                raise RefusedError(
                    f"Cells that belong together ({len(group.rows)} of one {group.level}) are in "
                    f"{len(parts)} parts of the split so far: {', '.join(sorted(parts))}.",
                    remedy="Split anew (pycyto split --reshuffle) and train again: models that "
                    "were trained on the old split cannot be tested on the new one.",
                )
            if parts:
                self.place(index, self.names.index(parts.pop()))

    def fill(self, rng: np.random.Generator) -> None:
        """Place the rest: first what a part lacks a class of, then roughly by size.

        Strictly by size every seed would give the same split, and figures over
        several seeds would agree without meaning anything.
        """
        shuffled = rng.permutation(len(self.groups))
        for column in np.argsort(self.holds.sum(axis=0), kind="stable"):
            for part in self.need:
                self._cover(int(column), part, shuffled)
        room = _quotas(len(self.groups), self.fractions) - self._sizes()
        size = self.shares.sum(axis=1) * rng.uniform(0.5, 1.5, len(self.groups))
        for index in sorted(self.free(shuffled), key=lambda index: -size[index]):
            # Rooms add up to at least what is left, so that one part always has some.
            open_parts = [part for part in range(len(self.names)) if room[part] > 0]
            if self._last_chance():
                open_parts = self._empty()
            part = min(open_parts, key=lambda part: self._strain(index, part))
            self.place(index, part)
            room[part] -= 1

    def result(self) -> dict[CellKey, str]:
        """Return the part of each cell."""
        placed = zip(self.groups, self.part_of, strict=True)
        return {row.key: self.names[part] for group, part in placed for row in group.rows}

    def free(self, order: npt.NDArray[np.intp]) -> list[int]:
        """Return the groups without a part, in a given order of all."""
        return [int(index) for index in order if self.part_of[index] < 0]

    def place(self, index: int, part: int) -> None:
        """Give a group its part."""
        self.part_of[index] = part
        self.have[part] += self.shares[index]

    def _cover(self, column: int, part: int, shuffled: npt.NDArray[np.intp]) -> None:
        """Give a part that has no cell of a class the group that fits it best."""
        if self.fractions[part] == 0 or self.holds[self.part_of == part, column].any():
            return
        if self._last_chance() and part not in self._empty():
            return
        candidates = [index for index in self.free(shuffled) if self.holds[index, column]]
        if candidates:
            # The best of a random half: see `fill`.
            half = candidates[: math.ceil(len(candidates) / 2)]
            self.place(min(half, key=lambda index: self._misfit(index, part)), part)

    def _last_chance(self) -> bool:
        """Whether all groups that are left are needed so that no part stays empty."""
        empty = len(self._empty())
        return empty > 0 and empty >= int((self.part_of < 0).sum())

    def _empty(self) -> list[int]:
        sizes = self._sizes()
        return [part for part in self.need if self.fractions[part] > 0 and not sizes[part]]

    def _misfit(self, index: int, part: int) -> tuple[int, float]:
        # A group is better kept for a part that lacks its other classes as well.
        known = self.holds[self.part_of == part].any(axis=0)
        off = self.have[part] + self.shares[index] - self.fractions[part]
        return int((known & self.holds[index]).sum()), float(off @ off)

    def _strain(self, index: int, part: int) -> float:
        """Return by how much a group would move a part's strata off their share.

        As chi-square does it, relative to the share: else the largest groups
        would all go to the largest part, and a test would be of small ones.
        """
        share, fraction = self.shares[index], max(self.fractions[part], 1e-9)
        strain = share @ (2 * (self.have[part] - fraction) + share)
        return float(strain) / float(fraction)

    def _sizes(self) -> npt.NDArray[np.int64]:
        return np.array([(self.part_of == part).sum() for part in range(len(self.names))])


def _shares(groups: Sequence[Group]) -> Counts:
    """Return (groups, strata): strata are the classes, and the classes within each source."""
    held = [
        Counter(name for row in group.rows for name in (row.label, f"{row.label}/{row.source}"))
        for group in groups
    ]
    strata = sorted(set().union(*held))
    counts = np.array([[found[name] for name in strata] for found in held], np.float64)
    shares: Counts = counts / counts.sum(axis=0)
    return shares


def _quotas(groups: int, fractions: Counts) -> npt.NDArray[np.int64]:
    """Return how many groups each part gets: by largest remainder, and at least one."""
    exact = groups * fractions
    quotas = np.floor(exact).astype(np.int64)
    for part in np.argsort(quotas - exact, kind="stable")[: groups - quotas.sum()]:
        quotas[part] += 1
    for part in np.flatnonzero((quotas == 0) & (fractions > 0)):
        quotas[np.argmax(quotas)] -= 1
        quotas[part] += 1
    return quotas
