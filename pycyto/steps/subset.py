"""A data set of some cells of another: the patches get a second name, the parts stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pycyto import files, provenance
from pycyto.manifest import Row, lines_of, write_lines
from pycyto.parts import write_split
from pycyto.pseudonyms import take_key
from pycyto.records import CellKey
from pycyto.steps.audit import CACHE_FILE, FOLDER
from pycyto.steps.profiles import icc_of


def write_subset(
    data: Path, rows: Sequence[Row], parts: Mapping[CellKey, str] | None, folder: Path
) -> None:
    """Write a data set of some rows of another into an empty folder.

    Parameters
    ----------
    parts
        Of all rows, to be kept; None for a data set that is not split yet.
    """
    for row in rows:
        files.link_or_copy(data / row.file, folder / row.file)
    write_lines(folder, [lines_of(rows)])
    if parts is not None:
        write_split(folder, {row.key: parts[row.key] for row in rows if row.key in parts})
    if icc_of(data):
        provenance.keep_record(
            folder, provenance.record("subset", {"icc": True}, counts={"given": len(rows)})
        )
    take_key([data], folder)
    # What the audit has seen of these patches it need not look at again.
    seen = data / FOLDER / CACHE_FILE
    if seen.exists():
        files.link_or_copy(seen, folder / FOLDER / CACHE_FILE)
