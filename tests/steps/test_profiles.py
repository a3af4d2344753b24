"""Colour profiles are applied from the first step to the last, or from none to none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pycyto import Access, evaluate, export, ingest, merge, predict, train
from pycyto.cli.main import main
from pycyto.errors import BadInputError, PartlyDoneError, RefusedError
from pycyto.images.colour import Colour
from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch
from pycyto.images.stain import reference_statistics
from pycyto.labels import BETHESDA
from pycyto.learning.bundle import load_bundle
from pycyto.manifest import Row, read_manifest
from pycyto.parts import write_split
from pycyto.provenance import keep_record, record, records_in
from pycyto.records import Silent
from pycyto.steps.colour import colour
from pycyto.steps.profiles import icc_of
from pycyto.steps.subset import write_subset
from tests.icc import embed, profile, srgb_of
from tests.learning.patch_data import write_data
from tests.published import picture, save
from tests.stub_model import BUNDLE, in_place
from tests.tiny_project import TinyCell, TinyImage, build

GEOJSON = Access(backend="geojson")
GAMMA = 1.0


class Heard(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two images with the profile of a camera, one without."""
    cells = [TinyCell(200, 150, "NILM"), TinyCell(150, 120, "HSIL"), TinyCell(5, 5, "HSIL")]
    images = [TinyImage(name, f"{name}.png", cells) for name in ("1", "2", "3")]
    folder = build(tmp_path / "project", images)
    for name in ("1", "2"):
        embed(folder / "images" / f"{name}.png", profile(GAMMA))
    return folder


def run(project: Path, out: Path, **options: Any) -> Any:
    return export(project, out=out, access=GEOJSON, **options)


def patches(data: Path) -> dict[str, Pixels]:
    return {str(row.key): read_patch(data, row) for row in read_manifest(data)}


def test_patches_of_an_export_are_what_the_cameras_meant(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "plain")
    run(project, tmp_path / "icc", icc=True)
    plain, icc = patches(tmp_path / "plain"), patches(tmp_path / "icc")
    of_image = {str(row.key): row.entry_id for row in read_manifest(tmp_path / "icc")}
    for key, pixels in plain.items():
        if of_image[key] == "3":
            np.testing.assert_array_equal(icc[key], pixels)
            continue
        expected = srgb_of(pixels, GAMMA)
        assert np.abs(icc[key].astype(int) - expected).max() <= 1
        assert np.abs(icc[key].astype(int) - pixels).max() > 20
        # What lies beyond the image stays padding.
        np.testing.assert_array_equal(icc[key][(pixels == 0).all(2)], 0)


def test_an_export_says_which_images_have_a_profile(project: Path, tmp_path: Path) -> None:
    expected = {"images": {"with": 2, "without": 1}, "names": {"Camera X": 2}}
    heard = Heard()
    result = run(project, tmp_path / "out", icc=True, reporter=heard)
    assert result.profiles == expected
    assert "Colour profiles applied: 2 images (Camera X 2)." in heard.said
    assert any(text.startswith("1 image without a colour profile") for text in heard.said)
    kept = records_in(tmp_path / "out")["export"]
    assert (kept["arguments"]["icc"], kept["counts"]["profiles"]) == (True, expected)
    again = run(project, tmp_path / "out", icc=True)
    assert again.new == 0  # so that no image was opened
    assert again.profiles == expected


def test_without_being_asked_no_profile_is_looked_at(project: Path, tmp_path: Path) -> None:
    embed(project / "images" / "1.png", b"broken")
    result = run(project, tmp_path / "out")
    assert result.profiles is None
    assert "profiles" not in records_in(tmp_path / "out")["export"]["counts"]
    assert not icc_of(tmp_path / "out")


@pytest.mark.parametrize("icc", [True, False])
def test_one_folder_has_patches_of_one_kind(project: Path, tmp_path: Path, icc: bool) -> None:
    run(project, tmp_path / "out", icc=icc)
    before = (tmp_path / "out" / "manifest.csv").read_bytes()
    with pytest.raises(RefusedError, match="colour profiles") as raised:
        run(project, tmp_path / "out", icc=not icc)
    assert "--icc" in str(raised.value)
    assert (tmp_path / "out" / "manifest.csv").read_bytes() == before


