"""QuPath installations on this machine.

Looked for in this order: the folder given with ``--qupath``, the environment
variable ``PYCYTO_QUPATH``, then wherever paquo looks (``PAQUO_QUPATH_DIR``,
``.paquo.toml`` in the user's home folder, the usual places for programs).
"""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycyto.errors import MissingDependencyError
from pycyto.qupath import versions

REMEDY = "Install QuPath 0.5.1 or newer, or say where it is: --qupath FOLDER or PYCYTO_QUPATH."


@dataclass(frozen=True, slots=True)
class Installation:
    """A QuPath that can be started from here.

    Attributes
    ----------
    folder
        What paquo calls ``qupath_dir``.
    version
        Read from the name of its own jar, e.g. ``0.5.1``.
    """

    folder: Path
    version: str

    @property
    def supported(self) -> bool:
        """Whether it is new enough."""
        return versions.is_supported(self.version)


def find_qupath(given: Path | None = None) -> Installation | None:
    """Return the installation to use, or None where there is none.

    Raises
    ------
    MissingDependencyError
        When the user named a folder that holds no QuPath, or one too old.
    """
    named = given or os.environ.get("PYCYTO_QUPATH")
    found = installation_in(Path(named).expanduser()) if named else _found_by_paquo()
    if named and found is None:
        raise MissingDependencyError(
            "There is no QuPath in this folder.", where=named, remedy=REMEDY
        )
    if found is not None and not found.supported:
        if not named:
            return None
        raise MissingDependencyError(
            f"QuPath {found.version} is too old.", where=found.folder, remedy=REMEDY
        )
    return found


def installation_in(folder: Path) -> Installation | None:
    """Return the installation in a folder, or None."""
    for jar in sorted((folder / _app_folder()).glob("qupath-core-[0-9]*.jar")):
        return Installation(folder, jar.stem.removeprefix("qupath-core-"))
    return None


def _app_folder() -> str:
    return {"Darwin": "Contents/app", "Windows": "app"}.get(platform.system(), "lib/app")


def paquo_settings() -> dict[str, Any]:
    """Return paquo's settings as they are now: the environment's, and those in the home folder.

    By itself paquo takes ``.paquo.toml`` from the working folder and those above, and the library
    that it uses for that runs a ``dynaconf_hooks.py`` beside it. Whoever works within a project
    from elsewhere would run that project's programs.
    """
    home = Path.home()
    with contextlib.chdir(home if home.is_dir() else Path(__file__).parent):
        from paquo._config import settings, to_kwargs

        settings.reload()
        return to_kwargs(settings)


def _found_by_paquo() -> Installation | None:
    options = paquo_settings()
    from paquo.jpype_backend import find_qupath as search

    try:
        info = search(**options)
    except (ValueError, FileNotFoundError):
        return None
    depth = len(Path(_app_folder()).parts)
    return installation_in(info.app_dir.parents[depth - 1])
