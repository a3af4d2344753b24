"""Predictions enter QuPath's own data and leave it again; the expert's objects stay as they are."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, export, predict, undo, write_back
from pycyto import runs as list_runs
from pycyto.errors import PartlyDoneError
from pycyto.labels import BETHESDA
from pycyto.manifest import read_manifest
from pycyto.qupath import _java, runs
from pycyto.qupath.backend import Backend
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
from pycyto.qupath.run_tables import read_new, read_updates
from pycyto.qupath.runs import Run
from pycyto.records import RUN_MARK, UPDATED_MARK, CellKey, ProjectObject, Silent, run_mark
from tests import stub_model
from tests.reviewing import a_line, write_log


@pytest.fixture(autouse=True)
def a_model() -> Iterator[None]:
    with stub_model.in_place():
        yield


@pytest.fixture
def access(installation: Installation) -> Access:
    return Access(qupath=installation.folder)


class Inside:
    """The project as QuPath itself sees it."""

    def __init__(self, project: Path, installation: Installation) -> None:
        self.java = _java.start(installation)
        self.library = _java.library(installation)
        self.project = _java.open_project(installation, project / "project.qpproj")
        self.opened = open_project(project)

    def entry(self, entry_id: str) -> Any:
        return self.project.image(entry_id).getEntry()

    def human(self) -> dict[str, Any]:
        """Return every field of every object that pycyto has not created, and its parent."""
        found = {}
        for image in self.opened.images:
            for item in self.project.image(image.entry_id).objectsOnDisk():
                feature = json.loads(str(self.library.PycytoCells.feature(item)))
                if RUN_MARK not in (feature["properties"].get("measurements") or {}):
                    parent = item.getParent()
                    known = None if parent.isRootObject() else str(parent.getID())
                    found[f"{image.entry_id}/{feature['id']}"] = {**feature, "parent": known}
        return found

    def save(self, entry_id: str, change: Any) -> None:
        """Change something as a person would, and save."""
        image_data = self.entry(entry_id).readImageData()
        change(image_data.getHierarchy())
        self.entry(entry_id).saveImageData(image_data)


def ours(backend: Backend, project: Path, mark: str, run: Run) -> list[ProjectObject]:
    return [
        item
        for image in open_project(project).images
        for item in backend.read(image.entry_id).objects
        if item.measurements.get(mark) == run_mark(run.run_id)
    ]


def data_files(project: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (project / "data").rglob("data.qpdata")}


def test_annotations_get_detections_beside_them(
    project: Path, access: Access, installation: Installation
) -> None:
    human = Inside(project, installation).human()
    predicted = predict(project, model="m", access=access)
    result = write_back(project, access=access)

    assert result.staged == result.created == result.read_back == predicted.tally.used
    assert result.gone == result.updated == 0
    assert Inside(project, installation).human() == human
    opened = open_project(project)
    for backend in (PaquoBackend(opened, installation), GeoJsonBackend(opened)):
        made = ours(backend, project, RUN_MARK, result.run)
        assert len(made) == len({item.object_id for item in made}) == result.created
        counted = Counter(item.class_name for item in made)
        assert {k: v for k, v in predicted.by_label.items() if v} == counted
        assert {item.kind for item in made} == {"detection"}
        assert not any(item.name or item.locked for item in made)
        for item in made:
            chances = {k: v for k, v in item.measurements.items() if k.startswith("pycyto: P(")}
            assert len(chances) == 4
            assert max(chances, key=chances.__getitem__) == f"pycyto: P({item.class_name})"


def test_how_model_and_expert_differ_is_measured(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", access=access)
    run = write_back(project, access=access).run
    backend, severity = PaquoBackend(open_project(project), installation), BETHESDA.severity_of
    seen = Counter[float | None]()
    for entry_id in run.images:
        objects = {item.object_id: item for item in backend.read(entry_id).objects}
        for row in read_new(run, entry_id):
            made, source = objects[row.object_id], objects[row.source_id]
            annotated = BETHESDA.find(source.class_name)
            steps = None if annotated is None else severity(row.label) - severity(annotated)
            assert row.source_class == source.class_name
            assert made.measurements.get("pycyto: severity difference") == steps
            disagrees = None if steps is None else float(steps != 0)
            assert made.measurements.get("pycyto: disagrees") == disagrees
            seen[steps] += 1
    assert None in seen  # nothing was annotated
    assert 0 in seen
    assert min(step for step in seen if step is not None) < 0 < max(filter(None, seen))


def test_outlines_are_those_of_the_expert(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", access=access)
    run = write_back(project, access=access).run
    backend = PaquoBackend(open_project(project), installation)
    for image in open_project(project).images:
        objects = backend.read(image.entry_id).objects
        human = [item for item in objects if not item.made_by_pycyto]
        boxes = {(item.centroid, item.bounds, item.area) for item in human}
        points = {point for item in human for point in item.points}
        for item in ours_of(objects, run):
            if item.geometry.get("isEllipse") and item.centroid in points:
                assert (item.bounds.width, item.bounds.height) == (40.0, 40.0)
            else:
                assert (item.centroid, item.bounds, item.area) in boxes


def ours_of(objects: Iterable[ProjectObject], run: Run) -> list[ProjectObject]:
    mark = run_mark(run.run_id)
    return [item for item in objects if item.measurements.get(RUN_MARK) == mark]


def test_detections_without_a_class_get_one(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", objects="detections", access=access)
    result = write_back(project, access=access)

    assert result.updated == result.read_back == predicted.tally.used > 0
    assert result.created == 0
    backend = PaquoBackend(open_project(project), installation)
    changed = ours(backend, project, UPDATED_MARK, result.run)
    assert Counter(item.class_name for item in changed) == {
        k: v for k, v in predicted.by_label.items() if v
    }


@pytest.mark.parametrize("objects", ["annotations", "all"])
def test_undo_restores_every_byte(project: Path, access: Access, objects: Any) -> None:
    before = data_files(project)
    predict(project, model="m", objects=objects, access=access)
    written = write_back(project, access=access)
    assert data_files(project) != before

    result = undo(project, access=access)

    assert data_files(project) == before
    assert result.restored == len(written.run.images)
    assert (result.taken_back, result.left) == (0, 0)
    opened = open_project(project)
    for image in opened.images:
        GeoJsonBackend(opened).read(image.entry_id)  # fresh again


def test_undo_after_work_of_the_expert_takes_back_our_objects_only(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", objects="all", access=access)
    run = write_back(project, access=access).run
    entry_id = next(key for key, image in run.images.items() if image.new > 3)
    relabelled: list[str] = []

    def correct(hierarchy: Any) -> None:
        made = [
            item
            for item in hierarchy.getDetectionObjects()
            if item.getMeasurementList().get(RUN_MARK) == run_mark(run.run_id)
        ]
        java = _java.start(installation)
        made[0].setPathClass(java.PathClass.fromString("Trichomonas"))
        made[1].setLocked(True)
        relabelled.extend(str(item.getID()) for item in made[:2])

    Inside(project, installation).save(entry_id, correct)
    human = Inside(project, installation).human()

    result = undo(project, access=access)

    assert result.left == 2
    assert sorted(result.run.images[entry_id].left.values()) == ["locked", "relabelled"]
    assert result.taken_back == run.images[entry_id].created + run.images[entry_id].updated - 2
    objects = PaquoBackend(open_project(project), installation).read(entry_id).objects
    assert sorted(item.object_id for item in objects if item.made_by_pycyto) == sorted(relabelled)
    after = Inside(project, installation).human()
    assert set(after) == set(human)


def test_a_detection_that_was_named_or_locked_before_gets_its_former_class_back(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", objects="detections", access=access)
    entry_id = next(key for key, image in predicted.run.images.items() if image.updates > 1)

    def name_and_lock(hierarchy: Any) -> None:
        bare = [item for item in hierarchy.getDetectionObjects() if item.getPathClass() is None]
        bare[0].setName('région 8 "x"')
        bare[1].setLocked(True)

    inside = Inside(project, installation)
    inside.save(entry_id, name_and_lock)
    before = inside.human()
    predict(project, model="m", objects="detections", access=access)
    write_back(project, access=access)
    # A save by somebody else, so that undo goes object by object.
    inside.save(entry_id, lambda hierarchy: hierarchy.getRootObject().setName("seen"))

    result = undo(project, access=access)

    assert result.left == 0
    assert result.taken_back > 0
    assert inside.human() == before


def test_a_missing_image_is_refused_and_unchanged(project: Path, access: Access) -> None:
    predict(project, model="m", access=access)
    before = data_files(project)
    opened = open_project(project)
    victim = opened.images[0]
    (path,) = [p for p in project.rglob("*") if p.as_uri().endswith(victim.uri.rpartition("/")[2])]
    path.rename(path.with_name("elsewhere"))
    sharing = {image.entry_id for image in opened.images if image.uri == victim.uri}

    with pytest.raises(PartlyDoneError, match="cannot open this image"):
        write_back(project, access=access)

    after = data_files(project)
    for entry_id in sharing:
        data = opened.data_file(entry_id)
        assert after[data] == before[data]


def test_data_saved_since_is_refused_and_unchanged(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", access=access)
    entry_id = open_project(project).images[0].entry_id

    def nothing(hierarchy: Any) -> None:
        item = next(iter(hierarchy.getAnnotationObjects()))
        item.setName("seen")

    Inside(project, installation).save(entry_id, nothing)
    before = open_project(project).data_file(entry_id).read_bytes()

    with pytest.raises(PartlyDoneError, match=r"saved after the run .* was predicted"):
        write_back(project, access=access)

    assert open_project(project).data_file(entry_id).read_bytes() == before


def test_classes_that_are_there_keep_their_colour(
    project: Path, access: Access, installation: Installation
) -> None:
    inside = Inside(project, installation)
    only = inside.java.ArrayList()
    only.add(inside.java.PathClass.fromString("HSIL"))
    classes = inside.project.getProject()
    before = {str(c.toString()): int(c.getColor()) for c in classes.getPathClasses()}
    classes.setPathClasses(only)
    predict(project, model="m", access=access)

    result = write_back(project, access=access)

    assert result.added_classes == ("NILM", "ASC-US", "LSIL")
    content = json.loads((project / "classifiers" / "classes.json").read_text("utf-8"))
    colours = {item["name"]: item["color"] for item in content["pathClasses"]}
    assert set(colours) == {"HSIL", "NILM", "ASC-US", "LSIL"}
    assert colours["HSIL"] == before["HSIL"]


def test_a_second_run_stands_beside_the_first(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", access=access)
    first = write_back(project, access=access)
    predict(project, model="m", access=access)
    second = write_back(project, access=access)

    assert first.created == second.created
    backend = PaquoBackend(open_project(project), installation)
    assert len(ours(backend, project, RUN_MARK, first.run)) == first.created
    undo(project, second.run.name, access=access)
    assert len(ours(backend, project, RUN_MARK, first.run)) == first.created
    assert ours(backend, project, RUN_MARK, second.run) == []


@contextlib.contextmanager
def ending_at(
    installation: Installation, step: str, name: str, *, times: int = 1
) -> Iterator[None]:
    """Let the work inside QuPath end where it is about to change a file for the n-th time."""
    from jpype import JProxy

    left = [times]

    def accept(what: Any, file: Any) -> None:
        if (str(what), str(file.getName())) == (step, name):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    library = _java.library(installation)
    library.PycytoFiles.setWatcher(JProxy("java.util.function.BiConsumer", {"accept": accept}))
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        library.PycytoFiles.setWatcher(None)


def test_a_write_that_did_not_live_to_note_it_is_completed(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", images=["shapes.png"], access=access)
    with ending_at(installation, "write", "run.json", times=2):
        write_back(project, access=access)
    (entry_id,) = predicted.run.images
    saved = open_project(project).data_sha256(entry_id)
    assert saved != predicted.run.images[entry_id].data_sha256

    result = write_back(project, access=access)

    assert result.staged == result.created == result.read_back == predicted.tally.used
    assert open_project(project).data_sha256(entry_id) == saved
    backend = PaquoBackend(open_project(project), installation)
    assert len(ours(backend, project, RUN_MARK, result.run)) == result.created
    assert undo(project, access=access).restored == 1


@pytest.mark.parametrize("step", ["save", "saved"])
def test_a_save_that_fails_leaves_the_data_as_it_was(
    project: Path, access: Access, installation: Installation, step: str
) -> None:
    predict(project, model="m", objects="all", images=["shapes.png"], access=access)
    before = data_files(project)
    with ending_at(installation, step, "data.qpdata"):
        write_back(project, access=access)
    assert data_files(project) == before
    result = write_back(project, access=access)
    assert result.staged == result.read_back


def test_a_save_of_ours_that_was_killed_is_taken_back_by_the_next(
    project: Path, access: Access, installation: Installation
) -> None:
    """QuPath moves the data aside, writes it anew, and may be killed between the two."""
    predicted = predict(project, model="m", images=["shapes.png"], access=access)
    (entry_id,) = predicted.run.images
    data = open_project(project).data_file(entry_id)
    backup = data.with_name("data.qpdata.bkp")
    before = data.read_bytes()
    with ending_at(installation, "save", "data.qpdata"):
        write_back(project, access=access)
    assert runs.load(predicted.run.folder).images[entry_id].pending_sha256
    data.rename(backup)
    data.write_bytes(before[:1000])

    result = write_back(project, access=access)

    assert result.created == result.read_back == predicted.tally.used
    assert not backup.exists()
    undo(project, access=access)
    assert data.read_bytes() == before


def test_a_backup_of_somebody_else_is_refused(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", images=["shapes.png"], access=access)
    (entry_id,) = predicted.run.images
    data = open_project(project).data_file(entry_id)
    backup = data.with_name("data.qpdata.bkp")
    backup.write_bytes(b"half")
    before = data.read_bytes()
    with pytest.raises(PartlyDoneError, match="save of this image was interrupted"):
        write_back(project, access=access)
    assert (data.read_bytes(), backup.read_bytes()) == (before, b"half")


def classes_of(project: Path, installation: Installation, mark: str) -> dict[str, str | None]:
    """Return the classes of detections, of those with a certain mark or of all."""
    backend = PaquoBackend(open_project(project), installation)
    return {
        item.object_id: item.class_name
        for image in open_project(project).images
        for item in backend.read(image.entry_id).objects
        if item.kind == "detection"
        and not item.made_by_pycyto
        and (mark in item.measurements or not mark)
    }


def test_classes_stack_and_the_upper_run_gives_them_back(
    project: Path, access: Access, installation: Installation
) -> None:
    human = Inside(project, installation).human()
    predict(project, model="m", objects="detections", access=access)
    lower = write_back(project, access=access).run
    first = classes_of(project, installation, UPDATED_MARK)
    after_lower = Inside(project, installation).human()
    with stub_model.in_place(stub_model.otherwise):
        predict(project, model="m", objects="detections", access=access)
    upper = write_back(project, access=access)
    second = classes_of(project, installation, UPDATED_MARK)
    assert upper.updated == len(first) > 0
    assert first.keys() == second.keys()
    assert all(first[key] != second[key] for key in first)
    touch(project, installation, upper.run)  # so that it is undone object by object

    undone = undo(project, upper.run.name, access=access)

    assert (undone.taken_back, undone.left) == (upper.updated, 0)
    assert classes_of(project, installation, UPDATED_MARK) == first
    assert Inside(project, installation).human() == after_lower
    undo(project, lower.name, access=access)
    assert Inside(project, installation).human() == human


def touch(project: Path, installation: Installation, run: Run) -> None:
    """Save each image of a run anew, with nothing changed."""
    for entry_id in run.images:
        Inside(project, installation).save(entry_id, lambda _: None)


def test_undoing_the_lower_run_leaves_what_the_upper_one_set(
    project: Path, access: Access, installation: Installation
) -> None:
    human = Inside(project, installation).human()
    predict(project, model="m", objects="detections", access=access)
    lower = write_back(project, access=access).run
    with stub_model.in_place(stub_model.otherwise):
        predict(project, model="m", objects="detections", access=access)
    upper = write_back(project, access=access).run
    second = classes_of(project, installation, UPDATED_MARK)

    undone = undo(project, lower.name, access=access)

    assert (undone.taken_back, undone.left) == (0, len(second))
    reasons = {reason for image in undone.run.images.values() for reason in image.left.values()}
    assert reasons == {f"classified by run {upper.name} since"}
    assert classes_of(project, installation, UPDATED_MARK) == second
    # Below the upper run there is nothing left to go back to but what the expert had.
    touch(project, installation, upper)
    undo(project, upper.name, access=access)
    assert Inside(project, installation).human() == human


def test_undo_is_undone_by_writing_the_run_again(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", objects="all", access=access)
    written = write_back(project, access=access)
    run = written.run
    made = ours(PaquoBackend(open_project(project), installation), project, RUN_MARK, run)
    for again in (False, True):
        if again:
            touch(project, installation, run)
        undo(project, run.name, access=access)
        redone = write_back(project, run.name, access=access)
        assert (redone.created, redone.updated) == (written.created, written.updated)
        backend = PaquoBackend(open_project(project), installation)
        assert ours(backend, project, RUN_MARK, run) == made


def test_two_runs_predicted_before_either_was_written(
    project: Path, access: Access, installation: Installation
) -> None:
    first = predict(project, model="m", access=access).run
    second = predict(project, model="m", access=access).run
    write_back(project, first.name, access=access)
    result = write_back(project, second.name, access=access)
    assert result.created == result.read_back == result.staged


def test_a_run_that_qupath_saved_over_is_named_and_brought_back(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", images=["shapes.png"], access=access)
    (entry_id,) = predicted.run.images
    open_in_qupath = Inside(project, installation).entry(entry_id).readImageData()
    write_back(project, access=access)
    Inside(project, installation).entry(entry_id).saveImageData(open_in_qupath)
    said = Said()

    export(project, out=project / "pycyto" / "out", access=access, reporter=said)
    assert any(predicted.run.name in text and "write-back" in text for text in said.warnings)

    result = write_back(project, predicted.run.name, access=access)
    assert result.created == result.read_back == predicted.tally.used
    assert runs.load(predicted.run.folder).state == "written"


class Said(Silent):
    """A reporter that remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_pruned_snapshots_leave_undo_object_by_object(
    project: Path, access: Access, installation: Installation
) -> None:
    human = Inside(project, installation).human()
    predict(project, model="m", objects="all", access=access)
    run = write_back(project, access=access).run
    assert run.kept[0].exists()
    list_runs(project, snapshots=0)
    assert not run.kept[0].exists()

    result = undo(project, access=access)

    assert result.taken_back > 0
    assert result.not_kept == len(run.images)
    assert Inside(project, installation).human() == human


