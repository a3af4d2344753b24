from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, assign
from pycyto.errors import BadInputError, UsageError
from pycyto.qupath.assignments import ADJUDICATION, load_assignment
from pycyto.qupath.project import open_project
from pycyto.qupath.run_tables import NewDetection, Update, write_tables
from pycyto.qupath.runs import ImageState, Run, save
from pycyto.records import RUN_MARK, Silent
from pycyto.steps.assign import AssignResult
from tests.reading import decide, read_all
from tests.tiny_project import TinyCell, TinyImage, build

GEOJSON = Access(backend="geojson")
LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")


class Heard(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """20 NILM, 10 ASC-US, 10 LSIL, 3 HSIL, 1 without a class, 1 that pycyto made."""
    cells = [
        TinyCell(10.0 + number, 50.5, label)
        for number, label in enumerate(
            ["NILM"] * 20 + ["ascus"] * 10 + ["LSIL"] * 10 + ["HSIL"] * 3 + [None]
        )
    ]
    ours = TinyCell(300, 200, "HSIL", kind="detection", measurements={RUN_MARK: 7.0})
    points = TinyCell(100, 100, "LSIL", points=((90.0, 80.0), (95.0, 85.0)))
    return build(
        tmp_path / "project",
        [
            TinyImage("1", "Frau Muster.png", cells),
            TinyImage("2", "b.png", [points, ours], {"Patient": "P1"}),
        ],
    )


def run(project: Path, cells: int, **options: Any) -> AssignResult:
    options = {"readers": ["A", "B"], **options}
    return assign(project, cells=cells, access=GEOJSON, **options)


def test_cells_are_chosen_by_class_and_every_reader_has_an_order(project: Path) -> None:
    heard = Heard()
    made = run(project, 24, per_class=True, repeat=0.1, reporter=heard)

    assert made.by_class == {"NILM": 7, "ASC-US": 7, "LSIL": 7, "HSIL": 3}
    assert "only 3 HSIL" in heard.warnings[0]
    assert "7 NILM, 7 ASC-US, 7 LSIL, 3 HSIL" in heard.warnings[0]
    for order in made.assignment.orders.values():
        assert sorted(Counter(order).values()) == [1] * 22 + [2] * 2
    assert "24 cells, 2 of them shown twice, to A, B." in "\n".join(heard.texts)


def test_the_file_is_as_documented_and_tells_no_label_and_no_name(project: Path) -> None:
    made = run(project, 45, repeat=0)
    text = made.file.read_text("utf-8")
    content = json.loads(text)

    assert made.file == project / "pycyto" / "reads" / f"{made.assignment.name}.json"
    assert load_assignment(made.file, open_project(project)) == made.assignment
    assert list(content) == [
        "schema", "assignment", "kind", "created_at", "project_id", "seed", "scheme", "classes",
        "readers", "repeat", "selected_by", "cells", "orders",
    ]  # fmt: skip
    keys = {"entry_id", "object_id", "point_index", "x", "y", "z", "t", "width", "height"}
    assert all(set(cell) == keys for cell in content["cells"])
    assert content["selected_by"] == "unknown"
    for name in ("Muster", "b.png", "P1", "label"):
        assert name not in text
    points = [cell for cell in content["cells"] if cell["point_index"] is not None]
    assert {(cell["x"], cell["y"], cell["width"]) for cell in points} == {
        (90.0, 80.0, 0.0),
        (95.0, 85.0, 0.0),
    }
    outlined = [cell for cell in content["cells"] if cell["point_index"] is None]
    assert {(cell["width"], cell["height"]) for cell in outlined} == {(30.0, 30.0)}
    # In the order of the project the classes could be read off.
    assert [cell["x"] for cell in outlined] != sorted(cell["x"] for cell in outlined)


def test_the_same_seed_makes_the_same_assignment(project: Path) -> None:
    one, again, other = (run(project, 20, seed=seed).assignment for seed in (1, 1, 2))
    assert (one.cells, one.orders) == (again.cells, again.orders)
    assert one.name != again.name
    assert set(one.cells) != set(other.cells)


def test_too_few_cells_are_refused(project: Path) -> None:
    with pytest.raises(BadInputError, match="46 cells cannot be assigned: there are 45"):
        run(project, 46)
    assert run(project, 46, unclassified=True).by_class["unclassified"] == 1
    with pytest.raises(BadInputError, match="there are 2"):
        run(project, 3, images=["b.png"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"readers": ["A"]}, "two readers"),
        ({"readers": ["A", "a "]}, "not different"),
        ({"readers": ["A", ""]}, "empty"),
        ({"readers": ["A", "Consensus"]}, "together"),
        ({"readers": ["A", "adjudication"]}, "together"),
        ({"readers": ["A", "NUL"]}, "Windows"),
        ({"readers": ["A", "com1"]}, "Windows"),
        ({"readers": ["A", "B+C"]}, "joins"),
        ({"readers": ["A", "B\x1b"]}, "shown"),
        ({"readers": ["A", "ü" * 40]}, "too long"),
        ({"cells": 0}, "0 cells"),
        ({"repeat": 1.5}, "share"),
        ({"repeat": float("nan")}, "share"),
        ({"seed": -1}, "below 0"),
        ({"proficiency": True, "run": "x"}, "label already"),
        ({"unclassified": True, "per_class": True}, "without a class"),
        ({"unclassified": True, "run": "x"}, "without a class"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    project: Path, options: dict[str, Any], word: str
) -> None:
    with pytest.raises(UsageError, match=word):
        run(project, **{"cells": 5, **options})
    assert not (project / "pycyto" / "reads").exists()


def test_images_that_cannot_be_read_are_named_and_nothing_is_assigned(project: Path) -> None:
    (project / "pycyto" / "cells" / "2.geojson").write_text("{", "utf-8")
    with pytest.raises(BadInputError, match=r"b\.png"):
        run(project, 5)
    assert not (project / "pycyto" / "reads").exists()


# --- by predicted class -----------------------------------------------------------------------


def a_run(project: Path) -> Run:
    """A run that calls two annotations HSIL and a detection LSIL; one annotation is gone."""
    probabilities = {"NILM": 0.1, "ASC-US": 0.1, "LSIL": 0.1, "HSIL": 0.7}
    here = TinyCell(10.0, 50.5), TinyCell(11.0, 50.5), TinyCell(999.0, 50.5)
    new = [
        NewDetection("1", f"new-{number}", cell.object_id, None, cell.x, cell.y, 0, 0, 0.0, "HSIL",
                     probabilities)
        for number, cell in enumerate(here)
    ]  # fmt: skip
    points = TinyCell(100, 100, "LSIL", points=((90.0, 80.0), (95.0, 85.0)))
    new.append(
        NewDetection("2", "new-9", points.object_id, 1, 95.0, 85.0, 0, 0, 9.0, "NILM",
                     probabilities)
    )  # fmt: skip
    moved = TinyCell(12.0, 50.5)
    updates = [Update("1", moved.object_id, 12.6, 50.5, "LSIL", probabilities)]
    identity = run(project, 1).assignment.project_id
    folder = project / "pycyto" / "runs" / "2026-01-01_000000_aaaaaa"
    write_tables(folder, LABELS, new=new, updates=updates)
    made = Run(
        folder=folder,
        run_id="aaaaaaaa-0000-4000-8000-000000000000",
        created_at="2026-01-01T00:00:00+00:00",
        project_id=identity,
        state="staged",
        objects="annotations",
        model={"bundle_id": "b", "network": "small", "labels": list(LABELS)},
        scheme="bethesda",
        colours={},
        counts={},
        images={"1": ImageState("staged", "", 3, 1), "2": ImageState("staged", "", 1, 0)},
    )
    save(made)
    return made


def test_cells_of_a_run_are_chosen_by_what_it_called_them(project: Path) -> None:
    made, heard = a_run(project), Heard()
    found = run(project, 3, run=made.name, repeat=0, reporter=heard)

    assert found.by_class == {"NILM": 1, "HSIL": 2}
    assert found.assignment.selected_by == made.name
    ids = {cell.key.object_id for cell in found.assignment.cells}
    assert {TinyCell(10.0, 50.5).object_id, TinyCell(11.0, 50.5).object_id} < ids
    assert {cell.key.point_index for cell in found.assignment.cells} == {None, 1}
    assert "2 cells of the run left out: deleted or moved since." in heard.texts
    with pytest.raises(BadInputError, match="there are 3"):
        run(project, 4, run=made.name)
    with pytest.raises(BadInputError, match="no run 'x'"):
        run(project, 1, run="x")


# --- for readers in training ------------------------------------------------------------------


def test_a_proficiency_set_is_made_of_cells_that_have_a_label(project: Path) -> None:
    first = run(project, 6, repeat=0).assignment
    with pytest.raises(BadInputError, match="label that readers came to"):
        run(project, 1, proficiency=True)
    workspace = project / "pycyto"
    read_all(workspace, first, "A", ["HSIL", "HSIL", "NILM", "NILM", "LSIL", "NILM"])
    read_all(workspace, first, "B", ["HSIL", "NILM", "NILM", "NILM", "LSIL", None])
    decide(workspace, ADJUDICATION, first, {1: "HSIL"}, people="C")

    made = run(project, 4, proficiency=True, readers=["T"], per_class=True)
    assert made.assignment.kind == "proficiency"
    assert made.by_class == {"NILM": 1, "LSIL": 1, "HSIL": 2}
    assert set(made.assignment.cells) <= set(first.cells[:5])
    assert {first.cells[0], first.cells[1], first.cells[4]} <= set(made.assignment.cells)
    with pytest.raises(BadInputError, match="there are 5"):
        run(project, 6, proficiency=True, readers=["T"])
