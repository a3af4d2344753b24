"""Patches must show cells at the size that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pycyto.datasets.findings import remedy_for
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
    remedy = remedy_for(
        rows,
        project="Export again at the model's resolution, or insist: --any-resolution.",
        source="Take a model that was trained at the scale of this source, or insist: "
        "--any-resolution.",
    )
    if not cut_at.agrees_with(needed):
        raise RefusedError(
            f"The model needs patches at {needed}; these are at {cut_at}.",
            where=where,
            remedy=remedy,
        )
    for mpp in {row.mpp / row.downsample for row in rows if row.mpp is not None}:
        try:
            needed.downsample_for(mpp)
        except BadInputError as error:
            raise RefusedError(error.what, where=where, remedy=remedy) from error
