"""Which cells train a model, and which test it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pycyto import files, provenance
from pycyto.datasets.split import FRACTIONS, assign, assign_folds
from pycyto.datasets.summary import SplitSummary, summary
from pycyto.errors import BadInputError, UsageError
from pycyto.evaluation.words import held
from pycyto.labels import SCHEMES, counted, listed
from pycyto.manifest import Row, read_manifest
from pycyto.parts import (
    FOLDS_FILE,
    PARTS,
    SPLIT_FILE,
    read_folds,
    read_split,
    write_folds,
    write_split,
)
from pycyto.records import SILENT, CellKey, Reporter, path_from

# With fewer patients than this in the test part, one of them decides the figures.
FEW_GROUPS = 8


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What a split did.

    Attributes
    ----------
    parts
        Part of each labelled cell of the manifest; with folds their numbers as text.
    summary
        Cells and groups by part and class.
    unlabelled
        Cells without a class: they are in no part.
    kept
        Cells that had their part already.
    """

    parts: Mapping[CellKey, str]
    summary: SplitSummary
    unlabelled: int
    kept: int


def split(
    data: Path | str,
    *,
    fractions: Sequence[float] | None = None,
    seed: int = 0,
    reshuffle: bool = False,
    folds: int | None = None,
    test_slides_per_diagnosis: int | None = None,
    reporter: Reporter = SILENT,
) -> SplitResult:
    """Give every labelled cell of a data set its part, and write ``split.csv``.

    Patients stay whole, and cells that have a part keep it, so that data can
    grow without a tested cell ever having been trained on.

    Parameters
    ----------
    data
        Folder with ``manifest.csv``.
    fractions
        Of train, validation and test, in groups; by default 0.8, 0.1 and 0.1.
    seed
        Another seed gives another split.
    reshuffle
        Forget the split so far. Models that were trained on it can then no
        longer be evaluated on these data.
    folds
        Divide into so many folds for cross-validation instead, and write
        ``folds.csv``; ``split.csv`` stays as it is.
    test_slides_per_diagnosis
        Make the test part a cohort of so many slides (or patients, where they
        are known) of each diagnosis, the most severe class of a slide.

    Raises
    ------
    BadInputError
        No manifest, no labelled cell, or fewer groups than parts.
    RefusedError
        Cells that belong together are in two parts of the split so far, or the
        folds so far are of another number.
    UsageError
        Options that do not fit together.
    """
    data = path_from(data)
    rows = read_manifest(data)
    labelled = [row for row in rows if row.label]
    if not labelled:
        raise BadInputError(
            "None of these cells has a class.",
            where=data / "manifest.csv",
            remedy="Classify cells in QuPath, then export again.",
        )
    if folds is None:
        places = _split(
            data, labelled, fractions or FRACTIONS, seed, test_slides_per_diagnosis, reshuffle
        )
    elif test_slides_per_diagnosis is not None or fractions is not None:
        raise UsageError(
            "Folds are of equal size and test every slide in turn: neither fractions nor a cohort "
            "for the test have a place then."
        )
    else:
        places = _fold(data, labelled, folds, seed, reshuffle=reshuffle)
    found = summary(labelled, places.parts, _names(labelled), places.names)
    result = SplitResult(places.parts, found, len(rows) - len(labelled), places.kept)
    arguments = {"reshuffle": reshuffle, **places.arguments}
    _record(data, places.step, arguments, seed, result)
    _say(result, reporter)
    return result


class _Placed(NamedTuple):
    """Where each cell is, in the words of a split or of folds."""

    step: str
    names: Sequence[str]
    parts: Mapping[CellKey, str]
    kept: int
    arguments: Mapping[str, object]


def _split(
    data: Path,
    labelled: Sequence[Row],
    fractions: Sequence[float],
    seed: int,
    cohort: int | None,
    reshuffle: bool,  # noqa: FBT001
) -> _Placed:
    continues = (data / SPLIT_FILE).exists() and not reshuffle
    previous = read_split(data) if continues else {}
    parts = assign(
        labelled, fractions=fractions, seed=seed, previous=previous, test_per_diagnosis=cohort
    )
    # A cell that is gone keeps its line, so that it comes back to the same part.
    write_split(data, {**previous, **parts})
    arguments = {"fractions": fractions, "test_slides_per_diagnosis": cohort}
    return _Placed("split", PARTS, parts, _kept(parts, previous), arguments)


