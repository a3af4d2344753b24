"""Two at once: one works, the other is told who does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycyto import locks
from pycyto.errors import LockedError, NotWritableError
from tests.test_files import NO_SPACE, READ_ONLY, failing, other_process

HOLD = (
    "import sys, time; from pathlib import Path; from pycyto import locks\n"
    "with locks.locked(Path(sys.argv[1])):\n"
    "    print('ready', flush=True); time.sleep(60)\n"
)


def test_a_second_process_waits_outside(tmp_path: Path) -> None:
    folder = tmp_path / "a é" / "pycyto"
    with other_process(HOLD, folder) as process:
        with pytest.raises(LockedError, match=f"process {process.pid} on ") as raised:
            locks.locked(folder).__enter__()
        assert raised.value.where == str(folder)
        assert json.loads((folder / "lock.json").read_text())["pid"] == process.pid
    assert (folder / "lock.json").exists()  # it was killed: the note is left, the lock is free
    with locks.locked(folder):
        assert json.loads((folder / "lock.json").read_text())["pid"] == os.getpid()
    assert not (folder / "lock.json").exists()


def test_the_same_process_waits_outside_too(tmp_path: Path) -> None:
    with locks.locked(tmp_path):
        with pytest.raises(LockedError), locks.locked(tmp_path):
            pass
        assert (tmp_path / "lock.json").exists()
    with locks.locked(tmp_path):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a cell")])
def test_an_exception_frees_the_lock(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), locks.locked(tmp_path):
        raise error
    assert not (tmp_path / "lock.json").exists()
    with locks.locked(tmp_path):
        pass


@pytest.mark.parametrize("note", ["", "[]", "{}", "nonsense", "7"])
def test_a_note_that_says_nothing_does_no_harm(note: str, tmp_path: Path) -> None:
    with locks.locked(tmp_path):
        (tmp_path / "lock.json").write_text(note)
        with pytest.raises(LockedError, match=r"at work here\."), locks.locked(tmp_path):
            pass


def test_a_full_disk_frees_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", failing(NO_SPACE))
        with pytest.raises(NotWritableError), locks.locked(tmp_path):
            pass
    assert not (tmp_path / "lock.json").exists()
    with locks.locked(tmp_path):
        pass


def a_scripts_note(folder: Path, pid: int, host: str) -> None:
    note = {"pid": pid, "host": host, "since": "now", "by": "export_cells"}
    (folder / "lock.json").write_text(json.dumps(note))


@pytest.mark.parametrize("host", [socket.gethostname(), "another-computer"])
def test_a_script_at_work_is_waited_for(host: str, tmp_path: Path) -> None:
    a_scripts_note(tmp_path, os.getpid(), host)
    with pytest.raises(LockedError, match=f"process {os.getpid()} on {host}"):
        locks.locked(tmp_path).__enter__()
    assert (tmp_path / "lock.json").exists()


def test_the_note_of_a_script_that_died_is_stale(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    a_scripts_note(tmp_path, gone.pid, socket.gethostname())
    with locks.locked(tmp_path):
        assert json.loads((tmp_path / "lock.json").read_text())["pid"] == os.getpid()


def test_a_note_that_is_just_being_written_is_a_scripts(tmp_path: Path) -> None:
    note = tmp_path / "lock.json"
    note.write_text("")
    with pytest.raises(LockedError), locks.locked(tmp_path):
        pass
    assert note.exists()
    os.utime(note, (1, 1))
    with locks.locked(tmp_path):
        assert json.loads(note.read_text())["pid"] == os.getpid()


def test_a_note_that_cannot_be_deleted_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, locks.locked(tmp_path):
        patch.setattr(Path, "unlink", failing(READ_ONLY))
    with locks.locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", failing(READ_ONLY))
    with (
        pytest.raises(NotWritableError, match="cannot be written to"),
        locks.locked(tmp_path / "new"),
    ):
        pass


def a_note(folder: Path, **held: object) -> None:
    (folder / "lock.json").write_text(json.dumps(held))


def test_a_command_on_another_computer_is_waited_for(tmp_path: Path) -> None:
    """Through a network share its system's lock may not be seen."""
    a_note(tmp_path, pid=1, host="another-computer", since="2026-01-31T12:00:00+00:00")
    with pytest.raises(LockedError, match=r"process 1 on another-computer, for \d+ hours"):
        locks.locked(tmp_path).__enter__()


def test_javas_name_for_this_computer_is_known(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    host = f"{socket.gethostname().upper()}.hospital.example"
    a_note(tmp_path, pid=gone.pid, host=host, since="now", by="export_cells")
    assert locks.stale_note(tmp_path) == tmp_path / "lock.json"
    with locks.locked(tmp_path):
        pass


@pytest.mark.parametrize(
    ("minutes", "words"), [(5, "for 5 minutes"), (130, "for 2 hours"), (-5, "since 20")]
)
def test_the_age_of_a_lock_is_told(minutes: int, words: str, tmp_path: Path) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    a_note(tmp_path, pid=os.getpid(), host=socket.gethostname(), since=since, by="a script")
    with pytest.raises(LockedError, match=words):
        locks.locked(tmp_path).__enter__()
