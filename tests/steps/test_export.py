from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto import Access, export
from pycyto.errors import (
    BadInputError,
    PartlyDoneError,
    RefusedError,
    StaleError,
    UsageError,
)
from pycyto.images.crop import Pixels
from pycyto.images.patches import write_patch
from pycyto.manifest import read_manifest
from pycyto.records import RUN_MARK
from pycyto.steps.export import ExportResult
from tests.tiny_project import TinyCell, TinyImage, build, save_cells

GEOJSON = Access(backend="geojson")
CELLS = (
    TinyCell(200, 150, "NILM"),
    TinyCell(10.5, 8.25, "HSIL"),
    TinyCell(395, 295, "ascus"),
    TinyCell(120, 90, "LSIL", points=((100.0, 80.0), (140.0, 100.0))),
    TinyCell(60, 60, None),
    TinyCell(70, 60, "Trichomonas"),
    TinyCell(80, 60, "HSIL", kind="detection", measurements={RUN_MARK: 7.0}),
    TinyCell(90, 60, "NILM", side=2000.0),
    TinyCell(100, 60, "NILM", kind="tile"),
)


def two_images(folder: Path) -> Path:
    return build(
        folder,
        [
            TinyImage("1", "Zelle é 50%.png", CELLS, {"Patient": "P1", "Scanner": "A"}),
            TinyImage("2", "other.png", [TinyCell(50, 50, "LSIL")]),
        ],
    )


def run(project: Path, out: Path, **options: object) -> ExportResult:
    return export(project, out=out, access=GEOJSON, **options)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return two_images(tmp_path / "a projéct")


def test_every_object_is_counted_once(project: Path, tmp_path: Path) -> None:
    result = run(project, tmp_path / "out")

    assert result.tally.given == 11  # the two points are two cells
    assert result.tally.used == 6
    assert result.tally.skipped == {
        "no class": 1,
        "class outside the scheme": 1,
        "other kind of object": 1,
        "tissue outline": 1,
        "tile or TMA core": 1,
    }
    assert result.by_label == {"NILM": 1, "HSIL": 1, "ASC-US": 1, "LSIL": 3}


