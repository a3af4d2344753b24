from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.logs import file_name_of, objects_in


def test_a_person_has_one_file_however_they_are_spelled() -> None:
    assert file_name_of("Dr. Müller") == "dr%2E%20m%C3%BCller"
    assert file_name_of(" dr. MÜLLER ") == file_name_of("Dr. Müller")
    assert file_name_of("a_b-9") == "a_b-9"


@given(st.text(), st.text())
def test_two_people_have_two_files(one: str, other: str) -> None:
    try:
        same = one.strip().lower().encode() == other.strip().lower().encode()
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    assert (file_name_of(one) == file_name_of(other)) == same


def test_a_line_that_was_being_written_is_no_line(tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    log.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": ')
    assert list(objects_in(log)) == [(1, {"a": 1}), (2, {"a": 2})]
    log.write_bytes(b'{"a": 1}')  # whole to look at, but its end may be missing
    assert list(objects_in(log)) == []


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff\xfe", b"", b"[" * 100_000])
def test_any_other_line_that_cannot_be_read_is_named(tmp_path: Path, line: bytes) -> None:
    log = tmp_path / "a.jsonl"
    log.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    with pytest.raises(BadInputError, match="Line 2") as caught:
        list(objects_in(log))
    assert caught.value.where == str(log)
