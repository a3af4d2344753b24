"""The table of patches comes back exactly as it was written, and a damaged one is refused."""

from __future__ import annotations

import csv
import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError, NotWritableError
from pycyto.manifest import (
    COLUMNS,
    CONFIDENTIAL,
    Row,
    lines_of,
    points_inside,
    read_manifest,
    rows_in,
)
from tests.links import link
from tests.manifests import a_row, edit, write_manifest

# Each example is a file on disk: making a failing one smaller would take minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TYPES: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(max_size=8) | st.sampled_from(['a,"b"\r\nc', "\r", "é\u2028\x85\x0b", '"', " "]),
    "int": st.integers(),
    "float": FINITE,
    "int | None": st.none() | st.integers(0),
    "float | None": st.none() | FINITE,
}
FIXED: dict[str, st.SearchStrategy[Any]] = {
    "schema": st.just(1),
    "file": st.sampled_from(["images/HSIL/1_a.png", "images/a b~1/ä,1.png"]),
}
ROWS = st.lists(
    st.builds(
        Row,
        **{f.name: FIXED.get(f.name, TYPES[str(f.type)]) for f in dataclasses.fields(Row)},
    ),
    max_size=4,
    unique_by=lambda row: row.key,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two cells."""
    write_manifest(tmp_path, [a_row(), a_row(object_id="o2", label="")])
    return tmp_path


@settings(max_examples=40, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    folder = tmp_path_factory.getbasetemp() / "rows"
    write_manifest(folder, rows)
    found = read_manifest(folder)
    assert {row.key: row for row in found} == {row.key: row for row in rows}
    assert len(found) == len(rows)
    assert rows_in(lines_of(rows)) == found


@pytest.mark.parametrize(
    "name",
    [
        'Smear "A", 3',
        "two\nlines",
        "two\r\nlines",
        "\r",
        "é ü 漢",
        "a\u2028b\x85c\x1cd",
        " a ",
        "=1+1",
    ],
)
def test_names_that_tables_stumble_over(name: str, tmp_path: Path) -> None:
    rows = [a_row(image_name=name, original_label=name), a_row(object_id="o2")]
    write_manifest(tmp_path, rows)
    assert read_manifest(tmp_path) == rows


@pytest.mark.parametrize("number", [0.1 + 0.2, 1e300, 5e-324, -0.0, 12345.678901234567])
def test_doubles_are_exact(number: float, tmp_path: Path) -> None:
    write_manifest(tmp_path, [a_row(centroid_x=number, mpp=np.float64(number))])
    (row,) = read_manifest(tmp_path)
    assert (repr(row.centroid_x), repr(row.mpp)) == (repr(number), repr(number))


def test_columns_are_those_of_the_rows_in_a_fixed_order(data: Path) -> None:
    assert sorted(COLUMNS) == sorted(field.name for field in dataclasses.fields(Row))
    first, second, *_ = (data / "manifest.csv").read_bytes().decode().split("\n")
    assert first == ",".join(COLUMNS)
    assert second.startswith("1,p,1,o,,annotation,k,study,a é.svs,10.1,20.2,-101,-91,224,1.0,0,0,,")
    assert second.endswith(f"images/HSIL/1_o.png,{CONFIDENTIAL}")


def test_equal_data_give_equal_files(tmp_path: Path) -> None:
    rows = [a_row(entry_id=str(n), point_index=p) for n in (10, 9, 1) for p in (None, 0, 1)]
    write_manifest(tmp_path / "a", rows)
    write_manifest(tmp_path / "b", reversed(rows))
    assert (tmp_path / "a/manifest.csv").read_bytes() == (tmp_path / "b/manifest.csv").read_bytes()


def test_two_cells_on_one_pixel_are_two_cells(tmp_path: Path) -> None:
    rows = [a_row(), a_row(object_id="o2"), a_row(point_index=0)]
    write_manifest(tmp_path, rows)
    assert len(read_manifest(tmp_path)) == 3


def test_a_table_that_went_through_excel_or_a_mail_program(data: Path) -> None:
    rows = read_manifest(data)
    text = (data / "manifest.csv").read_text(encoding="utf-8")
    (data / "manifest.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert read_manifest(data) == rows


def test_further_columns_and_another_order_are_fine(data: Path) -> None:
    rows = read_manifest(data)
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))
    with (data / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["mine", *reversed(COLUMNS)])
        writer.writeheader()
        writer.writerows({"mine": "x", **record} for record in records)
    assert read_manifest(data) == rows


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("centroid_x", "x", "Columns are missing: centroid_x"),
        ("schema,project_id", "id", "Columns are missing: schema, project_id"),
        (",", ";", "separated by semicolons; only commas are read"),
        (",", "\t", "separated by tabs; only commas are read"),
        ("centroid_x", "Centroid_X", "centroid_x. Did you mean 'Centroid_X'"),
        ("\n1,p", "\n2,p", "Line 2 has schema '2'; this version reads 1"),
        ("10.1", "ten", "Line 2, column centroid_x: 'ten' is not a number"),
        ("10.1", "", "Line 2, column centroid_x: '' is not a number"),
        ("10.1", "NaN", "column centroid_x: 'NaN' is not a number"),
        ("10.1", "inf", "column centroid_x: 'inf' is not a number"),
        ("-101", "-101.0", "column left: '-101.0' is not a whole number"),
        ("1,o,,", "1,o,x,", "column point_index: 'x' is not a whole number"),
        ("1,o2,", "1,o,", r"Two rows stand for one cell \(p/1/o/\)"),
        (f",{CONFIDENTIAL}", "", "Line 2 has another number of columns"),
        (CONFIDENTIAL, f"{CONFIDENTIAL},more", "Line 2 has another number of columns"),
        ("images/HSIL/1_o.png", "../1_o.png", "Line 2 names a file outside"),
        ("images/HSIL/1_o.png", "/etc/passwd", "Line 2 names a file outside"),
        ("images/HSIL/1_o.png", "", "Line 2 names a file outside"),
        ("study", "x" * 200_000, r"Line 2 cannot be read \(field larger"),
    ],
)
def test_a_damaged_table_is_named(old: str, new: str, message: str, data: Path) -> None:
    edit(data / "manifest.csv", lambda text: text.replace(old, new))
    with pytest.raises(BadInputError, match=message) as raised:
        read_manifest(data)
    assert raised.value.where == str(data / "manifest.csv")
    assert raised.value.remedy


@pytest.mark.parametrize(
    "file",
    [
        "/etc/passwd",
        "//host/share/a.png",
        "../a.png",
        "images/../../a.png",
        "images/.. /.. /a.png",
        "images/HSIL/..",
        "C:/a.png",
        "C:a.png",
        "images\\HSIL\\1_o.png",
        "\\\\host\\share\\a.png",
        "images\\..\\..\\a.png",
        "images/a\0.png",
        ".",
        "",
    ],
)
def test_a_file_outside_the_folder_is_refused_on_every_system(file: str, data: Path) -> None:
    assert not points_inside(file)
    edit(data / "manifest.csv", lambda text: text.replace("images/HSIL/1_o.png", file, 1))
    with pytest.raises(BadInputError, match="Line 2 names a file outside the data set"):
        read_manifest(data)


@pytest.mark.parametrize("file", ["images/HSIL/1_o.png", "a.png", "images/a b~1/ä,..1.png"])
def test_a_file_inside_is_not(file: str) -> None:
    assert points_inside(file)


@pytest.mark.parametrize("place", ["images", "images/HSIL", "images/HSIL/1_o.png"])
def test_a_link_that_leads_outside_is_refused(
    place: str, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "HSIL").mkdir()
    (outside / "1_o.png").touch()
    is_file = place.endswith(".png")
    link(data / place, outside / "1_o.png" if is_file else outside, folder=not is_file)
    with pytest.raises(BadInputError, match=r"Line 2 names a file outside.*images/HSIL/1_o\.png"):
        read_manifest(data)


def test_a_link_to_a_file_that_is_not_there_is_refused_too(data: Path) -> None:
    link(data / "images/HSIL/1_o.png", data.parent / "nowhere" / "1_o.png")
    with pytest.raises(BadInputError, match="Line 2 names a file outside"):
        read_manifest(data)


def test_links_that_stay_inside_are_fine(data: Path) -> None:
    (data / "store").mkdir()
    (data / "store/a.png").touch()
    link(data / "images/HSIL/1_o.png", data / "store/a.png")
    assert len(read_manifest(data)) == 2


def test_a_data_set_reached_by_a_link_is_fine(data: Path, tmp_path: Path) -> None:
    link(tmp_path / "link", data, folder=True)
    assert read_manifest(tmp_path / "link") == read_manifest(data)


def test_a_table_that_breaks_off(data: Path) -> None:
    whole = (data / "manifest.csv").read_bytes()
    last = whole.rindex(b"\n", 0, -1)
    for end in range(last + 2, whole.rindex(b",")):
        (data / "manifest.csv").write_bytes(whole[:end])
        with pytest.raises(BadInputError):
            read_manifest(data)


def test_an_empty_table_and_none(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no manifest\.csv here") as raised:
        read_manifest(tmp_path)
    assert "pycyto export" in str(raised.value)
    (tmp_path / "manifest.csv").touch()
    with pytest.raises(BadInputError, match="This table is empty"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, [])
    assert read_manifest(tmp_path) == []


def test_another_encoding(data: Path) -> None:
    text = (data / "manifest.csv").read_text(encoding="utf-8")
    (data / "manifest.csv").write_text(text, encoding="latin-1")
    with pytest.raises(BadInputError, match="not UTF-8"):
        read_manifest(data)


def test_a_full_disk_keeps_the_old_table(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (data / "manifest.csv").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritableError):
        write_manifest(data, [a_row()])
    assert (data / "manifest.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("known", "group", "level"),
    [
        ({"patient": "P", "slide": "S"}, "study/unknown/patient/P", "patient"),
        ({"patient": "P", "site": "Bern"}, "study/Bern/patient/P", "patient"),
        ({"slide": "S"}, "study/unknown/slide/S", "slide"),
        ({"patient": "", "slide": ""}, "image/k", "image"),
        ({}, "image/k", "image"),
    ],
)
def test_a_group_is_the_patient_if_known(known: dict[str, str], group: str, level: str) -> None:
    row = a_row(source="study", **known)
    assert row.group_and_level == (group, level)
    assert row.group == group
