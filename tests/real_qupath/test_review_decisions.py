"""Decisions of a review: in the log before anything else, then in QuPath's own data."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycyto import Access, predict, undo, write_back
from pycyto.errors import BadInputError, RefusedError
from pycyto.qupath import _java, runs
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation, installation_in
from pycyto.qupath.project import open_project
from tests import stub_model

SEEN = {"shown": "prediction", "seconds": 1.25, "way": "panel"}
LOG = "dr%2E%20%C3%A4.jsonl"


@pytest.fixture(autouse=True)
def a_model() -> Iterator[None]:
    with stub_model.in_place():
        yield


class Sitting:
    """One reviewer at work in QuPath's own classes."""

    def __init__(self, folder: Path, installation: Installation, reviewer: str = "Dr. Ä") -> None:
        self.folder = folder
        self.library = _java.library(installation)
        self.java = _java.start(installation)
        self.project = _java.open_project(installation, folder / "project.qpproj")
        with _java.refusals(folder):
            self.run = self.library.PycytoRun.chosen(self.project, "")
            self.decisions = self.library.PycytoDecisions(self.project, reviewer)
            self.review = self.library.PycytoReview(self.run, self.decisions, 0.2)

    @property
    def images(self) -> list[str]:
        return [str(name) for name in self.review.getImages()]

    def opened(self, entry_id: str) -> Any:
        """Take over an image, as it is on the disk."""
        with _java.refusals(self.folder):
            return self.library.PycytoDecider(self.review, self.project.image(entry_id))

    def decide(self, decider: Any, cell: Any, label: str | None, action: str = "class") -> None:
        with _java.refusals(self.folder):
            decider.decide(cell, action, label, java_map(SEEN))

    def take_back(self, decider: Any) -> None:
        last = list(self.decisions.getOwn())[-1]
        with _java.refusals(self.folder):
            decider.takeBack(self.review.cellOf(last), last, java_map(SEEN))


def java_map(values: dict[str, Any]) -> Any:
    from jpype import JClass

    return JClass("java.util.LinkedHashMap")(values)


def log_file(folder: Path) -> Path:
    return folder / "pycyto" / "decisions" / LOG


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_file(folder).read_text("utf-8").splitlines()]


def classes_on_disk(folder: Path, installation: Installation, entry_id: str) -> dict[str, str]:
    library = _java.library(installation)
    project = _java.open_project(installation, folder / "project.qpproj")
    return {
        str(item.getID()): str(library.PycytoObjects.classOf(item))
        for item in project.image(entry_id).objectsOnDisk()
    }


@pytest.fixture
def loaded(project: Path, installation: Installation) -> Path:
    access = Access(qupath=installation.folder)
    predict(project, model="m", objects="all", access=access)
    write_back(project, access=access)
    return project


def outline(decider: Any, number: int = 0) -> Any:
    """Return a cell of an annotation that is an outline."""
    found = [c for c in decider.getCells() if c.getPointIndex() is None and not c.isUpdate()]
    return found[number]


def other_label(cell: Any, *others: str) -> str:
    """Return a label that is neither the cell's predicted one nor the expert's."""
    taken = (str(cell.getPredicted()), str(cell.getExpertLabel()), *others)
    return next(str(label) for label in cell.getLabels() if str(label) not in taken)


def first_decided(sitting: Sitting) -> Any:
    """Return the cell of the log's first line."""
    line = log_of(sitting.folder)[0]
    where = {name: line[name] for name in ("entry_id", "object_id", "point_index")}
    return sitting.review.cellOf(java_map(where))


def class_of(decider: Any, cell: Any) -> str | None:
    path_class = decider.objectOf(cell).getPathClass()
    return None if path_class is None else str(path_class.toString())


@pytest.fixture
def sitting(loaded: Path, installation: Installation) -> Sitting:
    return Sitting(loaded, installation)


@pytest.fixture
def decider(sitting: Sitting) -> Any:
    return sitting.opened(sitting.images[0])


