"""Where a file that a project names is on this machine.

A project holds the absolute URIs of the machine that saved it: of Windows or
not, and wherever its folders were then. Nothing is guessed here: a place is
what the URI, the user's mappings, or the project's own move make of it.
"""

from __future__ import annotations

import contextlib
import ntpath
import os
import posixpath
import re
import unicodedata
import urllib.parse
from collections.abc import Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from pycyto.records import path_from


def path_in(uri: str) -> PurePath:
    """Return the path of a file URI, as a path of the system that wrote it.

    Raises
    ------
    ValueError
        When it is not the URI of a file; the message is its scheme.
    """
    try:
        parts = urllib.parse.urlsplit(uri)
    except ValueError:
        raise ValueError("no URI") from None
    if parts.scheme != "file":
        raise ValueError(parts.scheme or "no scheme")
    text = urllib.parse.unquote(parts.path)
    if parts.netloc not in ("", "localhost"):
        return PureWindowsPath(f"//{parts.netloc}{text}")
    return pure(text.removeprefix("/") if re.match(r"^/[A-Za-z]:", text) else text)


def pure(text: str) -> PurePath:
    """Return a path of the system that its form tells."""
    if re.fullmatch(r"[A-Za-z]:", text):
        text += "/"
    windows = re.match(r"^[A-Za-z]:|^[/\\]{2}", text) or "\\" in text
    return PureWindowsPath(text) if windows else PurePosixPath(text)


def mapped(path: PurePath, mappings: Mapping[str, str]) -> Path | None:
    """Return what the user's mappings make of a path; the longest that fits wins."""
    for old in sorted(mappings, key=lambda folder: len(pure(folder).parts), reverse=True):
        prefix = pure(old)
        if type(prefix) is type(path) and path.is_relative_to(prefix):
            return path_from(mappings[old]).joinpath(*path.relative_to(prefix).parts)
    return None


def moved_along(path: PurePath, project_uri: str, folder: Path) -> Path | None:
    """Return where a file is if it was moved together with the project.

    Parameters
    ----------
    project_uri
        Where the project file was when it was saved last.
    folder
        Where the project is now.

    Returns
    -------
    Path or None
        The same place as seen from the project's folder; None where there is
        no way from the one to the other, as between two drives.
    """
    try:
        was = path_in(project_uri).parent
    except ValueError:
        return None
    if type(was) is not type(path) or not (was.is_absolute() and path.is_absolute()):
        return None
    system = ntpath if isinstance(path, PureWindowsPath) else posixpath
    try:
        way = system.relpath(str(path), str(was))
    except ValueError:
        return None
    return Path(os.path.normpath(folder.joinpath(*type(path)(way).parts)))


def found(path: PurePath | None) -> Path | None:
    """Return the file that a path leads to on this machine, or None.

    A Mac writes an accented letter as two characters, other systems as one;
    names that differ in nothing else are the same name.
    """
    if path is None or not isinstance(path, type(PurePath())):  # a path of another system
        return None
    here = Path(path)
    if _exists(here):
        return here
    return None if str(here).isascii() else _found_by_name(here)


def same_name(name: str) -> str:
    """Return a form of a name that is the same for names that a person reads as the same."""
    return unicodedata.normalize("NFC", name)


def _found_by_name(path: Path) -> Path | None:
    place = Path(path.anchor)
    for part in path.parts[1:]:
        step = place / part
        if not _exists(step):
            alike = [name for name in _names(place) if same_name(name) == same_name(part)]
            if len(alike) != 1:
                return None
            step = place / alike[0]
        place = step
    return place


def _exists(path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):  # no right to look; a name that none can have
        return path.exists()
    return False


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)  # noqa: PTH208 - names alone, whatever they are
    return []
