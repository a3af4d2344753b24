"""Keys, marks and identifiers: what makes a cell the same one again."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.records import (
    NAMESPACE,
    RUN_MARK,
    SILENT,
    UPDATED_MARK,
    Bounds,
    Cell,
    CellKey,
    ProjectObject,
    is_of_source,
    new_object_id,
    path_from,
    project_id_of_source,
    run_mark,
)

RUN = "1f9c2a00-0000-4000-8000-000000000000"
KEY = CellKey("p", "3", "0a0b0c0d-0000-4000-8000-000000000001")


def an_object(**measurements: float) -> ProjectObject:
    return ProjectObject(
        KEY.object_id, "detection", "HSIL", (1, 2), Bounds(0, 0, 2, 4), 8, measurements=measurements
    )


@given(st.uuids())
def test_a_run_mark_survives_the_float_of_a_detection(run: UUID) -> None:
    mark = run_mark(str(run))
    assert int(np.float32(mark)) == mark == int(run.hex[:6], 16)


@given(st.uuids(), st.uuids(), st.none() | st.integers(0, 9))
def test_an_identifier_depends_on_cell_and_run_alone(
    run: UUID, other: UUID, point: int | None
) -> None:
    key = KEY._replace(point_index=point)
    made = new_object_id(key, str(run))
    assert made == new_object_id(CellKey(*key), str(run))
    assert UUID(made).version == 5
    assert made == made.lower()
    if run != other:
        assert made != new_object_id(key, str(other))
        assert made != new_object_id(key._replace(object_id=str(other)), str(run))


def test_identifiers_stay_what_they_were_in_earlier_versions() -> None:
    assert str(NAMESPACE) == "6f0b6d3a-51b8-5c0c-9f0e-7d5a4b1c2e90"
    written_out = f"p/3/{KEY.object_id}/ {RUN}"
    assert new_object_id(KEY, RUN) == str(uuid5(NAMESPACE, written_out))


def test_a_point_is_another_cell_than_the_outline() -> None:
    keys = [KEY, KEY._replace(point_index=0), KEY._replace(point_index=1)]
    assert [str(key).rpartition("/")[2] for key in keys] == ["", "0", "1"]
    assert len({new_object_id(key, RUN) for key in keys}) == 3


def test_marks_tell_what_is_ours() -> None:
    assert not an_object(Area=3.0).made_by_pycyto
    assert not an_object(Area=3.0).classified_by_pycyto
    assert an_object(**{RUN_MARK: 0.0}).made_by_pycyto
    assert an_object(**{UPDATED_MARK: 5.0}).classified_by_pycyto


def test_a_point_has_no_outline() -> None:
    cell = Cell(KEY, "annotation", "HSIL", 1, 2, Bounds(0, 0, 2, 4), 8)
    assert not cell.is_point
    assert Cell(KEY._replace(point_index=0), "annotation", None, 1, 2, cell.bounds, 0).is_point


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert path_from("~/a é") == tmp_path / "a é"
    assert path_from("b") == tmp_path / "b"


def test_the_silent_reporter_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    SILENT.say("a")
    SILENT.warn("b")
    with SILENT.progress("c", 3) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")


def test_a_source_is_told_from_a_project() -> None:
    ours = project_id_of_source("herlev")
    assert ours == str(uuid5(NAMESPACE, "source herlev"))
    assert is_of_source(ours)
    assert not is_of_source(str(uuid4()))
    assert not is_of_source("an ID of the user's own")
