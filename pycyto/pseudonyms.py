"""What reports say instead of a name, and the key that it is made with.

A plain digest of a name hides nothing: whoever has a list of names makes the
digest of each and compares. So a pseudonym is a keyed one (HMAC), and the key
stays with what is confidential anyway, in the project and beside the manifest.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from pycyto import files
from pycyto.errors import BadInputError, NotWritableError
from pycyto.manifest import UNKNOWN, Row
from pycyto.records import Reporter

FILE_NAME = "pseudonyms.key"
_KEY_BYTES = 32

# Two names among 10 000 get the same eight digits once in a hundred such data sets.
_DIGITS = 8

# Columns of the manifest that name someone or something, and how a pseudonym for each begins.
# The site is a laboratory: with a date or a rare finding it can be enough to know a patient.
NAMES = {
    "project_name": "project",
    "source": "source",
    "site": "site",
    "patient": "patient",
    "slide": "slide",
    "image_name": "image",
    "annotator": "annotator",
}


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes pseudonyms with one key."""

    key: bytes = field(repr=False)

    def of(self, kind: str, value: str) -> str:
        """Return the pseudonym of a name, e.g. ``image-7c21d4e0``; unknown stays unknown.

        It is the same for the same key, kind and name, and leads back to the
        name for nobody who has not the key.
        """
        if value in ("", UNKNOWN):
            return UNKNOWN
        digest = hmac.new(self.key, f"{kind}\0{value}".encode(), "sha256").hexdigest()
        return f"{kind}-{digest[:_DIGITS]}"

    def hide(self, row: Row) -> Row:
        """Return a row to be shown: pseudonyms for names, nothing that was made from a name.

        An object's UUID stays: QuPath draws it at random, and it finds the cell
        again for whoever has the data.
        """
        names: dict[str, Any] = {
            column: self.of(kind, getattr(row, column)) for column, kind in NAMES.items()
        }
        object_id = row.object_id if _is_uuid(row.object_id) else self.of("cell", str(row.key))
        return replace(row, **names, object_id=object_id, image_key="", file="")


def pseudonyms_of(data: Path, reporter: Reporter) -> Pseudonyms:
    """Return the pseudonyms of a data set, whose key is made if it has none.

    Where the key can be neither read nor kept, as in another user's folder, the
    pseudonyms are made with one that is forgotten, and the reporter says so.

    Raises
    ------
    BadInputError
        The file is no key.
    """
    try:
        return Pseudonyms(_ensured_key(data))
    except (OSError, NotWritableError):
        reporter.warn(
            f"{data / FILE_NAME} can be neither read nor written: the pseudonyms of this report "
            "are its own, and another report will have others."
        )
        return Pseudonyms(secrets.token_bytes(_KEY_BYTES))


def share_key(workspace: Path, data: Path) -> None:
    """Give a data set the key of its project, unless it has one.

    So reports have the same pseudonyms wherever the data set is taken, and
    after it was exported anew. Of several projects in one data set the first
    gives the key. Where the project's can be neither read nor made, the data
    set gets one of its own when it needs it.

    Parameters
    ----------
    workspace
        The folder ``pycyto`` of the project.

    Raises
    ------
    BadInputError
        The project's file is no key.
    """
    target = data / FILE_NAME
    with contextlib.suppress(OSError, NotWritableError):
        files.remove_parts(workspace, below=False)
        if not target.exists():
            files.write_private_once(target, _as_text(_ensured_key(workspace)))


def take_key(sources: Iterable[Path], data: Path) -> None:
    """Give a data set the key of the first of others that has one; without any it gets its own.

    Raises
    ------
    BadInputError
        That file is no key.
    """
    there = next((one for one in sources if (one / FILE_NAME).exists()), None)
    if there is not None:
        files.write_private_once(data / FILE_NAME, _as_text(_read(there / FILE_NAME)))


def _ensured_key(folder: Path) -> bytes:
    path = folder / FILE_NAME
    if not path.exists():
        files.remove_parts(folder, below=False)
        files.write_private_once(path, _as_text(secrets.token_bytes(_KEY_BYTES)))
    # Read back: of two that made one at the same time, the first holds.
    return _read(path)


def _as_text(key: bytes) -> str:
    return f"{key.hex()}\n"


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise BadInputError(
            "This file holds no key for pseudonyms.",
            where=path,
            remedy="Restore it from a backup, or delete it: then a new key is made, and later "
            "reports have other pseudonyms than earlier ones.",
        )
    return key


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
