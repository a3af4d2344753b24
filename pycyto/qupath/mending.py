"""Writing new places into the files of a project, and changing nothing else in them.

A project file is another program's: only the text of the URIs is replaced, so
that numbers, order, spaces and keys that are unknown here stay as they are.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath

from pycyto import files
from pycyto.errors import RefusedError
from pycyto.qupath import places
from pycyto.qupath.project import Project

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:]', re.DOTALL)


def with_places(text: str, moved: Mapping[PurePath, Path]) -> str:
    """Return the text of a JSON file with other URIs.

    Parameters
    ----------
    text
        Of ``project.qpproj`` or a ``server.json``.
    moved
        Where the text has a file → where it is. Only members named ``uri`` are
        changed, and none in metadata, which are the expert's or the image's.
    """
    parts, end = [], 0
    for start, stop, uri in _uris(text):
        new = _new_uri(uri, moved)
        if new != uri:
            parts += [text[end:start], json.dumps(new)]
            end = stop
    return "".join([*parts, text[end:]])


def changes(project: Project, moved: Mapping[PurePath, Path]) -> dict[Path, tuple[str, str]]:
    """Return the files that have to be changed, each with its old and its new text.

    The project file is the last of them.
    """
    texts = {}
    for image in project.images:
        # QuPath keeps a copy of each builder, which it reads for nothing: a broken one stays.
        path = project.data_file(image.entry_id).with_name("server.json")
        with contextlib.suppress(OSError, ValueError, RecursionError):
            text = _text(path)
            json.loads(text)
            texts[path] = text
    texts[project.file] = _text(project.file)
    both = {path: (old, with_places(old, moved)) for path, old in texts.items()}
    return {path: (old, new) for path, (old, new) in both.items() if old != new}


def mend(project: Project, moved: Mapping[PurePath, Path]) -> Path | None:
    """Write new places into a project, whose lock the caller holds.

    Every file that is to be changed is copied first. The project file comes
    last: a run that breaks off before leaves a project that is still to be
    mended, and the next one completes it.

    Parameters
    ----------
    moved
        Where the project has a file → where it is.

    Returns
    -------
    Path or None
        The folder with the files as they were; None if nothing had to be changed.

    Raises
    ------
    NotWritableError
        The project cannot be written to.
    RefusedError
        Another program has saved the project meanwhile.
    """
    wanted = changes(project, moved)
    if not wanted:
        return None
    stamp = datetime.now(UTC).strftime("%Y-%m-%d_%H%M%S_%f")
    snapshot = project.workspace / "snapshots" / "doctor" / stamp
    for path in wanted:
        files.copy_file(path, snapshot / path.relative_to(project.folder))
    for path, (old, new) in wanted.items():
        _replace(path, old, new)
    return snapshot


def _new_uri(uri: str, moved: Mapping[PurePath, Path]) -> str:
    try:
        place = moved.get(places.path_in(uri))
    except ValueError:
        return uri
    if place is None:
        return uri
    query = re.search(r"[?#].*", uri)
    return place.as_uri() + (query.group() if query else "")


def _uris(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield every URI with where its string begins and ends."""
    around: list[str] = []
    key = string = before = ""
    for match in _TOKEN.finditer(text):
        found = match.group()
        if found == ":":
            key = json.loads(string)
        elif found in "{[":
            around.append(key)
            key = ""
        elif found in "}]":
            around.pop()
        else:
            string = found
            if before == ":" and key == "uri" and "metadata" not in around:
                yield match.start(), match.end(), json.loads(found)
        before = found


def _text(path: Path) -> str:
    return path.read_bytes().decode()


def _replace(path: Path, old: str, new: str) -> None:
    if _text(path) != old:
        raise RefusedError(
            "Another program has just saved this file.",
            where=path,
            remedy="Close the project in QuPath, then start this command again.",
        )
    mode = path.stat().st_mode
    files.write_bytes(path, new.encode())
    path.chmod(mode)  # the group that could write it still can
