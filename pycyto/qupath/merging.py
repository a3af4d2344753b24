"""Files of reads that were made on other computers, brought into their project.

Everything is looked at before anything is copied. A file here is replaced only by one
that begins with all of its lines, so that no read is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto import files, locks
from pycyto.errors import BadInputError, RefusedError
from pycyto.labels import counted
from pycyto.qupath.assignments import ADJUDICATION, CONSENSUS, Assignment, assignments_of
from pycyto.qupath.logs import file_name_of, objects_in, whole_lines
from pycyto.qupath.project import Project
from pycyto.qupath.reads import reads_file, reads_in
from pycyto.records import Reporter


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A file from elsewhere, and where it belongs.

    Attributes
    ----------
    folder
        Name of the reader, `CONSENSUS` or `ADJUDICATION`.
    """

    source: Path
    assignment: Assignment
    folder: str
    target: Path
    content: bytes

    def __str__(self) -> str:
        return f"{self.folder}, assignment {self.assignment.name}"


def merge_reads(project: Project, places: Iterable[Path], reporter: Reporter) -> int:
    """Copy readers' files into a project, and return how many were copied.

    Parameters
    ----------
    places
        Each a file of reads, or a folder of them: a reader's, ``reads``, ``pycyto`` or
        a copy of the project.

    Raises
    ------
    BadInputError
        There is none, or one is not of an assignment and a reader of this project.
    RefusedError
        A file and the one that is here have each reads that the other lacks.
    LockedError
        Somebody is reading here at this moment, whose file is to be replaced.
    """
    known = {assignment.name: assignment for assignment in assignments_of(project)}
    sources = [path for place in places for path in _files_in(place)]
    incoming = [item for path in sources if (item := _incoming(path, project, known, reporter))]
    incoming = [item for item in incoming if item.source.resolve() != item.target.resolve()]
    _check_all(incoming)
    return sum(_copied(item, reporter) for item in incoming)


def _files_in(place: Path) -> Sequence[Path]:
    if place.is_file():
        return [place]
    folders = (place / "pycyto" / "reads", place / "reads", place)
    root = next((folder for folder in folders if folder.is_dir()), place)
    found = sorted([*root.glob("*.jsonl"), *root.glob("*/*.jsonl")])
    if not found:
        raise BadInputError(
            "There are no reads here.",
            where=place,
            remedy="Give a reader's file (it ends in .jsonl), or a folder that holds such files.",
        )
    return found


def _incoming(
    path: Path, project: Project, known: Mapping[str, Assignment], reporter: Reporter
) -> _Incoming | None:
    """Return what a file is, or None where nothing was read yet."""
    first = next((line for _, line in objects_in(path)), None)
    if first is None:
        reporter.say(f"Nothing was read yet in {path}.")
        return None
    name, reader = str(first.get("assignment")), str(first.get("reader"))
    if name not in known:
        raise BadInputError(
            f"These reads are of the assignment {name!r}, which this project does not have.",
            where=path,
            remedy=f"Known here: {', '.join(known) or 'none'}. Bring the file to the project that "
            "its assignment was made in.",
        )
    folder = _folder_of(path, reader, known[name])
    reads_in(path, known[name], folder)
    target = reads_file(project.workspace, folder, name)
    content = whole_lines(path)
    if len(content) < path.stat().st_size:
        reporter.warn(
            f"{path}: its last line is cut off and was left out. Bring the whole file as well: "
            "what is new in it is added."
        )
    return _Incoming(path, known[name], folder, target, content)


def _folder_of(path: Path, reader: str, assignment: Assignment) -> str:
    if path.parent.name in (CONSENSUS, ADJUDICATION):
        return path.parent.name
    for name in assignment.readers:
        if file_name_of(name) == file_name_of(reader):
            return name
    raise BadInputError(
        f"{reader!r} is no reader of the assignment {assignment.name}.",
        where=path,
        remedy=f"Its readers are {', '.join(assignment.readers)}. A file of consensus or "
        f"adjudication must be in a folder of that name: {CONSENSUS}, {ADJUDICATION}.",
    )


def _check_all(incoming: Iterable[_Incoming]) -> None:
    """Refuse them all where one contradicts what is here, or another of them."""
    longest: dict[Path, bytes] = {}
    for item in incoming:
        there = longest.get(item.target, _content(item.target))
        longest[item.target] = _longer(item, there)


def _longer(item: _Incoming, there: bytes) -> bytes:
    """Return the one of two contents that holds all lines of the other."""
    for one, other in ((item.content, there), (there, item.content)):
        if one.startswith(other):
            return one
    raise RefusedError(
        f"Two files of {item} have each reads that the other lacks; nothing was copied.",
        where=f"{item.source}\n    and: {item.target}",
        remedy="The same person has read on two computers. Keep both files, decide which of them "
        "is to count, and move the other away.",
    )


def _content(path: Path) -> bytes:
    return whole_lines(path) if path.exists() else b""


def _copied(item: _Incoming, reporter: Reporter) -> bool:
    with locks.locked(item.target.parent):
        there = _content(item.target)
        if _longer(item, there) == there:
            reporter.say(f"Nothing new: {item}.")
            return False
        files.write_bytes(item.target, item.content)
    lines = counted(item.content.count(b"\n") - there.count(b"\n"), "line")
    reporter.say(f"Copied {lines}: {item}.")
    return True
