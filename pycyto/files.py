"""Files that are never half written, locks, and hashes.

Everything that pycyto leaves on disk goes through this module: it is written
beside its target under a hidden name and then renamed, so that a killed run
leaves the old file or the new one, never a part of one. This is also the one
place where tests inject faults (a full disk, a kill between two steps).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psutil

from pycyto.errors import BadInputError, NotWritableError, RefusedError

# What a JSON file may be. The project file of ten thousand slides has some 30 MB, and nothing
# that QuPath or pycyto writes is nested deeper than a dozen levels.
LARGEST_JSON = 1 << 28
DEEPEST_JSON = 64
# Digits. Longer ones nobody writes; and a float holds every shorter one.
_LONGEST_NUMBER = 100

_PART = ".part"
_MAKING = ".making"
_PART_OWNER = re.compile(r"\.(\d{1,9})(\.old)?\.part$")
_MAKER = re.compile(r"\.(\d{1,9})(\.old)?\.making$")
_DAY = 24 * 3600.0
_QUOTED = re.compile(r'[",\r\n]')

_FULL = (
    "The disk is full; the file was not changed.",
    "Free some space, then start the same command again: it goes on from here.",
)
_FORBIDDEN = (
    "This place cannot be written to; the file was not changed.",
    "Choose another folder, close what holds the file open, or ask for the rights.",
)
_IN_THE_WAY = (
    "A file stands where a folder is needed, or the other way round.",
    "Move it away, or choose another place.",
)
_BROKEN = (
    "The disk, or the way to it, reports an error; the file was not changed.",
    "Look after the disk or the network, then start the same command again.",
)
# The few errors that users meet, in words: what happened, and what to do.
_REASONS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EIO: _BROKEN,
}


@contextlib.contextmanager
def writing(
    path: Path, *, binary: bool = False, lasting: bool = True, private: bool = False
) -> Iterator[IO[Any]]:
    r"""Open a file that appears under its name only when the block ends well.

    Parameters
    ----------
    path
        The file to create or replace; missing folders are made.
    binary
        Bytes instead of UTF-8 text with ``\n`` line ends.
    lasting
        Whether it must outlast a loss of power at once, which takes milliseconds.
    private
        Only its owner may read it, where the system knows such rights.

    Raises
    ------
    NotWritableError
        When the disk is full or fails, or the place is read-only; the old file is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        with explained(path):
            with _opened(part, binary=binary, private=private) as stream:
                yield stream
                stream.flush()
                if lasting:
                    os.fsync(stream.fileno())
            replace(part, path)
    except BaseException:
        # A read-only file system refuses this even where there is nothing to delete.
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _opened(part: Path, *, binary: bool, private: bool) -> IO[Any]:
    part.parent.mkdir(parents=True, exist_ok=True)
    if private:  # from the first byte on
        part.touch(mode=0o600)
    return part.open("wb") if binary else part.open("w", encoding="utf-8", newline="")


@contextlib.contextmanager
def making_folder(folder: Path, *, replacing: bool = False) -> Iterator[Path]:
    """Give out a folder that appears under its name only when the block ends well.

    What an earlier process left half made beside it is deleted first.

    Parameters
    ----------
    replacing
        Put it in place of what is there, which comes back if that fails.

    Raises
    ------
    RefusedError
        When there is something under this name already and it is not to be replaced.
    NotWritableError
        When it cannot be written to.
    """
    with explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
    if not replacing:
        refuse_existing(folder)
    made = folder.with_name(f".{folder.name}.{os.getpid()}{_MAKING}")
    with explained(folder):
        made.mkdir()
    try:
        yield made
        if not replacing:
            refuse_existing(folder)
        _put(made, folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _tidy(folder: Path) -> None:
    """Delete what a killed process left beside a folder, or put back what it had moved aside."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*{_MAKING}"):
        owner = _MAKER.search(left.name)
        if owner is None or psutil.pid_exists(int(owner[1])):
            continue
        if owner[2] and not folder.exists():
            left.replace(folder)
        else:
            shutil.rmtree(left)


def _put(made: Path, folder: Path) -> None:
    """Put a finished folder in its place. Windows renames over no folder, not even an empty one."""
    if not folder.exists():
        replace(made, folder)
        return
    old = made.with_name(f".{folder.name}.{os.getpid()}.old{_MAKING}")
    replace(folder, old)
    try:
        replace(made, folder)
    except BaseException:
        replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def refuse_existing(folder: Path) -> None:
    """Raise `RefusedError` if a folder is there and holds something."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise RefusedError(
            "There is something in this place already, and nothing is written over it.",
            where=folder,
            remedy="Choose another folder, or delete this one.",
        )


