"""QuPath's Java in this process, and the classes in it that do the work.

paquo finds QuPath and starts the Java virtual machine. What it would round,
re-nest or save unasked is not used: reading and writing is done by the classes
of ``qupath_scripts/lib``, which QuPath's own Groovy compiles here, so that a
script in the window and a command do the same.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import queue
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from pycyto import files
from pycyto.errors import (
    BadInputError,
    MissingDependencyError,
    PartlyDoneError,
    PycytoError,
    RefusedError,
    StaleError,
)
from pycyto.qupath.locate import Installation, paquo_settings
from pycyto.qupath.versions import facts_of

T = TypeVar("T")

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
    _leave_signals_to_java()
    paquo_settings()  # before anything of paquo's is imported here, and with what was set above
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


class Library:
    """The classes of ``qupath_scripts/lib`` by their names, compiled when first asked for."""

    def __init__(self, folder: Path) -> None:
        from jpype import JClass

        extensions = JClass("java.util.HashSet")(["gvy"])
        configuration = JClass("org.codehaus.groovy.control.CompilerConfiguration")()
        configuration.setScriptExtensions(extensions)
        configuration.setDefaultScriptExtension("gvy")
        parent = JClass("qupath.lib.io.PathIO").class_.getClassLoader()
        self._loader = JClass("groovy.lang.GroovyClassLoader")(parent, configuration)
        self._loader.addClasspath(str(folder))

    def __getattr__(self, name: str) -> Any:
        from jpype import JClass

        return JClass(self._loader.loadClass(name))


@cache
def library(installation: Installation) -> Library:
    """Start this QuPath's Java and return our classes in it."""
    start(installation)
    return Library(files.shipped_folder("qupath_scripts") / "lib")


def open_project(installation: Installation, file: Path) -> Any:
    """Return a ``PycytoProject``.

    Raises
    ------
    BadInputError
        When QuPath cannot open it.
    """
    from jpype import JClass

    with refusals(file):
        return library(installation).PycytoProject.open(JClass("java.io.File")(str(file)))


@contextlib.contextmanager
def refusals(where: Path) -> Iterator[None]:
    """Turn what our classes refuse, and what fails in QuPath, into our errors.

    Raises
    ------
    StaleError, BadInputError, PartlyDoneError, RefusedError
        As the refusal says.
    """
    from jpype import JException

    try:
        yield
    except JException as error:
        if error.getClass().getName() == "PycytoRefusal":
            raise _KINDS[str(error.getKind())](str(error.getMessage()), where=where) from error
        raise BadInputError(f"QuPath fails at this ({error}).", where=where) from error


_KINDS: dict[str, type[PycytoError]] = {
    "refused": RefusedError,
    "stale": StaleError,
    "bad input": BadInputError,
    "partly done": PartlyDoneError,
}


def interruptible(work: Callable[[], T]) -> T:
    """Return what a call into Java returns, listening to Ctrl-C meanwhile.

    A call that is left behind goes on by itself, so it must change nothing.
    """
    results: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def call() -> None:
        try:
            results.put((True, work()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            results.put((False, error))

    threading.Thread(target=call, daemon=True).start()
    done, result = results.get()
    if not done:
        raise result
    return cast("T", result)


def _java_options(installation: Installation) -> str:
    native = facts_of(installation.version).wants_native_access
    return f"-XX:MaxRAMPercentage=50 {_NATIVE_ACCESS if native else ''}".strip()


def _leave_signals_to_java() -> None:
    """Switch faulthandler off before Java starts: its end would be the end of the process.

    Java pauses its threads by faults that it handles itself. Who switches
    faulthandler on before that and off afterwards, as pytest does, puts the
    handlers from before both in place, and the next pause is a crash. (JPype
    mends this in the version after 1.7.1.)
    """
    import jpype

    if not jpype.isJVMStarted():
        faulthandler.disable()


def _quieten() -> None:
    """Keep QuPath's log lines below warnings off our output."""
    from jpype import JClass

    logger = JClass("org.slf4j.LoggerFactory").getLogger("ROOT")
    level = JClass("ch.qos.logback.classic.Level")
    logger.setLevel(level.ERROR)
