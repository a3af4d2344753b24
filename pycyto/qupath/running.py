"""Whether QuPath runs on this machine.

QuPath has no lock: a project that is open in it while something is written
there is overwritten by its next save. Which project is open cannot be seen
from outside, so every running QuPath counts.
"""

from __future__ import annotations

from datetime import UTC, datetime

import psutil

from pycyto.errors import RefusedError
from pycyto.records import Reporter

_MAIN_CLASS = "qupath.QuPath"


def running() -> list[str]:
    """Return what names each running QuPath: its process and since when it runs."""
    found = []
    for process in psutil.process_iter(["name", "cmdline", "create_time"]):
        name, words = process.info["name"] or "", process.info["cmdline"] or []
        if name.casefold().startswith("qupath") or _MAIN_CLASS in words:
            since = datetime.fromtimestamp(process.info["create_time"], UTC).astimezone()
            found.append(f"process {process.pid} since {since:%Y-%m-%d %H:%M}")
    return found


def check_not_running(*, yes: bool, reporter: Reporter) -> None:
    """Refuse to write while QuPath runs, unless the user says that it is not on this project.

    Raises
    ------
    RefusedError
        QuPath runs and the user has not said that this is all right.
    """
    found = running()
    if not found:
        return
    what = f"QuPath is running ({', '.join(found)})."
    if not yes:
        raise RefusedError(
            what,
            remedy="If this project is open in it, do this there (import_predictions.groovy loads "
            "a run): QuPath's next save would overwrite what is written here. If it is not, "
            "start this command again with --yes.",
        )
    reporter.warn(
        f"{what} If this project is open in it, close it there without saving: its next save "
        "would overwrite what is written now."
    )
