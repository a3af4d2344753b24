"""At which scale a model's patches were cut: later patches must be cut the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from pycyto.errors import BadInputError, UsageError
from pycyto.manifest import Row

# A square has a whole number of pixels, so patches exported at one --mpp differ by
# up to half a pixel in 224: 0.22 %.
_TOLERANCE = 0.0025

# A patch shows at most 7168 x 7168 pixels, for which 0.6 GB are needed; any
# cell would be a dot of a few pixels in it. Enlarged as much, it shows 7 x 7 pixels.
LARGEST_DOWNSAMPLE = 32

# How far beyond the pixel sizes of its training a model is used without asking.
# Nuclear area is what separates the classes: 1.2 in length is 1.44 in area.
_SCALE_MARGIN = 1.2


def check_mpp(mpp: float | None) -> None:
    """Refuse a size of pixels, in micrometres, that nobody can mean.

    Raises
    ------
    UsageError
        Below 0.01 or above 100.
    """
    if mpp is not None and not 0.01 <= mpp <= 100:
        raise UsageError(f"--mpp is in micrometres per pixel; {mpp} cannot be meant.")


@dataclass(frozen=True, slots=True)
class Resolution:
    """The rule for cutting patches.

    Attributes
    ----------
    mpp
        Micrometres per patch pixel, or None: then `downsample` is the rule.
    downsample
        Full-resolution pixels per patch pixel, where `mpp` is None. 1 is full
        resolution, whatever the scanner's pixel size.
    trained_mpp
        Smallest and largest micrometres per patch pixel that the training
        patches had, where `mpp` is None and their images were calibrated.
    """

    mpp: float | None = None
    downsample: float = 1.0
    trained_mpp: tuple[float, float] | None = field(default=None, compare=False)

    def downsample_for(self, image_mpp: float | None) -> float:
        """Return full-resolution pixels per patch pixel for an image.

        Parameters
        ----------
        image_mpp
            Micrometres per full-resolution pixel, None where it is unknown.

        Raises
        ------
        BadInputError
            When the rule needs a pixel size and the image has none, or when
            cells of the image would be of another size than in training.
        """
        if self.mpp is None:
            if image_mpp is not None:
                self._check_scale(image_mpp * self.downsample)
            return self.downsample
        if image_mpp is None:
            raise BadInputError(
                f"Patches are wanted at {self.mpp:g} micrometres per pixel, and the pixel size of "
                "this image is unknown.",
                remedy="Set the pixel size in QuPath (Image tab), then try again.",
            )
        return self.mpp / image_mpp

    def at_any_scale(self) -> Resolution:
        """Return the rule without the range of scales that it was trained at."""
        return replace(self, trained_mpp=None)

    def _check_scale(self, mpp: float) -> None:
        """Refuse a scale at which nuclei would look enlarged or shrunken to the model."""
        if self.trained_mpp is None:
            return
        smallest, largest = self.trained_mpp
        if not smallest / _SCALE_MARGIN <= mpp <= largest * _SCALE_MARGIN:
            told = f"{smallest:g}" if smallest == largest else f"{smallest:g} to {largest:g}"
            raise BadInputError(
                f"Of training patches whose scale is known it is {told} micrometres per pixel; "
                f"here it would be {mpp:g}, and nuclei would look of another size.",
                remedy="Train at one scale and use it here too (pycyto export --mpp), or insist: "
                "--any-resolution.",
            )

    @property
    def option(self) -> str:
        """How an export follows this rule, as part of a sentence."""
        if self.mpp is not None:
            return f"with --mpp {self.mpp:g}"
        return "without --mpp" if self.downsample == 1 else f"at {self}"

    def agrees_with(self, other: Resolution) -> bool:
        """Whether a cell is equally large in patches cut by either rule, to half a percent."""
        if self.mpp is None or other.mpp is None:
            return self.mpp is other.mpp and _agree((self.downsample, other.downsample))
        return _agree((self.mpp, other.mpp))

    def __str__(self) -> str:
        if self.mpp is not None:
            return f"{self.mpp:g} micrometres per pixel"
        if self.downsample == 1:
            return "full resolution"
        return f"{self.downsample:g} full-resolution pixels per pixel"


def check_downsample(downsample: float) -> None:
    """Refuse to cut patches in which no cell could be recognised.

    Parameters
    ----------
    downsample
        Full-resolution pixels per patch pixel.

    Raises
    ------
    BadInputError
        When it is above 32, or below one 32nd.
    """
    if not 1 / LARGEST_DOWNSAMPLE <= downsample <= LARGEST_DOWNSAMPLE:
        raise BadInputError(
            f"A pixel of a patch would be {downsample:g} pixels of this image wide; "
            f"from 1/{LARGEST_DOWNSAMPLE} to {LARGEST_DOWNSAMPLE} are possible.",
            remedy="Compare --mpp with the image's pixel size in QuPath (Image tab): "
            "both are in micrometres.",
        )


def resolution_of(rows: Sequence[Row], where: Path) -> Resolution:
    """Return the rule that all training patches were cut by.

    Patches at full resolution may come from scanners with different pixel
    sizes; the rule is then full resolution.

    Parameters
    ----------
    rows
        At least one.
    where
        The manifest, for the message.

    Raises
    ------
    BadInputError
        When they were cut by different rules.
    """
    downsamples = [row.downsample for row in rows]
    sizes = [row.mpp for row in rows if row.mpp is not None]
    trained_mpp = (min(sizes), max(sizes)) if sizes else None
    if all(value == 1 for value in downsamples):
        return Resolution(trained_mpp=trained_mpp)
    if len(sizes) == len(rows) and _agree(sizes):
        return Resolution(mpp=_rounded(median(sizes)))
    if _agree(downsamples):
        return Resolution(downsample=median(downsamples), trained_mpp=trained_mpp)
    raise BadInputError(
        "The patches were not cut at one resolution: from "
        f"{min(downsamples):g} to {max(downsamples):g} full-resolution pixels per pixel.",
        where=where,
        remedy="Export all of them again, at full resolution or with one --mpp; ingest sources "
        "with --scale native.",
    )


def _agree(values: Sequence[float]) -> bool:
    return math.isclose(min(values), max(values), rel_tol=2 * _TOLERANCE)


def _rounded(mpp: float) -> float:
    """Return the value that was asked for, where a plain one is near enough."""
    for digits in (1, 2, 3):
        if mpp > 0 and abs(round(mpp, digits) / mpp - 1) <= _TOLERANCE:
            return round(mpp, digits)
    return mpp
