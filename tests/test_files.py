"""A file is the old one or the new one, never a part of one, whatever happens."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto import files
from pycyto.errors import BadInputError, NotWritableError, PycytoError, RefusedError
from tests.links import link

ROOT = Path(__file__).resolve().parents[1]
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")
READ_ONLY = OSError(errno.EROFS, "Read-only file system")


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that must survive."""
    path = tmp_path / "Zellen é" / "table 1.csv"
    path.parent.mkdir()
    path.write_text("old")
    return path


def assert_untouched(path: Path) -> None:
    assert path.read_text() == "old"
    assert [item.name for item in path.parent.iterdir()] == [path.name]


@contextmanager
def other_process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python elsewhere until it says that it is ready; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    files.write_text(path, "é\r\nb\n")
    assert path.read_bytes() == "é\r\nb\n".encode()
    files.write_bytes(path, b"\x00\r\n\xff")
    assert path.read_bytes() == b"\x00\r\n\xff"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_is_there_until_the_block_ends(old: Path) -> None:
    with files.writing(old) as stream:
        stream.write("new")
        stream.flush()
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize(
    "error", [ValueError("a row"), KeyboardInterrupt(), SystemExit(3), BadInputError("bad")]
)
@pytest.mark.parametrize("binary", [False, True])
def test_an_exception_in_the_block_changes_nothing(
    error: BaseException, binary: bool, old: Path
) -> None:
    def write() -> None:
        with files.writing(old, binary=binary) as stream:
            stream.write(b"half" if binary else "half")
            raise error

    with pytest.raises(type(error)) as raised:
        write()
    assert raised.value is error
    assert_untouched(old)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_while_writing(code: int, old: Path) -> None:
    with pytest.raises(NotWritableError, match="disk is full") as raised, files.writing(old):
        raise OSError(code, "full")
    assert raised.value.where == str(old)
    assert "Free some space" in str(raised.value)
    assert isinstance(raised.value.__cause__, OSError)
    assert_untouched(old)


def test_a_disk_that_is_full_only_when_all_is_written(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(NO_SPACE))
    with pytest.raises(NotWritableError, match="disk is full"):
        files.write_text(old, "new")
    assert_untouched(old)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_a_target_that_another_program_holds_open(
    code: int, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", failing(OSError(code, "in use")))
    with pytest.raises(NotWritableError, match="cannot be written to") as raised:
        files.write_text(old, "new")
    assert "close what holds the file open" in str(raised.value)
    assert_untouched(old)


def test_a_read_only_file_system_refuses_to_delete_too(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, deleting a file that does not exist fails as well."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing(READ_ONLY))
        patch.setattr(Path, "unlink", failing(READ_ONLY))
        with pytest.raises(NotWritableError, match="cannot be written to"):
            files.write_text(old, "new")
    assert_untouched(old)


def test_a_disk_that_fails(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(BROKEN))
    with pytest.raises(NotWritableError, match="reports an error"):
        files.write_text(old, "new")
    assert_untouched(old)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: files.replace(path, path.parent / "other.csv"),
        files.remove,
        lambda path: files.remove_parts(path.parent),
    ],
    ids=["replace", "remove", "remove_parts"],
)
def test_what_cannot_be_moved_or_deleted_is_named(
    change: Callable[[Path], None], old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old.parent / ".table 1.csv.999999999.part").write_text("half")
    for name in ("unlink", "replace"):
        monkeypatch.setattr(Path, name, failing(READ_ONLY))
    with pytest.raises(NotWritableError, match="cannot be written to"):
        change(old)
    assert old.read_text() == "old"


@pytest.mark.parametrize(
    "read",
    [files.read_json, files.sha256_of, lambda path: files.copy_file(path, path)],
    ids=["JSON", "hash", "copy"],
)
def test_what_cannot_be_read_is_named(
    read: Callable[[Path], object], old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="missing"):
        read(old.parent / "no file")
    monkeypatch.setattr(Path, "open", failing(BROKEN))
    with pytest.raises(BadInputError, match="cannot be read") as raised:
        read(old)
    assert raised.value.where == str(old)


def test_what_another_process_is_writing_is_no_leftover(tmp_path: Path) -> None:
    part = tmp_path / f".new.csv.{os.getpid()}.part"
    part.write_text("half")
    files.remove_parts(tmp_path)
    assert part.exists()


@pytest.mark.parametrize("target", ["table 1.csv/a.txt", "table 1.csv/b/a.txt", "."])
def test_a_file_where_a_folder_is_needed(target: str, old: Path) -> None:
    with pytest.raises(NotWritableError, match="stands where a folder"):
        files.write_text(old.parent / target, "new")
    assert_untouched(old)


