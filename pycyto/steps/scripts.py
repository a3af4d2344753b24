"""The Groovy scripts: where they are, and how they get into QuPath's menu."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.errors import BadInputError
from pycyto.labels import counted, listed
from pycyto.records import SILENT, Reporter
from pycyto.steps.findings import Finding

_SUBFOLDER = "pycyto"
# Tells the scripts which Python to start, and the next installation what this one has put there.
_NOTE = "lib/installed.json"
_CHANGED = ".changed"


def scripts_folder() -> Path:
    """Return the folder of the scripts, in an installed package or in the source tree."""
    return files.shipped_folder("qupath_scripts")


def sample_project_folder() -> Path:
    """Return the folder of the sample project."""
    return files.shipped_folder("sample_projects") / "liquid_based"


def list_scripts() -> list[Path]:
    """Return the scripts that QuPath can run."""
    return sorted(scripts_folder().glob("*.groovy"))


def purpose_of(script: Path) -> str:
    """Return the first sentence of a script's opening comment."""
    comment = script.read_text("utf-8").partition("/*")[2].partition("*/")[0]
    text = " ".join(line.strip(" *") for line in comment.splitlines()).strip()
    return re.split(r"[.:](?=\s)", text, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation did to one of QuPath's user folders.

    Attributes
    ----------
    folder
        Where the scripts are now.
    removed
        Files that an older version had put there, and that are no longer shipped.
    kept
        Files that somebody had changed: what they were lies beside them, as ``….changed``.
    """

    folder: Path
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def install_scripts(
    user_folder: str | Path | None = None, *, reporter: Reporter = SILENT
) -> list[Installed]:
    """Copy the scripts to where QuPath shows them in its Automate menu.

    An older version is replaced: what it had put there and is no longer shipped is
    removed, a script that somebody has changed is kept beside the new one. Nothing
    outside the subfolder ``pycyto`` is touched, nor what somebody else has put into it.
    The scripts are told which Python to start: the one that this runs in.

    Parameters
    ----------
    user_folder
        QuPath's user folder (Edit, Preferences); by default every
        ``~/QuPath/v…`` there is.

    Raises
    ------
    BadInputError
        No user folder is there.
    """
    targets = [Path(user_folder)] if user_folder else _user_folders()
    targets = [target for target in targets if target.is_dir()]
    if not targets:
        raise BadInputError(
            "QuPath's user folder is not here.",
            where=user_folder or Path.home() / "QuPath",
            remedy="Start QuPath once and let it make one; its preferences show where it is. "
            "Then give that folder: --user-dir.",
        )
    made = [_install(target / "scripts" / _SUBFOLDER) for target in targets]
    for done in made:
        _say(done, reporter)
    reporter.say(
        "In QuPath they are under Automate, User scripts, pycyto: choose one, then Run. If they "
        "are not there, set the user directory (Edit, Preferences; with the button that chooses "
        "a folder) and start QuPath anew."
    )
    return made


def findings() -> Iterator[Finding]:
    """Tell of installed scripts whether they are of this version, and find their Python."""
    for place in (folder / "scripts" / _SUBFOLDER for folder in _user_folders()):
        if not place.is_dir():
            continue
        note, this = _note_in(place), provenance.version_of("pycyto")
        if note.get("pycyto") != this:
            text = f"The scripts in {place} are of pycyto {note.get('pycyto', 'an older version')}."
            yield Finding("problem", text, f"Those of {this}: pycyto scripts install")
        elif not Path(str(note.get("python"))).is_file():
            text = (
                f"The scripts in {place} are to start a Python that is gone: {note.get('python')}."
            )
            yield Finding("problem", text, "Tell them of this one: pycyto scripts install")
        else:
            yield Finding("good", f"Scripts for QuPath in {place}.")


def _user_folders() -> list[Path]:
    return sorted((Path.home() / "QuPath").glob("v*"))


def _install(place: Path) -> Installed:
    shipped = {
        file.relative_to(scripts_folder()).as_posix(): file
        for file in sorted(scripts_folder().rglob("*"))
        if file.is_file()
    }
    before = _installed_before(place)
    kept = tuple(name for name in before if name in shipped and _keep_changed(place, name, before))
    removed = tuple(name for name in before if name not in shipped and _remove(place, name, before))
    for name, file in shipped.items():
        files.copy_file(file, place / name)
    note = {
        "pycyto": provenance.version_of("pycyto"),
        "python": sys.executable,
        "files": {name: files.sha256_of(file) for name, file in shipped.items()},
    }
    files.write_json(place / _NOTE, note)
    return Installed(place, removed, kept)


def _installed_before(place: Path) -> dict[str, str]:
    """Return the files that an installation has left, with what their content was."""
    listed = _note_in(place).get("files", {})
    # Names from a file: none may lead out of the folder.
    return {name: sha256 for name, sha256 in listed.items() if _is_inside(place, name)}


def _note_in(place: Path) -> dict[str, Any]:
    """Return what an installation has noted; nothing where there is none, or it cannot be read."""
    try:
        note = files.read_json(place / _NOTE)
    except BadInputError:
        return {}
    return note if isinstance(note, dict) and isinstance(note.get("files"), dict) else {}


def _is_inside(place: Path, name: str) -> bool:
    return (place / name).resolve().is_relative_to(place.resolve())


def _keep_changed(place: Path, name: str, before: Mapping[str, str]) -> bool:
    """Copy a file that is not as it was installed, under a name that QuPath does not show."""
    file = place / name
    if not file.is_file() or files.sha256_of(file) == before[name]:
        return False
    files.copy_file(file, place / f"{name}{_CHANGED}")
    return True


def _remove(place: Path, name: str, before: Mapping[str, str]) -> bool:
    file = place / name
    if not file.is_file():
        return False
    _keep_changed(place, name, before)
    files.remove(file)
    return True


def _say(done: Installed, reporter: Reporter) -> None:
    reporter.say(f"{counted(len(list_scripts()), 'script')} are in {done.folder}.")
    if done.removed:
        reporter.say(f"Removed, since this version has them no longer: {listed(done.removed)}.")
    if done.kept:
        reporter.warn(
            f"Somebody had changed {listed(done.kept)}: what it was is kept beside it as "
            f"…{_CHANGED}. Carry your settings over."
        )
