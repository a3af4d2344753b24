"""Which cells train a model, and which test it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto import files, provenance
from pycyto.datasets.split import FRACTIONS, assign
from pycyto.datasets.summary import SplitSummary, summary
from pycyto.errors import BadInputError
from pycyto.labels import SCHEMES
from pycyto.manifest import Row, read_manifest
from pycyto.parts import read_split, write_split
from pycyto.records import SILENT, CellKey, Reporter, path_from

# With fewer patients than this in the test part, one of them decides the figures.
_FEW_GROUPS = 8


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What a split did.

    Attributes
    ----------
    parts
        Part of each labelled cell of the manifest.
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
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    reshuffle: bool = False,
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
        Of train, validation and test, in groups.
    seed
        Another seed gives another split.
    reshuffle
        Forget the split so far. Models that were trained on it can then no
        longer be evaluated on these data.

    Raises
    ------
    BadInputError
        No manifest, no labelled cell, or fewer groups than parts.
    RefusedError
        Cells that belong together are in two parts of the split so far.
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
    continues = (data / "split.csv").exists() and not reshuffle
    previous = read_split(data) if continues else {}
    parts = assign(labelled, fractions=fractions, seed=seed, previous=previous)
    result = SplitResult(
        parts,
        summary(labelled, parts, _names(labelled)),
        unlabelled=len(rows) - len(labelled),
        kept=sum(key in previous for key in parts),
    )
    # A cell that is gone keeps its line, so that it comes back to the same part.
    write_split(data, {**previous, **parts})
    arguments = {"fractions": fractions, "seed": seed, "reshuffle": reshuffle}
    counts = {
        "given": len(rows),
        "split": len(labelled),
        "skipped": {"no class": result.unlabelled},
        "kept": result.kept,
        **result.summary.to_json(),
    }
    inputs = {"manifest.csv": files.sha256_of(data / "manifest.csv")}
    provenance.keep_record(
        data, provenance.record("split", arguments, counts=counts, inputs=inputs, seed=seed)
    )
    _say(result, reporter)
    return result


def _names(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the classes in order of severity, where the scheme is known."""
    scheme = SCHEMES.get(rows[0].scheme)
    return scheme.names if scheme else ()


def _say(result: SplitResult, reporter: Reporter) -> None:
    reporter.say("Cells (and groups: patients, else slides, else images) of each part:")
    reporter.say(result.summary.table())
    reporter.say(f"{len(result.parts)} cells, {result.kept} of which kept the part they had.")
    if result.unlabelled:
        reporter.say(f"{result.unlabelled} cells have no class and are in no part.")
    if images := result.summary.levels["image"]:
        reporter.warn(
            f"{images} groups rest on the image alone: patient and slide are unknown. If two "
            "images show one patient, the test is easier than it should be."
        )
    if result.kept == len(result.parts):
        reporter.say("Seed and fractions place new cells only; --reshuffle starts anew.")
    tested = result.summary.parts["test"].groups
    if 0 < tested < _FEW_GROUPS:
        reporter.warn(
            f"The test part has {tested} groups: its figures will say little. "
            "--fractions 50,20,30 gives it more."
        )
    for part, names in result.summary.missing.items():
        if names and result.summary.parts[part].cells:
            reporter.warn(f"There is no {', no '.join(names)} in {part}: too few groups have any.")
