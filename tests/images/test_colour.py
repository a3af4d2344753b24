"""One reader for all patches, and what a bundle keeps of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycyto.images import colour
from pycyto.images.crop import Pixels
from pycyto.images.patches import content_hash, write_patch
from pycyto.images.stain import Statistics, Sums, normalise, sums_of
from pycyto.manifest import Row, lines_of, write_lines
from pycyto.records import SILENT

TARGET = Statistics((60.0, 10.0, -8.0), (8.0, 4.0, 6.0), 10**6)


def pixels_of(seed: int) -> Pixels:
    """Return a patch of noise, darker with each seed."""
    high = 200 - 30 * seed
    return np.random.default_rng(seed).integers(40, high, (224, 224, 3), dtype=np.uint8)


def rows_in(folder: Path) -> list[Row]:
    """Write four patches: two of one slide, one of another, one of an image without a slide."""
    rows = []
    for seed, slide in enumerate(("a", "a", "b", "unknown")):
        pixels = pixels_of(seed)
        row = Row(
            project_id="p", entry_id="1", object_id=f"o{seed}", point_index=None,
            image_key=f"{seed}", project_name="p", image_name="i", centroid_x=0.0, centroid_y=0.0,
            left=0, top=0,
            width=224, downsample=1.0, label="HSIL", original_label="HSIL",
            content_hash=content_hash(pixels), file=f"images/{seed}.png", source="s", slide=slide,
        )  # fmt: skip
        write_patch(folder / row.file, pixels)
        rows.append(row)
    write_lines(folder, [lines_of(rows)])
    return rows


@pytest.mark.parametrize(
    ("kind", "together"),
    [("patch", [[0], [1], [2], [3]]), ("slide", [[0, 1], [2], [3]]), ("source", [[0, 1, 2, 3]])],
)
def test_statistics_are_of_what_was_asked_for(
    tmp_path: Path, kind: colour.Kind, together: list[list[int]]
) -> None:
    rows = rows_in(tmp_path)
    read = colour.reader_of(tmp_path, colour.Colour(TARGET, kind), SILENT)
    for group in together:
        source = sum((sums_of(pixels_of(seed)) for seed in group), Sums()).statistics
        for seed in group:
            expected = normalise(pixels_of(seed), source, TARGET)
            assert expected is not None
            np.testing.assert_array_equal(read(rows[seed]), expected)
    assert not read.left


def test_without_colour_patches_are_as_they_are(tmp_path: Path) -> None:
    row = rows_in(tmp_path)[0]
    read = colour.reader_of(tmp_path, None, SILENT)
    np.testing.assert_array_equal(read(row), pixels_of(0))
    assert read.name_for(row) == ""


def test_the_name_tells_target_and_statistics_apart(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    other = replace(TARGET, mean=(61.0, 10.0, -8.0))
    names = {
        colour.reader_of(tmp_path, colour.Colour(target, kind), SILENT).name_for(rows[0])
        for target in (TARGET, other)
        for kind in colour.KINDS
    }
    assert len(names) == 2 * len(colour.KINDS)


def test_a_bundle_gives_back_what_it_was_given() -> None:
    own = colour.Colour(TARGET, "slide")
    assert colour.colour_from(json.loads(json.dumps(own.to_json()))) == own
    assert colour.colour_from(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"stats": "image"},
        {"background": 200},
        {"fewest": 1},
        {"target": {"mean": [1.0, 2.0], "deviation": [1.0, 1.0, 1.0], "pixels": 5}},
        {"target": {"mean": [1e9, 2.0, 3.0], "deviation": [1.0, 1.0, 1.0], "pixels": 5000}},
        {"target": None},
    ],
)
def test_another_rule_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="colour"):
        colour.colour_from(colour.Colour(TARGET, "slide").to_json() | change)
