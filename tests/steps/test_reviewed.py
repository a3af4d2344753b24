"""What people decided on goes into the data set with what is known of how they decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, audit, export, predict, split
from pycyto.errors import BadInputError, UsageError
from pycyto.manifest import Row, read_manifest
from pycyto.qupath.assignments import AssignedCell, Assignment, save_assignment
from pycyto.qupath.project import ensure_project_id, open_project
from pycyto.records import RUN_MARK, UPDATED_MARK, CellKey, Silent
from tests import stub_model
from tests.reading import read_all
from tests.reviewing import RUN, a_line, write_log
from tests.tiny_project import TinyCell, TinyImage, build, save_cells

GEOJSON = Access(backend="geojson")
SAID = {UPDATED_MARK: 7.0, "pycyto: P(HSIL)": 0.75, "pycyto: P(LSIL)": 0.25}
NILM = TinyCell(200, 150, "NILM")
HSIL = TinyCell(60, 60, "HSIL")
BARE = TinyCell(90, 60, None)
POINTS = TinyCell(120, 90, "LSIL", points=((100.0, 80.0), (140.0, 100.0)))
CLASSIFIED = TinyCell(150, 60, "HSIL", kind="detection", measurements=SAID)
CREATED = TinyCell(180, 60, "HSIL", kind="detection", measurements={RUN_MARK: 7.0})
CELLS = (NILM, HSIL, BARE, POINTS, CLASSIFIED, CREATED)


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    images = [TinyImage("1", "a.png", CELLS, {"Annotator": "Zoe", "Patient": "P"})]
    folder = build(tmp_path / "project", images)
    ensure_project_id(open_project(folder))
    return folder


def key_of(project: Path, cell: TinyCell, point: int | None = None) -> CellKey:
    return CellKey(open_project(project).project_id, "1", cell.object_id, point)


def log(project: Path, *lines: tuple[CellKey, dict[str, Any]], reviewer: str = "Anna") -> None:
    written = [
        a_line(key, number, **{"reviewer": reviewer, **changes})
        for number, (key, changes) in enumerate(lines)
    ]
    write_log(project / "pycyto", written, reviewer)


def rows_of(project: Path, out: Path, **options: Any) -> dict[tuple[str, int | None], Row]:
    export(project, out=out, access=GEOJSON, **options)
    return {(row.object_id, row.point_index): row for row in read_manifest(out)}


def said(row: Row) -> tuple[str, ...]:
    return row.label, row.original_label, row.label_origin, row.selected_by, row.annotator


def test_decided_labels_are_taken_and_told(project: Path, tmp_path: Path) -> None:
    log(
        project,
        (key_of(project, BARE), {}),
        (key_of(project, POINTS, 1), {"label": "NILM", "old_class": "LSIL", "new_class": "LSIL"}),
        (key_of(project, CLASSIFIED), {"action": "accept", "old_class": "HSIL"}),
        (key_of(project, HSIL), {"action": "accept", "old_class": "HSIL", "shown": "nothing"}),
    )

    rows = rows_of(project, tmp_path / "out", reviewed=True)

    helped = ("model_assisted", RUN, "Anna")
    assert {key: said(row) for key, row in rows.items()} == {
        (BARE.object_id, None): ("HSIL", "", *helped),
        (POINTS.object_id, 1): ("NILM", "LSIL", *helped),
        (CLASSIFIED.object_id, None): ("HSIL", "HSIL", *helped),
        (HSIL.object_id, None): ("HSIL", "HSIL", "manual", RUN, "Anna"),
    }
    row = rows[BARE.object_id, None]
    assert row.decided_at == "2126-01-31T12:00:00.000+00:00"
    assert (row.scheme, row.patient) == ("bethesda", "P")
    assert row.file.startswith("images/HSIL/")
    assert all(row.helped_by_model for row in rows.values())


def test_every_cell_is_counted_with_its_reason(project: Path, tmp_path: Path) -> None:
    log(
        project,
        (key_of(project, NILM), {"action": "flag"}),
        (key_of(project, BARE), {"action": "skip"}),
        (key_of(project, POINTS, 0), {"label": "ASC-H", "old_class": "LSIL"}),
        (key_of(project, POINTS, 1), {"label": "HSIL"}),
        (key_of(project, HSIL), {"old_class": "HSIL"}),
        (key_of(project, CREATED), {}),
    )

    result = export(project, out=tmp_path / "out", reviewed=True, access=GEOJSON)

    assert result.tally.used == 1
    assert result.tally.skipped == {
        "flagged in the review": 1,
        "skipped in the review": 1,
        "not reviewed": 1,
        "class outside the scheme": 1,
        "given another class since the review": 1,  # the points have LSIL
        "made by pycyto": 1,
    }


def test_a_class_given_outside_the_review_leaves_the_cell_out_by_name(
    project: Path, tmp_path: Path
) -> None:
    log(
        project,
        (key_of(project, NILM), {"old_class": "LSIL"}),
        (key_of(project, HSIL), {"old_class": "HSIL"}),
    )
    heard = Heard()

    rows = rows_of(project, tmp_path / "out", reviewed=True, reporter=heard)

    assert set(rows) == {(HSIL.object_id, None)}
    (warning,) = heard.warnings
    assert NILM.object_id in warning
    assert "(200, 150) in a.png: Anna said HSIL, and it has NILM now" in warning


def test_decisions_that_qupath_has_not_saved_yet_hold(project: Path, tmp_path: Path) -> None:
    log(
        project,
        (key_of(project, NILM), {"old_class": "NILM", "new_class": "LSIL", "label": "LSIL"}),
        (key_of(project, NILM), {"old_class": "LSIL"}),
    )
    rows = rows_of(project, tmp_path / "out", reviewed=True)
    assert rows[NILM.object_id, None].label == "HSIL"


def test_a_decided_cell_that_is_gone_is_named(project: Path, tmp_path: Path) -> None:
    log(project, (key_of(project, BARE), {}), (key_of(project, HSIL), {"old_class": "HSIL"}))
    save_cells(project, "1", [cell for cell in CELLS if cell is not BARE])
    heard = Heard()
    assert len(rows_of(project, tmp_path / "out", reviewed=True, reporter=heard)) == 1
    (warning,) = heard.warnings
    assert f"object {BARE.object_id} of the image with entry ID 1" in warning


def test_classes_are_those_that_were_decided(project: Path, tmp_path: Path) -> None:
    log(project, (key_of(project, BARE), {}), (key_of(project, NILM), {"label": "NILM",
        "new_class": "NILM", "old_class": "NILM"}))  # fmt: skip
    rows = rows_of(project, tmp_path / "out", reviewed=True, classes=["hsil"])
    assert set(rows) == {(BARE.object_id, None)}


def test_a_kind_of_object_can_be_asked_for(project: Path, tmp_path: Path) -> None:
    log(project, (key_of(project, BARE), {}), (key_of(project, CLASSIFIED), {}))
    for objects, cell in (("annotations", BARE), ("detections", CLASSIFIED)):
        rows = rows_of(project, tmp_path / objects, reviewed=True, objects=objects)
        assert set(rows) == {(cell.object_id, None)}


def test_the_same_folder_follows_what_is_decided_later(project: Path, tmp_path: Path) -> None:
    key, out = key_of(project, HSIL), tmp_path / "out"
    first = (key, {"old_class": "HSIL", "new_class": "LSIL", "label": "LSIL"})
    export(project, out=out, access=GEOJSON)
    log(project, first)
    rows = rows_of(project, out, reviewed=True)
    assert [row.label for row in rows.values()] == ["LSIL"]
    assert (out / rows[HSIL.object_id, None].file).exists()
    log(project, first, (key, {"action": "flag", "old_class": "LSIL", "new_class": "LSIL"}))
    with pytest.raises(BadInputError, match="1 flagged in the review"):
        export(project, out=out, reviewed=True, access=GEOJSON)


@pytest.mark.parametrize("damage", ["none", "another project", "a line"])
def test_logs_that_cannot_be_used(damage: str, project: Path, tmp_path: Path) -> None:
    if damage == "another project":
        log(project, (key_of(project, HSIL)._replace(project_id="another"), {}))
    if damage == "a line":
        write_log(project / "pycyto", [{"schema": 1}])
    message = {
        "none": "Nothing was reviewed in this project yet",
        "another project": "A log of Anna here is of another project",
        "a line": "Line 1 of this log cannot be used",
    }[damage]
    with pytest.raises(BadInputError, match=message):
        export(project, out=tmp_path / "out", reviewed=True, access=GEOJSON)


def test_reviewed_and_unclassified_exclude_each_other(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--reviewed"):
        export(project, out=tmp_path / "out", reviewed=True, unclassified=True, access=GEOJSON)


# --- classes in QuPath that came of a review ----------------------------------------------------


def test_a_plain_export_tells_which_classes_came_of_a_review(project: Path, tmp_path: Path) -> None:
    log(
        project,
        (key_of(project, NILM), {"old_class": "LSIL", "label": "NILM", "new_class": "NILM"}),
        (key_of(project, HSIL), {"action": "accept", "old_class": "HSIL"}),
        (key_of(project, POINTS, 0), {"label": "NILM", "old_class": "LSIL", "new_class": "LSIL"}),
    )
    rows = rows_of(project, tmp_path / "out")
    assert said(rows[NILM.object_id, None])[2:] == ("model_assisted", RUN, "Anna")
    # The expert had called it so before; and the class of all points is not that of one.
    for key in ((HSIL.object_id, None), (POINTS.object_id, 0)):
        assert said(rows[key])[2:] == ("manual", "manual", "Zoe")


def test_a_class_that_came_of_a_review_stays_so_when_it_is_flagged(
    project: Path, tmp_path: Path
) -> None:
    log(
        project,
        (key_of(project, NILM), {"old_class": "LSIL", "label": "NILM", "new_class": "NILM"}),
        (key_of(project, NILM), {"action": "flag", "old_class": "NILM", "new_class": "NILM"}),
    )
    rows = rows_of(project, tmp_path / "out")
    assert rows[NILM.object_id, None].label_origin == "model_assisted"


# --- blinded reads ------------------------------------------------------------------------------


def read_blinded(
    project: Path, cells: Iterable[tuple[TinyCell, str]], selected_by: str = "unknown"
) -> None:
    """Let two readers agree on cells."""
    pairs = list(cells)
    order = tuple(range(len(pairs)))
    assignment = Assignment(
        name="2026-01-31_3fa94c",
        kind="double read",
        created_at="2026-01-31T12:00:00+00:00",
        project_id=open_project(project).project_id,
        seed=0,
        scheme="bethesda",
        classes=("NILM", "ASC-US", "LSIL", "HSIL"),
        repeat=0.0,
        cells=tuple(
            AssignedCell(key_of(project, cell), cell.x, cell.y, 0, 0, 30, 30) for cell, _ in pairs
        ),
        orders={"A": order, "B": order},
        selected_by=selected_by,
    )
    save_assignment(project / "pycyto", assignment)
    for reader in ("A", "B"):
        read_all(project / "pycyto", assignment, reader, [label for _, label in pairs])


def test_what_readers_agree_on_goes_before_a_single_review(project: Path, tmp_path: Path) -> None:
    log(
        project,
        (key_of(project, BARE), {}),
        (key_of(project, NILM), {"action": "flag"}),
        (key_of(project, HSIL), {"old_class": "HSIL"}),
    )
    read_blinded(project, [(BARE, "LSIL"), (NILM, "ASC-US")])
    rows = rows_of(project, tmp_path / "out", reviewed=True)
    assert said(rows[BARE.object_id, None]) == ("LSIL", "", "consensus", "unknown", "A + B")
    assert rows[NILM.object_id, None].label == "ASC-US"
    assert not rows[NILM.object_id, None].helped_by_model
    assert rows[HSIL.object_id, None].label_origin == "model_assisted"


def test_a_run_that_chose_the_cells_of_readers_is_told(project: Path, tmp_path: Path) -> None:
    read_blinded(project, [(BARE, "LSIL")], selected_by=RUN)
    (row,) = rows_of(project, tmp_path / "out", reviewed=True).values()
    assert said(row) == ("LSIL", "", "consensus", RUN, "A + B")
    assert row.helped_by_model


# --- what others make of it ----------------------------------------------------------------------


def test_the_audit_tells_reviewed_cells_in_the_test(project: Path, tmp_path: Path) -> None:
    log(project, (key_of(project, BARE), {}), (key_of(project, HSIL), {"old_class": "HSIL"}))
    read_blinded(project, [(NILM, "NILM")])
    export(project, out=tmp_path / "out", reviewed=True, access=GEOJSON)
    split(tmp_path / "out", fractions=(0, 0, 1))
    heard = Heard()
    audit(tmp_path / "out", reporter=heard)
    (told,) = [text for text in heard.warnings if "a model's help" in text]
    assert "2 of 3 test cells" in told


@pytest.fixture
def model() -> Iterator[None]:
    with stub_model.in_place():
        yield


@pytest.mark.usefixtures("model")
def test_a_prediction_leaves_detections_alone_that_somebody_has_decided_on(project: Path) -> None:
    before = predict(project, model="m", objects="detections", access=GEOJSON)
    assert before.run.counts["staged"] == 1
    log(project, (key_of(project, CLASSIFIED), {"action": "accept", "old_class": "HSIL"}))
    with pytest.raises(BadInputError, match="1 detection with a class"):
        predict(project, model="m", objects="detections", access=GEOJSON)
