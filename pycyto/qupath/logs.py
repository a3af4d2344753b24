"""Append-only logs of what people decided: one JSON object per line, one file per person.

The scripts in QuPath write them, line by line. A process that is killed leaves at most
its last line without an end; whatever else cannot be read was changed by hand, and is
named rather than skipped, since a line that is skipped is a label that is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pycyto import files
from pycyto.errors import BadInputError

# Ten million decisions.
_LARGEST_LOG = 1 << 32
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
REMEDY = "Restore the file from a backup: it is not meant to be edited by hand."


def file_name_of(person: str) -> str:
    """Return what the file or folder of a person is called, without an ending.

    Two spellings of a name that differ in case only are one person, and every name is
    a file name on every system.
    """
    encoded = person.strip().lower().encode()
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in encoded)


def whole_lines(path: Path) -> bytes:
    """Return a log without a last line that was being written when its process died.

    Raises
    ------
    BadInputError
        When it is missing or cannot be read.
    """
    files.check_size(path, _LARGEST_LOG)
    with files.readable(path):
        content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def objects_in(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each whole line of a log, from 1, and the object that it holds.

    Raises
    ------
    BadInputError
        When the file cannot be read, or a line holds no JSON object; it names the line.
    """
    for number, line in enumerate(whole_lines(path).splitlines(), 1):
        try:
            content = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise bad_line(path, number, f"it is not JSON ({error})") from error
        if not isinstance(content, dict):
            raise bad_line(path, number, "it is not a JSON object")
        yield number, content


def bad_line(path: Path, number: int, reason: str) -> BadInputError:
    """Return the error for a line that is not what it should be."""
    return BadInputError(
        f"Line {number} of this log cannot be used: {reason}.", where=path, remedy=REMEDY
    )