def write_bytes(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write `data` to `path`, whole or not at all; see `writing` for `lasting`."""
    with writing(path, binary=True, lasting=lasting) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 `text` to `path`, whole or not at all."""
    with writing(path) as stream:
        stream.write(text)


def write_private_once(path: Path, text: str) -> None:
    """Write UTF-8 `text` that only its owner may read, unless the file is there.

    Of processes that try at once the first one's text stays. (Where the disk
    knows no hard links, as FAT, a second one within the same instant may win.)
    """
    made = path.with_name(f".{path.name}.new.{os.getpid()}{_PART}")
    try:
        with writing(made, private=True) as stream:
            stream.write(text)
        with explained(path):
            _appear(made, path)
    finally:
        with contextlib.suppress(OSError):
            made.unlink()


def _appear(made: Path, path: Path) -> bool:
    """Give a file a second name, or another, that nothing has yet; return whether it got it."""
    try:
        os.link(made, path)
    except FileExistsError:
        return False
    except OSError:
        if path.exists():
            return False
        made.replace(path)
    return True


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON that a person can read."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, *, special_numbers: bool = False) -> Any:
    """Read a JSON file, which may come from anywhere.

    Parameters
    ----------
    special_numbers
        Take ``NaN`` and ``Infinity``, which are no JSON, but which QuPath writes.

    Raises
    ------
    BadInputError
        When it is missing, cannot be read, or is not UTF-8 or not JSON; when it
        is larger than `LARGEST_JSON` bytes, nested deeper than `DEEPEST_JSON`
        levels, or holds a number or a text that nothing else could take.
    """
    check_size(path, LARGEST_JSON)
    try:
        value = json.loads(
            path.read_text(encoding="utf-8"),
            parse_int=_whole_number,
            parse_float=_finite_number,
            parse_constant=float if special_numbers else _no_number,
        )
        _check_depth_and_texts(value)
    except OSError as error:
        raise BadInputError(f"This file cannot be read ({error}).", where=path) from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(
            f"This file is not valid JSON ({error}).",
            where=path,
            remedy="Restore it from a backup; a copy that broke off looks like this.",
        ) from error
    return value


def check_size(path: Path, largest: int) -> None:
    """Refuse what is not an ordinary file of at most `largest` bytes.

    A link in a folder from elsewhere can lead to a device or a pipe, which has no end.

    Raises
    ------
    BadInputError
        When it is missing, no file, or larger.
    """
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise BadInputError("A file is missing.", where=path) from error
    except OSError as error:
        raise BadInputError(f"This file cannot be read ({error}).", where=path) from error
    if not stat.S_ISREG(found.st_mode):
        raise BadInputError("This cannot be read: it is no ordinary file.", where=path)
    if found.st_size > largest:
        raise BadInputError(
            f"This file is too large: {found.st_size} bytes, where at most {largest} are read.",
            where=path,
        )


def _whole_number(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _finite_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"a number beyond all bounds: {text[:_LONGEST_NUMBER]}")
    return number


def _no_number(text: str) -> float:
    raise ValueError(f"{text} where a number should be")


def _check_depth_and_texts(value: object) -> None:
    """Refuse what would exhaust the stack of whoever walks through it, or cannot be written."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST_JSON:
            raise ValueError(f"nested deeper than {DEEPEST_JSON} levels")
        level = [inner for item in level for inner in _inside(item)]


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value, *value.values())
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is valid JSON and no text
    return value if isinstance(value, list) else ()


def csv_row(values: Iterable[object]) -> str:
    """Return one line of a table as RFC 4180 has it; None is an empty field.

    The csv module of Python 3.11 leaves a lone carriage return unquoted, and
    then refuses to read it.
    """
    return ",".join(map(_csv_field, values)) + "\n"


def _csv_field(value: object) -> str:
    if value is None:
        return ""
    # By float(), since numpy's own doubles are written as np.float64(…).
    text = repr(float(value)) if isinstance(value, float) else str(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def copy_file(source: Path, target: Path) -> None:
    """Copy one file, whole or not at all, with its modification time.

    Raises
    ------
    BadInputError
        When the source is missing or cannot be read.
    NotWritableError
        When the target cannot be written; what was there still is.
    """
    with readable(source):
        reader = source.open("rb")
    with reader, writing(target, binary=True) as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        # Before the rename: nothing may fail once the target is another.
        shutil.copystat(source, writer.name)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or where the disk knows none, copy it.

    Only for files that are replaced and never written into, such as patches.

    Raises
    ------
    BadInputError, NotWritableError
        As `copy_file`.
    """
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target)