def test_a_broken_profile_is_named_and_the_other_images_are_exported(
    project: Path, tmp_path: Path
) -> None:
    embed(project / "images" / "1.png", b"broken" * 30)
    with pytest.raises(PartlyDoneError, match=r"1\.png \(entry ID 1\).*colour profile"):
        run(project, tmp_path / "out", icc=True)
    assert {row.entry_id for row in read_manifest(tmp_path / "out")} == {"2", "3"}
    profiles = records_in(tmp_path / "out")["export"]["counts"]["profiles"]
    assert profiles["images"] == {"with": 1, "without": 1}


def a_folder(src: Path) -> Path:
    """Three images of two classes; two have a profile."""
    for number, label in enumerate(("HSIL", "HSIL", "NILM"), 1):
        path = save(src / label / f"p{number}.png", picture(number))
        if number < 3:
            embed(path, profile(GAMMA, name=f"Camera {number}"))
    return src


def test_an_ingest_applies_and_counts_them(tmp_path: Path) -> None:
    src, heard = a_folder(tmp_path / "lab"), Heard()
    result = ingest("folder", src, out=tmp_path / "out", icc=True, reporter=heard)
    expected = {
        "images": {"with": 2, "without": 1},
        "names": {"Camera 1": 1, "Camera 2": 1},
    }
    assert result.profiles == expected
    kept = records_in(tmp_path / "out")["ingest"]
    assert (kept["arguments"]["icc"], kept["counts"]["profiles"]) == (True, expected)
    assert any("2 images (Camera 1 1, Camera 2 1)" in text for text in heard.said)
    ingest("folder", src, out=tmp_path / "plain")
    plain, icc = patches(tmp_path / "plain"), patches(tmp_path / "out")
    for row in read_manifest(tmp_path / "out"):
        key, has_one = str(row.key), "p3" not in row.image_name
        wanted = srgb_of(plain[key], GAMMA) if has_one else plain[key]
        assert np.abs(icc[key].astype(int) - wanted).max() <= has_one


def test_an_ingest_without_any_says_so(tmp_path: Path) -> None:
    heard = Heard()
    save(tmp_path / "lab" / "HSIL" / "a.png", picture(1))
    ingest("folder", tmp_path / "lab", out=tmp_path / "out", icc=True, reporter=heard)
    assert any("1 image without a colour profile" in text for text in heard.said)


def test_an_ingest_with_a_broken_one_is_refused_by_name(tmp_path: Path) -> None:
    src = a_folder(tmp_path / "lab")
    embed(src / "NILM" / "p3.png", b"broken" * 30)
    with pytest.raises(BadInputError, match=r"NILM/p3\.png: The colour profile"):
        ingest("folder", src, out=tmp_path / "out", icc=True)
    assert not (tmp_path / "out").exists()


def test_a_merge_keeps_what_is_known_and_refuses_two_kinds(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "a", icc=True)
    for name, icc in (("b", True), ("c", False)):
        ingest("folder", a_folder(tmp_path / f"lab {name}"), out=tmp_path / name, icc=icc)
    with pytest.raises(RefusedError, match="in two ways") as raised:
        merge([tmp_path / "a", tmp_path / "c"], out=tmp_path / "ac")
    assert "c without colour profiles" in str(raised.value)
    assert not (tmp_path / "ac").exists()
    merge([tmp_path / "a", tmp_path / "b"], out=tmp_path / "ab")
    assert icc_of(tmp_path / "ab")
    rows = read_manifest(tmp_path / "ab")
    (tmp_path / "some").mkdir()
    write_subset(tmp_path / "ab", rows[:2], None, tmp_path / "some")
    assert icc_of(tmp_path / "some")


def test_a_record_of_something_else_says_nothing(tmp_path: Path) -> None:
    assert not icc_of(tmp_path)
    keep_record(tmp_path, record("split", {"seed": 1}, counts={}))
    keep_record(tmp_path, record("export", {"icc": False}, counts={}))
    keep_record(tmp_path, {**record("merge", {}, counts={}), "arguments": "icc"})
    assert not icc_of(tmp_path)


def by_red(patch: Pixels) -> Any:
    """Answer with the mean of the red pixels themselves: every grey level shows."""
    probabilities = np.zeros(len(BETHESDA.names))
    probabilities[:2] = patch[..., 0].mean() / 255, 1 - patch[..., 0].mean() / 255
    return probabilities


def answers(project: Path, icc: bool, colour: Colour | None) -> dict[str, str]:
    bundle = replace(BUNDLE, icc=icc, colour=colour)
    with in_place(by_red, bundle):
        found = predict(project, model="m", access=GEOJSON).run
    lines: dict[str, str] = {}
    for path in (found.folder / "new").glob("*.csv"):
        head, *rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        source, p = head.index("source_id"), head.index(f"P({BETHESDA.names[0]})")
        lines |= {f"{path.stem} {row[source]}": row[p] for row in rows}
    return lines


