"""QuPath's Java classes: started once per process, named in this file only.

paquo finds QuPath, starts the Java virtual machine and opens the project.
What it would round, re-nest or save unasked is not used: objects are reached
through the Java classes below.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from pycyto.errors import MissingDependencyError
from pycyto.qupath.locate import Installation

# From Java 24 on, calls into native code print a warning unless allowed.
_NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED"


def start(installation: Installation) -> ModuleType:
    """Start this QuPath's Java in this process and return paquo's table of classes.

    Raises
    ------
    MissingDependencyError
        When Java does not start, or another QuPath runs in this process already:
        a process can hold one only.
    """
    os.environ["PAQUO_QUPATH_DIR"] = str(installation.folder)
    os.environ.setdefault("PAQUO_JAVA_OPTS", _java_options(installation))
    try:
        from paquo import java
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingDependencyError(
            f"QuPath's Java does not start ({error}).",
            where=installation.folder,
            remedy="Start QuPath itself; if that fails too, install it again. "
            "Or use --backend geojson.",
        ) from error
    running = str(java.GeneralTools.getVersion())
    if running.removeprefix("v") != installation.version:
        raise MissingDependencyError(
            f"QuPath {running} runs in this process already.",
            where=installation.folder,
            remedy="Use one QuPath per process.",
        )
    _quieten()
    return java


def open_java_project(java: ModuleType, file: str) -> Any:
    """Return QuPath's own project object, opened for reading and writing by us alone."""
    return java.ProjectIO.loadProject(java.File(file), java.BufferedImage)


def java_entry(project: Any, entry_id: str) -> Any:
    """Return the entry of an ID, or None."""
    return next((e for e in project.getImageList() if str(e.getID()) == entry_id), None)


def _java_options(installation: Installation) -> str:
    numbers = tuple(map(int, installation.version.split(".")[:2]))
    return f"-XX:MaxRAMPercentage=50 {_NATIVE_ACCESS if numbers >= (0, 7) else ''}".strip()


def _quieten() -> None:
    """Keep QuPath's log lines below warnings off our output."""
    from jpype import JClass

    logger = JClass("org.slf4j.LoggerFactory").getLogger("ROOT")
    level = JClass("ch.qos.logback.classic.Level")
    logger.setLevel(level.ERROR)
