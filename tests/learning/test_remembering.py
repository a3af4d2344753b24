"""An engine that remembers features gives the same answers, and looks once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pycyto.learning.inference import classify
from pycyto.learning.remembering import Remembering
from tests.learning.conftest import Saved
from tests.learning.patch_data import texture

PIXELS = [texture(label, number) for label in ("NILM", "HSIL") for number in range(300, 304)]


def test_answers_are_the_same_and_patches_are_seen_once(saved: Saved) -> None:
    seen = Remembering()
    bundle = replace(saved.bundle, orientations=2)
    expected = classify(bundle, PIXELS)
    for batch_size in (4, 3):
        found = classify(bundle, PIXELS, engine=seen.engine(bundle), batch_size=batch_size)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (seen.computed, seen.found) == (16, 16)


def test_what_has_no_room_is_computed_again(saved: Saved) -> None:
    seen = Remembering(largest=0)
    for _ in range(2):
        found = classify(saved.bundle, PIXELS, engine=seen.engine(saved.bundle))
        np.testing.assert_allclose(found, classify(saved.bundle, PIXELS), atol=1e-5)
    assert (seen.computed, seen.found) == (16, 0)
