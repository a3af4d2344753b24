"""The cells that a model is tested on, and what makes a test dishonest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pycyto.datasets.findings import remedy_for
from pycyto.datasets.groups import LEVELS, Group, groups_of
from pycyto.errors import BadInputError, RefusedError
from pycyto.images.colour import PatchReader
from pycyto.labels import listed
from pycyto.learning.bundle import Bundle, was_trained_on
from pycyto.manifest import Row, read_manifest
from pycyto.parts import NO_FOLD, dealt_out, read_folds, read_parts
from pycyto.records import CellKey, Reporter
from pycyto.steps.colours import reader_for
from pycyto.steps.scored import read_scores

# Patches exported at one --mpp differ by up to half a pixel in 224.
_SAME_SCALE = 0.005


@dataclass(frozen=True, slots=True)
class Tested:
    """The cells of a data set, as one model is tested on them.

    Attributes
    ----------
    rows
        All of the manifest.
    parts
        Those with a class, by part.
    known, others
        Of the test part: those whose class the model knows, and the rest.
    aside
        Of the test part: cells of known classes that are not in `known`, since a
        model had a part in their labels.
    validation
        Those of the validation part whose class the model knows.
    groups
        Of each row: the group, by cell key.
    labels
        Of the model.
    reader
        Reads patches as the model is to see them.
    said
        Probabilities, (k,), of cells that need not be classified any more.
    folds
        Of each cell, where models of several folds stand for one that has learnt from all cells;
        every cell is then in each part. Empty elsewhere.
    """

    folder: Path
    rows: Sequence[Row]
    parts: Mapping[str, Sequence[Row]]
    known: Sequence[Row]
    others: Sequence[Row]
    aside: Sequence[Row]
    validation: Sequence[Row]
    groups: Mapping[str, Group]
    labels: tuple[str, ...]
    reader: PatchReader
    said: Mapping[CellKey, npt.NDArray[np.float32]] = field(default_factory=dict)
    folds: Mapping[CellKey, int] = field(default_factory=dict)

    def truth(self, rows: Sequence[Row]) -> npt.NDArray[np.int64]:
        """Return class indices, (n,)."""
        return np.array([self.labels.index(row.label) for row in rows], np.int64)

    def group_names(self, rows: Sequence[Row]) -> list[str]:
        """Return the name of the group of each row. It holds identifiers."""
        return [self.group(row).name for row in rows]

    @property
    def levels(self) -> dict[str, int]:
        """How many groups of the known cells rest on what."""
        found = {group.name: group.level for group in map(self.group, self.known)}
        return {level: list(found.values()).count(level) for level in LEVELS}

    def group(self, row: Row) -> Group:
        """Return the group of a row."""
        return self.groups[str(row.key)]


def tested(
    data: Path,
    bundle: Bundle,
    fold: int | None,
    *,
    with_assisted: bool,
    scores: Path | None,
    reporter: Reporter,
) -> Tested:
    """Choose the cells to test a model on, and refuse what would make its figures flatter.

    Parameters
    ----------
    with_assisted
        Count cells whose labels a model had a part in; see `Row.helped_by_model`.
    scores
        What is known of some cells; see `pycyto.steps.scored`. With the fold 0: of all cells,
        each by a model that has learnt from the other folds.

    Raises
    ------
    BadInputError
        No cell to test on, another label scheme, or patches at another resolution.
    RefusedError
        The model was trained on a tested cell, or on one of the same patient,
        slide or image.
    """
    rows = read_manifest(data)
    said = _said(scores, bundle) if scores else {}
    parts = dealt_out(data, rows, read_parts(data, fold), fold)
    crossed = fold == NO_FOLD and bool(said)
    if crossed:
        parts = dict.fromkeys(parts, parts["train"])
    groups = {str(row.key): group for group in groups_of(rows) for row in group.rows}
    known = [row for row in parts["test"] if row.label in bundle.labels]
    aside = [] if with_assisted else [row for row in known if row.helped_by_model]
    test = Tested(
        folder=data,
        rows=rows,
        parts=parts,
        known=known if with_assisted else [row for row in known if not row.helped_by_model],
        others=[row for row in parts["test"] if row.label not in bundle.labels],
        aside=aside,
        validation=[row for row in parts["validation"] if row.label in bundle.labels],
        groups=groups,
        labels=bundle.labels,
        reader=PatchReader(data, None, {}),
        said=said,
        folds=read_folds(data) if crossed else {},
    )
    _refuse_nothing(test)
    if not crossed:
        _refuse_trained_on(test, bundle)
    _refuse_other_scheme(test, bundle)
    _refuse_other_scale(test, bundle)
    return replace(test, reader=reader_for(bundle, data, reporter))


def _said(scores: Path, bundle: Bundle) -> Mapping[CellKey, npt.NDArray[np.float32]]:
    labels, said = read_scores(scores)
    if labels != bundle.labels:
        raise BadInputError(
            f"These are probabilities of {listed(labels)}, and the model knows "
            f"{listed(bundle.labels)}.",
            where=scores,
        )
    return said


def _refuse_nothing(test: Tested) -> None:
    if test.known:
        return
    if test.aside:
        raise BadInputError(
            f"All {len(test.aside)} cells of the test part were labelled, or chosen, with a "
            "model's help.",
            where=test.folder / "split.csv",
            remedy="Have cells labelled without it, or let these count by --with-assisted.",
        )
    raise BadInputError(
        f"The test part has no cell of a class that the model knows ({listed(test.labels)}).",
        where=test.folder / "split.csv",
        remedy="Label more cells, on more slides, and run pycyto export again, or merge a data set "
        "that has them; then run pycyto split again.",
    )


def _refuse_trained_on(test: Tested, bundle: Bundle) -> None:
    seen = {str(row.key) for row in test.rows if was_trained_on(bundle, row.key)}
    groups = {test.groups[key].name for key in seen}
    tested = [*test.known, *test.aside, *test.others]
    same = sum(str(row.key) in seen for row in tested)
    near = sum(test.group(row).name in groups for row in tested) - same
    if same or near:
        more = f", and on cells of the same patient, slide or image as {near} more" if near else ""
        raise RefusedError(
            f"Of {len(tested)} cells of the test part the model was trained on {same}{more}: its "
            "figures would flatter.",
            where=test.folder / "split.csv",
            remedy="Test a model that was trained with this split, or test on other patients.",
        )


def _refuse_other_scheme(test: Tested, bundle: Bundle) -> None:
    schemes = {row.scheme for row in (*test.known, *test.aside, *test.validation)} - {bundle.scheme}
    if schemes:
        raise BadInputError(
            f"The cells are labelled by {listed(sorted(schemes))}, the model by {bundle.scheme}.",
            where=test.folder / "manifest.csv",
            remedy="Export or ingest the cells again with the model's scheme.",
        )


def _refuse_other_scale(test: Tested, bundle: Bundle) -> None:
    rule = bundle.resolution
    tested = [*test.known, *test.aside, *test.others]
    if rule.mpp is None:
        off = [row for row in tested if not _same(row.downsample, rule.downsample)]
    else:
        off = [row for row in tested if not _same(row.mpp, rule.mpp)]
    if off:
        raise BadInputError(
            f"{len(off)} of {len(tested)} patches of the test part were cut at another resolution "
            f"than the model's ({rule}).",
            where=test.folder / "manifest.csv",
            remedy=remedy_for(
                off,
                project="Export them again at the model's resolution (pycyto export --mpp).",
                source="Ingested cells keep their scale: test a model that was trained at it.",
            ),
        )


def _same(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=_SAME_SCALE)
