"""Pseudonyms hold for one key, lead back to nothing, and their key goes with the data."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError, NotWritableError
from pycyto.manifest import UNKNOWN, Row
from pycyto.pseudonyms import FILE_NAME, Pseudonyms, pseudonyms_of, share_key
from pycyto.records import SILENT, Silent

NAME = "Mustermann_Erika_1970.svs"
ONE, OTHER = Pseudonyms(b"1" * 32), Pseudonyms(b"2" * 32)


class Listener(Silent):
    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


@given(st.text(min_size=1), st.text(min_size=1))
def test_equal_names_are_equal_and_different_ones_differ(one: str, other: str) -> None:
    assert (ONE.of("image", one) == ONE.of("image", other)) == (
        one == other or {one, other} <= {"", UNKNOWN}
    )


def test_the_kind_and_the_key_count() -> None:
    made = ONE.of("image", NAME)
    assert made == Pseudonyms(b"1" * 32).of("image", NAME)
    assert len({made, OTHER.of("image", NAME), ONE.of("slide", NAME)}) == 3
    assert made.startswith("image-")
    assert len(made) == len("image-7c21d4e0")


def test_the_hash_is_keyed_and_as_documented() -> None:
    """HMAC-SHA-256 by its definition; a plain digest would fall to a list of names."""
    inner = bytes(0x36 ^ byte for byte in b"1" * 32 + bytes(32))
    outer = bytes(0x5C ^ byte for byte in b"1" * 32 + bytes(32))
    message = f"image\0{NAME}".encode()
    digest = hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()
    assert ONE.of("image", NAME) == f"image-{digest[:8]}"


@pytest.mark.parametrize("value", ["", UNKNOWN])
def test_what_is_unknown_stays_unknown(value: str) -> None:
    assert ONE.of("patient", value) == UNKNOWN


def test_a_hidden_row_holds_nothing_that_was_made_from_a_name() -> None:
    row = Row(
        "p", "7", "0b9c7c1e-3f0d-4b1e-9a65-1f2d3c4b5a69", 2, "key of Erika", "Erika 1", "Erika 2",
        1.0, 1.0, 0, 0, 224, 1.0, "HSIL", "HSIL", "", "images/Erika 3.png", source="Erika 4",
        site="Erika 5", patient="Erika 6", slide="Erika 7", annotator="Erika 8", scanner="AT2",
        preparation="ThinPrep",
    )  # fmt: skip
    hidden = ONE.hide(row)
    assert not any("Erika" in str(getattr(hidden, column.name)) for column in fields(Row))
    assert hidden.image_name == ONE.of("image", "Erika 2")
    assert (hidden.object_id, hidden.point_index) == (row.object_id, 2), "finds the cell again"
    assert (hidden.scanner, hidden.preparation, hidden.label) == ("AT2", "ThinPrep", "HSIL")


def test_an_object_that_is_named_after_something_is_hidden_too() -> None:
    rows = [
        Row("p", "7", name, None, "k", "", "", 0.0, 0.0, 0, 0, 224, 1.0, "", "", "", "")
        for name in ("Erika.bmp", "Klaus.bmp")
    ]
    erika, klaus = (ONE.hide(row).object_id for row in rows)
    assert erika.startswith("cell-")
    assert erika != klaus


def test_a_data_set_gets_a_key_and_keeps_it(tmp_path: Path) -> None:
    made = pseudonyms_of(tmp_path, SILENT)
    assert pseudonyms_of(tmp_path, SILENT) == made
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert pseudonyms_of(tmp_path / "other", SILENT) != made


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    assert "key" not in repr(pseudonyms_of(tmp_path, SILENT))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_only_the_owner_reads_a_key(tmp_path: Path) -> None:
    project, data = tmp_path / "project", tmp_path / "data"
    share_key(project, data)
    for folder in (project, data):
        assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_data_sets_of_one_project_share_its_key(tmp_path: Path) -> None:
    project, one, other = (tmp_path / name for name in ("project", "one", "other"))
    share_key(project, one)
    share_key(project, other)
    assert pseudonyms_of(one, SILENT) == pseudonyms_of(other, SILENT)


def test_a_data_set_keeps_the_key_that_it_has(tmp_path: Path) -> None:
    before = pseudonyms_of(tmp_path / "data", SILENT)
    share_key(tmp_path / "project", tmp_path / "data")
    assert pseudonyms_of(tmp_path / "data", SILENT) == before


def test_of_two_that_make_a_key_at_once_both_use_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bytes(range(32))

    def overtaken(count: int) -> bytes:
        (tmp_path / FILE_NAME).write_text(first.hex(), "ascii")
        return bytes(count)

    monkeypatch.setattr("pycyto.pseudonyms.secrets.token_bytes", overtaken)
    assert pseudonyms_of(tmp_path, SILENT) == Pseudonyms(first)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_disk_without_hard_links_holds_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", refuse)
    made = pseudonyms_of(tmp_path, SILENT)
    assert pseudonyms_of(tmp_path, SILENT) == made
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("content", ["", "00", "no hex", "ä" * 64, "0" * 63])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(BadInputError, match="no key for pseudonyms"):
        pseudonyms_of(tmp_path, SILENT)
    with pytest.raises(BadInputError, match="no key for pseudonyms"):
        share_key(tmp_path, tmp_path / "data")


def test_where_no_key_can_be_kept_a_report_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        raise NotWritableError("This place cannot be written to.", where=path)

    monkeypatch.setattr("pycyto.files.write_private_once", refuse)
    listener = Listener()
    one, other = pseudonyms_of(tmp_path, listener), pseudonyms_of(tmp_path, listener)
    assert one != other
    assert len(listener.warned) == 2
    share_key(tmp_path / "project", tmp_path / "data")  # an export goes on


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO], ids=["another's", "a bad disk's"])
def test_a_key_that_cannot_be_read_stops_nobody(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share_key(tmp_path / "project", tmp_path / "data")

    def refuse(path: Path, *_: object) -> str:
        raise OSError(code, "not to be read")

    monkeypatch.setattr(Path, "read_text", refuse)
    listener = Listener()
    pseudonyms_of(tmp_path / "data", listener)
    assert len(listener.warned) == 1
    share_key(tmp_path / "project", tmp_path / "other")
    assert not (tmp_path / "other").exists()
