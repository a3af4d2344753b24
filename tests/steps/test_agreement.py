from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, agreement, assign, export
from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.manifest import read_manifest
from pycyto.qupath.assignments import ADJUDICATION, CONSENSUS, Assignment
from pycyto.qupath.project import open_project
from pycyto.qupath.reads import consensus_labels
from pycyto.qupath.run_tables import NewDetection, write_tables
from pycyto.qupath.runs import ImageState, Run, save
from pycyto.records import Silent
from pycyto.steps.agreement import AgreementResult
from tests.reading import a_line, decide, read_all, write_reads
from tests.tiny_project import TinyCell, TinyImage, build, save_cells

GEOJSON = Access(backend="geojson")
LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")
IMAGES = 9


class Heard(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)

    def warn(self, text: str) -> None:
        self.texts.append(text)


def cells_of(image: int) -> list[TinyCell]:
    return [
        TinyCell(50.0 + 60 * number, 100.0 + image, label, name=str(image))
        for number, label in enumerate(LABELS)
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Nine patients with a cell of each class."""
    return build(
        tmp_path / "project",
        [
            TinyImage(str(number), f"Muster {number}.png", cells_of(number),
                      {"Patient": f"Erika Muster {number}"})
            for number in range(1, IMAGES + 1)
        ],
    )  # fmt: skip


def assigned(project: Path, readers: Sequence[str] = ("A", "B"), **options: Any) -> Assignment:
    options = {"cells": 4 * IMAGES, "repeat": 0.1, **options}
    return assign(project, readers=readers, access=GEOJSON, **options).assignment


def truth_of(project: Path, assignment: Assignment) -> list[str]:
    """The class that the expert gave each cell of an assignment."""
    known = {
        cell.object_id: str(cell.class_name)
        for image in range(1, IMAGES + 1)
        for cell in cells_of(image)
    }
    return [known[cell.key.object_id] for cell in assignment.cells]


def compared(project: Path, **options: Any) -> AgreementResult:
    return agreement(project, out=project.parent / "report", access=GEOJSON, **options)


def a_run(project: Path, assignment: Assignment, said: dict[int, str], trained: set[int]) -> Run:
    new = [
        NewDetection(
            cell.key.entry_id, f"n-{number}", cell.key.object_id, None, cell.x, cell.y, 0, 0, 0.0,
            said[number], dict.fromkeys(LABELS, 0.25), trained_on=number in trained,
        )
        for number, cell in enumerate(assignment.cells)
        if number in said
    ]  # fmt: skip
    folder = project / "pycyto" / "runs" / "2026-01-01_000000_aaaaaa"
    write_tables(folder, LABELS, new=new, updates=[])
    images = [item.entry_id for item in new]
    made = Run(
        folder=folder,
        run_id="aaaaaaaa-0000-4000-8000-000000000000",
        created_at="2026-01-01T00:00:00+00:00",
        project_id=assignment.project_id,
        state="staged",
        objects="annotations",
        model={"bundle_id": "b" * 64, "network": "small", "labels": list(LABELS)},
        scheme="bethesda",
        colours={},
        counts={},
        images={entry: ImageState("staged", "", images.count(entry), 0) for entry in set(images)},
    )
    save(made)
    return made


def double_read(project: Path) -> tuple[Assignment, list[str]]:
    """A says the truth; B calls the first two HSIL NILM and one LSIL ASC-US, and skips one NILM."""
    assignment = assigned(project)
    truth = truth_of(project, assignment)
    said: list[str | None] = [*truth]
    worst = [number for number, label in enumerate(truth) if label == "HSIL"][:2]
    said[worst[0]] = said[worst[1]] = "NILM"
    said[truth.index("LSIL")] = "ASC-US"
    said[truth.index("NILM")] = None
    read_all(project / "pycyto", assignment, "A", truth)
    read_all(project / "pycyto", assignment, "B", said)
    return assignment, truth


# --- a double read ----------------------------------------------------------------------------


def test_the_figures_are_those_of_the_reads(project: Path) -> None:
    assignment, truth = double_read(project)
    hsil = truth.index("HSIL")
    decide(project / "pycyto", CONSENSUS, assignment, {hsil: "HSIL", truth.index("LSIL"): None})
    decide(project / "pycyto", ADJUDICATION, assignment, {truth.index("LSIL"): "LSIL"}, people="C")
    result = compared(project)
    content = json.loads(result.figures.read_text("utf-8"))

    (pair,) = content["between_readers"]
    assert (pair["cells"], pair["agreement"]["count"]) == (35, 32)
    assert pair["cross_table"][3] == [2, 0, 0, 7]
    assert pair["quadratic_weighted_kappa"]["groups"] == IMAGES
    assert pair["quadratic_weighted_kappa"]["low"] is not None
    labels = content["labels"]
    assert labels == {
        "cells": 36, "agreed": 32, "consensus": 1, "adjudicated": 1, "open": 2, "unread": 0,
    }  # fmt: skip
    assert content["groups"] == {"patient": IMAGES, "slide": 0, "image": 0}
    a, b = content["against_labels"]
    assert a["figures"]["per_class"]["HSIL"]["recall"]["count"] == 8
    assert b["figures"]["most_severe_called_least_severe"]["count"] == 1
    assert content["within_readers"][0]["agreement"]["value"] == 1
    assert content["within_readers"][0]["cells"] == 4
    assert content["mean_between_people"] is None
    assert content["model"] is None
    assert content["readers"][1]["skipped"] >= 1
    assert result.copied == 0


def test_the_disagreements_are_shown_the_farthest_apart_first(project: Path) -> None:
    double_read(project)
    result = compared(project)

    cells = result.found.disputed.cells
    assert [cell.difference for cell in cells] == [3, 3, 1]
    assert {said.label for said in cells[0].said} == {"NILM", "HSIL"}
    assert all(cell.picture for cell in cells)
    page = result.report.read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    assert "One reader said NILM where another said HSIL: 2 cells." in page


def test_the_page_needs_nothing_else_and_names_no_image_and_no_patient(project: Path) -> None:
    double_read(project)
    result = compared(project)

    for path in (result.report, result.figures):
        text = path.read_text("utf-8")
        assert "Muster" not in text
        assert "Erika" not in text
        assert str(project) not in text
    page = result.report.read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", page)
    assert "https:" not in page
    assert "<script" not in page


def test_with_three_readers_there_is_a_mean(project: Path) -> None:
    assignment = assigned(project, ("A", "B", "C"))
    truth = truth_of(project, assignment)
    for reader in "AB":
        read_all(project / "pycyto", assignment, reader, truth)
    read_all(project / "pycyto", assignment, "C", ["NILM", *truth[1:]])
    result = compared(project)

    assert len(result.found.pairs) == 3
    assert result.found.mean is not None
    assert result.found.mean.pairs == 3
    assert "Over the 3 pairs of readers" in result.report.read_text("utf-8")


def test_the_model_is_one_more_reader_and_what_it_was_trained_on_stands_apart(
    project: Path,
) -> None:
    assignment, truth = double_read(project)
    said = dict(enumerate(truth[:30]))
    first = truth.index("HSIL")
    run = a_run(project, assignment, {**said, first: "NILM"}, trained={*range(10)} - {first})
    result = compared(project)
    content = json.loads(result.figures.read_text("utf-8"))

    seen = len({*range(10)} - {first})
    assert content["model"] == {
        "run": run.name, "network": "small", "bundle_id": "b" * 64, "cells": 30, "missing": 6,
        "trained_on": seen,
    }  # fmt: skip
    models = [own for own in content["against_labels"] if own["is_model"]]
    assert [own["trained_on_these_cells"] for own in models] == [False, True]
    assert [pair["second"] for pair in content["between_readers"]] == [
        "B",
        "the model",
        "the model",
    ]
    assert content["between_readers"][1]["cells"] == 30 - seen
    assert "6 cells are without a prediction" in " ".join(content["cautions"])
    assert compared(project, run=run.name).found.model == result.found.model


def test_a_run_that_was_named_must_have_the_cells(project: Path) -> None:
    assignment, _ = double_read(project)
    other = Assignment(
        **{
            name: getattr(assignment, name) for name in Assignment.__slots__ if name != "project_id"
        },
        project_id="other",
    )
    run = a_run(project, other, {0: "NILM"}, set())
    with pytest.raises(BadInputError, match="none of the cells"):
        compared(project, run=run.name)
    assert compared(project).found.model is None
    with pytest.raises(BadInputError, match="no run 'x'"):
        compared(project, run="x")


def test_a_read_that_is_under_way_can_be_looked_at(project: Path) -> None:
    assignment = assigned(project)
    write_reads(
        project / "pycyto", "A", assignment, [a_line(assignment, "A", place) for place in range(5)]
    )
    result = compared(project)

    assert result.found.pairs[0].cells == 0
    assert [own.left for own in result.found.progress] == [35, 40]
    page = result.report.read_text("utf-8")
    assert "There is no cell that both A and B have called yet." in page
    assert "Not read yet: A 35 of 40, B 40 of 40." in page


def test_cells_that_are_gone_are_counted_and_named(project: Path) -> None:
    assignment, _ = double_read(project)
    save_cells(project, "1", cells_of(1)[1:])
    content = json.loads((project / "project.qpproj").read_text("utf-8"))
    content["images"] = [image for image in content["images"] if image["entryID"] != 2]
    (project / "project.qpproj").write_text(json.dumps(content), "utf-8")
    heard = Heard()
    result = compared(project, reporter=heard)

    gone = [cells_of(1)[0].object_id, *(cell.object_id for cell in cells_of(2))]
    assert sorted(result.found.gone) == sorted(gone)
    assert gone[0] in "\n".join(heard.texts)
    assert "5 cells are no longer in the project" in "\n".join(heard.texts)
    assert result.found.consensus.cells == len(assignment.cells)


def test_what_cannot_be_shown_is_told(project: Path) -> None:
    double_read(project)
    for image in (project / "images").iterdir():
        image.unlink()
    (project / "pycyto" / "cells" / "3.geojson").unlink()
    heard = Heard()
    result = compared(project, reporter=heard)

    assert result.found.unpictured == {"image not readable": 3}
    assert result.report.read_text("utf-8").count("no picture") == 3
    told = "\n".join(heard.texts)
    assert "3 cells are shown without a picture: image not readable." in told
    assert "Whether the cells of 1 image are still there is not known" in told


# --- reads of other computers -----------------------------------------------------------------


def test_reads_of_other_computers_are_copied_in_first(project: Path, tmp_path: Path) -> None:
    assignment = assigned(project)
    truth = truth_of(project, assignment)
    for reader in "AB":
        shutil.copytree(project, tmp_path / reader)
        read_all(tmp_path / reader / "pycyto", assignment, reader, truth)
    result = compared(project, reads=[tmp_path / "A", tmp_path / "B" / "pycyto"])

    assert result.copied == 2
    assert result.found.pairs[0].agreement.value == 1
    assert len(consensus_labels(open_project(project))) == 36
    read_all(tmp_path / "A" / "pycyto", assignment, "A", ["NILM"] * 36)
    with pytest.raises(RefusedError):
        compared(project, reads=[tmp_path / "A"])


# --- readers in training ----------------------------------------------------------------------


def test_a_proficiency_set_measures_readers_in_training(project: Path) -> None:
    first = assigned(project)
    for reader in "AB":
        read_all(project / "pycyto", first, reader, truth_of(project, first))
    days = ("2026-05-01", "2026-06-01")
    for day, wrong in zip(days, (3, 1), strict=True):
        made = assigned(project, ("T",), cells=20, per_class=True, proficiency=True)
        truth = truth_of(project, made)
        hsil = [number for number, label in enumerate(truth) if label == "HSIL"][:wrong]
        lines = [
            a_line(
                made, "T", place, at=f"{day}T10:00:00Z",
                label="NILM" if cell in hsil else truth[cell],
            )
            for place, cell in enumerate(made.orders["T"])
        ]  # fmt: skip
        write_reads(project / "pycyto", "T", made, lines)
    result = compared(project, assignment=made.name)

    assert result.found.is_proficiency
    assert [point.date for point in result.found.trend] == list(days)
    assert [point.missed.count for point in result.found.trend] == [3, 1]
    kappas = [point.kappa.value or 0 for point in result.found.trend]
    assert kappas[0] < kappas[1] < 1
    assert [cell.difference for cell in result.found.missed["T"].cells] == [3]
    assert result.found.disputed.total == 0
    page = result.report.read_text("utf-8").replace("\u00a0", " ")
    assert "Of 5 cells with the label HSIL, T called 4 (80 %) HSIL and 1 NILM." in page
    assert "<polyline" in page
    # What trainees say is nobody's label.
    assert len(consensus_labels(open_project(project))) == 36


def test_a_proficiency_set_of_one_reader_has_no_pairs(project: Path) -> None:
    first = assigned(project)
    for reader in "AB":
        read_all(project / "pycyto", first, reader, truth_of(project, first))
    made = assigned(project, ("T",), cells=12, proficiency=True)
    read_all(project / "pycyto", made, "T", truth_of(project, made))
    result = compared(project)
    assert result.found.pairs == []
    assert result.found.missed["T"].total == 0
    assert "A curve is drawn once" in result.report.read_text("utf-8")


# --- what cannot be compared ------------------------------------------------------------------


def test_without_an_assignment_or_reads_it_says_what_to_do(project: Path) -> None:
    with pytest.raises(BadInputError, match="No cells were assigned"):
        compared(project)
    assignment = assigned(project)
    with pytest.raises(BadInputError, match=f"Nobody has read.*{assignment.name}") as caught:
        compared(project)
    assert "read_cells.groovy" in str(caught.value)
    with pytest.raises(BadInputError, match="no assignment 'x'"):
        compared(project, assignment="x")


def test_a_report_goes_nowhere_where_it_would_be_in_the_way(project: Path) -> None:
    double_read(project)
    data = project.parent / "data"
    data.mkdir()
    (data / "manifest.csv").write_text("")
    for place in (project, project / "data" / "1", project / "pycyto" / "reads" / "a", data):
        with pytest.raises(UsageError, match="does not go"):
            agreement(project, out=place, access=GEOJSON)


def test_an_interrupted_comparison_leaves_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double_read(project)

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("pycyto.steps.agreement.as_html", interrupted)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        compared(project)
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    # The key of the pseudonyms is made once for the project, whatever comes of the report.
    assert {path.name for path in after.keys() - before.keys()} <= {"pseudonyms.key"}
    assert {path: after[path] for path in before} == before
    assert not (project.parent / "report").exists()


def test_every_key_of_the_figures_is_documented(project: Path) -> None:
    assignment, truth = double_read(project)
    a_run(project, assignment, dict(enumerate(truth)), set())
    content = json.loads(compared(project).figures.read_text("utf-8"))

    page = (Path(__file__).parents[2] / "docs" / "agreement-schema.md").read_text("utf-8")
    parts = (
        content, content["assignment"], content["labels"], content["model"],
        content["readers"][0], content["between_readers"][0], content["against_labels"][0],
        content["disagreements"], content["disagreements"]["shown"][0], content["intervals"],
    )  # fmt: skip
    for key in {key for part in parts for key in part}:
        assert f"`{key}`" in page, key


# --- what others make of it -------------------------------------------------------------------


def test_the_labels_go_out_with_export_and_the_manifest_says_whose_they_are(project: Path) -> None:
    assignment, truth = double_read(project)
    hsil = truth.index("HSIL")
    decide(project / "pycyto", CONSENSUS, assignment, {hsil: "ASC-US"})
    decide(project / "pycyto", ADJUDICATION, assignment, {hsil: "HSIL"}, people="C")
    export(project, out=project.parent / "patches", reviewed=True, access=GEOJSON)

    rows = {row.object_id: row for row in read_manifest(project.parent / "patches")}
    assert len(rows) == compared(project).found.consensus.labelled == 33
    decided = rows[assignment.cells[hsil].key.object_id]
    assert (decided.label, decided.label_origin, decided.annotator) == ("HSIL", "adjudicated", "C")
    assert not any(row.helped_by_model for row in rows.values())


def test_cells_that_a_model_picked_are_marked_however_blind_the_readers_were(
    project: Path,
) -> None:
    first = assigned(project)
    run = a_run(project, first, dict(enumerate(truth_of(project, first))), set())
    assignment = assigned(project, cells=8, per_class=True, run=run.name)
    for reader in "AB":
        read_all(project / "pycyto", assignment, reader, truth_of(project, assignment))
    export(project, out=project.parent / "patches", reviewed=True, access=GEOJSON)

    rows = read_manifest(project.parent / "patches")
    assert {row.selected_by for row in rows} == {run.name}
    assert {row.label_origin for row in rows} == {"consensus"}
    assert all(row.helped_by_model for row in rows)
