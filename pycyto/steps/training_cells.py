"""The cells to learn from, and what would make a bad model of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto.errors import BadInputError
from pycyto.labels import LabelScheme, counted, listed, scheme_named
from pycyto.manifest import Row, read_manifest
from pycyto.parts import FOLDS_FILE, SPLIT_FILE, dealt_out, read_parts
from pycyto.records import Reporter

# The parts that training learns from and chooses by.
USED = ("train", "validation")

_MORE = (
    "Label more cells, on more slides, and run pycyto export again, or merge a data set that has "
    "them; then run pycyto split again."
)

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class TrainingCells:
    """The labelled cells of a data set that may be used, by part.

    Attributes
    ----------
    labels
        Classes of the training part in the order of the scheme: those of the model.
    """

    parts: Mapping[str, list[Row]]
    skipped: Mapping[str, int]
    scheme: LabelScheme
    labels: tuple[str, ...]

    @property
    def counts(self) -> Counts:
        """Cells by part and class."""
        counted = {part: Counter(row.label for row in rows) for part, rows in self.parts.items()}
        return {part: {name: by[name] for name in self.labels} for part, by in counted.items()}


def training_cells(data: Path, fold: int | None, *, validate: bool = True) -> TrainingCells:
    """Choose the cells to learn from, and refuse what would make a bad model.

    Parameters
    ----------
    data
        Folder with ``manifest.csv`` and ``split.csv``.
    fold
        See `pycyto.parts.read_parts`.
    validate
        False: the validation part is learnt from as well, and chooses nothing.

    Raises
    ------
    BadInputError
        A part is empty, all training cells are of one class, or a validation
        cell is of a class that no training cell has.
    """
    found = read_manifest(data)
    rows = dealt_out(data, found, read_parts(data, fold), fold)
    if not validate:
        rows["train"], rows["validation"] = [*rows["train"], *rows["validation"]], []
    scheme = _scheme_of([row for part in USED for row in rows[part]], data)
    parts = {part: [row for row in rows[part] if row.label in scheme.names] for part in USED}
    skipped = {
        "unclassified": sum(not row.label for row in found),
        "of another class": sum(len(rows[part]) - len(parts[part]) for part in USED),
    }
    trained = {row.label for row in parts["train"]}
    labels = tuple(name for name in scheme.names if name in trained)
    where = data / (SPLIT_FILE if fold is None else FOLDS_FILE)
    _demand_cells(parts, labels, where, needed=USED if validate else USED[:1])
    return TrainingCells(parts, skipped, scheme, labels)


def _scheme_of(rows: Sequence[Row], data: Path) -> LabelScheme:
    names = sorted({row.scheme for row in rows})
    if len(names) > 1:
        raise BadInputError(
            f"The cells were labelled by different schemes: {listed(names)}.",
            where=data / "manifest.csv",
            remedy="Export or ingest them again with one scheme.",
        )
    if not names:
        raise BadInputError(
            "There is no labelled cell in the training and validation parts.",
            where=data / "manifest.csv",
            remedy=_MORE,
        )
    return scheme_named(names[0])


def _demand_cells(
    parts: Mapping[str, Sequence[Row]], labels: Sequence[str], where: Path, needed: Sequence[str]
) -> None:
    for part in needed:
        if not parts[part]:
            raise BadInputError(
                f"There is no labelled cell in the {part} part.", where=where, remedy=_MORE
            )
    if len(labels) < 2:
        raise BadInputError(
            f"All training cells are {listed(labels)}; a classifier needs two classes.",
            where=where,
            remedy=_MORE,
        )
    unseen = sorted({row.label for row in parts["validation"]} - set(labels))
    if unseen:
        raise BadInputError(
            f"Validation cells are {listed(unseen)}, and no training cell is.",
            where=where,
            remedy=_MORE,
        )


def say_cells(cells: TrainingCells, reporter: Reporter) -> None:
    """Tell how many cells there are, and how many were left out."""
    for part, by_class in cells.counts.items():
        if not cells.parts[part]:
            reporter.say(f"{part}: no cells, so that nothing is chosen or fitted by these.")
            continue
        told = listed(f"{name} {count}" for name, count in by_class.items())
        reporter.say(f"{part}: {counted(sum(by_class.values()), 'cell')} ({told})")
    for reason, count in cells.skipped.items():
        if count:
            were = "was" if count == 1 else "were"
            reporter.warn(f"{counted(count, 'cell')} {were} left out: {reason}.")
