"""Data sets are joined whole, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.images.patches import content_hash, read_patch, write_patch
from pycyto.manifest import Row, read_manifest
from pycyto.provenance import records_in
from pycyto.steps.ingest import ingest
from pycyto.steps.merge import merge
from tests import published
from tests.manifests import a_row, write_manifest
from tests.published import picture
from tests.steps.test_split import Listener


@pytest.fixture
def sets(tmp_path: Path) -> list[Path]:
    """Two sources as data sets."""
    herlev = published.herlev(tmp_path / "h", {"light_dysplastic": 3})
    sipakmed = published.sipakmed(tmp_path / "s", {"Parabasal": [2, 1]})
    ingest("herlev", herlev, out=tmp_path / "herlev")
    ingest("sipakmed", sipakmed, out=tmp_path / "sipakmed")
    return [tmp_path / "herlev", tmp_path / "sipakmed"]


def project(folder: Path, *seeds: int, **changes: object) -> Path:
    """Make the data set of a project with a patch for each seed."""
    rows = []
    for seed in seeds:
        pixels = picture(seed, 224, 224)
        row = a_row(
            project_id="lab", object_id=f"o{seed}", file=f"images/HSIL/1_o{seed}.png",
            content_hash=content_hash(pixels), scheme="bethesda", source="lab", **changes,
        )  # fmt: skip
        write_patch(folder / row.file, pixels)
        rows.append(row)
    write_manifest(folder, rows)
    return folder


def refused(sets: list[Path], out: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        merge(sets, out=out)
    assert list(out.parent.glob(f"*{out.name}*")) == []
    return str(caught.value)


def test_rows_patches_and_outlines_are_joined(sets: list[Path], tmp_path: Path) -> None:
    sets.append(project(tmp_path / "project", 50, 51))
    result = merge(sets, out=tmp_path / "all")
    rows = read_manifest(tmp_path / "all")
    given = [row for folder in sets for row in read_manifest(folder)]
    assert sorted(rows, key=str) == sorted(given, key=str)
    assert result.cells == len(rows) == 8
    assert result.by_source == {"herlev": {"LSIL": 3}, "sipakmed": {"NILM": 3}, "lab": {"HSIL": 2}}
    for row in rows:
        read_patch(tmp_path / "all", row)
    features = [
        json.loads((folder / "outlines.geojson").read_text("utf-8"))["features"]
        for folder in [*sets[:2], tmp_path / "all"]
    ]
    assert features[0] + features[1] == features[2]
    record = records_in(tmp_path / "all")["merge"]
    assert record["counts"]["by_data_set"] == {"1": 3, "2": 3, "3": 2}
    assert list(record["inputs"]) == ["1/manifest.csv", "2/manifest.csv", "3/manifest.csv"]


def test_the_order_of_data_sets_makes_no_difference(sets: list[Path], tmp_path: Path) -> None:
    merge(sets, out=tmp_path / "one")
    merge(sets[::-1], out=tmp_path / "two")
    one, two = ((tmp_path / name / "manifest.csv").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_manifest_in_another_order_is_joined_too(sets: list[Path], tmp_path: Path) -> None:
    merge(sets, out=tmp_path / "one")
    path = sets[0] / "manifest.csv"
    head, *lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([head, *lines[::-1]]), encoding="utf-8", newline="")
    merge(sets, out=tmp_path / "two")
    assert read_manifest(tmp_path / "one") == read_manifest(tmp_path / "two")


def test_where_there_are_no_hard_links_patches_are_copied(
    sets: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", no_links)
    merge(sets, out=tmp_path / "all")
    for row in read_manifest(tmp_path / "all"):
        read_patch(tmp_path / "all", row)
        assert (tmp_path / "all" / row.file).stat().st_nlink == 1


def test_the_pseudonyms_key_comes_along(sets: list[Path], tmp_path: Path) -> None:
    key = "ab" * 32 + "\n"
    (sets[1] / "pseudonyms.key").write_text(key, encoding="ascii")
    merge(sets, out=tmp_path / "all")
    assert (tmp_path / "all" / "pseudonyms.key").read_text("ascii") == key


def test_the_same_data_set_twice_counts_once(sets: list[Path], tmp_path: Path) -> None:
    copy = shutil.copytree(sets[0], tmp_path / "copy")
    result = merge([*sets, Path(copy)], out=tmp_path / "all")
    assert (result.cells, result.repeated) == (6, 3)
    assert len(read_manifest(tmp_path / "all")) == 6
    merge(sets, out=tmp_path / "two")
    for name in ("manifest.csv", "outlines.geojson"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def relabelled(row: Row) -> Row:
    return replace(row, label="HSIL", file="images/HSIL/1.png")


def other_pixels(row: Row) -> Row:
    return replace(row, content_hash="00")


def other_slide(row: Row) -> Row:
    return replace(row, slide=f"{row.slide} + 9", annotator="")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (relabelled, "label: LSIL / HSIL"),
        (other_pixels, "other pixels"),
        (other_slide, "annotator: unknown / nothing; slide: {0} / {0} + 9"),
    ],
)
def test_a_cell_that_is_not_the_same_in_both_is_refused(
    sets: list[Path], tmp_path: Path, change: Callable[[Row], Row], told: str
) -> None:
    copy = Path(shutil.copytree(sets[0], tmp_path / "copy"))
    first, *others = read_manifest(copy)
    write_manifest(copy, [change(first), *others])
    message = refused([*sets, copy], tmp_path / "all")
    assert "In two data sets, and not the same in both: 1 cell; different " in message
    assert "file: " not in message
    changed = change(first)
    for folder, row in ((sets[0], first), (copy, changed)):
        named = f"{folder / row.file} ({row.image_name} of herlev, {row.label})"
        assert named in message
    assert f"\n      {told.format(first.slide)}\n" in message
    assert f"{sets[0]} and {copy}" in message


def at_half_size(row: Row) -> Row:
    return replace(row, downsample=2.0, mpp=0.4, left=row.left - 1, width=448, content_hash="00")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at_half_size, "; different downsample, mpp: exported at another resolution."),
        (lambda row: replace(row, mpp=0.3), "; different mpp: with another pixel size."),
        (other_slide, "; different annotator, slide."),
    ],
)
def test_what_is_different_in_all_cells_is_said_once(
    sets: list[Path], tmp_path: Path, change: Callable[[Row], Row], told: str
) -> None:
    copy = Path(shutil.copytree(sets[0], tmp_path / "copy"))
    write_manifest(copy, [change(row) for row in read_manifest(copy)])
    message = refused([sets[0], copy], tmp_path / "all")
    assert f"not the same in both: 3 cells{told}" in message


def test_cells_that_differ_in_several_ways_have_none_in_common(
    sets: list[Path], tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(sets[0], tmp_path / "copy"))
    first, second, third = read_manifest(copy)
    write_manifest(copy, [other_pixels(first), other_slide(second), third])
    message = refused([sets[0], copy], tmp_path / "all")
    assert "not the same in both: 2 cells." in message


def test_a_picture_in_two_sources_is_refused(tmp_path: Path) -> None:
    sets = [project(tmp_path / "one", 1, 2), project(tmp_path / "two", 3)]
    row = replace(
        read_manifest(sets[0])[0], project_id="q", object_id="x", file="images/HSIL/x.png"
    )
    (sets[1] / "images" / "HSIL" / "x.png").write_bytes(
        (sets[0] / "images/HSIL/1_o1.png").read_bytes()
    )
    write_manifest(sets[1], [row, *read_manifest(sets[1])])
    message = refused(sets, tmp_path / "all")
    assert "pixel by pixel the same: 1 picture." in message
    one, two = (folder / "images" / "HSIL" for folder in sets)
    assert f"{one / '1_o1.png'} (a é.svs of lab, HSIL)\n    = {two / 'x.png'} (a é.sv" in message


def test_of_many_cells_twenty_are_named(tmp_path: Path) -> None:
    one = project(tmp_path / "one", *range(22))
    two = Path(shutil.copytree(one, tmp_path / "two"))
    write_manifest(two, [replace(row, label="LSIL") for row in read_manifest(two)])
    message = refused([one, two], tmp_path / "all")
    assert "not the same in both: 22 cells" in message
    assert message.count(", LSIL)") == 20
    assert "… and 2 more" in message


def test_two_copies_of_a_project_are_refused(tmp_path: Path) -> None:
    one = project(tmp_path / "one", 1, 2)
    two = Path(shutil.copytree(one, tmp_path / "two"))
    write_manifest(two, [replace(row, project_id="copy") for row in read_manifest(two)])
    assert "In two copies of a project: 2 cells." in refused([one, two], tmp_path / "all")


def test_pictures_that_are_nearly_the_same_are_told(tmp_path: Path) -> None:
    sets = [project(tmp_path / "one", 1, 2), project(tmp_path / "two", 3)]
    pixels = np.rot90(np.clip(picture(1, 224, 224).astype(int) + 7, 0, 255).astype(np.uint8))
    row = a_row(
        project_id="q", object_id="x", file="images/HSIL/x.png", scheme="bethesda",
        content_hash=content_hash(pixels),
    )  # fmt: skip
    write_patch(sets[1] / row.file, pixels)
    write_manifest(sets[1], [row, *read_manifest(sets[1])])
    listener = Listener()
    result = merge(sets, out=tmp_path / "all", reporter=listener)
    found = [{cell.file for cell in pair} for pair in result.near]
    assert found == [{"images/HSIL/1_o1.png", "images/HSIL/x.png"}]
    (told,) = (text for text in listener.warned if "Nearly the same" in text)
    assert "in two data sets: 1 pair of patches.\n" in told
    for cell in result.near[0]:
        assert f"{cell.key.place} ({cell.image_name}" in told


def test_other_classes_are_refused(sets: list[Path], tmp_path: Path) -> None:
    src = published.ps3c(tmp_path / "p", {"healthy": 1})
    ingest("ps3c", src, out=tmp_path / "ps3c")
    message = refused([*sets, tmp_path / "ps3c"], tmp_path / "all")
    assert "herlev: bethesda; sipakmed: bethesda; ps3c: ps3c" in message


def test_other_resolutions_are_refused(sets: list[Path], tmp_path: Path) -> None:
    half = project(tmp_path / "half", 1, mpp=0.5, downsample=2.0)
    message = refused([*sets, half], tmp_path / "all")
    assert "herlev: full resolution; sipakmed: full resolution; half: 0.5 micrometres" in message


def test_data_sets_in_folders_of_one_name_are_told_apart(sets: list[Path], tmp_path: Path) -> None:
    half = project(tmp_path / "half" / "data", 1, mpp=0.5, downsample=2.0)
    others = [shutil.copytree(one, tmp_path / "in" / one.name / "data") for one in sets]
    message = refused([half, *others], tmp_path / "all")
    assert "half/data: 0.5 micrometres" in message
    assert "sipakmed/data: full resolution" in message


def test_patches_brought_to_fit_are_refused(sets: list[Path], tmp_path: Path) -> None:
    ingest("herlev", tmp_path / "h", out=tmp_path / "fit", scale="fit")
    save = tmp_path / "h" / "light_dysplastic" / "8-8-001.BMP"
    Image.fromarray(picture(9, 50, 60)).save(save)
    shutil.rmtree(tmp_path / "fit")
    ingest("herlev", tmp_path / "h", out=tmp_path / "fit", scale="fit")
    assert "--scale fit" in refused([tmp_path / "fit", sets[1]], tmp_path / "all")


def test_projects_of_one_name_are_told(tmp_path: Path) -> None:
    sets = [project(tmp_path / "one", 1), project(tmp_path / "two", 2)]
    write_manifest(sets[1], [replace(row, project_id="q") for row in read_manifest(sets[1])])
    listener = Listener()
    merge(sets, out=tmp_path / "all", reporter=listener)
    assert "Two projects are called 'lab': their cells count as one source." in listener.warned


def test_a_patch_that_is_broken_is_named_and_nothing_stays(
    sets: list[Path], tmp_path: Path
) -> None:
    row = read_manifest(sets[1])[1]
    write_patch(sets[1] / row.file, picture(77, 224, 224))
    with pytest.raises(BadInputError, match="not the one that the manifest describes"):
        merge(sets, out=tmp_path / "all")
    assert list(tmp_path.glob("*all*")) == []


def test_outlines_that_are_broken_are_named(sets: list[Path], tmp_path: Path) -> None:
    path = sets[0] / "outlines.geojson"
    path.write_text(path.read_text("utf-8").replace('"object_id"', '"id"', 1), encoding="utf-8")
    with pytest.raises(BadInputError, match="Line 2 is no outline"):
        merge(sets, out=tmp_path / "all")
    assert list(tmp_path.glob("*all*")) == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_merge_needs_two(sets: list[Path], tmp_path: Path, number: int) -> None:
    with pytest.raises(UsageError, match="at least two"):
        merge(sets[:number], out=tmp_path / "all")


def test_a_data_set_named_twice_is_a_slip(sets: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="each named once"):
        merge([*sets, sets[0]], out=tmp_path / "all")


def test_an_empty_data_set_is_named(sets: list[Path], tmp_path: Path) -> None:
    write_manifest(tmp_path / "empty", [])
    with pytest.raises(BadInputError, match="no cell in this data set"):
        merge([*sets, tmp_path / "empty"], out=tmp_path / "all")
