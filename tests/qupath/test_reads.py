from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.assignments import (
    ADJUDICATION,
    CONSENSUS,
    assignments_of,
    load_assignment,
    pick_assignment,
)
from pycyto.qupath.project import Project, open_project
from pycyto.qupath.reads import (
    Action,
    Read,
    consensus_labels,
    first_reads,
    labels_of,
    reads_by,
    standing,
)
from tests.reading import (
    a_line,
    an_assignment,
    an_empty_project,
    an_id,
    decide,
    read_all,
    save_assignment,
    write_reads,
)

ORDERS = {"A": [0, 1, 2, 3], "B": [3, 2, 1, 0]}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return open_project(an_empty_project(tmp_path / "project"))


# --- assignments ------------------------------------------------------------------------------


def test_an_assignment_is_read_as_it_was_written(project: Project) -> None:
    made = an_assignment({"A": [1, 0, 1], "Dr. Ü": [0, 1, 0]})
    path = save_assignment(project.workspace, made)

    assert load_assignment(path, project) == made
    assert made.showings("A") == {1: [0, 2], 0: [1]}


def test_the_newest_assignment_is_taken_unless_one_is_named(project: Project) -> None:
    names = ("2026-03-01_aaaaaa", "2026-01-01_bbbbbb")
    for name in names:
        made = an_assignment(ORDERS, name=name, created_at=f"{name[:10]}T00:00:00+00:00")
        save_assignment(project.workspace, made)

    assert pick_assignment(project, None).name == names[0]
    assert pick_assignment(project, names[1]).name == names[1]
    with pytest.raises(BadInputError, match="no assignment '2026-02-02_cccccc'") as caught:
        pick_assignment(project, "2026-02-02_cccccc")
    assert names[1] in str(caught.value)


def test_a_project_without_assignments_says_how_to_make_one(project: Project) -> None:
    with pytest.raises(BadInputError, match="No cells were assigned") as caught:
        pick_assignment(project, None)
    assert "pycyto assign" in str(caught.value)


def test_the_assignment_of_another_project_is_refused(project: Project) -> None:
    save_assignment(project.workspace, an_assignment(ORDERS, project_id="another"))
    with pytest.raises(BadInputError, match="another project"):
        assignments_of(project)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"kind": "triple read"},
        {"classes": ["NILM", "HSIL"]},
        {"readers": ["A"]},
        {"readers": ["A", "a"], "orders": {"A": [0, 1, 2, 3], "a": [0, 1, 2, 3]}},
        {"orders": {"A": [0, 1, 2, 3], "B": [0, 1, 2]}},
        {"orders": {"A": [0, 1, 2, 3], "B": [0, 1, 2, 3, 4]}},
        {"orders": {"A": [0, 1, 2, 3], "B": [0, 1, 2, 3, 3, 3]}},
        {"orders": {"A": [0, 1, 2, 3], "B": [0, 1, 2, 3.0]}},
        {"cells": [{"entry_id": "../1"}]},
        {"cells": [{"entry_id": "1", "object_id": "Erika", "point_index": None}]},
        {"cells": None},
        {"assignment": "2026-01-31_000000"},
    ],
)
def test_what_is_no_assignment_is_refused(project: Project, change: dict[str, Any]) -> None:
    path = save_assignment(project.workspace, an_assignment(ORDERS))
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(BadInputError) as caught:
        assignments_of(project)
    assert caught.value.where == str(path)


# --- reads ------------------------------------------------------------------------------------


def test_of_several_lines_for_a_position_the_last_counts(project: Project) -> None:
    assigned = an_assignment(ORDERS)
    lines = [
        a_line(assigned, "A", 0, label="NILM"),
        a_line(assigned, "A", 1, label="HSIL"),
        a_line(assigned, "A", 0, label="LSIL"),
        a_line(assigned, "A", 1, action="take back", label=None),
        a_line(assigned, "A", 2, action="flag", label=None),
    ]
    write_reads(project.workspace, "A", assigned, lines, tail='{"schema": 1, "assig')

    found = reads_by(project.workspace, assigned, "A")
    assert {position: read.label for position, read in found.items()} == {0: "LSIL", 2: None}


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["class", "skip", "flag", "take back"])))
)
def test_what_stands_is_what_the_last_line_of_each_position_says(
    lines: list[tuple[int, Action]],
) -> None:
    reads = [
        Read("a", "A", f"{number}", position, position, action, None, 1.0)
        for number, (position, action) in enumerate(lines)
    ]
    last = {read.position: read for read in reads}
    expected = {at: read for at, read in last.items() if read.action != "take back"}
    assert standing(reads) == expected
    assert standing(standing(reads).values()) == expected


