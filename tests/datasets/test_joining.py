"""Groups that show the same cell become one, and no others do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pycyto.datasets.groups import groups_of
from pycyto.datasets.joining import Joined, joined
from pycyto.images.crop import Pixels
from pycyto.images.likeness import thumbnail
from pycyto.manifest import UNKNOWN, Row
from tests.manifests import a_row
from tests.published import picture


def cell(number: int, slide: str, label: str = "NILM") -> Row:
    return a_row(
        entry_id=f"e{number}", object_id=f"o{number}", image_key=f"k{number}", slide=slide,
        label=label, image_name=f"{number}.bmp",
    )  # fmt: skip


def patch(seed: int) -> Pixels:
    return picture(seed, 224, 224)


def join(rows: Sequence[Row], pixels: Sequence[Pixels]) -> Joined:
    by_key = {row.key: patch for row, patch in zip(rows, pixels, strict=True)}
    return joined(rows, [thumbnail(patch) for patch in pixels], lambda row: by_key[row.key])


def test_a_cell_photographed_twice_joins_its_fields() -> None:
    brighter = np.clip(patch(1).astype(np.int16) + 9, 0, 255).astype(np.uint8)
    pixels = [patch(1), patch(2), np.rot90(brighter), patch(3), patch(4)]
    rows = [cell(n, slide) for n, slide in enumerate(["A", "A", "B", "B", "C"])]
    found = join(rows, pixels)
    assert [row.slide for row in found.rows] == ["A + B"] * 4 + ["C"]
    assert (found.groups, found.pairs, found.torn) == ([["A", "B"]], 1, [])
    assert len(groups_of(found.rows)) == 2


def test_chains_become_one_and_other_classes_are_counted() -> None:
    pixels = [patch(1), patch(1), patch(2), patch(2), patch(3)]
    rows = [cell(n, slide) for n, slide in enumerate(["A", "B", "B", "C", "D"])]
    rows[3] = replace(rows[3], label="HSIL")
    found = join(rows, pixels)
    assert found.groups == [["A", "B", "C"]]
    assert (found.pairs, found.torn) == (2, [(rows[2], rows[3])])
    assert {row.slide for row in found.rows} == {"A + B + C", "D"}


def test_images_without_a_slide_are_joined_too() -> None:
    rows = [cell(0, UNKNOWN), cell(1, UNKNOWN), cell(2, UNKNOWN)]
    found = join(rows, [patch(n) for n in (1, 1, 2)])
    assert [row.slide for row in found.rows] == ["image 0.bmp + image 1.bmp"] * 2 + [UNKNOWN]
    assert len(groups_of(found.rows)) == 2


def test_cells_of_one_group_are_no_pairs() -> None:
    rows = [cell(0, "A"), cell(1, "A")]
    found = join(rows, [patch(1)] * 2)
    assert (found.rows, found.groups, found.pairs) == (rows, [], 0)


def test_the_name_of_many_is_short() -> None:
    rows = [cell(n, f"S{n}") for n in range(5)]
    found = join(rows, [patch(1)] * 5)
    assert {row.slide for row in found.rows} == {"S0 + S1 + S2 + 2 more"}


def test_a_cell_cropped_a_little_otherwise_is_the_same() -> None:
    field = picture(1, 300, 300)
    pixels = [field[20:244, 20:244], field[25:249, 23:247]]
    assert join([cell(0, "A"), cell(1, "B")], pixels).groups == [["A", "B"]]


def test_a_cell_of_the_same_shape_and_another_colour_is_another() -> None:
    # Light and dark swap places in red and blue, and hardly change in grey.
    pink = picture(1, 224, 224)
    blue = pink.copy()
    blue[..., 0] = 255 - pink[..., 0]
    blue[..., 2] = 255 - pink[..., 2]
    rows, pixels = [cell(0, "A"), cell(1, "B")], [pink, blue]
    by_key = {row.key: patch for row, patch in zip(rows, pixels, strict=True)}
    found = joined(rows, [thumbnail(pink)] * 2, lambda row: by_key[row.key])
    assert found.groups == []
