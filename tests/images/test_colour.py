"""Patches are read at the stain that a model wants, slide by slide, source by source."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycyto.errors import BadInputError
from pycyto.images.colour import KINDS, Colour, Kind, colour_from, reader_of
from pycyto.images.patches import read_patch
from pycyto.images.stain import Statistics, sums_of
from pycyto.manifest import Row
from pycyto.records import SILENT
from tests.learning.patch_data import write_data
from tests.manifests import write_manifest

TARGET = Statistics((60.0, 20.0, -15.0), (12.0, 6.0, 6.0), 50_000)


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """A pale and a dark slide, each a source, of two patches each."""
    made = write_data(tmp_path, {"train": {"NILM": 2, "HSIL": 2}})
    rows = [replace(row, patient="", slide=row.label, source=row.label) for row in made]
    write_manifest(tmp_path, rows)
    return rows


def test_without_a_colour_pixels_stay(tmp_path: Path, rows: list[Row]) -> None:
    read = reader_of(tmp_path, None, SILENT)
    assert all(np.array_equal(read(row), read_patch(tmp_path, row)) for row in rows)
    assert {read.name_for(row) for row in rows} == {""}


@pytest.mark.parametrize("kind", KINDS)
def test_slides_of_two_stains_become_alike(tmp_path: Path, rows: list[Row], kind: Kind) -> None:
    read = reader_of(tmp_path, Colour(TARGET, kind), SILENT)
    for label in ("NILM", "HSIL"):
        sums = [sums_of(read(row)) for row in rows if row.label == label]
        together = (sums[0] + sums[1]).statistics
        assert np.allclose(together.mean, TARGET.mean, atol=2.0)
    assert not read.left


def test_what_a_slide_looks_like_is_part_of_the_name(tmp_path: Path, rows: list[Row]) -> None:
    """Features that are kept go by it: the same patch beside others may look otherwise."""
    read = reader_of(tmp_path, Colour(TARGET, "slide"), SILENT)
    names = [read.name_for(row) for row in rows]
    assert names[0] == names[1] != names[2] == names[3]


def test_a_missing_patch_is_named(tmp_path: Path, rows: list[Row]) -> None:
    (tmp_path / rows[0].file).unlink()
    with pytest.raises(BadInputError, match="missing"):
        reader_of(tmp_path, Colour(TARGET, "slide"), SILENT)


def test_a_colour_comes_back_from_a_bundle() -> None:
    colour = Colour(TARGET, "source")
    assert colour_from(json.loads(json.dumps(colour.to_json()))) == colour
    assert colour_from(None) is None
    for change in ({"stats": "image"}, {"background": 200}, {"target": {"mean": [1, 2]}}):
        with pytest.raises(ValueError, match="colour"):
            colour_from(colour.to_json() | change)