def test_other_errors_are_left_as_they_are(old: Path) -> None:
    with pytest.raises(OSError, match="lead") as raised, files.writing(old):
        raise OSError(errno.ELOOP, "lead")
    assert raised.value.__cause__ is None
    assert not isinstance(raised.value, PycytoError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_the_old_file(old: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pycyto import files\n"
        "with files.writing(Path(sys.argv[1])) as stream:\n"
        "    stream.write('half'); stream.flush(); print('ready', flush=True); time.sleep(60)\n"
    )
    with other_process(code, old) as process:
        os.kill(process.pid, signal.SIGKILL)
    assert old.read_text() == "old"
    assert len(list(old.parent.iterdir())) == 2

    keep = old.parent / "notes.part"
    keep.write_text("mine")
    files.remove_parts(old.parent.parent)
    assert set(old.parent.iterdir()) == {old, keep}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40)
@given(JSON_VALUES)
def test_json_comes_back_the_same(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    files.write_json(path, value)
    assert files.read_json(path) == value


def test_json_is_strict_and_can_be_read_by_people(old: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(old, {"mpp": float("nan")})
    assert_untouched(old)
    files.write_json(old, {"name": "Zelle é"})
    assert old.read_text(encoding="utf-8") == '{\n  "name": "Zelle é"\n}\n'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"a": [1, 2',
        b'{"name": "\xe9"}',
        b"[" * 200_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 64 + b"[]" + b"}" * 64,
        b"1" * 5_000,
        b"-" + b"1" * 100,
        b"1e999",
        b"NaN",
        b"[-Infinity]",
        rb'["\ud800"]',
        rb'{"\udfff": 1}',
    ],
    ids=lambda content: content.decode("latin-1")[:20] or "empty",
)
def test_what_is_not_json_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "project.json"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="not valid JSON") as raised:
        files.read_json(path)
    assert raised.value.where == str(path)
    assert raised.value.remedy


def test_numbers_that_only_qupath_writes(tmp_path: Path) -> None:
    path = tmp_path / "project.qpproj"
    path.write_text("[NaN, -Infinity]")
    nan, infinity = files.read_json(path, special_numbers=True)
    assert math.isnan(nan)
    assert infinity == -math.inf


def test_json_of_ordinary_depth_and_any_letter(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    path.write_text("[" * 64 + "]" * 64)
    files.read_json(path)
    path.write_text(r'["\ud83d\ude00", -1.5e300, ' + "9" * 100 + "]")
    assert files.read_json(path) == ["😀", -1.5e300, int("9" * 100)]


def test_json_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    with path.open("wb") as stream:  # a hole takes no place on the disk
        stream.truncate(files.LARGEST_JSON + 1)
    with pytest.raises(BadInputError, match="too large"):
        files.read_json(path)


def test_json_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="missing"):
        files.read_json(tmp_path / "no.json")
    with pytest.raises(BadInputError, match="cannot be read"):
        files.read_json(tmp_path)


def test_a_copy_is_whole_and_as_old(old: Path, tmp_path: Path) -> None:
    os.utime(old, (1_000_000_000, 1_000_000_000))
    target = tmp_path / "b" / "copy.csv"
    files.copy_file(old, target)
    assert target.read_text() == "old"
    assert target.stat().st_mtime == 1_000_000_000


