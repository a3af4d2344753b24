import base64
import io

import numpy as np
from PIL import Image

from pycyto.evaluation.undercalls import describe, pseudonym, worst
from pycyto.records import CellKey


def test_the_deepest_fall_comes_first_and_then_the_least_doubt() -> None:
    truth = np.array([0, 3, 3, 3, 2, 1])
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
    assert worst(truth, probabilities, 9) == [2, 1, 4, 3]
    assert worst(truth, probabilities, 2) == [2, 1]


def test_a_cell_is_shown_under_a_pseudonym() -> None:
    key = CellKey("project", "Mrs X", "object")
    patch = np.full((224, 224, 3), 200, np.uint8)
    found = describe(key, patch, 1, np.array([0.75, 0.25], np.float32), ("NILM", "HSIL"))
    assert (found.true, found.called) == ("HSIL", "NILM")
    assert found.probabilities == {"NILM": 0.75, "HSIL": 0.25}
    assert found.pseudonym == pseudonym(key) != pseudonym(key._replace(point_index=0))
    assert "Mrs X" not in str(found)
    assert "picture" not in found.to_json()
    picture = Image.open(io.BytesIO(base64.b64decode(found.picture.split(",")[1])))
    assert picture.size == (224, 224)
