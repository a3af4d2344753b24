from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from pycyto.evaluation.classified import Classified
from pycyto.evaluation.gallery import describe, surest_errors, worst_undercalls
from pycyto.manifest import Row
from tests.evaluation.made import classified


def example() -> Classified:
    probabilities = np.array(
        [
            [0.1, 0.7, 0.1, 0.1],  # overcalled
            [0.6, 0.1, 0.1, 0.2],
            [0.8, 0.1, 0.05, 0.05],
            [0.1, 0.1, 0.5, 0.3],
            [0.9, 0.0, 0.1, 0.0],
            [0.1, 0.9, 0.0, 0.0],  # right
        ]
    )
    return classified([0, 3, 3, 3, 2, 1], probabilities)


def test_the_deepest_fall_comes_first_and_then_the_least_doubt() -> None:
    assert worst_undercalls(example(), 9) == [2, 1, 4, 3]
    assert worst_undercalls(example(), 2) == [2, 1]


def test_the_surest_error_comes_first_whichever_way_it_goes() -> None:
    assert surest_errors(example(), 9) == [4, 2, 0, 1, 3]
    assert surest_errors(example(), 1) == [4]


def test_a_cell_is_shown_with_what_finds_it_again() -> None:
    row = Row(
        "p", "1", "object", 3, "k", "", "image-7c21d4e0", 0.0, 0.0, 0, 0, 224, 1.0, "", "", "", "",
        patient="Mrs X",
    )  # fmt: skip
    patch = np.full((224, 224, 3), 200, np.uint8)
    cells = classified([1], np.array([[0.75, 0.25]], np.float32), ("NILM", "HSIL"))
    found = describe(row, patch, cells, 0)
    assert (found.true, found.called) == ("HSIL", "NILM")
    assert found.probabilities == {"NILM": 0.75, "HSIL": 0.25}
    shown = found.to_json()
    assert (shown["image"], shown["object_id"], shown["point_index"]) == (
        "image-7c21d4e0", "object", 3,
    )  # fmt: skip
    assert "Mrs X" not in str(found)
    assert "picture" not in found.to_json()
    picture = Image.open(io.BytesIO(base64.b64decode(found.picture.split(",")[1])))
    assert picture.size == (224, 224)
