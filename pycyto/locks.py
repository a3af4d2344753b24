"""Who is at work in a folder: commands and scripts keep out of each other's way.

Between commands the lock is the operating system's, so it ends with the process
whatever happens. Java cannot see that lock, so a script and a command find each
other by the note ``lock.json`` and the process that it names.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import filelock
import psutil

from pycyto import files
from pycyto.errors import BadInputError, LockedError

# What every system can be asked about.
_LARGEST_PID = (1 << 31) - 1
# A note is written within this time; an empty one that is older was left by a crash.
_SECONDS_OF_WRITING = 10.0


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other pycyto processes and scripts out of `folder` for the length of the block.

    Raises
    ------
    LockedError
        When another process holds it.
    NotWritableError
        When the folder cannot be written to.
    """
    note = folder / "lock.json"
    lock = _acquired(folder, note)
    try:
        stream = _new_note(folder, note)
        content = {"pid": os.getpid(), "host": socket.gethostname(), "since": files.now()}
        try:
            with files.explained(note), stream:
                json.dump(content, stream)
            yield
        finally:
            # What was done is done: a note that cannot be deleted is stale once this process ends.
            with contextlib.suppress(OSError):
                note.unlink(missing_ok=True)
    finally:
        lock.release()


def stale_note(folder: Path) -> Path | None:
    """Return the note of a lock whose process has ended on this computer, or None."""
    note = folder / "lock.json"
    try:
        held = _held(note)
    except BadInputError:
        return None
    known = held is not None and _is_here(held) and _is_pid(held["pid"])
    return note if held and known and not _is_alive(held) else None


def _acquired(folder: Path, note: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(folder / "lock", timeout=0)
    try:
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except filelock.Timeout as error:
        raise _locked_error(folder, note) from error
    return lock


def _new_note(folder: Path, note: Path) -> IO[str]:
    """Open a note for scripts, unless the note of somebody who is at work is there."""
    if _is_held(note):
        raise _locked_error(folder, note)
    with files.explained(note):
        note.unlink(missing_ok=True)
        try:
            # Created, not renamed into place: of two that try at once, one fails.
            return note.open("x", encoding="utf-8")
        except FileExistsError as error:
            raise _locked_error(folder, note) from error


def _is_held(note: Path) -> bool:
    """Whether whoever left a note may still be at work, although the system's lock is free.

    A command on this computer would hold that lock. A script cannot, and a
    command on another computer may not be seen through a network share.
    """
    held = _held(note)
    if held is None:
        return _is_fresh(note)
    return not _is_here(held) or ("by" in held and _is_alive(held))


def _is_here(held: Mapping[str, Any]) -> bool:
    """Whether a note was left on this computer; Java may know it by its full name."""
    return _short(str(held.get("host"))) == _short(socket.gethostname())


def _short(host: str) -> str:
    return host.partition(".")[0].casefold()


def _is_pid(pid: object) -> bool:
    return isinstance(pid, int) and 0 < pid <= _LARGEST_PID


def _is_alive(held: Mapping[str, Any]) -> bool:
    return _is_pid(held["pid"]) and psutil.pid_exists(held["pid"])


def _is_fresh(note: Path) -> bool:
    try:
        return abs(time.time() - note.stat().st_mtime) < _SECONDS_OF_WRITING
    except FileNotFoundError:
        return False


def _held(note: Path) -> dict[str, Any] | None:
    """Return who has left a note, or None if there is none, or not a whole one yet.

    Raises
    ------
    BadInputError
        When the system does not let it be read: it may be anybody's.
    """
    try:
        held = files.read_json(note)
    except BadInputError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            raise
        return None
    return held if isinstance(held, dict) and "pid" in held else None


def _locked_error(folder: Path, note: Path) -> LockedError:
    holder = ""
    with contextlib.suppress(BadInputError):
        held = _held(note)
        if held:
            who = f"process {held['pid']} on {held.get('host', '?')}"
            holder = f" ({who}, {_age(str(held.get('since')))})"
    return LockedError(
        f"Another pycyto is at work here{holder}.",
        where=folder,
        remedy="Wait until it has finished, then start this command again. If that process "
        f"is gone for good, delete {note}.",
    )


def _age(since: str) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
    except (TypeError, ValueError):
        return f"since {since}"
    if seconds < 0:  # its clock, or ours, was set
        return f"since {since}"
    return (
        f"for {seconds / 60:.0f} minutes" if seconds < 7200 else f"for {seconds / 3600:.0f} hours"
    )