def test_a_copy_that_breaks_off_leaves_the_target(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_text("new")
    monkeypatch.setattr(shutil, "copyfileobj", failing(NO_SPACE))
    with pytest.raises(NotWritableError):
        files.copy_file(source, old)
    assert_untouched(old)


def test_a_copy_fails_before_it_changes_anything(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_text("new")
    monkeypatch.setattr(shutil, "copystat", failing(READ_ONLY))
    with pytest.raises(NotWritableError):
        files.copy_file(source, old)
    assert_untouched(old)


def test_a_hash_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data.qpdata"
    path.write_bytes(b"abc" * 1_000_000)
    assert files.sha256_of(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_now_is_in_utc_and_has_no_fraction() -> None:
    text = files.now()
    assert text.endswith("+00:00")
    assert "." not in text
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=1)


@given(st.lists(st.text(), min_size=2))
def test_a_table_line_comes_back_the_same(values: list[str]) -> None:
    line = files.csv_row(values)
    assert list(csv.reader(io.StringIO(line, newline=""))) == [values]


@given(st.floats(allow_nan=False))
def test_a_double_in_a_table_comes_back_the_same(value: float) -> None:
    assert float(files.csv_row([value])) == value
    assert files.csv_row([np.float64(value)]) == files.csv_row([value])


def test_a_table_line_is_plain_where_it_can_be() -> None:
    assert files.csv_row(["a b", None, 1, 0.1, 'say "é"', "a,b", "a\rb", "a\nb"]) == (
        'a b,,1,0.1,"say ""é""","a,b","a\rb","a\nb"\n'
    )


class InPlace:
    """A file, its copy from before, and where the file goes for the moment."""

    def __init__(self, folder: Path) -> None:
        self.file, self.kept, self.aside = (folder / name for name in ("data", "kept", "data.bkp"))
        self.file.write_text("now")
        self.kept.write_text("before")

    def put_back(self, may_go: Callable[[Path], bool]) -> bool:
        return files.copy_in_place_of(self.kept, self.file, aside=self.aside, may_go=may_go)

    def names(self) -> set[str]:
        return {path.name for path in self.file.parent.iterdir()}


@pytest.fixture
def in_place(tmp_path: Path) -> InPlace:
    return InPlace(tmp_path)


def test_a_copy_takes_the_place_of_what_may_go(in_place: InPlace) -> None:
    assert in_place.put_back(lambda aside: aside.read_text() == "now")
    assert in_place.file.read_text() == "before"
    assert in_place.names() == {"data", "kept"}


def test_what_may_not_go_comes_back(in_place: InPlace) -> None:
    assert not in_place.put_back(lambda aside: False)
    assert in_place.file.read_text() == "now"
    assert in_place.names() == {"data", "kept"}


def test_what_somebody_saves_meanwhile_stays(in_place: InPlace) -> None:
    def saved(aside: Path) -> bool:
        in_place.file.write_text("theirs")
        return True

    assert not in_place.put_back(saved)
    assert in_place.file.read_text() == "theirs"
    assert in_place.names() == {"data", "kept"}


def test_what_was_there_comes_back_after_an_error(in_place: InPlace) -> None:
    def interrupt(aside: Path) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_place.put_back(interrupt)
    assert in_place.file.read_text() == "now"
    assert in_place.names() == {"data", "kept"}


def test_a_folder_appears_when_all_is_in_it(tmp_path: Path) -> None:
    target = tmp_path / "a b" / "set é"
    with files.making_folder(target) as made:
        files.write_text(made / "x" / "1.txt", "one")
        assert not target.exists()
    assert (target / "x" / "1.txt").read_text() == "one"
    assert [path.name for path in target.parent.iterdir()] == ["set é"]


@pytest.mark.parametrize("error", [NO_SPACE, KeyboardInterrupt(), BadInputError("no")])
def test_nothing_stays_of_a_folder_that_fails(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with files.making_folder(tmp_path / "set") as made:
            files.write_text(made / "1.txt", "one")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_filled_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "set"

    def make() -> None:
        with files.making_folder(target) as made:
            files.write_text(made / "1.txt", "ours")
            files.write_text(target / "1.txt", "theirs")

    with pytest.raises(RefusedError):
        make()
    assert (target / "1.txt").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_another_process_is_making_stays(tmp_path: Path) -> None:
    living = tmp_path / f".set.{os.getppid()}.making"
    dead = tmp_path / ".set.999999999.making"
    for folder in (living, dead):
        folder.mkdir()
    with files.making_folder(tmp_path / "set"):
        pass
    assert living.exists()
    assert not dead.exists()


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "set"
    files.write_text(target / "1.txt", "old")
    with files.making_folder(target, replacing=True) as made:
        files.write_text(made / "2.txt", "new")
        assert (target / "1.txt").exists()
    assert [path.name for path in target.iterdir()] == ["2.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_a_killed_process_moved_aside_comes_back(tmp_path: Path) -> None:
    """Killed between its two renames it leaves no folder under the name."""
    target = tmp_path / "set"
    files.write_text(tmp_path / ".set.999999999.old.making" / "1.txt", "old")
    with pytest.raises(RefusedError), files.making_folder(target):
        pass
    assert (target / "1.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_file_in_the_place_of_a_folder_is_refused(old: Path) -> None:
    with pytest.raises(RefusedError), files.making_folder(old):
        pass
    assert_untouched(old)


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_or_a_copy(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", failing(OSError(errno.EXDEV, "another disk")))
    files.link_or_copy(old, tmp_path / "new" / "copy.csv")
    assert (tmp_path / "new" / "copy.csv").read_text() == "old"
    assert (old.stat().st_nlink == 2) is links
    files.write_text(tmp_path / "new" / "copy.csv", "new")
    assert_untouched(old)


def test_files_behind_links_are_found_once(tmp_path: Path) -> None:
    disk, here = tmp_path / "disk", tmp_path / "here"
    for path in (disk / "a" / "1", disk / "2", here / "b" / "3"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    link(here / "all", disk, folder=True)
    link(here / "again", here / "b", folder=True)
    link(here / "b" / "back", here, folder=True)
    link(here / "b" / "file", disk / "2")
    link(here / "b" / "gone", tmp_path / "nowhere")
    found = [path.relative_to(here).as_posix() for path in files.files_below(here)]
    assert found == ["all/2", "all/a/1", "b/3", "b/file", "b/gone"]


def test_a_folder_that_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "iterdir", failing(PermissionError(errno.EACCES, "not yours")))
    with pytest.raises(BadInputError, match="not yours") as raised:
        files.files_below(tmp_path)
    assert raised.value.where == str(tmp_path)
