"""Answers from kept features are those of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import Bundle, load_bundle
from pycyto.learning.inference import classify
from pycyto.learning.kept_answers import is_frozen, kept_answers
from pycyto.learning.plan import default_settings
from pycyto.manifest import read_manifest
from pycyto.records import SILENT
from pycyto.steps.train import train
from tests.learning.patch_data import write_data

COUNTS = {part: {"NILM": 3, "HSIL": 3} for part in ("train", "validation")}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("kept")
    write_data(folder / "data", COUNTS)
    options = {"epochs": 1, "batch_size": 4, "orientations": 2, "calibrate": 2.0}
    train(folder / "data", out=folder / "model", **options)  # type: ignore[arg-type]
    return load_bundle(folder / "model")


def test_they_are_those_of_the_network(bundle: Bundle, tmp_path: Path) -> None:
    data = bundle.path.parent / "data"
    patches = PatchSet(data, read_manifest(data), bundle.labels)
    expected = classify(bundle, (patches.read(place) for place in range(len(patches))))
    for _ in range(2):  # computed, then found
        found = kept_answers(bundle, patches, tmp_path, SILENT)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    backwards = patches.some(np.arange(len(patches))[::-1])
    # The place in a batch decides the order of a sum.
    np.testing.assert_allclose(
        kept_answers(bundle, backwards, tmp_path, SILENT), found[::-1], rtol=1e-6
    )


def test_a_backbone_that_learns_is_not_frozen() -> None:
    assert is_frozen(default_settings(pretrained=True, unfreeze="none"))
    assert not is_frozen(default_settings(pretrained=True))
    assert not is_frozen(default_settings(pretrained=False))