def copy_in_place_of(
    source: Path, target: Path, *, aside: Path, may_go: Callable[[Path], bool]
) -> bool:
    """Copy a file over one that others may replace at any moment; return whether that was done.

    What is there is moved aside, and looked at there, where nobody replaces it.
    It comes back unless it may go, and a file that somebody puts in its place
    meanwhile stays. So nobody's file is lost, at the price of an instant in
    which there is only the one aside.

    Parameters
    ----------
    aside
        Where there must be no file.
    may_go
        Told where the file is now.

    Raises
    ------
    BadInputError, NotWritableError
        As `copy_file`; what was there still is.
    """
    made = target.with_name(f".{target.name}.new.{os.getpid()}{_PART}")
    try:
        copy_file(source, made)
        with explained(target):
            target.replace(aside)
            try:
                return may_go(aside) and _appear(made, target)
            finally:
                _appear(aside, target)
                aside.unlink(missing_ok=True)
    finally:
        with contextlib.suppress(OSError):
            made.unlink()


def replace(source: Path, target: Path) -> None:
    """Move a file over another of the same folder tree in one step."""
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    with explained(path):
        path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> int:
    """Delete a folder with all that is in it; return how many bytes its files had."""
    if not folder.exists():
        return 0
    size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    shutil.rmtree(folder)
    return size


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder in the order of their paths, also those behind links.

    A folder that is reached twice, as through a link that leads back, is looked into once. Links
    to nothing are among the files.

    Raises
    ------
    BadInputError
        When a folder cannot be read.
    """
    return sorted(_walked(folder, set()))


def _walked(folder: Path, seen: set[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    with readable(folder):
        # Links last: what is reached both ways has the path without a link.
        inside = sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path))
    for path in inside:
        if path.is_dir():
            yield from _walked(path, seen)
        else:
            yield path


def shipped_folder(name: str) -> Path:
    """Return a folder that comes with pycyto, in an installed package or in the source tree.

    Raises
    ------
    BadInputError
        When this installation lacks it.
    """
    package = Path(__file__).parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise BadInputError(
        f"The folder {name} is not part of this installation.",
        where=package,
        remedy="Install pycyto again.",
    )


def remove_parts(folder: Path, *, below: bool = True) -> None:
    """Delete what killed runs left behind in `folder` and, if wanted, `below`.

    What a process of this machine is writing at this moment stays.
    """
    pattern = f".*{_PART}"
    for part in folder.rglob(pattern) if below else folder.glob(pattern):
        if not _is_in_use(part):
            remove(part)


def old_parts(folder: Path) -> list[Path]:
    """Return what killed runs left behind in `folder` and below, more than a day ago.

    What is younger, or of a process that may still be at work, is not among it:
    on a shared disk that process may be another computer's.
    """
    return [part for part in sorted(folder.rglob(f".*{_PART}")) if _is_old(part)]


def _is_old(part: Path) -> bool:
    with contextlib.suppress(OSError):
        old = time.time() - part.stat().st_mtime > _DAY
        return old and _PART_OWNER.search(part.name) is not None and not _is_in_use(part)
    return False


def _is_in_use(part: Path) -> bool:
    owner = _PART_OWNER.search(part.name)
    return owner is not None and psutil.pid_exists(int(owner[1]))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    Raises
    ------
    BadInputError
        When it is missing or cannot be read.
    """
    with readable(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def now(precision: str = "seconds") -> str:
    """Return the time in UTC as ISO 8601 text, to the second or to ``milliseconds``."""
    return datetime.now(UTC).isoformat(timespec=precision)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be read.

    Raises
    ------
    BadInputError
        When the block meets an error of the system.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise BadInputError("A file is missing.", where=path) from error
    except OSError as error:
        raise BadInputError(
            f"This file cannot be read ({error.strerror}).",
            where=path,
            remedy="Look after the disk, and after your rights to the file.",
        ) from error


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say in words why a file cannot be written, where it is one of the few reasons users meet."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        what, remedy = _REASONS[error.errno]
        raise NotWritableError(what, where=path, remedy=remedy) from error
