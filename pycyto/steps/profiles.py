"""Whether colour profiles (ICC) of images were applied to the patches of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pycyto import provenance
from pycyto.labels import counted, listed
from pycyto.records import Reporter


def icc_of(data: Path) -> bool:
    """Whether the patches of a data set were cut with the colour profiles of their images.

    All of them or none were: export and merge see to it.

    Raises
    ------
    BadInputError
        Its record is none.
    """
    said = (record.get("arguments") for record in provenance.records_in(data).values())
    return any(isinstance(own, Mapping) and own.get("icc") is True for own in said)


def state(icc: bool) -> str:  # noqa: FBT001 - that is all it is about
    """Return in words how patches were cut."""
    return "with the colour profiles of their images" if icc else "without colour profiles"


def profile_counts(names: Iterable[str]) -> dict[str, Any]:
    """Return how many images have a profile, and which, for a record.

    Parameters
    ----------
    names
        Of the profile of each image; empty where it has none.
    """
    found = Counter(names)
    without = found.pop("", 0)
    # In tables of their own: a name can hold a scanner's number, and reports show plain counts.
    return {"images": {"with": found.total(), "without": without}, "names": dict(found)}


def say_profiles(counts: Mapping[str, Any], reporter: Reporter) -> None:
    """Tell how many images have a profile."""
    images, names = counts["images"], counts["names"]
    named = listed(f"{name} {number}" for name, number in sorted(names.items()))
    if images["with"]:
        reporter.say(f"Colour profiles applied: {counted(images['with'], 'image')} ({named}).")
    if images["without"]:
        reporter.warn(
            f"{counted(images['without'], 'image')} without a colour profile: taken for sRGB, "
            "pixels as they are."
        )