def test_patches_are_what_the_manifest_says(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")

    rows = read_manifest(tmp_path / "out")
    assert len(rows) == len(list((tmp_path / "out" / "images").rglob("*.png"))) == 6
    for row in rows:
        patch = np.asarray(Image.open(tmp_path / "out" / row.file))
        assert patch.shape == (224, 224, 3)
        assert hashlib.sha256(patch.tobytes()).hexdigest() == row.content_hash
        assert Path(row.file).parts[:2] == ("images", row.label)


def test_a_cell_in_the_corner_is_centred_on_black(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out", classes=["hsil"])

    (row,) = read_manifest(tmp_path / "out")
    patch = np.asarray(Image.open(tmp_path / "out" / row.file))
    image = np.asarray(Image.open(project / "images" / "1.png"))
    assert (row.left, row.top, row.width) == (-101, -104, 224)
    assert not patch[:104].any()
    assert not patch[:, :101].any()
    assert np.array_equal(patch[104:, 101:], image[:120, :123])


def test_rows_say_where_a_cell_came_from(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")

    rows = {row.label: row for row in read_manifest(tmp_path / "out") if row.entry_id == "1"}
    assert rows["ASC-US"].original_label == "ascus"
    assert rows["ASC-US"].image_name == "Zelle é 50%.png"
    assert (rows["NILM"].patient, rows["NILM"].scanner, rows["NILM"].site) == ("P1", "A", "unknown")
    assert rows["NILM"].mpp == 0.25
    assert rows["NILM"].outline_area == 900.0
    assert rows["LSIL"].outline_area is None
    assert rows["NILM"].label_origin == "manual"


def test_a_second_export_cuts_nothing(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}

    result = run(project, tmp_path / "out")

    assert (result.new, result.kept, result.relabelled, result.removed) == (0, 6, 0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}


def test_only_what_changed_is_done(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(project, out)
    corrected = TinyCell(200, 150, "HSIL")
    save_cells(project, "1", [corrected, *CELLS[2:]])  # one relabelled, one deleted

    result = run(project, out)

    assert (result.new, result.kept, result.relabelled, result.removed) == (0, 4, 1, 1)
    assert (out / "images" / "HSIL" / f"1_{corrected.object_id}.png").exists()
    assert not (out / "images" / "NILM").exists() or not any((out / "images" / "NILM").iterdir())
    assert (out / "removed" / f"1_{CELLS[1].object_id}.png").exists()
    assert {row.object_id for row in read_manifest(out)} & {CELLS[1].object_id} == set()


def test_a_changed_image_is_cut_again(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    image = project / "images" / "2.png"
    Image.new("RGB", (400, 300), (9, 9, 9)).save(image)
    os.utime(image, (1, 1))

    result = run(project, tmp_path / "out")

    assert (result.new, result.kept) == (1, 5)


def test_a_deleted_patch_is_cut_again(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    next((tmp_path / "out").rglob("*.png")).unlink()

    assert run(project, tmp_path / "out").new == 1


def test_a_missing_image_fails_alone_and_loses_nothing(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(project, out)
    (project / "images" / "2.png").unlink()
    os.utime(project / "images" / "1.png", (1, 1))

    with pytest.raises(PartlyDoneError, match=r"other\.png.*missing"):
        run(project, out)

    assert len(read_manifest(out)) == 6
    counts = json.loads((out / "record.json").read_text())["export"]["counts"]
    assert counts["failed"] == {"image not readable": 1}
    assert counts["given"] == 11


def test_an_image_that_is_not_rgb_is_named(tmp_path: Path) -> None:
    project = build(tmp_path / "p", [TinyImage("1", "fluo", [TinyCell(50, 50)], rgb=False)])

    with pytest.raises(PartlyDoneError, match=r"fluo.*image not RGB"):
        run(project, tmp_path / "out")


def test_mpp_needs_a_pixel_size(tmp_path: Path) -> None:
    images = [
        TinyImage("1", "calibrated", [TinyCell(200, 150)], mpp=0.25),
        TinyImage("2", "uncalibrated", [TinyCell(200, 150)], mpp=None),
    ]
    project = build(tmp_path / "p", images)

    with pytest.raises(PartlyDoneError, match=r"uncalibrated.*pixel"):
        run(project, tmp_path / "out", mpp=0.5)

    (row,) = read_manifest(tmp_path / "out")
    assert (row.width, row.downsample, row.mpp) == (448, 2.0, 0.5)


def test_two_resolutions_do_not_mix(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")

    with pytest.raises(RefusedError, match="another resolution"):
        run(project, tmp_path / "out", mpp=0.5)


def test_a_stale_file_of_cells_is_refused_unless_told(project: Path, tmp_path: Path) -> None:
    (project / "data" / "2" / "data.qpdata").write_bytes(b"saved in QuPath since")

    with pytest.raises(StaleError, match=r"(?s)entry ID 2.*export_cells\.groovy"):
        run(project, tmp_path / "out")
    access = Access(backend="geojson", stale_ok=True)
    result = export(project, out=tmp_path / "out", access=access)

    assert result.tally.used == 6
    assert result.tally.notes == {"read in an older state than the image's, as told": 1}


def test_images_by_name_or_entry_id(project: Path, tmp_path: Path) -> None:
    assert run(project, tmp_path / "a", images=["other.png"]).tally.used == 1
    assert run(project, tmp_path / "b", images=["2", "1"]).tally.used == 6
    with pytest.raises(UsageError, match="no image 'third'"):
        run(project, tmp_path / "c", images=["third"])


def test_a_part_of_the_images_leaves_the_others_alone(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")

    result = run(project, tmp_path / "out", images=["2"])

    assert result.removed == 0
    assert len(read_manifest(tmp_path / "out")) == 6


def test_classes_of_any_name_get_folders_of_their_own(tmp_path: Path) -> None:
    names = ["HSIL:1", "HSIL1", "hsil", "a/b", "CON", "..", "ü b*c"]
    cells = [TinyCell(50 + 20 * i, 50, name) for i, name in enumerate(names)]
    project = build(tmp_path / "p", [TinyImage("1", "i", cells)])

    run(project, tmp_path / "out", classes=names)

    folders = [path.name for path in (tmp_path / "out" / "images").iterdir()]
    assert len(folders) == len({name.casefold() for name in folders}) == len(names)
    assert "HSIL" in folders
    assert not {"..", "CON"} & set(folders)


def test_interrupted_work_is_kept(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def until_ctrl_c(path: Path, pixels: Pixels) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        write_patch(path, pixels)

    monkeypatch.setattr("pycyto.steps.export.write_patch", until_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        run(project, tmp_path / "out")
    monkeypatch.undo()

    assert len(read_manifest(tmp_path / "out")) == 3
    result = run(project, tmp_path / "out")
    assert (result.kept, result.new) == (3, 3)
    assert len(read_manifest(tmp_path / "out")) == 6


def test_the_project_is_left_as_it_was(project: Path, tmp_path: Path) -> None:
    def state() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in project.rglob("*")
            if path.is_file() and path.parent.name != "pycyto"
        }

    before = state()
    run(project, tmp_path / "out")
    assert state() == before


@pytest.mark.parametrize("place", ["", "data", "images/new"])
def test_a_data_set_does_not_go_among_qupaths_files(project: Path, place: str) -> None:
    before = sorted(project.rglob("*"))
    with pytest.raises(RefusedError, match="among QuPath's own files"):
        run(project, project / place)
    assert sorted(project.rglob("*")) == before


def test_no_cell_at_all_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    project = build(tmp_path / "p", [TinyImage("1", "a", [TinyCell(50, 50, None)])])
    with pytest.raises(BadInputError, match=r"no cell to export .*1 no class"):
        run(project, tmp_path / "out")


def test_a_class_of_the_scheme_that_nobody_has_is_no_mistake(project: Path, tmp_path: Path) -> None:
    result = run(project, tmp_path / "out", classes=["HSIL", "LSIL"], images=["2"])
    assert result.by_label == {"LSIL": 1}


def test_cells_that_cannot_be_read_fail_alone(project: Path, tmp_path: Path) -> None:
    (project / "pycyto" / "cells" / "2.geojson").write_text('{"type": "Feat')
    with pytest.raises(PartlyDoneError, match=r"other\.png \(entry ID 2\).*cannot be read"):
        run(project, tmp_path / "out")
    assert len(read_manifest(tmp_path / "out")) == 5
