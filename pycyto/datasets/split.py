"""Who goes to train, validation and test: whole groups, every class in every part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from pycyto.datasets.groups import Group, groups_of
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import CellKey

FRACTIONS = (0.8, 0.1, 0.1)

# A class with one group can be learnt but not tested, one with two can be both:
# parts get their first group of a class in this order.
_NEED = (PARTS.index("train"), PARTS.index("test"), PARTS.index("validation"))

Counts = npt.NDArray[np.float64]


def assign(
    rows: Iterable[Row],
    *,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    previous: Mapping[CellKey, str] | None = None,
) -> dict[CellKey, str]:
    """Return the part of each cell: a pure function of its arguments, not of the order of rows.

    In this order of importance: groups stay whole; a group that has a part
    keeps it; every class is in every part, as far as it has enough groups; the
    parts have their fractions of the groups; the cells of each class, and of
    each class within each source, follow the fractions.

    Parameters
    ----------
    rows
        Labelled rows of a manifest.
    fractions
        Of train, validation and test; a part may have none.
    seed
        Decides between groups that would do about equally well: another seed
        gives another split, so that figures can be repeated over several.
    previous
        The split to continue. Cells that are no longer in `rows` still hold the
        part of their image.

    Raises
    ------
    UsageError
        Fractions that are negative or do not add up to 1.
    BadInputError
        Fewer groups than parts.
    RefusedError
        A group has cells in two parts of the previous split.
    """
    _check(fractions)
    groups = groups_of(rows)
    wanted = sum(fraction > 0 for fraction in fractions)
    if len(groups) < wanted:
        raise BadInputError(
            f"There are {len(groups)} groups (patients, slides or images) for {wanted} parts.",
            remedy="Export cells of more patients; cells of one patient must stay together, "
            "or a model is tested on what it was trained on.",
        )
    places = _Places(groups, fractions)
    places.keep(previous or {})
    places.fill(np.random.default_rng(seed))
    return {
        row.key: PARTS[part]
        for group, part in zip(groups, places.part_of, strict=True)
        for row in group.rows
    }


class _Places:
    """Groups being placed, one after the other.

    ``shares`` is (groups, strata): which share of a stratum's cells a group
    holds, so that a rare class weighs as much as a common one. ``have`` is
    (3, strata): the share that each part has by now.
    """

    def __init__(self, groups: Sequence[Group], fractions: Sequence[float]) -> None:
        self.groups = groups
        self.fractions = np.asarray(fractions, np.float64)
        self.classes = sorted({row.label for group in groups for row in group.rows})
        self.shares = _shares(groups)
        self.holds = np.array(
            [[any(row.label == name for row in g.rows) for name in self.classes] for g in groups]
        )
        self.have = np.zeros((len(PARTS), self.shares.shape[1]))
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
                self._place(index, PARTS.index(parts.pop()))

    def fill(self, rng: np.random.Generator) -> None:
        """Place the rest: first what a part lacks a class of, then roughly by size.

        Strictly by size every seed would give the same split, and figures over
        several seeds would agree without meaning anything.
        """
        shuffled = rng.permutation(len(self.groups))
        for column in np.argsort(self.holds.sum(axis=0), kind="stable"):
            for part in _NEED:
                self._cover(int(column), part, shuffled)
        room = _quotas(len(self.groups), self.fractions) - self._sizes()
        size = self.shares.sum(axis=1) * rng.uniform(0.5, 1.5, len(self.groups))
        for index in sorted(self._free(shuffled), key=lambda index: -size[index]):
            # Rooms add up to at least what is left, so that one part always has some.
            open_parts = [part for part in range(len(PARTS)) if room[part] > 0]
            if self._last_chance():
                open_parts = self._empty()
            part = min(open_parts, key=lambda part: self._excess(index, part))
            self._place(index, part)
            room[part] -= 1

    def _cover(self, column: int, part: int, shuffled: npt.NDArray[np.intp]) -> None:
        """Give a part that has no cell of a class the group that fits it best."""
        if self.fractions[part] == 0 or self.holds[self.part_of == part, column].any():
            return
        if self._last_chance() and part not in self._empty():
            return
        candidates = [index for index in self._free(shuffled) if self.holds[index, column]]
        if candidates:
            # The best of a random half: see `fill`.
            half = candidates[: math.ceil(len(candidates) / 2)]
            self._place(min(half, key=lambda index: self._misfit(index, part)), part)

    def _last_chance(self) -> bool:
        """Whether all groups that are left are needed so that no part stays empty."""
        empty = len(self._empty())
        return empty > 0 and empty >= int((self.part_of < 0).sum())

    def _empty(self) -> list[int]:
        sizes = self._sizes()
        return [part for part in _NEED if self.fractions[part] > 0 and not sizes[part]]

    def _misfit(self, index: int, part: int) -> tuple[int, float]:
        # A group is better kept for a part that lacks its other classes as well.
        known = self.holds[self.part_of == part].any(axis=0)
        off = self.have[part] + self.shares[index] - self.fractions[part]
        return int((known & self.holds[index]).sum()), float(off @ off)

    def _excess(self, index: int, part: int) -> float:
        """Return how much a part has too much of what a group holds."""
        return float(self.shares[index] @ (self.have[part] - self.fractions[part]))

    def _free(self, order: npt.NDArray[np.intp]) -> list[int]:
        return [int(index) for index in order if self.part_of[index] < 0]

    def _sizes(self) -> npt.NDArray[np.int64]:
        return np.array([(self.part_of == part).sum() for part in range(len(PARTS))])

    def _place(self, index: int, part: int) -> None:
        self.part_of[index] = part
        self.have[part] += self.shares[index]


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


def _check(fractions: Sequence[float]) -> None:
    fits = len(fractions) == len(PARTS) and all(0 <= fraction <= 1 for fraction in fractions)
    if not fits or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise UsageError(
            f"The fractions {', '.join(map(str, fractions))} do not add up to 1.",
            remedy=f"Give one for each of {', '.join(PARTS)}, for example 0.8 0.1 0.1.",
        )
