"""What doctor says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pycyto.qupath.project import ImageEntry

Level = Literal["good", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    level
        ``good``, ``note`` (worth knowing) or ``problem`` (a command will refuse
        or leave something out).
    remedy
        What to do about it; empty where nothing is to be done.
    """

    level: Level
    text: str
    remedy: str = ""


def some(images: Sequence[ImageEntry], most: int = 3) -> str:
    """Return the names of a few images, `most` at most."""
    named = ", ".join(f"{image.name} (entry ID {image.entry_id})" for image in images[:most])
    return named + (", …" if len(images) > most else "")
