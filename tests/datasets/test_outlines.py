"""Outlines keep what was drawn: each pixel of a mask, each vertex of a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from shapely import contains_xy, make_valid
from shapely.geometry import shape as from_json

from pycyto.datasets.outlines import Outlines, area_of, shape_in_file, shape_of_mask
from pycyto.errors import BadInputError
from pycyto.records import CellKey


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.booleans()))
def test_a_mask_keeps_each_pixel(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    shape = shape_of_mask(mask)
    if shape is None:
        assert not mask.any()
        return
    assert area_of(shape) == pytest.approx(mask.sum())
    rows, columns = np.indices(mask.shape)
    inside = contains_xy(make_valid(shape), columns + 0.5, rows + 0.5)
    assert (inside == mask).all()


def test_a_file_has_a_vertex_per_line(tmp_path: Path) -> None:
    path = tmp_path / "1_cyt.dat"
    path.write_text("1.5,2\r\n11.5,2\r\n11.5,7\n\n1.5,7", encoding="ascii")
    drawn = shape_in_file(path)
    assert drawn.bounds == (1.5, 2, 11.5, 7)
    assert area_of(drawn) == 50


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "0 points"),
        ("1,2\n3,4\n", "2 points"),
        ("1,2\n3;4\n5,6\n", "Line 2"),
        ("1,2\nnan,4\n5,6\n", "Line 2"),
        ("1,2\n3,4,5\n5,6\n", "Line 2"),
    ],
)
def test_what_is_no_outline_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "1_cyt.dat"
    path.write_text(text, encoding="ascii")
    with pytest.raises(BadInputError, match=told):
        shape_in_file(path)


def test_an_outline_that_crosses_itself_has_an_area(tmp_path: Path) -> None:
    path = tmp_path / "bow.dat"
    path.write_text("0,0\n10,10\n10,0\n0,10\n", encoding="ascii")
    assert area_of(shape_in_file(path)) == 50


def test_a_feature_names_its_cell() -> None:
    key = CellKey("p", "e", "o")
    nucleus = shape_of_mask(np.ones((2, 3), np.bool_))
    (line,) = Outlines(None, nucleus).features(key, "a/é.bmp")
    feature = json.loads(line)
    assert from_json(feature["geometry"]).area == 6
    assert feature["properties"] == {
        "objectType": "annotation", "part": "nucleus", "project_id": "p", "entry_id": "e",
        "object_id": "o", "point_index": None, "image": "a/é.bmp",
    }  # fmt: skip
