"""Who goes to train, validation and test: whole groups, every class in every part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pycyto.datasets.groups import diagnosis_of, groups_of
from pycyto.datasets.placing import Placement
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.labels import counted
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import CellKey

FRACTIONS = (0.8, 0.1, 0.1)

FEWEST_FOLDS = 3
_MORE = (
    "Export cells of more patients, or merge further data sets; cells of one patient must stay "
    "together, or a model is tested on what it was trained on."
)

# A class with one group can be learnt but not tested, one with two can be both:
# parts get their first group of a class in this order.
_NEED = (PARTS.index("train"), PARTS.index("test"), PARTS.index("validation"))


def assign(
    rows: Iterable[Row],
    *,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    previous: Mapping[CellKey, str] | None = None,
    test_per_diagnosis: int | None = None,
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
    test_per_diagnosis
        Make the test part a cohort: so many groups of each diagnosis, which is the
        most severe class of a group. The others are for training and validation,
        as their fractions stand to each other.

    Raises
    ------
    UsageError
        Fractions that are negative or do not add up to 1, or a cohort of none.
    BadInputError
        Fewer groups than parts, or than the cohort takes.
    RefusedError
        A group has cells in two parts of the previous split, or the cohort cannot
        be made beside it.
    """
    _check(fractions)
    groups = groups_of(rows)
    wanted = sum(fraction > 0 for fraction in fractions)
    if len(groups) < wanted:
        raise BadInputError(
            f"There are {len(groups)} groups (patients, slides or images) for {wanted} parts.",
            remedy=_MORE,
        )
    places = Placement(groups, PARTS, fractions, _NEED)
    places.keep(previous or {})
    rng = np.random.default_rng(seed)
    if test_per_diagnosis is not None:
        _hold_out(places, test_per_diagnosis, rng)
    places.fill(rng)
    return places.result()


def assign_folds(
    rows: Iterable[Row],
    folds: int,
    *,
    seed: int = 0,
    previous: Mapping[CellKey, int] | None = None,
) -> dict[CellKey, int]:
    """Return the fold of each cell, from 1, by the rules of `assign` with equal fractions.

    Raises
    ------
    UsageError
        Fewer than three folds: one is tested and one validates, and none would train.
    BadInputError
        Fewer groups than folds.
    RefusedError
        A group has cells in two folds of the previous ones, or these are of another number.
    """
    if folds < FEWEST_FOLDS:
        raise UsageError(
            f"{counted(folds, 'fold')} will not do: one is tested, one chooses the epoch, the "
            "others train.",
            remedy=f"Ask for at least {FEWEST_FOLDS}.",
        )
    groups = groups_of(rows)
    if len(groups) < folds:
        raise BadInputError(
            f"There are {len(groups)} groups (patients, slides or images) for {folds} folds.",
            remedy=_MORE,
        )
    before = max((previous or {}).values(), default=folds)
    if before != folds:
        raise RefusedError(
            f"These cells are in {before} folds so far.",
            remedy=f"Keep to {before}, or start anew with pycyto split --folds {folds} "
            "--reshuffle: models trained on the old folds can then not be tested on the new ones.",
        )
    names = [str(number) for number in range(1, folds + 1)]
    places = Placement(groups, names, np.full(folds, 1 / folds), range(folds))
    places.keep({key: str(fold) for key, fold in (previous or {}).items()})
    places.fill(np.random.default_rng(seed))
    return {key: int(name) for key, name in places.result().items()}


def _hold_out(places: Placement, wanted: int, rng: np.random.Generator) -> None:
    """Make the test part a cohort of so many groups of each diagnosis."""
    if wanted < 1:
        raise UsageError(f"A cohort has at least one group of each diagnosis, not {wanted}.")
    test = PARTS.index("test")
    diagnoses = np.array([diagnosis_of(group) for group in places.groups])
    order = rng.permutation(len(places.groups))
    for diagnosis in sorted(set(diagnoses)):
        tested = int(((diagnoses == diagnosis) & (places.part_of == test)).sum())
        free = [index for index in places.free(order) if diagnoses[index] == diagnosis]
        chosen = free[: max(0, wanted - tested)]
        there = int((diagnoses == diagnosis).sum())
        if there <= wanted:
            raise BadInputError(
                f"{there} groups (patients, slides or images) are {diagnosis} at worst: too few "
                f"to test {wanted} and to train on others.",
                remedy=f"Ask for fewer than {wanted} per diagnosis, or add more slides.",
            )
        if tested + len(chosen) != wanted:
            raise RefusedError(
                f"{tested} groups of the diagnosis {diagnosis} are in the test already, and "
                f"{len(free)} have no part yet: a cohort of {wanted} cannot be made of these.",
                remedy="Start anew with --reshuffle: models that were trained on the old split "
                "can then not be tested on the new one.",
            )
        for index in chosen:
            places.place(index, test)
    _close(places, test)


def _close(places: Placement, part: int) -> None:
    """Let a part have what it has, and the others share the rest as their fractions stand."""
    others = np.delete(places.fractions, part).sum()
    if not others:
        raise UsageError(f"With {PARTS[part]} a cohort of its own, the rest needs fractions too.")
    size = float((places.part_of == part).mean())
    left = int((places.part_of != part).sum())
    if left < int((np.delete(places.fractions, part) > 0).sum()):
        raise BadInputError(
            f"Beside the cohort {left} groups (patients, slides or images) are left to learn from "
            "and to choose the epoch by.",
            remedy="Ask for fewer per diagnosis, or add more slides.",
        )
    places.fractions = places.fractions / others * (1 - size)
    places.fractions[part] = size
    places.need = tuple(other for other in places.need if other != part)


def _check(fractions: Sequence[float]) -> None:
    fits = len(fractions) == len(PARTS) and all(0 <= fraction <= 1 for fraction in fractions)
    if not fits or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        raise UsageError(
            f"The fractions {', '.join(map(str, fractions))} do not add up to 1.",
            remedy=f"Give one for each of {', '.join(PARTS)}, for example 0.8 0.1 0.1.",
        )
