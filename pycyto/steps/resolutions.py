"""Patches must show cells at the size that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pycyto.datasets.findings import Finding, places, remedy_for
from pycyto.errors import BadInputError, RefusedError
from pycyto.images.resolution import resolution_of
from pycyto.learning.bundle import Bundle
from pycyto.manifest import Row


def refuse_other_resolution(rows: Sequence[Row], bundle: Bundle, where: Path) -> None:
    """Raise `RefusedError` if patches were cut at another resolution than a model's.

    Parameters
    ----------
    rows
        At least one.
    where
        Their manifest, for the message.
    """
    cut_at, needed = resolution_of(rows, where), bundle.resolution
    source = (
        "Take a model that was trained at the scale of this source, or insist: --any-resolution."
    )
    if not cut_at.agrees_with(needed):
        project = f"Export again {needed.option}, or insist: --any-resolution."
        raise RefusedError(
            f"The model needs patches at {needed}; these are at {cut_at}.",
            where=where,
            remedy=remedy_for(rows, project=project, source=source),
        )
    for error in _other_scales(rows, bundle).values():
        remedy = remedy_for(rows, project=error.remedy or "", source=source)
        raise RefusedError(error.what, where=where, remedy=remedy) from error


def other_scale(rows: Sequence[Row], bundle: Bundle) -> Iterator[Finding]:
    """Yield what is to be said of tested cells that look larger or smaller than those learnt from.

    They were cut by the model's rule, but on images with other pixel sizes.
    """
    scales = _other_scales(rows, bundle)
    found = [row for row in rows if _scale_of(row) in scales]
    if found:
        error = next(iter(scales.values()))
        yield Finding(
            "tested cells of another scale",
            "warning",
            f"{len(found)} of {len(rows)} tested cells are of another scale than those that the "
            f"model has learnt from. {error.what}",
            len(found),
            "Figures of these tell how the model carries over. pycyto predict refuses such images.",
            places(found),
        )


def _other_scales(rows: Sequence[Row], bundle: Bundle) -> dict[float, BadInputError]:
    """Return why a model does not fit to the pixel sizes of images, by pixel size."""
    found = {}
    for mpp in sorted({scale for row in rows if (scale := _scale_of(row)) is not None}):
        try:
            bundle.resolution.downsample_for(mpp)
        except BadInputError as error:
            found[mpp] = error
    return found


def _scale_of(row: Row) -> float | None:
    """Return micrometres per full-resolution pixel of the image of a cell."""
    return None if row.mpp is None else row.mpp / row.downsample
