"""What doctor says of image files that are not where the project has them, and mends."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from pycyto import files, locks
from pycyto.errors import NotWritableError, PartlyDoneError
from pycyto.labels import counted
from pycyto.qupath import mending, moved, places
from pycyto.qupath.moved import SEARCH_DEPTH, SEARCH_NAMES, How, Lost, Search
from pycyto.qupath.project import ImageEntry, Project
from pycyto.qupath.running import check_not_running
from pycyto.records import Reporter
from pycyto.steps.findings import Finding, Level, some

_READ_THERE = "pycyto reads them there, QuPath does not"
_HOW: Mapping[How, tuple[Level, str]] = {
    "mapped": ("note", f"They are where you said; {_READ_THERE}"),
    "moved along": ("note", f"They were moved together with the project; {_READ_THERE}"),
    "by name": ("problem", "There is one file of the same name and size for each"),
}
_MAP = "--map OLD_FOLDER=NEW_FOLDER (it is remembered)"


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found of a project's image files: how many there are, and which are lost."""

    project: Project
    total: int
    lost: Sequence[Lost]
    search: Search | None

    @property
    def unclear(self) -> list[Lost]:
        """The files of which it is not known where they are."""
        return [one for one in self.lost if one.place is None]

    @property
    def moves(self) -> dict[PurePath, Path]:
        """Where the project has a file → where it is, of images that can be mended whole."""
        unclear = {image.entry_id for one in self.unclear for image in one.file.images}
        return {
            one.file.path: one.place
            for one in self.lost
            if one.place and not any(image.entry_id in unclear for image in one.file.images)
        }


def findings(project: Project, mappings: Mapping[str, str]) -> Iterator[Finding]:
    """Say which image files are not where the project has them, and what was found instead."""
    look = _look(project, mappings)
    elsewhere = _no_files(project)
    if elsewhere:
        yield Finding(
            "problem",
            f"{counted(len(elsewhere), 'image')} without a file on a disk: {some(elsewhere)}.",
            "Download it and add the file to the project.",
        )
    if look.total and not look.lost:
        yield Finding("good", "All image files are where the project has them.")
    yield from _found(look)
    yield from _several(look)
    yield from _nowhere(look)
    note = locks.stale_note(project.workspace)
    for path in [*([note] if note else []), *files.old_parts(project.workspace)]:
        yield Finding("note", f"A command that was killed left {path}.", _fix(project))


def mend(
    project: Project, mappings: Mapping[str, str], reporter: Reporter, *, yes: bool = False
) -> None:
    """Write into the project where its images are, and clear what killed commands left.

    Parameters
    ----------
    mappings
        The user's: folders as the project has them → folders here.
    yes
        Write although QuPath is running.

    Raises
    ------
    RefusedError
        QuPath is running.
    PartlyDoneError
        Images are still missing; they are named.
    NotWritableError, LockedError
        The project cannot be changed.
    """
    look = _look(project, mappings)
    note = locks.stale_note(project.workspace)
    if note or files.old_parts(project.workspace) or look.moves:
        try:
            with locks.locked(project.workspace):  # which clears a note of the dead
                _clear(project, note, reporter)
                if look.moves:
                    check_not_running(yes=yes, reporter=reporter)
                    _write(look, reporter)
        except NotWritableError as error:
            raise NotWritableError(
                f"The project cannot be mended. {error.what}",
                where=error.where,
                remedy="Ask for the rights, or mend a copy of the project. Commands that only "
                "read find what was moved along or mapped as it is.",
            ) from error
    if look.unclear:
        raise PartlyDoneError(
            f"{counted(len(look.unclear), 'image file')} could not be mended: "
            f"{some(_images_of(look.unclear), most=20)}.",
            where=project.folder,
            remedy="To see what was found of each, and what to do: "
            f"pycyto doctor {_quoted(project.folder)}",
        )


def _write(look: _Look, reporter: Reporter) -> None:
    moves = dict(look.moves)
    if len(moves) == len(look.lost):
        # Only then: what is still missing may be found by where the project was before.
        with contextlib.suppress(ValueError):  # a project that does not say where it was
            moves[places.path_in(moved.saved_at(look.project))] = look.project.file
    snapshot = mending.mend(look.project, moves)
    if snapshot is None:
        return
    mended = [one for one in look.lost if one.file.path in moves]
    for (old, (new,)), lost in _by_roots(mended).items():
        reporter.say(f"{counted(len(lost), 'image file')} mended: {old} → {new}")
    reporter.say(
        f"The files as they were: {snapshot}. Copied back into the project they undo this."
    )


