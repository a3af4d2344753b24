"""Which colours a model is to be given, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.images.colour import (
    KINDS,
    METHODS,
    Colour,
    Kind,
    Method,
    PatchReader,
    pooled,
    reader_of,
)
from pycyto.images.stain import FEWEST, Statistics, reference_statistics
from pycyto.learning.bundle import Bundle
from pycyto.manifest import Row
from pycyto.records import Reporter, path_from
from pycyto.steps.profiles import icc_of, state


def colour_for(
    training: Sequence[Row],
    data: Path,
    method: Method | Colour,
    stats: Kind,
    reference: Path | str | None,
    reporter: Reporter,
    *,
    icc: bool,
) -> Colour | None:
    """Return what the colours of a model's patches are brought to; None leaves them.

    Parameters
    ----------
    method
        Or what another model had.
    icc
        Whether the colour profile in the reference is applied, as in the patches.

    Raises
    ------
    UsageError
        An unknown method or kind of statistics, or a reference without a method.
    BadInputError
        A reference that cannot be read, or too little tissue.
    """
    if isinstance(method, Colour):
        return method
    for name, given, known in (("--colour", method, METHODS), ("--stats", stats, KINDS)):
        if given not in known:
            raise UsageError(f"{name} is {given!r}; it can be {', '.join(known)}.")
    if method == "none":
        if reference is not None:
            raise UsageError(
                "A reference is of no use where colours stay as they are.",
                remedy="Add --colour reinhard, or leave --reference out.",
            )
        return None
    return Colour(target_for(training, data, reference, reporter, icc=icc), stats)


def target_for(
    training: Sequence[Row],
    data: Path,
    reference: Path | str | None,
    reporter: Reporter,
    *,
    icc: bool,
) -> Statistics:
    """Return the colours of the reference, or of the source with most training patches.

    Raises
    ------
    BadInputError
        A reference that cannot be read, or too little tissue.
    """
    if reference is not None:
        target = reference_statistics(path_from(reference), icc=icc)
        reporter.say("Colours are brought to those of the reference.")
        return target
    return _of_largest_source(training, data, reporter)


def largest_source(training: Sequence[Row]) -> str:
    """Return the source with most patches; of equals the first by name."""
    by_source = Counter(row.source for row in training)
    return min(by_source, key=lambda name: (-by_source[name], name))


def _of_largest_source(training: Sequence[Row], data: Path, reporter: Reporter) -> Statistics:
    """Return the colours of the source with most training patches."""
    source, number = largest_source(training), len({row.source for row in training})
    rows = [row for row in training if row.source == source]
    with reporter.progress("look at the target's colours", len(rows)) as advance:
        found = pooled(data, rows, lambda row: ("source", row.source), advance)
    statistics = found["source", source].statistics
    if not statistics.suffices:
        raise BadInputError(
            f"The training patches have {statistics.pixels} pixels of tissue; at least {FEWEST} "
            "are needed for a target of colours.",
            where=data,
            remedy="Give --reference FILE, or leave --colour out.",
        )
    of_source = f" of {source}, the largest of {number} sources" if number > 1 else ""
    reporter.say(f"Colours are brought to those of the {len(rows)} training patches{of_source}.")
    return statistics


def reader_for(bundle: Bundle, data: Path, reporter: Reporter) -> PatchReader:
    """Return what reads the patches of a data set as a model wants them.

    Raises
    ------
    RefusedError
        They were cut with colour profiles and the model's without, or the other way round.
    BadInputError
        A patch is missing, broken, or not the one of the manifest.
    """
    icc = icc_of(data)
    if icc != bundle.icc:
        raise RefusedError(
            f"The model was trained on patches that were cut {state(bundle.icc)}; these were cut "
            f"{state(icc)}.",
            where=data,
            remedy=f"Export or ingest them again {'with' if bundle.icc else 'without'} --icc.",
        )
    return reader_of(data, bundle.colour, reporter)


def say_left(patches: int, reporter: Reporter) -> None:
    """Tell how many patches stayed as they were."""
    if patches:
        told = "1 patch" if patches == 1 else f"{patches} patches"
        which = "its" if patches == 1 else "their"
        reporter.say(f"{told} with too little tissue kept {which} colours.")
