"""QuPath's GeoJSON in all its dialects, with the exact figures beside it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.geojson import (
    PackedGeometry,
    cells_file,
    features_from,
    objects_from,
    read_cells_file,
    write_cells_file,
)
from pycyto.records import Bounds, ProjectObject
from tests.qupath.conftest import OBJECT_ID, Json, feature

SHA = "0" * 64
OTHER_ID = "0a0b0c0d-0000-4000-8000-000000000002"


def read(item: Json) -> ProjectObject:
    (found,) = objects_from([item])
    return found


def write(path: Path, *features: Json) -> Path:
    write_cells_file(path, "1", features, data_sha256=SHA, qupath="0.5.1")
    return path


def exact(**changes: Any) -> Json:
    return {**feature()["pycyto"], **changes}


def test_an_object_comes_with_its_exact_figures() -> None:
    found = read(feature(id=OBJECT_ID.upper(), name="cell 1", pycyto=exact(z=2, t=3)))
    assert found == ProjectObject(
        object_id=OBJECT_ID,
        kind="annotation",
        class_name="HSIL",
        centroid=(2.123456789012345, 1.5),
        bounds=Bounds(0, 0, 4, 2),
        area=4.0,
        z=2,
        t=3,
        name="cell 1",
        geometry=feature()["geometry"],
    )


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "HSIL", "color": [1, 2, 3]}, "HSIL"),
        ({"name": "HSIL", "colorRGB": -1}, "HSIL"),
        ({"names": ["HSIL"], "color": None}, "HSIL"),
        ({"names": ["HSIL", "CIN 3"]}, "HSIL: CIN 3"),
        ({"name": "HSIL: CIN 3"}, "HSIL: CIN 3"),
        ({"names": [], "name": "HSIL"}, "HSIL"),
        ("HSIL", "HSIL"),
        ({"name": ""}, None),
        ({"name": None}, None),
        ({}, None),
        ("", None),
        (None, None),
    ],
)
def test_classes_in_every_spelling_of_qupath(classification: Any, name: str | None) -> None:
    assert read(feature(classification=classification)).class_name == name


def test_no_class_at_all() -> None:
    item = feature()
    del item["properties"]["classification"]
    assert read(item).class_name is None


@pytest.mark.parametrize(
    ("measurements", "expected"),
    [
        ({"Area": 3.5, "n": 2}, {"Area": 3.5, "n": 2.0}),
        ([{"name": "Area", "value": 3.5}, {"name": "n", "value": 2}], {"Area": 3.5, "n": 2.0}),
        ({"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1}, {"d": 1.0}),
        ([{"name": "a", "value": "NaN"}], {}),
        ({"a": None, "b": 1}, {"b": 1.0}),
        ({}, {}),
        (None, {}),
    ],
)
def test_measurements_in_every_form(measurements: Any, expected: dict[str, float]) -> None:
    assert read(feature(measurements=measurements)).measurements == expected


@pytest.mark.parametrize("kind", ["annotation", "detection", "cell", "tile", "tmaCore"])
def test_kinds_of_objects(kind: str) -> None:
    assert read(feature(objectType=kind)).kind == kind


def test_a_locked_object() -> None:
    assert read(feature(isLocked=True)).locked
    assert not read(feature()).locked


def test_points_and_nuclei() -> None:
    points = read(feature(pycyto=exact(points=[[1.5, 2], [3, 4.25]], nucleus=[7, 8.5])))
    assert points.points == ((1.5, 2.0), (3.0, 4.25))
    assert points.nucleus_centroid == (7.0, 8.5)
    assert read(feature(pycyto=exact(points=[]))).points == ()
    assert read(feature()).nucleus_centroid is None


def test_qupath_writes_the_metadata_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(metadata={"a": "1"}))
    text = path.read_text()
    path.write_text(text.replace('"metadata":', '"metadata":{"a":"1"},"metadata":'))
    assert path.read_text() != text
    assert len(read_cells_file(path, "1").objects) == 1


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.text(), st.tuples(FINITE, FINITE), st.dictionaries(st.text(), FINITE, max_size=3))
def test_a_file_of_cells_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    centroid: tuple[float, float],
    measurements: dict[str, float],
) -> None:
    path = tmp_path_factory.getbasetemp() / "cells" / "1.geojson"
    items = [
        feature(name=name, measurements=measurements, pycyto=exact(centroid=list(centroid))),
        feature(id=OTHER_ID, classification={"name": name or "x"}),
    ]
    found = read_cells_file(write(path, *items), "1")
    assert (found.entry_id, found.data_sha256, found.stale) == ("1", SHA, False)
    assert found.objects == objects_from(items)
    assert (found.objects[0].centroid, found.objects[0].measurements) == (centroid, measurements)


def test_a_file_of_cells_is_plain_geojson_with_one_object_per_line(tmp_path: Path) -> None:
    path = write(cells_file(tmp_path, "7"), feature(name="a\nb é"), feature(id=OTHER_ID))
    assert path == tmp_path / "cells" / "7.geojson"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    assert set(content["pycyto"]) == {"schema", "entry_id", "data_sha256", "qupath", "written_at"}
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line[:8] for line in lines[3:5]] == ['{"type":'] * 2
    assert len(lines) == 6


POINTS = st.tuples(FINITE, FINITE)
GEOMETRIES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Polygon", "MultiPolygon", "LineString"]),
        "coordinates": st.lists(st.lists(POINTS.map(list), max_size=4), max_size=3),
    },
    optional={"isEllipse": st.booleans(), "plane": st.just({"c": -1, "z": 1, "t": 0})},
)
RECORDS = st.builds(
    ProjectObject,
    object_id=st.uuids().map(str),
    kind=st.sampled_from(["annotation", "detection", "cell", "tile", "tmaCore"]),
    class_name=st.none() | st.text(min_size=1),
    centroid=POINTS,
    bounds=st.builds(Bounds, FINITE, FINITE, FINITE, FINITE),
    area=FINITE,
    z=st.integers(0, 99),
    t=st.integers(0, 99),
    name=st.none() | st.text(),
    locked=st.booleans(),
    nucleus_centroid=st.none() | POINTS,
    points=st.lists(POINTS, max_size=3).map(tuple),
    geometry=GEOMETRIES,
    measurements=st.dictionaries(st.text(), FINITE, max_size=3),
)


@given(st.lists(RECORDS, max_size=4))
def test_records_come_back_from_the_file_that_they_are_written_to(
    tmp_path_factory: pytest.TempPathFactory, records: list[ProjectObject]
) -> None:
    path = tmp_path_factory.getbasetemp() / "records" / "1.geojson"
    write_cells_file(path, "1", features_from(records), data_sha256=SHA, qupath="0.5.1")
    first = read_cells_file(path, "1").objects
    assert first == tuple(records)
    write_cells_file(path, "1", features_from(first), data_sha256=SHA, qupath="0.5.1")
    assert read_cells_file(path, "1").objects == first


def test_features_of_records_are_such_as_qupath_imports() -> None:
    """It refuses a whole file for a class without a colour or a name of null."""
    (made,) = features_from([read(feature())])
    assert made["properties"] == {
        "objectType": "annotation",
        "classification": {"name": "HSIL", "color": None},
    }
    bare = feature()
    del bare["properties"]["classification"]
    (made,) = features_from([read(bare)])
    assert made["properties"] == {"objectType": "annotation"}


def test_a_geometry_is_what_it_was_made_from() -> None:
    plain = {"type": "Polygon", "coordinates": [[[0, 0.1], [4, 0], [0, 0.1]]], "isEllipse": True}
    packed = PackedGeometry(plain)
    assert packed == plain
    assert dict(packed) == packed.unpacked() == plain
    assert (packed["type"], len(packed)) == ("Polygon", 3)
    assert packed != {**plain, "isEllipse": False}
    assert "plane" not in packed
    assert str(plain) in repr(packed)


def test_outlines_take_little_memory(tmp_path: Path) -> None:
    """Forty vertices as lists of floats alone would take 5 kB."""
    ring = [[1000.25 + number, 2000.75 + number] for number in range(40)]
    outline = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    path = write(tmp_path / "1.geojson", *[feature(geometry=outline)] * 500)
    tracemalloc.start()
    try:
        found = read_cells_file(path, "1").objects
        kept, at_most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 500
    assert kept <= at_most < 500 * 2500


def test_two_objects_of_one_id_are_both_read(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(classification="LSIL"))
    assert [item.class_name for item in read_cells_file(path, "1").objects] == ["HSIL", "LSIL"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_file_that_was_laid_out_anew_is_read_alike(indent: int | None, tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(id=OTHER_ID))
    before = read_cells_file(path, "1")
    path.write_text(json.dumps(json.loads(path.read_text()), indent=indent))
    assert read_cells_file(path, "1") == before


def test_no_object_is_overlooked_on_the_line_that_opens_the_list(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(id=OTHER_ID))
    before = read_cells_file(path, "1")
    path.write_text(path.read_text().replace("[\n{", "[{").replace("},\n{", "}\n,{"))
    assert path.read_text().splitlines()[3][:2] == ",{"
    assert read_cells_file(path, "1") == before


def test_line_ends_of_windows(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(id=OTHER_ID))
    before = read_cells_file(path, "1")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_cells_file(path, "1") == before


def test_an_image_without_objects(tmp_path: Path) -> None:
    assert read_cells_file(write(tmp_path / "1.geojson"), "1").objects == ()


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write(path, feature(), feature(name=object()))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def without(item: Json, *names: str) -> Json:
    return {key: value for key, value in item.items() if key not in names}


DAMAGES: list[Callable[[Json], Any]] = [
    lambda content: [],
    lambda content: 3,
    lambda content: without(content, "pycyto"),
    lambda content: without(content, "features"),
    lambda content: {**content, "pycyto": []},
    lambda content: {**content, "pycyto": without(content["pycyto"], "data_sha256")},
    lambda content: {**content, "pycyto": without(content["pycyto"], "schema")},
    lambda content: {**content, "features": {}, "pycyto": 3},
    lambda content: {**content, "features": {}},
    lambda content: {**content, "features": [3]},
    lambda content: {**content, "features": [without(feature(), "id")]},
    lambda content: {**content, "features": [without(feature(), "pycyto")]},
    lambda content: {**content, "features": [without(feature(), "geometry")]},
    lambda content: {**content, "features": [feature(geometry=None)]},
    lambda content: {**content, "features": [feature(geometry={})]},
    lambda content: {**content, "features": [feature(geometry={"type": 3})]},
    lambda content: {**content, "features": [feature(id=None)]},
    lambda content: {**content, "features": [feature(id="cell 1")]},
    lambda content: {**content, "features": [feature(id=OBJECT_ID + "/../x")]},
    lambda content: {**content, "features": [feature(objectType={"a": 1})]},
    lambda content: {**content, "features": [feature(classification={"name": ["HSIL"]})]},
    lambda content: {**content, "features": [feature(classification={"names": [3]})]},
    lambda content: {**content, "features": [feature(properties=None)]},
    lambda content: {**content, "features": [feature(classification=3)]},
    lambda content: {**content, "features": [feature(measurements={"a": "many"})]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=[1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=["NaN", 1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=[None, 1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(bounds=[1, 2, 3]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(area=None))]},
    lambda content: {**content, "features": [feature(pycyto=exact(area="NaN"))]},
    lambda content: {**content, "features": [feature(pycyto=exact(bounds=[0, 0, "Infinity", 1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(points=[[0, 0], [1, "NaN"]]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(points=[[0, 0, 0]]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(nucleus=["NaN", 1]))]},
]


@pytest.mark.parametrize("damage", DAMAGES, ids=map(str, range(len(DAMAGES))))
def test_a_damaged_file_is_named(damage: Callable[[Json], Any], tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature())
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(BadInputError, match="cannot be read") as raised:
        read_cells_file(path, "1")
    assert raised.value.where == str(path)
    assert "export_cells.groovy" in str(raised.value)


@pytest.mark.parametrize("layout", ["lines", "one line"])
def test_an_object_that_cannot_be_read_is_named(layout: str, tmp_path: Path) -> None:
    broken = without(feature(id=OTHER_ID), "geometry")
    path = write(tmp_path / "1.geojson", feature(), broken, feature())
    if layout == "one line":
        path.write_text(json.dumps(json.loads(path.read_text())))
    with pytest.raises(BadInputError, match=r"object 2 .*'geometry' is missing") as raised:
        read_cells_file(path, "1")
    assert OTHER_ID in str(raised.value)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(), feature())
    lines = path.read_bytes().split(b"\n")
    for damaged in (lines[4][:-9], lines[4] + b",", b"," + lines[4], b"\xff" + lines[4], b"]"):
        path.write_bytes(b"\n".join([*lines[:4], damaged, *lines[5:]]))
        with pytest.raises(BadInputError, match="line 5 is no JSON"):
            read_cells_file(path, "1")


def test_a_file_that_broke_off(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(id=OTHER_ID))
    whole = path.read_bytes()
    for end in range(len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(BadInputError):
            read_cells_file(path, "1")


def test_a_file_that_goes_on_after_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature())
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(BadInputError, match="goes on after its end in line 5"):
        read_cells_file(path, "1")


@pytest.mark.parametrize("depth", [300, 1_000, 100_000])
@pytest.mark.parametrize("layout", ["lines", "one line"])
def test_what_is_nested_too_deeply(depth: int, layout: str, tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(geometry={"type": "Polygon", "coordinates": "x"}))
    bomb = b"[" * depth + b"]" * depth
    text = path.read_bytes().replace(b'"x"', bomb)
    path.write_bytes(text if layout == "lines" else text.replace(b"\n", b""))
    with pytest.raises(BadInputError, match="cannot be read"):
        read_cells_file(path, "1")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"name": "\xe9"}', b'{"a": NaN}'])
def test_what_is_no_json(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "1.geojson").write_bytes(content)
    with pytest.raises(BadInputError, match="cannot be read"):
        read_cells_file(tmp_path / "1.geojson", "1")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_cells_file(tmp_path, "1")


@pytest.mark.parametrize(("member", "value"), [("entry_id", "2"), ("schema", 2)])
def test_another_image_or_version(member: str, value: object, tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature())
    content = json.loads(path.read_text())
    content["pycyto"][member] = value
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="another image or another version"):
        read_cells_file(path, "1")