def _clear(project: Project, note: Path | None, reporter: Reporter) -> None:
    parts = files.old_parts(project.workspace)
    for part in parts:
        part.unlink(missing_ok=True)
    for path in [*([note] if note else []), *parts]:
        reporter.say(f"Deleted what a killed command had left: {path}")


def _look(project: Project, mappings: Mapping[str, str]) -> _Look:
    all_files = moved.image_files(project)
    lost, search = moved.lost_files(project, mappings, all_files)
    return _Look(project, len(all_files), lost, search)


def _no_files(project: Project) -> list[ImageEntry]:
    """Return the images that are no files on a disk at all."""
    known = {image.entry_id for file in moved.image_files(project) for image in file.images}
    return [image for image in project.images if image.entry_id not in known]


def _found(look: _Look) -> Iterator[Finding]:
    for how, (level, sentence) in _HOW.items():
        for (old, (new,)), lost in _by_roots(one for one in look.lost if one.how == how).items():
            text = f"{_missing(look, lost)} {sentence}: {old} → {new}.{_not_taken(lost)}"
            remedy = (
                f"{_fix(look.project)} writes this into the project, so that QuPath opens them."
            )
            yield Finding(level, text, remedy)


def _several(look: _Look) -> Iterator[Finding]:
    unclear = [one for one in look.unclear if one.candidates]
    for (old, new), lost in _by_roots(unclear).items():
        why = (
            "More than one file could be meant for each"
            if len(new) > 1
            else f"The search was stopped after {SEARCH_NAMES} names, and another may lie elsewhere"
        )
        yield Finding(
            "problem",
            f"{_missing(look, lost)} {why}, so none is taken: {old} → {' or '.join(new)}."
            f"{_not_taken(lost)}",
            # Never one of several as an example: who pastes it has chosen without looking.
            f"Say which: --map {_quoted(f'{old}={new[0]}')}. Then {_fix(look.project)}."
            if len(new) == 1
            else f"Look at them, then move the others away, or say which it is: "
            f"--map {_quoted(f'{old}=THE_RIGHT_ONE')}. Then {_fix(look.project)}.",
        )


def _nowhere(look: _Look) -> Iterator[Finding]:
    lost = [one for one in look.unclear if not one.candidates]
    if not lost or look.search is None:
        return
    folders = sorted({str(one.file.path.parent) for one in lost})
    searched = " and ".join(map(str, look.search.folders))
    end = "" if look.search.complete else f", stopped after {SEARCH_NAMES} names"
    yield Finding(
        "problem",
        f"{_missing(look, lost)} They were in {', '.join(folders[:3])}. They are not in {searched} "
        f"(looked for by name, {SEARCH_DEPTH} folders deep{end}).{_not_taken(lost)}",
        f"Say where that folder is on this machine: {_MAP}, or open the project in QuPath and "
        "let it search.",
    )


def _missing(look: _Look, lost: Sequence[Lost]) -> str:
    are, them = ("is", "it") if len(lost) == 1 else ("are", "them")
    of_all = f"{len(lost)} of {counted(look.total, 'image file')}"
    return f"{of_all} {are} not where the project has {them}: {some(_images_of(lost))}."


def _images_of(lost: Sequence[Lost]) -> list[ImageEntry]:
    return [image for one in lost for image in one.file.images]


def _not_taken(lost: Sequence[Lost]) -> str:
    others = [f"{path} ({why})" for one in lost for path, why in one.others.items()]
    if not others:
        return ""
    return f" Not taken: {', '.join(others[:3])}{', …' if len(others) > 3 else ''}."


def _by_roots(lost: Iterable[Lost]) -> dict[tuple[str, tuple[str, ...]], list[Lost]]:
    """Return lost files by the folders that differ: a folder that was moved is told once."""
    groups: dict[tuple[str, tuple[str, ...]], list[Lost]] = {}
    for one in lost:
        places_of_it = (one.place,) if one.place else one.candidates
        tail = min(_common_tail(one.file.path, place) for place in places_of_it)
        old = _without(one.file.path, tail)
        groups.setdefault((old, tuple(_without(p, tail) for p in places_of_it)), []).append(one)
    return groups


def _common_tail(old: PurePath, new: Path) -> int:
    """Return how many names at the end of two paths are the same."""
    pairs = zip(reversed(old.parts[1:]), reversed(new.parts[1:]), strict=False)
    same = (places.same_name(one) == places.same_name(other) for one, other in pairs)
    return sum(1 for _ in itertools.takewhile(bool, same))


def _without(path: PurePath, tail: int) -> str:
    return str(path.parents[tail - 1] if tail else path)


def _fix(project: Project) -> str:
    return f"pycyto doctor {_quoted(project.folder)} --fix"


def _quoted(path: object) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
