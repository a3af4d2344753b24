"""Every object is a cell or is counted with the reason why it is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import UsageError
from pycyto.labels import BETHESDA
from pycyto.qupath import selection
from pycyto.qupath.selection import Selected, Selection, label_of, select, wanted_classes
from pycyto.records import RUN_MARK, UPDATED_MARK, CellKey, ProjectObject
from tests.qupath.conftest import OBJECT_ID, an_object

KEY = CellKey("p", "1", OBJECT_ID)
POINTS = {"type": "MultiPoint", "coordinates": []}


def chosen(*objects: ProjectObject, **wanted: Any) -> Selected:
    return select(objects, Selection(BETHESDA, **wanted), project_id="p", entry_id="1")


def reason(item: ProjectObject, **wanted: Any) -> str | None:
    result = chosen(item, **wanted)
    assert len(result.cells) + result.skipped.total() == 1
    return next(iter(result.skipped), None)


def test_an_annotation_of_the_scheme_is_a_cell() -> None:
    (cell,) = chosen(an_object(class_name="asc us", z=1, t=2)).cells
    assert (cell.key, cell.kind, cell.class_name) == (KEY, "annotation", "asc us")
    assert (cell.x, cell.y, cell.z, cell.t) == (10.5, 20.25, 1, 2)
    assert (cell.bounds, cell.area) == (an_object().bounds, 800.0)


def test_a_detection_of_several_points_is_not_given_the_class_of_one_of_them() -> None:
    points = {"kind": "detection", "class_name": None, "geometry": POINTS, "area": 0.0}
    wanted = {"objects": "detections", "unclassified": True, "classified_detections": False}
    several = chosen(an_object(**points, points=((1, 2), (3, 4))), **wanted)
    assert (several.cells, several.skipped) == ([], {selection.SEVERAL_POINTS: 2})
    assert len(chosen(an_object(**points, points=((1, 2),)), **wanted).cells) == 1


@pytest.mark.parametrize(
    ("changes", "wanted", "expected"),
    [
        ({"kind": "tile"}, {"objects": "all"}, selection.TILE),
        ({"kind": "tmaCore"}, {"objects": "detections"}, selection.TILE),
        ({"kind": "detection"}, {}, selection.NOT_ASKED_FOR),
        ({"kind": "cell"}, {}, selection.NOT_ASKED_FOR),
        ({}, {"objects": "detections"}, selection.NOT_ASKED_FOR),
        ({"kind": "detection"}, {"objects": "detections"}, None),
        ({"kind": "cell"}, {"objects": "detections"}, None),
        ({"kind": "cell"}, {"objects": "all"}, None),
        ({}, {"objects": "all"}, None),
        ({"area": 8 * 224**2 + 1.0}, {}, selection.TISSUE),
        ({"area": 8.0 * 224**2}, {}, None),
        ({"area": 3.0 * 224**2}, {"largest_outline": 2.0}, selection.TISSUE),
        ({"class_name": None}, {}, selection.NO_CLASS),
        ({"class_name": None}, {"unclassified": True}, None),
        ({"class_name": "ASC-H"}, {}, selection.OUTSIDE_SCHEME),
        ({"class_name": "ASC-H"}, {"unclassified": True}, selection.OUTSIDE_SCHEME),
        ({"class_name": "ASC-H"}, {"classes": ("ASC-H",)}, None),
        ({"class_name": "LSIL"}, {"classes": ("HSIL",)}, selection.OTHER_CLASS),
        ({"class_name": "hsil"}, {"classes": ("HSIL",)}, None),
        ({"class_name": None}, {"classes": ("HSIL",), "unclassified": True}, None),
        ({}, {"classified_detections": False}, None),
    ],
)
def test_reasons(changes: dict[str, Any], wanted: dict[str, Any], expected: str | None) -> None:
    assert reason(an_object(**changes), **wanted) == expected


@pytest.mark.parametrize("class_name", ["HSIL", None])
def test_a_class_that_is_there_is_not_predicted_anew(class_name: str | None) -> None:
    item = an_object(kind="detection", class_name=class_name)
    wanted = {"objects": "detections", "unclassified": True, "classified_detections": False}
    assert reason(item, **wanted) == (selection.CLASSIFIED if class_name else None)


@pytest.mark.parametrize(
    ("mark", "expected"), [(RUN_MARK, selection.OURS), (UPDATED_MARK, selection.OUR_CLASS)]
)
@pytest.mark.parametrize("kind", ["annotation", "detection", "cell"])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_prediction_is_never_a_label(mark: str, expected: str, kind: str, value: float) -> None:
    item = an_object(kind=kind, measurements={mark: value})
    assert reason(item, objects="all", unclassified=True, classes=("HSIL",)) == expected


@pytest.mark.parametrize(("centroid", "place"), [("cell", (10.5, 20.25)), ("nucleus", (0.0, 0.0))])
def test_the_centre_of_a_cell_object(centroid: str, place: tuple[float, float]) -> None:
    item = an_object(kind="cell", nucleus_centroid=(0.0, 0.0))
    (cell,) = chosen(item, objects="detections", centroid=centroid).cells
    assert (cell.x, cell.y) == place


def test_a_cell_object_without_a_nucleus() -> None:
    item = an_object(kind="cell")
    assert reason(item, objects="detections", centroid="nucleus") == selection.NO_NUCLEUS
    assert reason(item, objects="detections") is None
    assert reason(an_object(kind="detection"), objects="detections", centroid="nucleus") is None


def test_every_point_is_a_cell() -> None:
    points = ((1.0, 2.0), (3.5, 4.5), (1.0, 2.0))
    item = an_object(points=points, geometry=POINTS, area=0.0)
    cells = chosen(item).cells
    assert [(cell.x, cell.y) for cell in cells] == list(points)
    assert [cell.key for cell in cells] == [KEY._replace(point_index=i) for i in range(3)]
    assert all(cell.is_point for cell in cells)
    assert chosen(an_object(points=points, class_name="ASC-H")).skipped == {
        selection.OUTSIDE_SCHEME: 3
    }


@pytest.mark.parametrize("class_name", ["HSIL", "ASC-H", None])
def test_points_that_were_all_deleted_are_no_cell(class_name: str | None) -> None:
    result = chosen(an_object(geometry=POINTS, class_name=class_name, centroid=(0.0, 0.0)))
    assert (result.cells, result.skipped.total()) == ([], 0)


def test_two_cells_on_one_pixel_are_two_cells() -> None:
    cells = chosen(an_object(), an_object(object_id="b")).cells
    assert [cell.key.object_id for cell in cells] == [OBJECT_ID, "b"]


def test_an_object_that_was_imported_twice_is_one_cell() -> None:
    twice = an_object(points=((1.0, 2.0), (3.0, 4.0)))
    found = chosen(twice, an_object(object_id="b"), twice)
    assert [cell.key.object_id for cell in found.cells] == [OBJECT_ID, OBJECT_ID, "b"]
    assert found.skipped == {selection.COPY: 2}


def test_of_different_objects_with_one_id_none_is_a_cell() -> None:
    found = chosen(an_object(), an_object(object_id="b"), an_object(class_name="NILM"), an_object())
    assert [cell.key.object_id for cell in found.cells] == ["b"]
    assert found.skipped == {selection.SAME_ID: 3}


OBJECTS = st.builds(
    an_object,
    kind=st.sampled_from(["annotation", "detection", "cell", "tile", "tmaCore"]),
    class_name=st.sampled_from([None, "HSIL", "ascus", "ASC-H", "é"]),
    area=st.sampled_from([0.0, 800.0, 1e9]),
    points=st.sampled_from([(), ((1.0, 2.0),), ((1.0, 2.0), (3.0, 4.0))]),
    nucleus_centroid=st.sampled_from([None, (1.0, 2.0)]),
    measurements=st.sampled_from([{}, {RUN_MARK: 1.0}, {UPDATED_MARK: 1.0}]),
)


@given(
    st.lists(OBJECTS, max_size=8),
    st.sampled_from(["annotations", "detections", "all"]),
    st.sampled_from([None, ("HSIL",), ("é", "HSIL")]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["cell", "nucleus"]),
)
def test_the_counts_add_up(
    items: list[ProjectObject],
    objects: str,
    classes: tuple[str, ...] | None,
    unclassified: bool,
    classified: bool,
    centroid: str,
) -> None:
    result = chosen(
        *items,
        objects=objects,
        classes=classes,
        unclassified=unclassified,
        classified_detections=classified,
        centroid=centroid,
    )
    given_ = sum(max(1, len(item.points)) for item in items)
    assert len(result.cells) + result.skipped.total() == given_


@pytest.mark.parametrize(
    ("name", "label"),
    [("hgsil", "HSIL"), ("ASC-H", "ASC-H"), ("é", "é"), (None, ""), ("", "")],
)
def test_a_label_is_the_schemes_or_the_class_itself(name: str | None, label: str) -> None:
    assert label_of(name, BETHESDA) == label


def test_classes_are_asked_for_in_any_spelling() -> None:
    assert wanted_classes([" hsil ", "ASC-H", "", "asc_us"], BETHESDA) == (
        "HSIL",
        "ASC-H",
        "ASC-US",
    )
    for names in ([], [""], [" ", ""]):
        with pytest.raises(UsageError, match="names no class"):
            wanted_classes(names, BETHESDA)
