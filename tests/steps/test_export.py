from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto import Access, export
from pycyto.errors import (
    BadInputError,
    NotWritableError,
    PartlyDoneError,
    RefusedError,
    StaleError,
    UsageError,
)
from pycyto.images.crop import Pixels
from pycyto.images.patches import read_patch, write_patch
from pycyto.images.reading import FieldImage
from pycyto.labels import BETHESDA
from pycyto.manifest import read_manifest
from pycyto.records import RUN_MARK, Silent
from pycyto.steps.export import ExportResult
from tests.manifests import write_manifest
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


class Heard(Silent):
    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


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
    ((name, count),) = result.tally.foreign.items()
    assert (BETHESDA.find(name), count) == (None, 1)


def test_classes_outside_the_scheme_are_named(project: Path, tmp_path: Path) -> None:
    """One of them may be a misspelt HSIL."""
    heard = Heard()
    result = run(project, tmp_path / "out", reporter=heard)
    (name,) = result.tally.foreign
    assert any(f"left out: {name!r} (1)." in text for text in heard.warned)


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


def test_leftovers_of_a_killed_first_export_go(project: Path, tmp_path: Path) -> None:
    parts = [
        tmp_path / "out" / "images" / "LSIL" / ".2_x.png.999999999.part",
        tmp_path / "out" / ".manifest.csv.999999999.part",
    ]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
    run(project, tmp_path / "out")
    assert not any(part.exists() for part in parts)


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


def test_an_mpp_that_is_far_from_the_images_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 100 micrometres per pixel a patch would be cut from a square of 89,600 pixels."""
    image = TinyImage("1", "fine", [TinyCell(200, 150), TinyCell(9, 9)], mpp=0.25)
    project = build(tmp_path / "project", [image])
    monkeypatch.setattr(FieldImage, "read", lambda *_: pytest.fail("it was read"))
    told = r"(?s)2 of 2 objects.*would be 400 pixels of this image wide; from 1/32 to 32"
    with pytest.raises(PartlyDoneError, match=told):
        run(project, tmp_path / "out", mpp=100.0)


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


def test_a_patch_that_a_killed_export_left_without_a_row_is_moved_away(
    project: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(project, out)
    patch = out / read_manifest(out)[0].file
    stray = out / "images" / "LSIL" / "1_00000000-0000-4000-8000-00000000abcd_p3.png"
    somebodys = out / "images" / "LSIL" / "look at this.png"
    for copy in (stray, somebodys):
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(patch.read_bytes())

    result = run(project, out)

    assert result.removed == 1
    assert [path.name for path in (out / "removed").iterdir()] == [stray.name]
    assert not stray.exists()
    assert somebodys.exists()


def test_classes_of_any_name_get_folders_of_their_own(tmp_path: Path) -> None:
    names = ["HSIL:1", "HSIL1", "hsil", "a/b", "CON", "..", "ü b*c"]
    cells = [TinyCell(50 + 20 * i, 50, name) for i, name in enumerate(names)]
    project = build(tmp_path / "p", [TinyImage("1", "i", cells)])

    run(project, tmp_path / "out", classes=names)

    folders = [path.name for path in (tmp_path / "out" / "images").iterdir()]
    assert len(folders) == len({name.casefold() for name in folders}) == len(names)
    assert "HSIL" in folders
    assert not {"..", "CON"} & set(folders)


class Stopper:
    """Writes patches, and fails at the fourth and at all that follow."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.written: list[Path] = []
        self.lock = threading.Lock()

    def __call__(self, path: Path, pixels: Pixels) -> None:
        with self.lock:
            if len(self.written) == 3:
                raise self.error
            write_patch(path, pixels)
            self.written.append(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), NotWritableError("The disk is full.")])
