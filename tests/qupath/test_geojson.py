"""QuPath's GeoJSON in all its dialects, with the exact figures beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.geojson import cells_file, objects_from, read_cells_file, write_cells_file
from pycyto.records import Bounds, ProjectObject
from tests.qupath.conftest import OBJECT_ID, Json, feature

SHA = "0" * 64


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
        feature(id="b", classification={"name": name or "x"}),
    ]
    found = read_cells_file(write(path, *items), "1")
    assert (found.entry_id, found.data_sha256, found.stale) == ("1", SHA, False)
    assert found.objects == objects_from(items)
    assert (found.objects[0].centroid, found.objects[0].measurements) == (centroid, measurements)


def test_a_file_of_cells_is_plain_geojson_with_one_object_per_line(tmp_path: Path) -> None:
    path = write(cells_file(tmp_path, "7"), feature(name="a\nb é"), feature(id="b"))
    assert path == tmp_path / "cells" / "7.geojson"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["type"] == "FeatureCollection"
    assert set(content["pycyto"]) == {"schema", "entry_id", "data_sha256", "qupath", "written_at"}
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line[:8] for line in lines[3:5]] == ['{"type":'] * 2
    assert len(lines) == 6


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
    lambda content: {**content, "features": [3]},
    lambda content: {**content, "features": [without(feature(), "id")]},
    lambda content: {**content, "features": [without(feature(), "pycyto")]},
    lambda content: {**content, "features": [without(feature(), "geometry")]},
    lambda content: {**content, "features": [feature(properties=None)]},
    lambda content: {**content, "features": [feature(classification=3)]},
    lambda content: {**content, "features": [feature(measurements={"a": "many"})]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=[1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=["NaN", 1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(centroid=[None, 1]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(bounds=[1, 2, 3]))]},
    lambda content: {**content, "features": [feature(pycyto=exact(area=None))]},
]


@pytest.mark.parametrize("damage", DAMAGES, ids=map(str, range(len(DAMAGES))))
def test_a_damaged_file_is_named(damage: Callable[[Json], Any], tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature())
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(BadInputError, match="cannot be read") as raised:
        read_cells_file(path, "1")
    assert raised.value.where == str(path)
    assert "export_cells.groovy" in str(raised.value)


def test_a_file_that_broke_off(tmp_path: Path) -> None:
    path = write(tmp_path / "1.geojson", feature(), feature(id="b"))
    whole = path.read_bytes()
    for end in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(BadInputError):
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
