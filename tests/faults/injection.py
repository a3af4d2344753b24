"""Faults at the n-th file operation of a process, whichever code it comes from.

Audit hooks of the interpreter see every open, rename, unlink and mkdir, also those
that do not go through `pycyto.files`; streams and fsync are wrapped. Hooks cannot be
taken out again, so an `Injector` is installed in forked children only.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from pycyto import files, locks

KILLED: Final = 137
_PACKAGE: Final = str(Path(files.__file__).parent) + os.sep
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Which operations a failing place refuses, as Linux does.
_REFUSED: Final = {
    errno.ENOSPC: {"create", "write", "fsync", "mkdir"},
    errno.EACCES: {"create", "open", "rename", "unlink", "mkdir", "change"},
    errno.EROFS: {"create", "open", "write", "rename", "unlink", "mkdir", "change"},
    errno.EIO: {
        "create", "open", "write", "fsync", "rename", "unlink", "mkdir", "change", "read",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Blow:
    """What happens at the n-th operation.

    Attributes
    ----------
    kind
        ``kill``, ``torn``, ``power``, ``errno``, ``interrupt``, ``act``, or
        ``none`` to count only.
    at
        Number of the operation, from 1; of reads where `of_reads` is set. A torn
        write is the first one from there on.
    lasting
        Whether an error stays or strikes once.
    lines
        An interrupt comes this many lines of pycyto later.
    """

    kind: str = "none"
    at: int = 0
    code: int = 0
    lasting: bool = True
    of_reads: bool = False
    lines: int = 0


class Injector:
    """Counts the operations below a folder, and strikes at one of them.

    Parameters
    ----------
    root
        Only what lies below counts.
    turn
        Called before every operation: waits until this process may go on.
    act
        What ``act`` does: somebody else is at work on the same files.
    """

    def __init__(
        self,
        root: str,
        blow: Blow,
        *,
        turn: Callable[[], None] | None = None,
        act: Callable[[], None] | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self._root = root
        self._blow = blow
        self._turn = turn
        self._act = act
        self._trace = trace
        self._quiet = False
        self._one_at_a_time = threading.RLock()  # export has threads that write
        self._by_fd: dict[int, _Stream] = {}
        self._unsynced: dict[int, _Stream] = {}
        self.writes = 0
        self.reads = 0
        self.fired = False
        self.bypasses: set[str] = set()

    def install(self) -> None:
        """Patch this process for good."""
        # Whoever started this in the background may have had Ctrl-C ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.addaudithook(self._heard)
        opened = builtins.open

        def watched_open(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if mode[0] in "wx" and "+" not in mode and self._watches(file):
                return self._stream(file, mode, *rest, **options)
            return opened(file, mode, *rest, **options)

        builtins.open = io.open = watched_open
        synced = os.fsync

        def fsync(fd: Any) -> None:
            stream = self._by_fd.get(fd)
            if stream is not None:
                self.operation("fsync", stream.path)
                self._unsynced.pop(stream.kept, None)
            synced(fd)

        os.fsync = fsync

    def retire(self) -> None:
        """See nothing any more."""
        sys.settrace(None)
        self._quiet = True

    def operation(self, kind: str, path: str) -> None:
        """Take note of an operation that is about to be done, and strike if it is its time."""
        if self._quiet:
            return
        if self._turn is not None:
            self._turn()
        with self._one_at_a_time:
            self._count(kind, path)

    def _count(self, kind: str, path: str) -> None:
        if kind == "read":
            self.reads += 1
        else:
            self.writes += 1
            self._note_bypass(kind)
        number = self.reads if self._blow.of_reads else self.writes
        counts = (kind == "read") == self._blow.of_reads
        if self._trace:
            self._told(f"{self.writes:4} {kind:7} {path.removeprefix(self._root)}")
        if self._blow.kind == "errno":
            self._fail(kind, path, number)
        elif self._blow.kind == "torn":
            if kind == "write" and number >= self._blow.at:
                self._strike()
        elif counts and number == self._blow.at:
            self._strike()

    def written(self, stream: _Stream, data: Any) -> int:
        """Write to a file, or a part of it."""
        self._by_fd[stream.fileno()] = stream
        self._unsynced[stream.kept] = stream
        self._torn = (stream, bytes(data))
        self.operation("write", stream.path)
        return io.FileIO.write(stream, data)

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if self._quiet or not (event == "open" or event.startswith("os.")):
            return
        if event == "open":
            self._heard_open(*args)
        elif event == "os.rename" and (self._watches(args[0]) or self._watches(args[1])):
            self.operation("rename", os.fspath(args[1]))
        elif event in _EVENTS and self._watches(args[0]):
            path = os.fspath(args[0])
            exists = os.path.lexists(path)
            if event != "os.mkdir" or not exists:
                self.operation(_EVENTS[event], path)

    def _heard_open(self, path: Any, mode: str | None, flags: int) -> None:
        if not self._watches(path):
            return
        writes = bool(flags & _WRITE_FLAGS) if mode is None else any(c in mode for c in "wxa+")
        kind = "read" if not writes else "open" if os.path.lexists(path) else "create"
        self.operation(kind, os.fspath(path))

    def _watches(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fsdecode(path).startswith(self._root)

    def _fail(self, kind: str, path: str, number: int) -> None:
        blow = self._blow
        due = number >= blow.at and (blow.lasting or not self.fired)
        refused = _REFUSED[blow.code] | ({"read"} if blow.of_reads else set())
        if due and kind in refused and ((kind == "read") == blow.of_reads or blow.lasting):
            self.fired = True
            self._told(f"     -> {errno.errorcode[blow.code]}")
            raise OSError(blow.code, os.strerror(blow.code), path)

    def _strike(self) -> None:
        self.fired = True
        self._told(f"     -> {self._blow.kind}")
        match self._blow.kind:
            case "kill":
                os._exit(KILLED)
            case "torn":
                stream, data = self._torn
                io.FileIO.write(stream, data[: len(data) // 2])
                os._exit(KILLED)
            case "power":
                self._lose_unsynced()
                os._exit(KILLED)
            case "interrupt" if self._blow.lines:
                _interrupt_later(self._blow.lines)
            case "interrupt" if threading.current_thread() is not threading.main_thread():
                os.kill(os.getpid(), signal.SIGINT)
            case "interrupt":
                raise KeyboardInterrupt
            case "act" if self._act is not None:
                self._quiet = True
                self._act()
                self._quiet = False

    def _lose_unsynced(self) -> None:
        """Leave of files that were not synced what a power cut may leave of them: half."""
        self._quiet = True
        for stream in self._unsynced.values():
            os.ftruncate(stream.kept, os.fstat(stream.kept).st_size // 2)

    def _stream(
        self,
        file: Any,
        mode: str = "w",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        raw = _Stream(file, mode.replace("b", "").replace("t", ""), self)
        buffered = io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline)

    def _note_bypass(self, kind: str) -> None:
        """Note code of pycyto that changes files other than through `pycyto.files`."""
        frame: FrameType | None = sys._getframe(2)
        ours = None
        while frame is not None:
            name = frame.f_code.co_filename
            if name in (files.__file__, locks.__file__):
                return
            if ours is None and name.startswith(_PACKAGE):
                ours = f"{name.removeprefix(_PACKAGE)}:{frame.f_lineno} ({kind})"
            frame = frame.f_back
        if ours is not None:
            self.bypasses.add(ours)

    def _told(self, text: str) -> None:
        if self._trace:
            quiet, self._quiet = self._quiet, True
            self._trace(text)
            self._quiet = quiet


class _Stream(io.FileIO):
    """A file whose every write counts; what stays of it can be cut after it is closed."""

    def __init__(self, file: Any, mode: str, injector: Injector) -> None:
        super().__init__(file, mode)
        self.path = os.fspath(file)
        self.kept = os.dup(self.fileno())
        self._injector = injector

    def write(self, data: Any) -> int:
        return self._injector.written(self, data)


_EVENTS: Final = {
    "os.remove": "unlink",
    "os.rmdir": "unlink",
    "os.mkdir": "mkdir",
    "os.link": "create",
    "os.symlink": "create",
    "os.truncate": "change",
    "os.utime": "change",
    "os.chmod": "change",
    "os.setxattr": "change",
}


def _interrupt_later(lines: int) -> None:
    """Raise KeyboardInterrupt a number of lines of pycyto's code later, as Ctrl-C may come."""
    left = lines

    def on_line(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return None
        if event == "line":
            left -= 1
            if left <= 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return on_line

    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        frame.f_trace = on_line
        frame = frame.f_back
    sys.settrace(on_line)