def test_interrupted_work_is_kept(
    error: BaseException, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = Stopper(error)
    monkeypatch.setattr("pycyto.steps.export.write_patch", stopper)
    with pytest.raises(type(error)):
        run(project, tmp_path / "out")
    monkeypatch.undo()

    assert {tmp_path / "out" / row.file for row in read_manifest(tmp_path / "out")} == set(
        stopper.written
    )
    result = run(project, tmp_path / "out")
    assert (result.kept, result.new) == (3, 3)
    assert len(read_manifest(tmp_path / "out")) == 6


def test_what_was_written_after_the_patch_that_failed_has_its_rows(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []

    def the_first_fails_late(path: Path, pixels: Pixels) -> None:
        started.append(path)
        if started[0] == path:
            time.sleep(0.3)
            raise KeyboardInterrupt
        write_patch(path, pixels)

    monkeypatch.setattr("pycyto.steps.export.write_patch", the_first_fails_late)
    with pytest.raises(KeyboardInterrupt):
        run(project, tmp_path / "out", images=["1"])

    rows = read_manifest(tmp_path / "out")
    assert len(rows) == 4
    assert {tmp_path / "out" / row.file for row in rows} == set(started[1:])
    for row in rows:
        read_patch(tmp_path / "out", row)


@pytest.mark.parametrize("restored", [False, True])
def test_an_image_that_changed_is_cut_anew_although_that_was_interrupted(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, restored: bool
) -> None:
    run(project, tmp_path / "out")
    image = project / "images" / "1.png"
    hashes = {row.key: row.content_hash for row in read_manifest(tmp_path / "out")}
    shutil.copy2(image, tmp_path / "before.png")
    Image.new("RGB", (400, 300), (9, 9, 9)).save(image)
    with monkeypatch.context() as patched:
        patched.setattr("pycyto.steps.export.write_patch", Stopper(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run(project, tmp_path / "out")
    if restored:
        shutil.copy2(tmp_path / "before.png", image)

    run(project, tmp_path / "out")

    rows = [row for row in read_manifest(tmp_path / "out") if row.entry_id == "1"]
    assert len(rows) == 5
    for row in rows:
        pixels = read_patch(tmp_path / "out", row)
        assert (row.content_hash == hashes[row.key]) is restored
        assert (pixels.max() == 9) is not restored


def test_a_slide_that_breaks_off_midway_leaves_what_belongs_together(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project, tmp_path / "out")
    Image.new("RGB", (400, 300), (9, 9, 9)).save(project / "images" / "1.png")
    reads: list[int] = []

    def damaged(image: FieldImage, left: int, top: int, width: int, height: int) -> Pixels:
        reads.append(left)
        if len(reads) > 2:
            raise BadInputError("This image cannot be read.")
        return np.full((height, width, 3), 9, np.uint8)

    with monkeypatch.context() as patched:
        patched.setattr(FieldImage, "read", damaged)
        with pytest.raises(PartlyDoneError, match=r"3 of 11 objects"):
            run(project, tmp_path / "out")

    rows = read_manifest(tmp_path / "out")
    assert len(rows) == 6
    for row in rows:  # two new and four old ones, each with its own pixels
        read_patch(tmp_path / "out", row)
    assert run(project, tmp_path / "out").new == 5


def test_failing_again_is_no_success(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    image = project / "images" / "2.png"
    image.rename(tmp_path / "elsewhere.png")
    for _ in ("first", "second"):
        with pytest.raises(PartlyDoneError, match=r"1 of 11 objects"):
            run(project, tmp_path / "out")
        counts = json.loads((tmp_path / "out/record.json").read_text())["export"]["counts"]
        assert (counts["kept"], counts["patches"], counts["failed"]) == (
            5,
            5,
            {"image not readable": 1},
        )
    (tmp_path / "elsewhere.png").rename(image)
    assert run(project, tmp_path / "out").kept == 6


def test_the_summary_tells_patches_of_an_earlier_export(project: Path, tmp_path: Path) -> None:
    told: list[str] = []

    class Listener(Silent):
        def say(self, text: str) -> None:
            told.append(text)

    run(project, tmp_path / "out", reporter=Listener())
    assert not [text for text in told if "earlier export" in text]
    (project / "images" / "2.png").unlink()
    with pytest.raises(PartlyDoneError):
        run(project, tmp_path / "out", reporter=Listener())
    (line,) = [text for text in told if "earlier export" in text]
    assert line.startswith("1 of these patches")


def test_a_patch_that_broke_off_is_cut_again(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    row = read_manifest(tmp_path / "out")[0]
    path = tmp_path / "out" / row.file
    path.write_bytes(path.read_bytes()[:-30])

    assert run(project, tmp_path / "out").new == 1
    read_patch(tmp_path / "out", row)


def test_an_id_that_leads_elsewhere_is_refused(project: Path, tmp_path: Path) -> None:
    path = project / "pycyto" / "cells" / "2.geojson"
    content = json.loads(path.read_text())
    content["features"][0]["id"] = "a/../../../../../stolen"
    path.write_text(json.dumps(content))

    with pytest.raises(PartlyDoneError, match=r"(?s)entry ID 2.*stolen"):
        run(project, tmp_path / "out")
    assert not list(tmp_path.rglob("*stolen*"))


def test_an_image_of_another_size_is_refused_unread(project: Path, tmp_path: Path) -> None:
    path = project / "images" / "2.png"
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)

    with pytest.raises(PartlyDoneError, match="20000 x 20000 pixels; the project has it as 400"):
        run(project, tmp_path / "out")


def test_the_rows_of_other_projects_stay_and_all_are_in_order(tmp_path: Path) -> None:
    ids = ("9", "10")  # in the order of the project, which is not that of the table
    one = build(tmp_path / "one", [TinyImage(name, name, CELLS) for name in ids])
    other = two_images(tmp_path / "other")
    run(one, tmp_path / "out")
    before = read_manifest(tmp_path / "out")
    run(other, tmp_path / "out")

    rows = read_manifest(tmp_path / "out")
    assert len(rows) == 10 + 6
    assert set(before) <= set(rows)
    assert [row.key[:3] for row in rows] == sorted(row.key[:3] for row in rows)
    whole = (tmp_path / "out/manifest.csv").read_bytes()
    write_manifest(tmp_path / "again", reversed(rows))
    assert whole == (tmp_path / "again/manifest.csv").read_bytes()


def test_a_table_that_was_sorted_by_hand_is_put_in_order(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "out")
    path = tmp_path / "out/manifest.csv"
    before = path.read_bytes()
    first, *lines = before.splitlines(keepends=True)
    path.write_bytes(b"".join([first, *lines[::2], *lines[1::2]]))

    assert run(project, tmp_path / "out").kept == 6
    assert path.read_bytes() == before


@pytest.mark.parametrize("shuffled", [False, True])
def test_two_rows_for_one_cell_are_refused(
    project: Path, tmp_path: Path, *, shuffled: bool
) -> None:
    run(project, tmp_path / "out")
    path = tmp_path / "out/manifest.csv"
    first, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, lines[0], *(lines[::-1] if shuffled else lines)]))

    with pytest.raises(BadInputError, match="Two rows stand for one cell"):
        run(project, tmp_path / "out")


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
