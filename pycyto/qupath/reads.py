"""Blinded reads: what each reader called each cell, and the label that came of it.

Who called what is in files of their own, one per reader and assignment, never in
QuPath's data. docs/formats.md has their form and the rule for the label.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pycyto.errors import BadInputError
from pycyto.manifest import UNKNOWN
from pycyto.qupath.assignments import (
    ADJUDICATION,
    CONSENSUS,
    TOGETHER,
    Assignment,
    assignments_of,
    reads_folder,
)
from pycyto.qupath.logs import bad_line, file_name_of, objects_in
from pycyto.qupath.project import Project
from pycyto.records import CellKey

SCHEMA = 1

Action = Literal["class", "skip", "flag", "take back"]
Origin = Literal["consensus", "adjudicated"]


@dataclass(frozen=True, slots=True)
class Read:
    """One line of a reader's file.

    Attributes
    ----------
    at
        When, ISO 8601.
    position, cell
        Place in the reader's order, and index of the cell in the assignment.
    label
        Of the scheme; None unless a class was chosen.
    seconds
        From showing the cell to the key.
    """

    assignment: str
    reader: str
    at: str
    position: int
    cell: int
    action: Action
    label: str | None
    seconds: float

    @property
    def moment(self) -> datetime:
        """The time, comparable whatever zone it was written in."""
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, slots=True)
class ConsensusLabel:
    """The label of a cell that several readers came to.

    Attributes
    ----------
    origin
        ``consensus``: all readers said the same, or agreed when they looked at it
        together; ``adjudicated``: a further reader decided what they left open.
    annotator
        Whose label it is, joined by `TOGETHER`.
    decided_at
        When, ISO 8601; where all said the same, when the last of them did.
    selected_by
        See `Assignment`.
    """

    label: str
    origin: Origin
    annotator: str
    decided_at: str
    selected_by: str = UNKNOWN


def reads_file(workspace: Path, folder: str, assignment: str) -> Path:
    """Return the file of a reader, or of `CONSENSUS` or `ADJUDICATION`, for an assignment."""
    name = folder if folder in (CONSENSUS, ADJUDICATION) else file_name_of(folder)
    return reads_folder(workspace) / name / f"{assignment}.jsonl"


def reads_in(path: Path, assignment: Assignment, folder: str) -> list[Read]:
    """Return the lines of a file of reads in their order.

    Parameters
    ----------
    folder
        Name of the reader whose file it is to be, or `CONSENSUS` or `ADJUDICATION`.

    Raises
    ------
    BadInputError
        When it cannot be read, or a line is not one of this reader and this assignment.
    """
    return [_read_from(path, number, line, assignment, folder) for number, line in objects_in(path)]


def standing(lines: Iterable[Read]) -> dict[int, Read]:
    """Return the read that holds for each position: the last, unless that took it back."""
    found: dict[int, Read] = {}
    for read in lines:
        found.pop(read.position, None)
        if read.action != "take back":
            found[read.position] = read
    return found


def reads_by(workspace: Path, assignment: Assignment, folder: str) -> dict[int, Read]:
    """Return what holds of a reader's file by position; empty where there is no file.

    Raises
    ------
    BadInputError
        When the file cannot be used.
    """
    path = reads_file(workspace, folder, assignment.name)
    return standing(reads_in(path, assignment, folder)) if path.exists() else {}


def first_reads(workspace: Path, assignment: Assignment, reader: str) -> dict[int, Read]:
    """Return by cell what a reader said where the cell was shown for the first time."""
    reads = reads_by(workspace, assignment, reader)
    showings = assignment.showings(reader)
    return {cell: reads[shown[0]] for cell, shown in showings.items() if shown[0] in reads}


def consensus_labels(project: Project) -> dict[CellKey, ConsensusLabel]:
    """Return the label of each cell of a project that readers came to a label of.

    Where several assignments have one, an adjudicated label goes before the others, and
    then the one that was decided last. Proficiency assignments make no labels.

    Raises
    ------
    BadInputError
        When an assignment or a file of reads cannot be used.
    """
    found: dict[CellKey, ConsensusLabel] = {}
    for assignment in assignments_of(project):
        if assignment.kind == "proficiency":
            continue
        for cell, label in labels_of(project.workspace, assignment).items():
            key = assignment.cells[cell].key
            if key not in found or _rank(label) >= _rank(found[key]):
                found[key] = label
    return found


def labels_of(workspace: Path, assignment: Assignment) -> dict[int, ConsensusLabel]:
    """Return the labels that one assignment has come to, by index of the cell.

    Raises
    ------
    BadInputError
        When a file of reads cannot be used.
    """
    firsts = [first_reads(workspace, assignment, reader) for reader in assignment.readers]
    together = reads_by(workspace, assignment, CONSENSUS)
    decided = reads_by(workspace, assignment, ADJUDICATION)
    found = {}
    for cell in range(len(assignment.cells)):
        own = [reads[cell] for reads in firsts if cell in reads]
        label = _label_of(own, len(firsts), together.get(cell), decided.get(cell))
        if label is not None:
            found[cell] = replace(label, selected_by=assignment.selected_by)
    return found


def _label_of(
    firsts: Sequence[Read], readers: int, together: Read | None, decided: Read | None
) -> ConsensusLabel | None:
    if decided is not None and decided.label is not None:
        return ConsensusLabel(decided.label, "adjudicated", decided.reader, decided.at)
    if together is not None and together.label is not None:
        return ConsensusLabel(together.label, "consensus", together.reader, together.at)
    said = {read.label for read in firsts}
    # One reader alone is no consensus.
    if not len(firsts) == readers >= 2 or len(said) > 1 or None in said:
        return None
    who, when = (
        TOGETHER.join(read.reader for read in firsts),
        max(firsts, key=lambda read: read.moment).at,
    )
    return ConsensusLabel(str(firsts[0].label), "consensus", who, when)


def _rank(label: ConsensusLabel) -> tuple[bool, datetime]:
    return label.origin == "adjudicated", datetime.fromisoformat(label.decided_at)


def _read_from(
    path: Path, number: int, line: Mapping[str, Any], assignment: Assignment, folder: str
) -> Read:
    _refuse_other(path, line, assignment, folder)
    try:
        read = _parsed(line)
    except (KeyError, TypeError, ValueError) as error:
        raise bad_line(path, number, repr(error)) from error
    for reason in _contradictions(read, assignment, folder):
        raise bad_line(path, number, reason)
    return read


def _parsed(line: Mapping[str, Any]) -> Read:
    if line["schema"] != SCHEMA:
        raise ValueError("another schema")
    read = Read(
        assignment=line["assignment"],
        reader=line["reader"],
        at=line["at"],
        position=line["position"],
        cell=line["cell"],
        action=line["action"],
        label=line["label"],
        seconds=float(line["seconds"]),
    )
    if read.moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return read


def _refuse_other(path: Path, line: Mapping[str, Any], assignment: Assignment, folder: str) -> None:
    """Refuse a file that somebody has put where it does not belong."""
    if line.get("assignment") != assignment.name:
        raise BadInputError(
            f"These reads are of the assignment {line.get('assignment')!r}, "
            f"not of {assignment.name!r}.",
            where=path,
            remedy="Put the file back to its own assignment: pycyto agreement --reads takes it.",
        )
    reader = str(line.get("reader"))
    shared = folder in (CONSENSUS, ADJUDICATION)
    if not shared and file_name_of(reader) != file_name_of(folder):
        raise BadInputError(
            f"These reads are {reader!r}'s, not {folder!r}'s.",
            where=path,
            remedy="Put the file into its reader's own folder: pycyto agreement --reads takes it.",
        )


def _contradictions(read: Read, assignment: Assignment, folder: str) -> Iterator[str]:
    """Yield what in a line cannot be."""
    cells = len(assignment.cells)
    order = assignment.orders.get(folder, range(cells))
    if type(read.position) is not int or not 0 <= read.position < len(order):
        yield f"position {read.position!r} of {len(order)}"
    elif type(read.cell) is not int or order[read.position] != read.cell:
        yield f"cell {read.cell!r} at position {read.position}, where {order[read.position]} is"
    if read.action not in get_args(Action):
        yield f"action {read.action!r}"
    if (read.label in assignment.classes) != (read.action == "class") or not (
        read.label is None or isinstance(read.label, str)
    ):
        yield f"label {read.label!r} with the action {read.action!r}"
    if not math.isfinite(read.seconds) or not isinstance(read.reader, str):
        yield "its seconds or its reader"