def test_a_run_predicted_elsewhere_is_written_by_path(
    project: Path, access: Access, tmp_path: Path
) -> None:
    out = tmp_path / "patches"
    export(project, out=out, unclassified=True, images=["shapes.png"], access=access)
    away = predict(out, model="m")

    result = write_back(project, away.run.folder, access=access)

    assert result.created == result.read_back == away.tally.used > 0


def test_cells_that_moved_since_are_left_out(
    project: Path, access: Access, installation: Installation
) -> None:
    predicted = predict(project, model="m", images=["shapes.png"], access=access)
    (entry_id,) = predicted.run.images
    (row, *_) = read_new(predicted.run, entry_id)

    def move(hierarchy: Any) -> None:
        (cell,) = [c for c in hierarchy.getAnnotationObjects() if str(c.getID()) == row.source_id]
        cell.setROI(cell.getROI().translate(0.6, 0.0))

    Inside(project, installation).save(entry_id, move)
    result = write_back(project, stale_ok=True, access=access)

    assert result.gone == 1
    assert result.created == result.read_back == predicted.tally.used - 1


def test_data_that_breaks_off_fails_alone(project: Path, access: Access, tmp_path: Path) -> None:
    opened = open_project(project)
    (victim,) = [image for image in opened.images if image.name == "shapes.png"]
    data = opened.data_file(victim.entry_id)
    data.write_bytes(data.read_bytes()[:3000])

    with pytest.raises(PartlyDoneError, match=r"(?s)shapes\.png .*cut off"):
        export(project, out=tmp_path / "out", images=["shapes.png", "edges.png"], access=access)

    assert {row.image_name for row in read_manifest(tmp_path / "out")} == {"edges.png"}
    assert data.stat().st_size == 3000