def test_a_decision_is_logged_and_sets_the_class_of_the_experts_object(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    folder, entry_id = sitting.folder, sitting.images[0]
    cell = outline(decider)
    before = classes_on_disk(folder, installation, entry_id)
    label = other_label(cell)
    sitting.decide(decider, cell, label)
    [line] = log_of(folder)
    assert line["old_class"] == before[line["object_id"]]
    assert (line["new_class"], line["label"], line["action"]) == (label, label, "class")
    assert (line["reviewer"], line["shown"], line["seconds"]) == ("Dr. Ä", "prediction", 1.25)
    assert (line["schema"], line["way"], line["takes_back"]) == (1, "panel", None)
    assert line["run"] == str(sitting.run.getName())
    assert line["probabilities"][line["predicted"]] == pytest.approx(0.775)
    assert classes_on_disk(folder, installation, entry_id) == before
    decider.save()
    after = classes_on_disk(folder, installation, entry_id)
    assert {k: v for k, v in after.items() if v != before[k]} == {line["object_id"]: label}
    GeoJsonBackend(open_project(folder)).read(entry_id)  # its file of cells is that of the save


def test_what_cannot_be_logged_changes_nothing(sitting: Sitting, decider: Any) -> None:
    cell = outline(decider)
    before = class_of(decider, cell)
    log_file(sitting.folder).mkdir(parents=True)  # so that no file can be there
    with pytest.raises(BadInputError):
        sitting.decide(decider, cell, other_label(cell))
    assert class_of(decider, cell) == before
    assert str(cell.getState()) == "open"


def test_decisions_are_taken_back_one_by_one(sitting: Sitting, decider: Any) -> None:
    cell = outline(decider)
    before = class_of(decider, cell)
    first = other_label(cell)
    second = other_label(cell, first)
    sitting.decide(decider, cell, first)
    sitting.decide(decider, cell, second)
    sitting.decide(decider, cell, None, "flag")
    assert (str(cell.getState()), str(cell.getLabel())) == ("flagged", second)
    sitting.take_back(decider)
    assert (str(cell.getState()), class_of(decider, cell)) == ("decided", second)
    sitting.take_back(decider)
    assert (str(cell.getLabel()), class_of(decider, cell)) == (first, first)
    sitting.take_back(decider)
    assert (str(cell.getState()), class_of(decider, cell)) == ("open", before)
    assert list(sitting.decisions.getOwn()) == []
    lines = log_of(sitting.folder)
    taken = [line["takes_back"] for line in lines[3:]]
    assert taken == [line["decision"] for line in reversed(lines[:3])]


def test_taking_back_leaves_a_class_that_somebody_gave_since(
    sitting: Sitting, decider: Any
) -> None:
    cell = outline(decider)
    sitting.decide(decider, cell, other_label(cell))
    decider.objectOf(cell).setPathClass(sitting.java.PathClass.fromString("Trichomonas"))
    sitting.take_back(decider)
    assert (str(cell.getState()), class_of(decider, cell)) == ("open", "Trichomonas")


def test_points_of_one_annotation_keep_its_class(sitting: Sitting) -> None:
    decider, cell = next(
        (decider, cell)
        for decider in map(sitting.opened, sitting.images)
        for cell in decider.getCells()
        if cell.getPointIndex() is not None and decider.objectOf(cell).getROI().getNumPoints() > 1
    )
    before = class_of(decider, cell)
    label = other_label(cell)
    sitting.decide(decider, cell, label)
    assert (class_of(decider, cell), str(cell.getLabel())) == (before, label)
    [line] = log_of(sitting.folder)
    assert (line["old_class"], line["new_class"], line["label"]) == (before, before, label)
    others = [c for c in decider.getCells() if c.getObjectId() == cell.getObjectId()]
    assert sum(str(c.getState()) == "decided" for c in others) == 1 < len(others)


def test_a_locked_object_keeps_its_class(sitting: Sitting, decider: Any) -> None:
    cell = outline(decider)
    before = class_of(decider, cell)
    decider.objectOf(cell).setLocked(True)
    with pytest.raises(RefusedError, match="locked"):
        sitting.decide(decider, cell, other_label(cell))
    assert not log_file(sitting.folder).exists()
    sitting.decide(decider, cell, None, "skip")
    sitting.decide(decider, cell, None, "flag")
    assert cell.getExpertLabel() is not None
    sitting.decide(decider, cell, str(cell.getExpertLabel()))  # agrees: nothing changes
    assert class_of(decider, cell) == before
    assert [line["action"] for line in log_of(sitting.folder)] == ["skip", "flag", "class"]


def test_another_spelling_of_the_class_stays(sitting: Sitting, decider: Any) -> None:
    cell = outline(decider)
    decider.objectOf(cell).setPathClass(sitting.java.PathClass.fromString("HGSIL"))
    sitting.decide(decider, cell, "HSIL")
    assert class_of(decider, cell) == "HGSIL"
    [line] = log_of(sitting.folder)
    assert (line["old_class"], line["new_class"], line["label"]) == ("HGSIL", "HGSIL", "HSIL")


def test_any_class_and_colour_comes_back(sitting: Sitting, decider: Any) -> None:
    from jpype import JClass, JInt

    cell = outline(decider)
    path_object = decider.objectOf(cell)
    path_object.setPathClass(sitting.java.PathClass.fromString('HSIL: p16/Ki-67: "?"'))
    given = class_of(decider, cell)
    path_object.setColor(JClass("java.lang.Integer").valueOf(JInt(0x123456)))
    sitting.decide(decider, cell, "NILM")
    assert (class_of(decider, cell), path_object.getColor()) == ("NILM", 0x123456)
    sitting.take_back(decider)
    assert (class_of(decider, cell), path_object.getColor()) == (given, 0x123456)


def test_an_object_that_is_gone_is_said_to_be(sitting: Sitting, decider: Any) -> None:
    cell = outline(decider)
    hierarchy = decider.getImage().getData().getHierarchy()
    hierarchy.removeObject(decider.objectOf(cell), True)
    with pytest.raises(RefusedError, match="no longer in the image"):
        sitting.decide(decider, cell, "HSIL")
    assert cell.getIsGone()
    assert not log_file(sitting.folder).exists()
    everything = java_map({})
    assert cell not in list(sitting.review.cells(everything))


# --- going on after a break --------------------------------------------------------------------


def decide_on_all(sitting: Sitting, decider: Any) -> dict[str, str]:
    wanted = {}
    for cell in decider.getCells():
        if cell.getPointIndex() is None:
            label = other_label(cell)
            sitting.decide(decider, cell, label)
            wanted[str(cell.getObjectId())] = label
    return wanted


def test_a_killed_review_is_completed_from_the_log(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    entry_id = sitting.images[0]
    before = classes_on_disk(sitting.folder, installation, entry_id)
    wanted = decide_on_all(sitting, decider)
    assert classes_on_disk(sitting.folder, installation, entry_id) == before  # killed here

    again = Sitting(sitting.folder, installation, "somebody else")
    reopened = again.opened(entry_id)
    assert reopened.getApplied() == len(wanted) > 5
    reopened.save()
    assert reopened.getSaveProblem() is None
    after = classes_on_disk(sitting.folder, installation, entry_id)
    assert after == {**before, **wanted}
    assert Sitting(sitting.folder, installation).opened(entry_id).getApplied() == 0


def test_two_unsaved_decisions_on_one_cell_come_to_the_second(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    cell = outline(decider)
    first = other_label(cell)
    second = other_label(cell, first)
    sitting.decide(decider, cell, first)
    sitting.decide(decider, cell, second)
    again = Sitting(sitting.folder, installation)
    reopened = again.opened(sitting.images[0])
    twin = first_decided(again)
    assert (class_of(reopened, twin), twin.getElsewhere()) == (second, None)


def test_a_class_given_outside_the_review_stays_and_the_cell_comes_up_again(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    cell = outline(decider)
    sitting.decide(decider, cell, other_label(cell))
    decider.save()
    decider.objectOf(cell).setPathClass(sitting.java.PathClass.fromString("Trichomonas"))
    image = decider.getImage()
    image.getEntry().saveImageData(image.getData())

    again = Sitting(sitting.folder, installation)
    reopened = again.opened(sitting.images[0])
    twin = first_decided(again)
    assert (class_of(reopened, twin), str(twin.getState())) == ("Trichomonas", "open")
    assert "Trichomonas" in str(twin.getElsewhere())
    assert reopened.counts()["elsewhere"] == 1
    again.decide(reopened, twin, "NILM")
    assert (class_of(reopened, twin), str(twin.getState())) == ("NILM", "decided")


def test_a_line_that_was_not_finished_is_cut_off(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    sitting.decide(decider, outline(decider), "HSIL")
    whole = log_file(sitting.folder).read_bytes()
    log_file(sitting.folder).write_bytes(whole + whole[:-20])
    again = Sitting(sitting.folder, installation)
    assert len(list(again.decisions.getOwn())) == 1
    reopened = again.opened(sitting.images[0])
    again.decide(reopened, outline(reopened, 1), "HSIL")
    assert log_file(sitting.folder).read_bytes().startswith(whole)
    assert len(log_of(sitting.folder)) == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda line: b"{oops\n" + line, "Line 1 of .*is not valid JSON"),
        (lambda line: line + b"[]\n", "Line 2 of .*is not valid JSON"),
        (lambda line: line.replace(b'"entry_id"', b'"entry"'), "Line 1 of .*lacks one of"),
    ],
)
def test_a_damaged_log_is_named_and_left(
    sitting: Sitting,
    decider: Any,
    installation: Installation,
    damage: Callable[[bytes], bytes],
    message: str,
) -> None:
    sitting.decide(decider, outline(decider), "HSIL")
    damaged = damage(log_file(sitting.folder).read_bytes())
    log_file(sitting.folder).write_bytes(damaged)
    with pytest.raises(BadInputError, match=message):
        Sitting(sitting.folder, installation)
    assert log_file(sitting.folder).read_bytes() == damaged


def test_a_log_of_another_project_is_refused(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    sitting.decide(decider, outline(decider), "HSIL")
    own = str(sitting.project.getId()).encode()
    text = log_file(sitting.folder).read_bytes().replace(own, b"0" * 36)
    log_file(sitting.folder).write_bytes(text)
    with pytest.raises(BadInputError, match="belongs to another project"):
        Sitting(sitting.folder, installation)


def test_a_clock_that_was_put_back_changes_no_order(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    cell = outline(decider)
    sitting.decide(decider, cell, "HSIL")
    text = log_file(sitting.folder).read_text("utf-8")
    at = log_of(sitting.folder)[0]["at"]
    log_file(sitting.folder).write_text(text.replace(at, "2999-01-01T00:00:00.000Z"), "utf-8")
    again = Sitting(sitting.folder, installation)
    reopened = again.opened(sitting.images[0])
    again.decide(reopened, first_decided(again), "NILM")
    assert [line["at"] for line in log_of(sitting.folder)] == ["2999-01-01T00:00:00.000Z"] * 2
    later = Sitting(sitting.folder, installation)
    assert str(first_decided(later).getLabel()) == "NILM"


# --- saving ------------------------------------------------------------------------------------


def test_what_somebody_else_has_saved_is_not_saved_over(
    sitting: Sitting, decider: Any, installation: Installation
) -> None:
    entry_id = sitting.images[0]
    data_file = open_project(sitting.folder).data_file(entry_id)
    sitting.decide(decider, outline(decider), other_label(outline(decider)))
    theirs = sitting.project.image(entry_id)
    theirs.getData().getHierarchy().clearAll()
    theirs.save()
    saved = data_file.read_bytes()
    decider.noticeSave()
    decider.save()
    assert "saved by somebody else" in str(decider.getSaveProblem())
    sitting.decide(decider, outline(decider, 1), other_label(outline(decider, 1)))
    decider.save()
    assert data_file.read_bytes() == saved
    assert len(log_of(sitting.folder)) == 2


def test_a_save_by_hand_in_the_same_window_is_no_strangers(sitting: Sitting, decider: Any) -> None:
    sitting.decide(decider, outline(decider), other_label(outline(decider)))
    image = decider.getImage()
    image.getEntry().saveImageData(image.getData())
    decider.noticeSave()
    assert decider.getUnsaved() == 0
    sitting.decide(decider, outline(decider, 1), other_label(outline(decider, 1)))
    decider.save()
    assert decider.getSaveProblem() is None
    GeoJsonBackend(open_project(sitting.folder)).read(sitting.images[0])


def test_an_image_that_is_open_without_its_objects_is_refused(sitting: Sitting) -> None:
    image = sitting.project.image(sitting.images[0])
    image.getData().getHierarchy().clearAll()
    with (
        pytest.raises(BadInputError, match=r"None of the .* cells of the run"),
        _java.refusals(sitting.folder),
    ):
        sitting.library.PycytoDecider(sitting.review, image)


def test_a_decision_survives_when_the_process_is_killed(
    sitting: Sitting, installation: Installation
) -> None:
    """All that was told to be recorded is in the log, and at most one line more."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, str(sitting.folder), str(installation.folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            if line.startswith("decided "):
                told.append(line.split()[1])
            if len(told) == 1000:
                process.kill()
                break
        told += [line.split()[1] for line in process.stdout if line.startswith("decided ")]
    assert len(told) >= 1000, told[-3:]
    again = Sitting(sitting.folder, installation)
    kept = [str(line["decision"]) for line in again.decisions.getOwn()]
    assert kept[: len(told)] == told
    assert len(kept) <= len(told) + 1
    final = {(line["entry_id"], line["object_id"]): line for line in log_of_lines(sitting.folder)}
    for entry_id in again.images:
        again.opened(entry_id).save()
        classes = classes_on_disk(sitting.folder, installation, entry_id)
        mine = {key[1]: line for key, line in final.items() if key[0] == entry_id}
        assert {k: classes[k] or None for k in mine} == {
            k: line["new_class"] for k, line in mine.items()
        }


def test_a_class_that_was_accepted_is_the_reviewers_and_no_runs(
    sitting: Sitting, installation: Installation
) -> None:
    """Neither a later run nor an undo takes it away."""
    access = Access(qupath=installation.folder)
    decider, cell = next(
        (decider, cell)
        for decider in map(sitting.opened, sitting.images)
        for cell in decider.getCells()
        if cell.isUpdate()
    )
    accepted, object_id = str(cell.getPredicted()), str(cell.getObjectId())
    entry_id = str(cell.getEntryId())
    sitting.decide(decider, cell, accepted, "accept")
    decider.save()
    with stub_model.in_place(stub_model.otherwise):
        predict(sitting.folder, model="m", objects="detections", access=access)
        later = write_back(sitting.folder, access=access)
    assert later.updated > 0
    assert classes_on_disk(sitting.folder, installation, entry_id)[object_id] == accepted
    undo(sitting.folder, access=access)
    result = undo(sitting.folder, str(sitting.run.getName()), access=access)
    assert result.run.images[entry_id].left == {object_id: "decided in a review"}
    assert classes_on_disk(sitting.folder, installation, entry_id)[object_id] == accepted


def log_of_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines that were finished."""
    text = log_file(folder).read_text("utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n")].splitlines()]


def keep_deciding(folder: Path, installation: Installation) -> None:
    """Decide on cell after cell for ever, and tell each decision once it is recorded."""
    sitting = Sitting(folder, installation)
    for turn in range(10**6):
        entry_id = sitting.images[turn % len(sitting.images)]
        decider = sitting.opened(entry_id)
        for cell in decider.getCells():
            sitting.decide(decider, cell, other_label(cell))
            sys.stdout.write(f"decided {list(sitting.decisions.getOwn())[-1]['decision']}\n")
            sys.stdout.flush()
        if turn % 3 == 2:
            decider.save()


# --- which cells, and in which order -------------------------------------------------------------


def test_cells_are_those_that_the_run_has_written(sitting: Sitting, loaded: Path) -> None:
    run = runs.load(Path(str(sitting.run.getFolder().getPath())))
    counts = {key: image.read_back for key, image in run.images.items() if image.read_back}
    assert Counter(str(cell.getEntryId()) for cell in sitting.review.getCells()) == counts
    assert list(sitting.review.getNotices()) == []


def test_a_run_that_is_only_staged_is_not_reviewed(
    project: Path, installation: Installation
) -> None:
    predict(project, model="m", access=Access(qupath=installation.folder))
    with pytest.raises(RefusedError, match=r"not loaded yet: run import_predictions\.groovy"):
        Sitting(project, installation)


@pytest.mark.parametrize(
    ("change", "notice"),
    [
        ({"state": "staged"}, "not loaded yet"),
        ({"pending_sha256": "0" * 64}, "half loaded"),
        ({"state": "overwritten"}, "no longer in QuPath"),
        ({"state": "undone"}, "taken back"),
    ],
)
def test_images_without_their_predictions_are_left_out_and_named(
    loaded: Path, installation: Installation, change: dict[str, str], notice: str
) -> None:
    run = runs.all_runs(open_project(loaded).workspace)[-1]
    entry_id = next(key for key, image in run.images.items() if image.read_back)
    image = dataclasses.replace(run.images[entry_id], **change)  # type: ignore[arg-type]
    runs.save(run.with_image(entry_id, image))
    sitting = Sitting(loaded, installation)
    assert entry_id not in sitting.images
    [told] = [str(text) for text in sitting.review.getNotices()]
    assert notice in told
    assert f"entry ID {entry_id})" in told


def test_a_table_that_lost_a_row_is_refused(loaded: Path, installation: Installation) -> None:
    table = next((loaded / "pycyto" / "runs").glob("*/new/*.csv"))
    lines = table.read_text("utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), "utf-8")
    with pytest.raises(BadInputError, match="The run is not whole"):
        Sitting(loaded, installation)


def test_a_run_of_another_project_is_refused(loaded: Path, installation: Installation) -> None:
    marker = loaded / "pycyto" / "project.json"
    content = json.loads(marker.read_text("utf-8"))
    marker.write_text(json.dumps({**content, "project_id": "0" * 36}), "utf-8")
    with pytest.raises(RefusedError, match="made for another project"):
        Sitting(loaded, installation)


def test_filters(sitting: Sitting) -> None:
    everything = list(sitting.review.getCells())

    def chosen(**filters: Any) -> list[Any]:
        return list(sitting.review.cells(java_map(filters)))

    def expected(condition: Callable[[Any], bool]) -> list[Any]:
        return [cell for cell in everything if condition(cell)]

    assert chosen() == everything
    assert chosen(predicted="LSIL") == expected(lambda c: str(c.getPredicted()) == "LSIL")
    assert chosen(expert="NILM") == expected(lambda c: str(c.getExpertLabel()) == "NILM")
    assert chosen(expert="none") == expected(lambda c: c.getExpertLabel() is None)
    assert chosen(hsil_from=0.5) == expected(lambda c: c.getHsil() >= 0.5)
    assert chosen(hsil_to=0.5) == expected(lambda c: c.getHsil() <= 0.5)
    decider = sitting.opened(sitting.images[0])
    sitting.decide(decider, outline(decider), None, "skip")
    assert chosen(state="skipped") == [outline(decider)]
    assert len(chosen(state="open")) == len(everything) - 1
    assert sitting.review.counts()["skipped"] == sitting.review.counts(sitting.images[0])["skipped"]


LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")
LIBRARY: list[Any] = []  # hypothesis calls a test with fixtures of a session only


@pytest.fixture
def library(installation: Installation) -> None:
    LIBRARY[:] = [_java.library(installation)]


def made_cell(number: int, predicted: str, expert: str | None, chances: Sequence[float]) -> Any:
    from jpype import JArray, JBoolean, JClass, JDouble

    values = {
        "entryId": "1",
        "objectId": f"{number:04}",
        "detectionId": f"d{number:04}",
        "pointIndex": None,
        "x": JDouble(0),
        "y": JDouble(0),
        "predicted": predicted,
        "labels": JClass("java.util.ArrayList")(list(LABELS)),
        "probabilities": JArray(JDouble)(list(chances)),
        "isTrainedOn": JBoolean(False),
    }
    cell = LIBRARY[0].PycytoCell(java_map(values))
    cell.setExpertClass(expert)
    cell.setExpertLabel(expert if expert in LABELS else None)
    return cell


def urgency(number: int, predicted: str, expert: str | None, chances: Sequence[float]) -> Any:
    """Say the order of a review once more, in other words."""
    hsil = chances[3]
    if "NILM" in (predicted, expert) and hsil >= 0.2:
        return 0, 0.0, -hsil, number
    if expert not in (None, predicted):
        steps = abs(LABELS.index(predicted) - LABELS.index(expert)) if expert in LABELS else 0
        return 1, float(-steps), -hsil, number
    most = sorted(chances)
    return 2, most[-1] - most[-2], -hsil, number


chance = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5, 0.9])
cells_of_an_image = st.lists(
    st.tuples(
        st.sampled_from(LABELS),
        st.sampled_from([None, "Trichomonas", *LABELS]),
        st.tuples(chance, chance, chance, chance),
    ),
    max_size=12,
)


@given(cells_of_an_image)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_is_by_what_matters(library: None, found: list[Any]) -> None:
    cells = [made_cell(number, *values) for number, values in enumerate(found)]
    order = LIBRARY[0].PycytoCell.byUrgency(0.2)
    sorted_cells = sorted(cells, key=functools.cmp_to_key(order.compare))
    numbers = [int(str(cell.getObjectId())) for cell in sorted_cells]
    keys = [urgency(number, *values) for number, values in enumerate(found)]
    assert numbers == [key[-1] for key in sorted(keys)]


actions = st.lists(
    st.tuples(
        st.sampled_from(["class", "accept", "skip", "flag", "take back"]),
        st.sampled_from(LABELS),
        st.integers(0, 8),
    ),
    max_size=9,
)


@given(actions)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_holds_is_what_the_lines_come_to(library: None, chosen: list[Any]) -> None:
    from jpype import JClass

    lines: list[dict[str, Any]] = []
    taken: set[int] = set()
    for number, (action, label, back) in enumerate(chosen):
        line = {"decision": str(number), "action": action, "label": None, "takes_back": None}
        if action in ("class", "accept"):
            line["label"] = label
        if action == "take back":
            line["takes_back"] = str(back)
            taken.add(back)
        lines.append(line)
    standing = [
        (number, line)
        for number, line in enumerate(lines)
        if number not in taken and line["action"] != "take back"
    ]
    decided = max((n for n, line in standing if line["label"]), default=-1)
    flagged = any(line["action"] == "flag" and n > decided for n, line in standing)
    skipped = any(line["action"] == "skip" for _, line in standing)
    expected = (
        "flagged" if flagged else "decided" if decided >= 0 else "skipped" if skipped else "open"
    )
    cell = made_cell(0, "NILM", None, (0.7, 0.1, 0.1, 0.1))
    cell.replay(JClass("java.util.ArrayList")([java_map(line) for line in lines]))
    assert str(cell.getState()) == expected
    label = cell.getLabel()
    assert (None if label is None else str(label)) == (
        lines[decided]["label"] if decided >= 0 else None
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Dr. Ä", "dr%2E%20%C3%A4"),
        ("anna_b-2", "anna_b-2"),
        ("ANNA", "anna"),
        ("../x", "%2E%2E%2Fx"),
    ],
)
def test_files_are_named_after_people(library: None, name: str, file: str) -> None:
    assert str(LIBRARY[0].PycytoLog.fileNameOf(name)) == file


if __name__ == "__main__":
    with_qupath = installation_in(Path(sys.argv[2]))
    assert with_qupath is not None
    keep_deciding(Path(sys.argv[1]), with_qupath)