def _fold(
    data: Path, labelled: Sequence[Row], folds: int, seed: int, *, reshuffle: bool
) -> _Placed:
    continues = (data / FOLDS_FILE).exists() and not reshuffle
    previous = read_folds(data) if continues else {}
    found = assign_folds(labelled, folds, seed=seed, previous=previous)
    write_folds(data, {**previous, **found})
    names = [f"fold {number}" for number in range(1, folds + 1)]
    parts = {key: names[number - 1] for key, number in found.items()}
    return _Placed("folds", names, parts, _kept(found, previous), {"folds": folds})


def _kept(parts: Mapping[CellKey, object], previous: Mapping[CellKey, object]) -> int:
    return sum(key in previous for key in parts)


def _record(
    data: Path, step: str, arguments: Mapping[str, object], seed: int, result: SplitResult
) -> None:
    counts = {
        "given": len(result.parts) + result.unlabelled,
        "split": len(result.parts),
        "skipped": {"no class": result.unlabelled},
        "kept": result.kept,
        **result.summary.to_json(),
    }
    inputs = {"manifest.csv": files.sha256_of(data / "manifest.csv")}
    record = provenance.record(step, arguments, counts=counts, inputs=inputs, seed=seed)
    provenance.keep_record(data, record)


def _names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the classes in order of severity, where the scheme is known."""
    scheme = SCHEMES.get(rows[0].scheme)
    return scheme.names if scheme else ()


def _say(result: SplitResult, reporter: Reporter) -> None:
    found = result.summary
    reporter.say("Cells (and groups: patients, else slides, else images) of each part:")
    reporter.say(found.table())
    reporter.say(
        f"{counted(len(result.parts), 'cell')}, {result.kept} of which kept the part they had."
    )
    if result.unlabelled:
        one = result.unlabelled == 1
        reporter.say(
            f"{counted(result.unlabelled, 'cell')} {'has' if one else 'have'} no class and "
            f"{'is' if one else 'are'} in no part."
        )
    # A folder may have patients in the place of slides: they are groups, as reports call them.
    reporter.say(f"What is kept together: {held(found.levels)}.")
    if images := found.levels["image"]:
        reporter.warn(
            f"{counted(images, 'group')} {'rests' if images == 1 else 'rest'} on the image "
            "alone: patient and slide are unknown. If two images show one patient, the test is "
            "easier than it should be."
        )
    if result.kept == len(result.parts):
        reporter.say("Seed and fractions place new cells only; --reshuffle starts anew.")
    tested = found.parts["test"].groups if "test" in found.parts else 0
    if 0 < tested < FEW_GROUPS:
        reporter.warn(
            f"The test part has {counted(tested, 'group')}: under {FEW_GROUPS} no interval can be "
            "given. Fractions of 50,20,30 give it more (pycyto split wants --reshuffle for that), "
            "and folds test every group once."
        )
    trained = found.parts["train"].groups if "train" in found.parts else FEW_GROUPS
    if 0 < trained < FEW_GROUPS:
        verb = "is" if trained == 1 else "are"
        reporter.warn(f"Only {counted(trained, 'group')} {verb} left to learn from.")
    for sentence in _missing(found):
        reporter.warn(sentence)


def _missing(found: SplitSummary) -> Iterator[str]:
    """Yield a sentence for each class that some parts have no cell of."""
    parts = [part for part, held in found.parts.items() if held.cells]
    groups = sum(found.parts[part].groups for part in parts)
    for label in next(iter(found.by_class.values())):
        lacking = [part for part in parts if label in found.missing[part]]
        if not lacking:
            continue
        having = sum(found.by_class[part][label].groups for part in parts)
        why = (
            f"only {having} of {counted(groups, 'group')} {'has' if having == 1 else 'have'} any"
            if having < len(parts)
            else f"{having} of {groups} groups have any, and all of them are in other parts. "
            "Another --seed with --reshuffle may spread them better"
        )
        yield f"There is no {label} in {listed(lacking)}: {why}."