@pytest.mark.parametrize("stats", [None, "slide", "source"])
def test_a_project_is_predicted_as_its_exported_patches_are(
    project: Path, tmp_path: Path, stats: Any
) -> None:
    Image.fromarray(picture(9, 300, 300)).save(tmp_path / "reference.png")
    colour = stats and Colour(reference_statistics(tmp_path / "reference.png"), stats)
    run(project, tmp_path / "out", icc=True)
    for icc in (True, False):
        here = answers(project, icc, colour)
        with in_place(by_red, replace(BUNDLE, icc=True, colour=colour)):
            away = answers(tmp_path / "out", True, colour)
        assert len(here) == 9
        assert (here == away) == icc


def test_a_prediction_says_which_images_have_a_profile(project: Path) -> None:
    heard = Heard()
    with in_place(bundle=replace(BUNDLE, icc=True)):
        predict(project, model="m", access=GEOJSON, reporter=heard)
    assert "Colour profiles applied: 2 images (Camera X 2)." in heard.said


def mark(data: Path) -> None:
    """Say of a data set that it was made with --icc."""
    keep_record(data, record("ingest", {"icc": True}, counts={}))


def test_a_model_knows_and_other_patches_are_refused(tmp_path: Path) -> None:
    counts = {"NILM": 3, "HSIL": 3}
    data = tmp_path / "data"
    write_data(data, dict.fromkeys(("train", "validation", "test"), counts))
    train(data, out=tmp_path / "plain", epochs=1)
    mark(data)
    train(data, out=tmp_path / "icc", epochs=1)
    plain, icc = load_bundle(tmp_path / "plain"), load_bundle(tmp_path / "icc")
    assert (plain.icc, icc.icc) == (False, True)
    assert plain.bundle_id != icc.bundle_id
    assert "ICC profile" in (tmp_path / "icc" / "README.txt").read_text("utf-8")
    assert "ICC profile" not in (tmp_path / "plain" / "README.txt").read_text("utf-8")
    evaluate(data, model=tmp_path / "icc", out=tmp_path / "report")
    with pytest.raises(RefusedError, match="trained on patches that were cut without"):
        evaluate(data, model=tmp_path / "plain", out=tmp_path / "other")
    (data / "record.json").unlink()
    asks: list[Callable[[], object]] = [
        lambda: evaluate(data, model=tmp_path / "icc", out=tmp_path / "other"),
        lambda: predict(data, model=tmp_path / "icc"),
    ]
    for ask in asks:
        with pytest.raises(RefusedError, match="cut without colour profiles") as raised:
            ask()
        assert "with --icc" in str(raised.value)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_a_bundle_says_it_plainly(tmp_path: Path, value: object) -> None:
    data = tmp_path / "data"
    write_data(data, {part: {"NILM": 2, "HSIL": 2} for part in ("train", "validation")})
    mark(data)
    train(data, out=tmp_path / "out", epochs=1)
    card = json.loads((tmp_path / "out" / "bundle.json").read_text("utf-8"))
    for changed in (value, False):  # nor can it be turned off
        text = json.dumps({**card, "icc": changed})
        (tmp_path / "out" / "bundle.json").write_text(text, "utf-8")
        with pytest.raises(BadInputError):
            load_bundle(tmp_path / "out")


def test_a_reference_is_read_as_the_patches_are(project: Path, tmp_path: Path) -> None:
    reference = project / "images" / "1.png"
    found = []
    for icc in (True, False):
        data = tmp_path / str(icc)
        run(project, data, icc=icc)
        rows: list[Row] = read_manifest(data)
        write_split(data, {row.key: "train" for row in rows})
        page = colour(data, out=tmp_path / f"page {icc}", reference=reference)
        found.append(page.figures["target"]["mean"])
    assert found[0] == list(reference_statistics(reference, icc=True).mean)
    assert found[1] == list(reference_statistics(reference).mean)


def test_the_commands_have_the_option(project: Path, tmp_path: Path) -> None:
    out, lab = str(tmp_path / "out"), a_folder(tmp_path / "lab")
    line = ["export", str(project), "--backend", "geojson", "--icc", "--out", out]
    assert main(line) == 0
    assert main(["ingest", "folder", str(lab), "--out", f"{out} 2", "--icc"]) == 0
    assert icc_of(tmp_path / "out")
    assert icc_of(tmp_path / "out 2")
