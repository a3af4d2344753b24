"""The rule by which patches were cut is found, kept and applied, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pycyto.errors import BadInputError
from pycyto.images.crop import square_around
from pycyto.images.resolution import Resolution, resolution_of
from pycyto.manifest import Row

HERE = Path("manifest.csv")
ROW = Row(
    project_id="p",
    entry_id="1",
    object_id="o",
    point_index=None,
    image_key="k",
    project_name="project",
    image_name="image",
    centroid_x=100.0,
    centroid_y=100.0,
    left=-12,
    top=-12,
    width=224,
    downsample=1.0,
    label="NILM",
    original_label="NILM",
    content_hash="",
    file="images/NILM/1_o.png",
)


def cut_at(row: Row, mpp: float, native: float) -> Row:
    square = square_around(0, 0, mpp / native)
    return replace(
        row, width=square.width, downsample=square.downsample, mpp=native * square.downsample
    )


def test_full_resolution_of_two_scanners_is_one_rule() -> None:
    row = ROW
    rule = resolution_of([replace(row, mpp=0.25), replace(row, mpp=0.17), row], HERE)
    assert rule == Resolution(mpp=None, downsample=1.0)
    assert rule.downsample_for(None) == 1.0
    assert str(rule) == "full resolution"


@pytest.mark.parametrize("mpp", [0.25, 0.345, 0.5, 1.0])
def test_one_mpp_of_two_scanners_is_one_rule(mpp: float) -> None:
    row = ROW
    rule = resolution_of([cut_at(row, mpp, 0.2431), cut_at(row, mpp, 0.1625)], HERE)
    assert rule.mpp == pytest.approx(mpp, rel=0.002)
    assert rule.downsample_for(0.25) == pytest.approx(mpp / 0.25, rel=0.002)


def test_rules_agree_up_to_the_rounding_of_a_square() -> None:
    half = Resolution(mpp=0.5)
    assert half.agrees_with(Resolution(mpp=0.501))
    assert not half.agrees_with(Resolution(mpp=0.51))
    assert not half.agrees_with(Resolution())
    assert Resolution().agrees_with(Resolution())
    assert not Resolution().agrees_with(Resolution(downsample=2.0))


def test_a_rule_in_micrometres_needs_a_pixel_size() -> None:
    with pytest.raises(BadInputError, match=r"0\.5 micrometres"):
        Resolution(mpp=0.5).downsample_for(None)


def test_one_downsample_without_pixel_size_is_a_rule() -> None:
    row = replace(ROW, width=448, downsample=2.0)
    assert resolution_of([row, row], HERE) == Resolution(downsample=2.0)


def test_mixed_resolutions_are_refused() -> None:
    row = ROW
    for rows in (
        [row, replace(row, downsample=2.0)],
        [cut_at(row, 0.5, 0.25), cut_at(row, 0.6, 0.25)],
        [replace(row, mpp=0.25), cut_at(row, 0.5, 0.25)],
    ):
        with pytest.raises(BadInputError, match="not cut at one resolution"):
            resolution_of(rows, HERE)


def test_full_resolution_remembers_the_pixel_sizes_it_saw() -> None:
    rule = resolution_of([replace(ROW, mpp=0.25), replace(ROW, mpp=0.22), ROW], HERE)
    assert rule.trained_mpp == (0.22, 0.25)
    assert rule.downsample_for(0.2) == rule.downsample_for(0.29) == rule.downsample_for(None) == 1
    for mpp in (0.17, 0.31, 0.5):
        with pytest.raises(BadInputError, match=r"scale is known it is 0\.22 to 0\.25"):
            rule.downsample_for(mpp)
    assert rule.at_any_scale().downsample_for(0.5) == 1