# --- what reviewers have decided ----------------------------------------------------------------


def accept(project: Path, run: Run, count: int) -> list[CellKey]:
    """Let a reviewer accept what a run says of its first detections, and return them."""
    entry_id = next(key for key, image in run.images.items() if image.updates > count)
    accepted = read_updates(run, entry_id)[:count]
    keys = [CellKey(run.project_id, entry_id, row.object_id) for row in accepted]
    said = [{"action": "accept", "label": r.label, "old_class": r.label, "new_class": r.label}
            for r in accepted]  # fmt: skip
    lines = [a_line(key, n, **one) for n, (key, one) in enumerate(zip(keys, said, strict=True))]
    write_log(project / "pycyto", lines)
    return keys


def test_a_later_run_leaves_what_a_reviewer_has_accepted(
    project: Path, access: Access, installation: Installation
) -> None:
    predict(project, model="m", objects="detections", access=access)
    first = write_back(project, access=access).run
    predict(project, model="m", objects="detections", access=access)  # before anybody has reviewed
    keys = accept(project, first, 2)

    second = write_back(project, access=access)

    assert second.decided == 2
    objects = PaquoBackend(open_project(project), installation).read(keys[0].entry_id).objects
    by_id = {item.object_id: item for item in objects}
    marks = {by_id[key.object_id].measurements[UPDATED_MARK] for key in keys}
    assert marks == {run_mark(first.run_id)}
    again = predict(project, model="m", objects="detections", access=access)
    assert again.run.counts["staged"] == second.updated
