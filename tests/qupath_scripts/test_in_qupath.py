"""The Groovy scripts in real QuPath installations, without a window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto import files
from pycyto.errors import BadInputError, PartlyDoneError
from pycyto.labels import BETHESDA
from pycyto.manifest import read_manifest
from pycyto.qupath import runs
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.headless import launcher_of
from pycyto.qupath.project import open_project
from pycyto.qupath.run_tables import NewDetection, Update, read_new, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.records import CellKey, ImageObjects, ProjectObject, new_object_id, run_mark
from pycyto.steps.context import Access
from pycyto.steps.export import export
from tests.qupath_fixtures import EMPTY, GREY, IMAGES, ROOT, SCRIPTS, HardProject
from tests.reviewing import RUN, a_line, write_log

pytestmark = pytest.mark.qupath

RUN_ID = "1f9c2a00-0000-4000-8000-000000000001"
RGB = [str(n + 1) for n in range(len(IMAGES)) if str(n + 1) not in (GREY, EMPTY)]


def objects_of(project: HardProject, entry_id: str) -> ImageObjects:
    return GeoJsonBackend(open_project(project.folder)).read(entry_id)


@pytest.fixture(scope="module")
def with_cells(hard_project: HardProject) -> HardProject:
    result = hard_project.run("export_cells")
    assert list(result.images) == [str(n + 1) for n in range(len(IMAGES))]
    assert result.images["1"]["objects"] == 64
    assert result.counts["objects"] == 64 * (len(IMAGES) - 1)
    return hard_project


@pytest.fixture(scope="module")
def with_patches(with_cells: HardProject) -> HardProject:
    with pytest.raises(PartlyDoneError, match="image not RGB: its 52 cells are left out"):
        with_cells.run("export_patches")
    return with_cells


def test_cells_files_hold_what_paquo_reads(with_cells: HardProject) -> None:
    """Every object and every double, by the two backends; paquo needs a process of its own."""
    code = (
        "import sys; from pathlib import Path\n"
        "from pycyto.qupath import geojson_backend, locate, paquo_backend, project\n"
        "p = project.open_project(sys.argv[1])\n"
        "paquo = paquo_backend.PaquoBackend(p, locate.installation_in(Path(sys.argv[2])))\n"
        "files = geojson_backend.GeoJsonBackend(p)\n"
        "for image in p.images:\n"
        "    a, b = paquo.read(image.entry_id), files.read(image.entry_id)\n"
        "    assert a == b, [x for x in zip(a.objects, b.objects) if x[0] != x[1]][:1]\n"
        "print('the same', sum(len(files.read(i.entry_id).objects) for i in p.images))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(with_cells.folder), str(with_cells.qupath)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert f"the same {64 * (len(IMAGES) - 1)}" in done.stdout, done.stdout + done.stderr


def test_cells_file_is_strict_json_without_what_is_not_finite(with_cells: HardProject) -> None:
    def refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    path = with_cells.folder / "pycyto" / "cells" / "1.geojson"
    content = json.loads(
        path.read_text("utf-8"),
        object_pairs_hook=refuse,
        parse_constant=pytest.fail,
    )
    odd = next(f for f in content["features"] if "name" in f["properties"])
    assert odd["properties"]["name"] == 'région "1"\nline'
    assert odd["properties"]["measurements"] == {'a "b", c': 1 / 3}
    assert odd["properties"]["metadata"] == {"clé": 'v "w"'}
    assert odd["properties"]["isLocked"] is True


def test_cells_of_points_and_nuclei(with_cells: HardProject) -> None:
    found = objects_of(with_cells, "1").objects
    assert sorted(len(item.points) for item in found if item.points) == [1, 1, 3]
    # QuPath saves points as float32, so that is what is exact.
    exact = tuple(float(np.float32(value)) for value in (450 + 0.123456789, 700 / 3))
    assert any(exact in item.points for item in found)
    assert [c.nucleus_centroid is not None for c in found if c.kind == "cell"] == [True, False]
    assert objects_of(with_cells, EMPTY) == ImageObjects(EMPTY, "", ())


def test_patches_equal_those_from_python(with_patches: HardProject, tmp_path: Path) -> None:
    """Pixel by pixel, and every column of the manifest: PNG, JPEG, TIFF and SVS."""
    with pytest.raises(PartlyDoneError):
        export(with_patches.folder, out=tmp_path, access=Access(backend="geojson"))
    groovy = with_patches.folder / "pycyto" / "patches" / "manifest.csv"
    assert groovy.read_bytes() == (tmp_path / "manifest.csv").read_bytes()
    rows = read_manifest(tmp_path)
    assert {row.entry_id for row in rows} == set(RGB)
    assert len(rows) == 50 * len(RGB)


def test_counts_of_patches(with_patches: HardProject) -> None:
    path = with_patches.folder / "pycyto" / "results" / "export_patches.json"
    counts = files.read_json(path)["images"]["1"]
    assert counts["given"] == counts["patches"] + sum(counts["skipped"].values()) == 66
    assert counts["skipped"] == {
        "other kind of object": 7,
        "made by pycyto": 1,
        "tissue outline": 1,
        "no class": 2,
        "class outside the scheme": 2,
        "tile or TMA core": 1,
        "outside the image": 1,
        "z or t plane": 1,
    }


def test_classes_that_came_of_a_review_are_told_as_python_tells_them(
    with_patches: HardProject, tmp_path: Path
) -> None:
    project = open_project(with_patches.folder)
    found = [row for row in read_manifest(with_patches.folder / "pycyto" / "patches")
             if row.entry_id == "1"][:6]  # fmt: skip
    lines = [
        a_line(
            row.key,
            number,
            label=row.label,
            old_class=row.original_label if number == 0 else "Other",  # the first was so before
            new_class=row.original_label,
            shown="nothing" if number == 1 else "prediction",
            reviewer='Dr. "Ä", B',
        )
        for number, row in enumerate(found)
    ]
    lines.append(a_line(found[2].key, 7, action="take back", takes_back=lines[2]["decision"]))
    log = write_log(project.workspace, lines)
    try:
        export(project.folder, out=tmp_path / "python", images=["1"],
               access=Access(backend="geojson"))  # fmt: skip
        out = tmp_path / "groovy"
        with_patches.run("export_patches", images=["1"], config={"out": str(out)})
    finally:
        log.unlink()
    assert (out / "manifest.csv").read_bytes() == (tmp_path / "python/manifest.csv").read_bytes()
    rows = {row.key: row for row in read_manifest(out)}
    origins = [(rows[row.key].label_origin, rows[row.key].selected_by) for row in found]
    assisted = ("model_assisted", RUN)
    assert origins == [("manual", "manual"), ("manual", RUN), ("manual", "manual"),
                       assisted, assisted, assisted]  # fmt: skip
    assert rows[found[3].key].annotator == 'Dr. "Ä", B'


def test_patches_with_colour_profiles_are_left_alone(
    with_patches: HardProject, tmp_path: Path
) -> None:
    out = tmp_path / "icc"
    export(with_patches.folder, out=out, images=["1"], icc=True, access=Access(backend="geojson"))
    before = (out / "manifest.csv").read_bytes()
    with pytest.raises(BadInputError, match="colour profiles"):
        with_patches.run("export_patches", images=["1"], config={"out": str(out)})
    assert (out / "manifest.csv").read_bytes() == before


def test_second_export_does_only_what_has_changed(
    with_patches: HardProject, tmp_path: Path
) -> None:
    folder = with_patches.folder / "pycyto" / "patches"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    relabelled, deleted, *_ = (
        row.object_id for row in read_manifest(folder)[:20] if row.label == "NILM"
    )
    edit = tmp_path / "edit.groovy"
    edit.write_text(
        "def byId = { id -> getAnnotationObjects().find { it.getID().toString() == id } }\n"
        f"byId('{relabelled}').setPathClass(getPathClass('ASC-US'))\n"
        f"getCurrentHierarchy().removeObject(byId('{deleted}'), true)\n"
        "getProjectEntry().saveImageData(getCurrentImageData())\n"
    )
    listed = read_manifest(folder)
    rows = {row.object_id: row for row in listed}
    entry_id = rows[relabelled].entry_id
    assert entry_id == rows[deleted].entry_id == "1"
    in_batch(with_patches, edit, only_first=True)
    stray = folder / "images" / "HSIL" / f"1_{relabelled}_p7.png"  # of an export that was killed
    stray.write_bytes(b"")
    result = with_patches.run("export_patches", images=["1"])
    assert (result.counts["relabelled"], result.counts["removed"]) == (1, 2)
    assert not stray.exists()
    (folder / "removed" / stray.name).unlink()
    assert (result.counts["kept"], result.counts["new"]) == (48, 0)
    removed = folder / "removed" / Path(rows[deleted].file).name
    assert removed.exists()
    moved = folder / "images" / "ASC-US" / Path(rows[relabelled].file).name
    assert moved.exists()
    assert not (folder / rows[relabelled].file).exists()
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert after.keys() - before.keys() == {removed, moved}
    assert all(before[path] == after[path] for path in before.keys() & after.keys())
    assert len(read_manifest(folder)) == len(listed) - 1
    # The edit changed data.qpdata, so the file of cells must be refused until it is made anew.
    with pytest.raises(BadInputError, match="was saved in QuPath"):
        objects_of(with_patches, "1")
    with_patches.run("export_cells", images=["1"])
    assert len(objects_of(with_patches, "1").objects) == 63


# --- write-back ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def staged(with_patches: HardProject) -> Run:
    """A run over three images: outlines, points, cell objects, updates, and cells that are gone."""
    project = open_project(with_patches.folder)
    with_patches.run("export_cells")
    images: dict[str, ImageState] = {}
    new: list[NewDetection] = []
    updates: list[Update] = []
    for entry_id in ("2", "3", "5"):
        found = objects_of(with_patches, entry_id)
        mine, theirs = _predictions(project.project_id, entry_id, found.objects)
        new, updates = new + mine, updates + theirs
        images[entry_id] = ImageState("staged", found.data_sha256, len(mine), len(theirs))
    created_at = files.now()
    run = Run(
        folder=project.workspace / "runs" / runs.folder_name(RUN_ID, created_at),
        run_id=RUN_ID,
        created_at=created_at,
        project_id=project.project_id,
        state="staged",
        objects="all",
        model={"bundle_id": "b", "network": "n", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={label.name: label.colour for label in BETHESDA.labels},
        counts={"given": len(new) + len(updates)},
        images=images,
    )
    write_tables(run.folder, BETHESDA.names, new=new, updates=updates)
    runs.save(run)
    return run


def _predictions(
    project_id: str, entry_id: str, objects: tuple[ProjectObject, ...]
) -> tuple[list[NewDetection], list[Update]]:
    new: list[NewDetection] = []
    updates: list[Update] = []
    for item in objects:
        values = dict(zip(BETHESDA.names, (0.1, 0.2, 0.1 + 0.2, 0.4), strict=True))
        if item.kind == "detection" and item.class_name is None:
            updates.append(Update(entry_id, item.object_id, *item.centroid, "LSIL", values))
        elif item.kind in ("annotation", "cell") and not item.made_by_pycyto:
            for index, (x, y) in enumerate(item.points or (item.centroid,)):
                point = index if item.points else None
                key = CellKey(project_id, entry_id, item.object_id, point)
                new.append(
                    NewDetection(
                        entry_id,
                        new_object_id(key, RUN_ID),
                        item.object_id,
                        point,
                        x,
                        y,
                        item.z,
                        item.t,
                        20.0,
                        "HSIL",
                        values,
                    )
                )
    # One that has moved since, and one that is no longer there.
    moved, lost = new[0], new[1]
    new[0] = NewDetection(**{**_fields(moved), "x": moved.x + 0.6})
    new[1] = NewDetection(**{**_fields(lost), "source_id": RUN_ID})
    return new, updates


def _fields(item: NewDetection) -> dict[str, Any]:
    return {name: getattr(item, name) for name in NewDetection.__dataclass_fields__}


@pytest.fixture(scope="module")
def loaded(with_patches: HardProject, staged: Run) -> tuple[Run, dict[str, Any]]:
    before = {entry_id: objects_of(with_patches, entry_id) for entry_id in staged.images}
    result = with_patches.run("import_predictions", images=list(staged.images))
    assert result.counts["read_back"] == result.counts["created"] + result.counts["updated"]
    return runs.load(staged.folder), before


def test_predictions_are_loaded_and_counted(
    with_patches: HardProject, loaded: tuple[Run, dict[str, Any]]
) -> None:
    run, _ = loaded
    assert run.state == "written"
    for entry_id, state in run.images.items():
        # In data that nobody has saved since, nothing has moved: that is not looked at.
        assert (state.created, state.updated, state.gone) == (state.new - 1, 3, 1)
        assert state.read_back == state.created + state.updated
        assert state.written_sha256 == open_project(with_patches.folder).data_sha256(entry_id)
        kept = run.snapshot(entry_id) / "data.qpdata"
        assert files.sha256_of(kept) == state.data_sha256 == state.snapshot_sha256


def test_loading_leaves_the_experts_objects_as_they_were(
    with_patches: HardProject, loaded: tuple[Run, dict[str, Any]]
) -> None:
    run, before = loaded
    mark = float(run_mark(RUN_ID))
    for entry_id in run.images:
        now = {o.object_id: o for o in objects_of(with_patches, entry_id).objects}
        for item in before[entry_id].objects:
            if item.kind == "detection" and item.class_name is None:
                assert now[item.object_id].class_name == "LSIL"
                assert now[item.object_id].measurements["pycyto: updated by"] == mark
            else:
                assert now[item.object_id] == item
        by_id = {item.object_id: item for item in before[entry_id].objects}
        for row in read_new(run, entry_id):
            if row.object_id not in now:
                continue
            made, source = now[row.object_id], by_id[row.source_id]
            assert (made.kind, made.class_name, made.name) == ("detection", "HSIL", None)
            assert made.measurements["pycyto: run"] == mark
            assert made.measurements["pycyto: P(LSIL)"] == pytest.approx(0.3, abs=1e-7)
            if row.point_index is None:
                assert (made.geometry, made.centroid) == (source.geometry, source.centroid)
            else:
                assert made.centroid == pytest.approx((row.x, row.y), abs=1e-9)
                assert made.bounds.width == pytest.approx(40)


def test_classes_are_added_and_none_is_changed(
    with_patches: HardProject, loaded: tuple[Run, dict[str, Any]]
) -> None:
    listed = files.read_json(with_patches.folder / "classifiers" / "classes.json")["pathClasses"]
    colours = {item["name"]: item["color"] & 0xFFFFFF for item in listed}
    assert list(colours) == ["Other", "HSIL", "NILM", "ASC-US", "LSIL"]
    assert colours["HSIL"] == 0x123456
    assert colours["NILM"] == 76 << 16 | 175 << 8 | 80


def test_loading_twice_changes_nothing(
    with_patches: HardProject, loaded: tuple[Run, dict[str, Any]]
) -> None:
    run, _ = loaded
    project = open_project(with_patches.folder)
    # As if the first load had been killed between saving image 2 and noting it.
    state = run.images["2"]
    before_save = state.snapshot_sha256
    unnoted = ImageState(
        "staged",
        state.data_sha256,
        state.new,
        state.updates,
        snapshot_sha256=before_save,
        pending_sha256=before_save,
    )
    runs.save(run.with_image("2", unnoted))
    before = {entry_id: project.data_sha256(entry_id) for entry_id in run.images}
    result = with_patches.run("import_predictions", images=["2", "3", "1"])
    again = runs.load(run.folder)
    assert {entry_id: project.data_sha256(entry_id) for entry_id in run.images} == before
    assert result.images["1"]["skipped"] == {"image not in the run": 1}
    assert result.images["3"]["already written"] == state.read_back
    assert again.state == "written"
    assert (again.images["2"].created, again.images["2"].updated) == (state.created, state.updated)


def test_changed_data_is_refused_unless_asked(
    with_patches: HardProject, loaded: tuple[Run, dict[str, Any]]
) -> None:
    run, _ = loaded
    project = open_project(with_patches.folder)
    found = objects_of(with_patches, "4")
    new, updates = _predictions(project.project_id, "4", found.objects)
    folder = run.folder.with_name("2026-01-01_000000_other")
    other = Run(
        **{
            **{name: getattr(run, name) for name in Run.__dataclass_fields__},
            "folder": folder,
            "run_id": "abcdef00-0000-4000-8000-000000000002",
            "state": "staged",
            "images": {"4": ImageState("staged", "0" * 64, len(new), len(updates))},
        }
    )
    write_tables(folder, BETHESDA.names, new=new, updates=updates)
    runs.save(other)
    before = project.data_sha256("4")
    with pytest.raises(BadInputError, match=r"was saved after the run .* was predicted"):
        with_patches.run("import_predictions", images=["4"], config={"run": folder.name})
    assert project.data_sha256("4") == before
    assert runs.load(folder) == other
    with_patches.run(
        "import_predictions", images=["4"], config={"run": folder.name, "stale_ok": True}
    )
    state = runs.load(folder).images["4"]
    assert (state.state, state.snapshot_sha256, state.gone) == ("written", before, 2)


# --- how scripts are started, and how they fail ------------------------------------------------


def in_batch(
    project: HardProject, script: Path, *options: str, only_first: bool = False
) -> subprocess.CompletedProcess[str]:
    """Start a script the way QuPath's own command line does: once per image."""
    if only_first:
        text = script.read_text("utf-8")
        script.write_text(f"if (getProjectEntry().getID() != '1') return\n{text}", "utf-8")
    return subprocess.run(
        [
            str(launcher_of(project.qupath)),
            "script",
            *options,
            "-p",
            str(project.folder / "project.qpproj"),
            str(script),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=180,
        check=False,
    )


def test_batch_gathers_one_result_and_refuses_a_save_after_it(with_patches: HardProject) -> None:
    path = with_patches.folder / "pycyto" / "results" / "export_cells.json"
    path.unlink()
    in_batch(with_patches, SCRIPTS / "export_cells.groovy")
    result = files.read_json(path)
    assert result["ok"], result
    assert len(result["images"]) == len(IMAGES)
    assert len(objects_of(with_patches, "6").objects) == 64
    path.unlink()
    in_batch(with_patches, SCRIPTS / "export_cells.groovy", "--save", "-i", "tiled.tif")
    result = files.read_json(path)
    assert not result["ok"]
    assert "Run for project (without saving)" in result["error"]


def test_unsaved_script_says_what_to_do(with_patches: HardProject) -> None:
    """A script without a file, as when it was pasted into the editor."""
    done = subprocess.run(
        [
            str(launcher_of(with_patches.qupath)),
            "script",
            "-p",
            str(with_patches.folder / "project.qpproj"),
            "-i",
            "tiled.tif",
            "-c",
            (SCRIPTS / "export_cells.groovy").read_text("utf-8"),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert "Save this script into the folder qupath_scripts" in done.stdout


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("export_cells", {"images": ["99"]}, "no image with entry ID 99"),
        ("export_patches", {"config": {"outt": "x"}}, "no setting 'outt' in export_patches"),
        ("import_predictions", {"config": {"run": "none"}}, "There is no run 'none'"),
    ],
)
def test_failure_leaves_a_result_that_says_why(
    with_patches: HardProject, script: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        with_patches.run(script, **options)
    result = files.read_json(with_patches.folder / "pycyto" / "results" / f"{script}.json")
    assert (result["ok"], result["script"]) == (False, script)


def test_scripts_honour_the_lock(with_patches: HardProject) -> None:
    import socket

    note = with_patches.folder / "pycyto" / "lock.json"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        files.write_json(note, {"pid": other.pid, "host": socket.gethostname(), "since": "now"})
        with pytest.raises(
            BadInputError, match=rf"Another pycyto is at work .*process {other.pid}"
        ):
            with_patches.run("export_cells", images=["1"])
        assert note.exists()
        other.kill()
    # Its process is gone: whoever comes next takes the lock over.
    assert with_patches.run("export_cells", images=["1"]).counts["objects"] == 63
    assert not note.exists()
    files.write_json(note, {"pid": os.getpid(), "host": socket.gethostname(), "since": "now"})
    assert with_patches.run("export_cells", images=["1"]).counts["objects"] == 63
    assert note.exists()  # the caller's lock is the caller's to give back
    note.unlink()
