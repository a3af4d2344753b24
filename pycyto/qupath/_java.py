"""QuPath's Java classes: started once per process, named in this file only.

paquo finds QuPath, starts the Java virtual machine and opens the project.
What it would round, re-nest or save unasked is not used: objects are reached
through the Java classes below.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

from pycyto.errors import MissingDependencyError
from pycyto.qupath.locate import Installation

T = TypeVar("T")

# From Java 24 on, calls into native code print a warning unless allowed.
_NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED"
# Leaves Ctrl-C to Python: else Java ends first, and every call into it fails.
_NO_SIGNALS = "-Xrs"


def start(installation: Installation) -> ModuleType:
    """Start this QuPath's Java in this process and return paquo's table of classes.

    Raises
    ------
    MissingDependencyError
        When Java does not start, or another QuPath runs in this process already:
        a process can hold one only.
    """
    os.environ["PAQUO_QUPATH_DIR"] = str(installation.folder)
    given = os.environ.get("PAQUO_JAVA_OPTS") or _java_options(installation)
    if _NO_SIGNALS not in given.split():
        os.environ["PAQUO_JAVA_OPTS"] = f"{given} {_NO_SIGNALS}"
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


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what a call into Java returns, unless it takes too long.

    The thread is left behind then: Java cannot be stopped from outside.

    Raises
    ------
    TimeoutError
        When it has not come back in time.
    """
    results: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def call() -> None:
        try:
            results.put((True, work()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            results.put((False, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        done, result = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if not done:
        raise result
    return cast("T", result)


def _java_options(installation: Installation) -> str:
    numbers = tuple(map(int, installation.version.split(".")[:2]))
    return f"-XX:MaxRAMPercentage=50 {_NATIVE_ACCESS if numbers >= (0, 7) else ''}".strip()


def _quieten() -> None:
    """Keep QuPath's log lines below warnings off our output."""
    from jpype import JClass

    logger = JClass("org.slf4j.LoggerFactory").getLogger("ROOT")
    level = JClass("ch.qos.logback.classic.Level")
    logger.setLevel(level.ERROR)
    # Reading data that breaks off, QuPath repeats one line without end.
    JClass("org.slf4j.LoggerFactory").getLogger("qupath.lib.io.PathIO").setLevel(level.OFF)
