"""What must never be on both sides of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pycyto.datasets.groups import groups_of
from pycyto.errors import RefusedError
from pycyto.labels import listed
from pycyto.manifest import Row

_SHOWN = 10


def refuse_torn_groups(parts: Mapping[str, Sequence[Row]], folder: Path) -> None:
    """Refuse a split that has one patient, slide or image in more than one part.

    Parameters
    ----------
    parts
        Rows by part.
    folder
        Of the data set, for the message.

    Raises
    ------
    RefusedError
        With the number of such groups. A group is named after a patient or a
        slide, so only the entry IDs of its images are told.
    """
    part_of = {row.key: part for part, rows in parts.items() for row in rows}
    groups = groups_of(row for rows in parts.values() for row in rows)
    torn = [group for group in groups if len({part_of[row.key] for row in group.rows}) > 1]
    if not torn:
        return
    entries = sorted({row.entry_id for group in torn for row in group.rows})
    shown = listed(entries[:_SHOWN]) + (" and more" if len(entries) > _SHOWN else "")
    raise RefusedError(
        f"{len(torn)} of {len(groups)} patients, slides or images are in more than one part, so "
        f"that the figures would measure memory. Entry IDs of their images: {shown}.",
        where=folder / "split.csv",
        remedy="Make a new split with pycyto split --reshuffle, and train with it.",
    )
