"""Every error that pycyto raises on purpose, and the exit code each one ends with.

::

    PycytoError                 1  unexpected
    ├── UsageError              2  the words of the command do not fit together
    ├── BadInputError           3  a file, project, bundle or table is not what it should be
    │   ├── StaleError          3  it was right once: what it describes has changed since
    │   └── NotWritableError    3  the disk is full, or the place is read-only
    ├── RefusedError            4  going on could lose or falsify something
    │   └── LockedError         4  another pycyto is at work on this project
    ├── PartlyDoneError         5  some of it is done, and the message says which part
    ├── GateError               6  a figure missed the bound that was asked for
    └── MissingDependencyError  7  QuPath, Java, a library or a weights file is not here

A message has three parts, so that it can stand alone in a dialog or a log:
*what* happened, *where* (the file or the object), and *what to do* about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import ClassVar

# Enough to see what is wrong, few enough to read.
_TOLD = 20


class PycytoError(Exception):
    """Base of all errors that pycyto raises on purpose.

    Parameters
    ----------
    what
        What happened, in one sentence.
    where
        The file, folder or object concerned.
    remedy
        What the user can do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | PathLike[str] | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        if self.where is not None:
            lines.append(f"  where: {self.where}")
        if self.remedy is not None:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


def itemised(sentences: Sequence[str]) -> str:
    """Return sentences as lines of a message: the first twenty, and how many more there are."""
    more = len(sentences) - _TOLD
    told = [*sentences[:_TOLD], *([f"… and {more} more"] if more > 0 else [])]
    return "\n".join(f"  - {sentence}" for sentence in told)


class UsageError(PycytoError):
    """The arguments do not fit together."""

    exit_code = 2


class BadInputError(PycytoError):
    """A file, project, bundle or table is not what it should be."""

    exit_code = 3


class StaleError(BadInputError):
    """A file describes an earlier state of what it was made from."""


class NotWritableError(BadInputError):
    """A file or folder that cannot be written to."""


class RefusedError(PycytoError):
    """Going on could lose or falsify something, so nothing was done."""

    exit_code = 4


class LockedError(RefusedError):
    """Another process is at work on the same project."""


class PartlyDoneError(PycytoError):
    """Some of the work is done; the message says which part."""

    exit_code = 5


class GateError(PycytoError):
    """A figure missed the bound that was asked for."""

    exit_code = 6


class MissingDependencyError(PycytoError):
    """QuPath, Java, a library or a weights file is not on this machine."""

    exit_code = 7
