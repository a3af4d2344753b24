"""Runs a Groovy script in a QuPath without a window, and believes its result file only.

QuPath ends with exit code 0 after most failures, and its log is mixed with
whatever a script prints, so neither says whether the work was done. The scripts
leave ``pycyto/results/<script>.json`` (see docs/formats.md), also when they fail.

A script gets the project by its config file, not by QuPath's ``--project``: it
then opens only the images that it needs, knows them by entry ID (names repeat),
and one missing image file does not end the run.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from pycyto import files
from pycyto.errors import BadInputError, MissingDependencyError, PartlyDoneError, PycytoError

SCHEMA = 1
_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What a script says it did.

    Attributes
    ----------
    script, qupath
        Name of the script, and version of the QuPath that ran it.
    counts
        Summed over the images.
    images
        Counts of each image, by entry ID, with ``ok`` and ``error``.
    """

    script: str
    qupath: str
    counts: Mapping[str, Any]
    images: Mapping[str, Mapping[str, Any]]


def run_script(
    qupath: Path,
    script: Path,
    project: Path,
    *,
    images: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
    timeout: float = 3600.0,
) -> ScriptResult:
    """Run a script of ``qupath_scripts`` on a project, all images in one process.

    Parameters
    ----------
    qupath
        Folder of the installation, or its launcher.
    script
        The ``.groovy`` file; ``lib/pycyto.gvy`` lies beside it.
    project
        Folder of the project.
    images
        Entry IDs; by default all images of the project.
    config
        Values that override the script's settings.
    timeout
        In seconds, after which QuPath and what it started are killed.

    Raises
    ------
    MissingDependencyError
        When there is no QuPath to start.
    PartlyDoneError
        When some images failed and others did not.
    BadInputError
        When the script refused.
    PycytoError
        When QuPath ended or was killed without a result.
    """
    launcher = launcher_of(qupath)
    result_file = project / "pycyto" / "results" / f"{script.stem}.json"
    result_file.unlink(missing_ok=True)
    with _config_file(project, images, config) as config_file, tempfile.TemporaryFile() as log:
        command = [str(launcher), "script", "--args", str(config_file), str(script)]
        timed_out = not _run(command, log, timeout)
        lines = _last_lines(log)
    if timed_out:
        raise PycytoError(
            f"{script.name} was stopped after {timeout:g} seconds.\n{lines}",
            where=project,
            remedy="Give it more time, or fewer images at once.",
        )
    if not result_file.exists():
        raise PycytoError(
            f"QuPath ended without a result of {script.name}. Its last words:\n{lines}",
            where=launcher,
            remedy="Run the script in QuPath's script editor to see what is wrong.",
        )
    return _checked(result_file, script, project, images)


def launcher_of(qupath: Path) -> Path:
    """Return the program that starts QuPath without a window.

    On Windows this is the one with ``(console)`` in its name: the other gives
    control back at once.

    Raises
    ------
    MissingDependencyError
        When the folder holds none.
    """
    if qupath.is_file():
        return qupath
    pattern = {"Darwin": "Contents/MacOS/QuPath*", "Windows": "QuPath* (console).exe"}.get(
        platform.system(), "bin/QuPath*"
    )
    for launcher in sorted(qupath.glob(pattern)):
        if launcher.is_file():
            return launcher
    raise MissingDependencyError(
        "There is no QuPath to start in this folder.",
        where=qupath,
        remedy=f"Give the folder of a QuPath installation; it holds {pattern}.",
    )


@contextlib.contextmanager
def _config_file(
    project: Path, images: Sequence[str] | None, config: Mapping[str, Any] | None
) -> Iterator[Path]:
    # The caller may hold the project's lock already; the script is told whose that is.
    content: dict[str, Any] = {"project": str(project.absolute()), "lock_holder": os.getpid()}
    if images is not None:
        content["images"] = list(images)
    with tempfile.TemporaryDirectory(prefix="pycyto-") as folder:
        path = Path(folder) / "config.json"
        files.write_json(path, {**(config or {}), **content})
        yield path


def _run(command: Sequence[str], log: IO[bytes], timeout: float) -> bool:
    """Run a command to its end; return False where it had to be killed."""
    # With a C locale Java turns every letter beyond ASCII in a file name into "??".
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
    ) as process:
        try:
            process.wait(timeout)
        except BaseException as error:
            _kill_tree(process.pid)
            if isinstance(error, subprocess.TimeoutExpired):
                return False
            raise
    return True


def _kill_tree(pid: int) -> None:
    """Kill a process and what it started: QuPath's launcher may be a shell script."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _last_lines(log: IO[bytes]) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - 20_000))
    lines = log.read().decode("utf-8", "replace").splitlines()
    # Stack traces drown the sentence that matters.
    told = [line for line in lines if not line.lstrip().startswith(("at ", "..."))]
    return "\n".join(f"    {line}" for line in told[-_LINES_SHOWN:])


def _checked(
    result_file: Path, script: Path, project: Path, images: Sequence[str] | None
) -> ScriptResult:
    content = files.read_json(result_file)
    try:
        known = content["schema"] == SCHEMA and content["script"] == script.stem
        ok, error = content["ok"], content["error"]
        result = ScriptResult(script.stem, content["qupath"], content["counts"], content["images"])
        done = [entry_id for entry_id, image in result.images.items() if image["ok"]]
    except (AttributeError, KeyError, TypeError):
        known = False
    if not known:
        raise PycytoError(
            f"The result of {script.name} cannot be read.",
            where=result_file,
            remedy="Use the scripts that belong to this version of pycyto.",
        )
    missing = [entry_id for entry_id in images or () if entry_id not in result.images]
    if ok and not missing:
        return result
    what = f"{script.name}: {error or 'no result for ' + ', '.join(missing)}"
    if done:
        raise PartlyDoneError(
            f"{what}\n{len(done)} of {len(result.images) + len(missing)} images are done.",
            where=project,
            remedy="Mend the others and start again: what is done is not done twice.",
        )
    raise BadInputError(what, where=project)
