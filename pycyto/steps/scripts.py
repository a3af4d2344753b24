"""The Groovy scripts: where they are, and how they get into QuPath's menu."""

from __future__ import annotations

import re
from pathlib import Path

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import SILENT, Reporter

_SUBFOLDER = "pycyto"


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


def install_scripts(
    user_folder: str | Path | None = None, *, reporter: Reporter = SILENT
) -> list[Path]:
    """Copy the scripts to where QuPath shows them in its Automate menu.

    Parameters
    ----------
    user_folder
        QuPath's user folder (Edit, Preferences); by default every
        ``~/QuPath/v…`` there is.

    Returns
    -------
    list
        The folders that hold them now.

    Raises
    ------
    BadInputError
        No user folder is there.
    """
    targets = [Path(user_folder)] if user_folder else sorted((Path.home() / "QuPath").glob("v*"))
    targets = [target for target in targets if target.is_dir()]
    if not targets:
        raise BadInputError(
            "QuPath's user folder is not here.",
            where=user_folder or Path.home() / "QuPath",
            remedy="Start QuPath once and let it make one; its preferences show where it is. "
            "Then give that folder: --user-dir.",
        )
    source, made = scripts_folder(), []
    for target in targets:
        place = target / "scripts" / _SUBFOLDER
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            files.copy_file(file, place / file.relative_to(source))
        made.append(place)
        reporter.say(f"{len(list_scripts())} scripts are in {place}.")
    reporter.say("QuPath shows them under Automate, User scripts.")
    return made