def test_the_first_read_is_that_of_the_first_showing(project: Project) -> None:
    assigned = an_assignment({"A": [0, 1, 0], "B": [1, 0, 1]})
    lines = [
        a_line(assigned, "A", 2, label="HSIL"),
        a_line(assigned, "A", 0, label="NILM"),
    ]
    write_reads(project.workspace, "A", assigned, lines)

    found = first_reads(project.workspace, assigned, "A")
    assert {cell: read.label for cell, read in found.items()} == {0: "NILM"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"assignment": "2026-05-05_abcdef"}, "2026-05-05_abcdef"),
        ({"reader": "C"}, "'C'"),
        ({"position": 4}, "position 4"),
        ({"position": -1}, "position -1"),
        ({"position": True}, "position True"),
        ({"cell": 3}, "cell 3"),
        ({"cell": 99}, "cell 99"),
        ({"action": "accept"}, "accept"),
        ({"label": "SCC"}, "SCC"),
        ({"label": None}, "None"),
        ({"action": "skip"}, "skip"),
        ({"at": "yesterday"}, "yesterday"),
        ({"at": "2026-01-01T00:00:00"}, "zone"),
        ({"seconds": "many"}, "many"),
        ({"schema": 7}, "schema"),
    ],
)
def test_a_line_that_does_not_fit_is_named(
    project: Project, change: dict[str, Any], word: str
) -> None:
    assigned = an_assignment(ORDERS)
    lines = [a_line(assigned, "A", 1), {**a_line(assigned, "A", 0), **change}]
    path = write_reads(project.workspace, "A", assigned, lines)
    with pytest.raises(BadInputError) as caught:
        reads_by(project.workspace, assigned, "A")
    assert caught.value.where == str(path)
    assert word in str(caught.value)


# --- the label of a cell ----------------------------------------------------------------------


def test_a_cell_gets_the_label_that_its_readers_came_to(project: Project) -> None:
    """Cell 0: all agree; 1: consensus; 2: adjudication over consensus; 3: left open."""
    assigned = an_assignment(ORDERS)
    save_assignment(project.workspace, assigned)
    read_all(project.workspace, assigned, "A", ["NILM", "NILM", "LSIL", "HSIL"])
    read_all(project.workspace, assigned, "B", ["NILM", "LSIL", "HSIL", None])
    decide(project.workspace, CONSENSUS, assigned, {1: "ASC-US", 2: "LSIL", 3: None})
    decide(project.workspace, ADJUDICATION, assigned, {2: "HSIL"}, people="C")

    found = consensus_labels(project)
    keys = [cell.key for cell in assigned.cells]
    assert {key.object_id: label.label for key, label in found.items()} == {
        an_id(0): "NILM", an_id(1): "ASC-US", an_id(2): "HSIL",
    }  # fmt: skip
    origins = {key.object_id: (label.origin, label.annotator) for key, label in found.items()}
    assert origins == {
        an_id(0): ("consensus", "A + B"),
        an_id(1): ("consensus", "A + B"),
        an_id(2): ("adjudicated", "C"),
    }
    # B read cell 0 last of all.
    assert found[keys[0]].decided_at == "2026-02-01T10:00:03.000Z"


def test_what_one_reader_has_not_read_has_no_label(project: Project) -> None:
    assigned = an_assignment(ORDERS)
    read_all(project.workspace, assigned, "A", ["NILM"] * 4)
    assert labels_of(project.workspace, assigned) == {}
    read_all(project.workspace, an_assignment({"A": [0]}), "A", ["NILM"])
    assert labels_of(project.workspace, an_assignment({"A": [0]})) == {}


def test_trainees_make_no_labels(project: Project) -> None:
    assigned = an_assignment(ORDERS, kind="proficiency")
    save_assignment(project.workspace, assigned)
    for reader in "AB":
        read_all(project.workspace, assigned, reader, ["NILM"] * 4)
    assert consensus_labels(project) == {}


@pytest.mark.parametrize("adjudicated_first", [True, False])
def test_of_two_assignments_the_adjudicated_label_goes_first(
    project: Project, adjudicated_first: bool
) -> None:
    names = ["2026-01-01_aaaaaa", "2026-02-02_bbbbbb"]
    first, second = (an_assignment({"A": [0], "B": [0]}, name=name) for name in names)
    for assigned, label in ((first, "NILM"), (second, "LSIL")):
        save_assignment(project.workspace, assigned)
        for reader in "AB":
            read_all(project.workspace, assigned, reader, [label])
    chosen = first if adjudicated_first else second
    decide(project.workspace, ADJUDICATION, chosen, {0: "HSIL"}, people="C")

    (found,) = consensus_labels(project).values()
    assert (found.label, found.origin) == ("HSIL", "adjudicated")


def test_of_two_consensus_labels_the_later_one_holds(project: Project) -> None:
    old, new = "2026-01-01T00:00:00+00:00", "2026-06-06T00:00:00+02:00"
    for name, at, label in (
        ("2026-01-01_aaaaaa", new, "HSIL"),
        ("2026-02-02_bbbbbb", old, "NILM"),
    ):
        assigned = an_assignment({"A": [0], "B": [0]}, name=name)
        save_assignment(project.workspace, assigned)
        decide(project.workspace, CONSENSUS, assigned, {0: label}, at=at)

    (found,) = consensus_labels(project).values()
    assert (found.label, found.decided_at) == ("HSIL", new)


def test_a_cell_that_nobody_could_call_has_no_label(project: Project) -> None:
    assigned = an_assignment({"A": [0], "B": [0]})
    for reader in "AB":
        read_all(project.workspace, assigned, reader, [None])
    assert labels_of(project.workspace, assigned) == {}
