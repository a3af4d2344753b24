from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pycyto import locks
from pycyto.errors import BadInputError, LockedError, RefusedError
from pycyto.qupath.assignments import CONSENSUS, Assignment
from pycyto.qupath.merging import merge_reads
from pycyto.qupath.project import Project, open_project
from pycyto.qupath.reads import labels_of, reads_by, reads_file
from pycyto.records import SILENT
from tests.reading import (
    a_line,
    an_assignment,
    an_empty_project,
    decide,
    read_all,
    save_assignment,
    write_reads,
)

ORDERS = {"A": [0, 1, 2], "Dr. Ü": [2, 1, 0]}


@pytest.fixture
def assigned() -> Assignment:
    return an_assignment(ORDERS)


@pytest.fixture
def project(tmp_path: Path, assigned: Assignment) -> Project:
    found = open_project(an_empty_project(tmp_path / "here"))
    save_assignment(found.workspace, assigned)
    return found


@pytest.fixture
def elsewhere(tmp_path: Path, project: Project) -> Path:
    """A copy of the project, as a reader takes it to another computer."""
    shutil.copytree(project.folder, tmp_path / "copy")
    return tmp_path / "copy"


def state(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*.jsonl") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_reads_of_several_computers_come_together(
    project: Project, elsewhere: Path, assigned: Assignment
) -> None:
    workspace = elsewhere / "pycyto"
    read_all(workspace, assigned, "A", ["NILM", "LSIL", "HSIL"])
    decide(workspace, CONSENSUS, assigned, {1: "ASC-US"})
    other = read_all(elsewhere / "mail", assigned, "Dr. Ü", ["NILM", "NILM", "HSIL"])
    alone = other.rename(elsewhere / "reads of Ü (1).jsonl")  # as a mail program stores it

    assert merge_reads(project, [elsewhere, alone], SILENT) == 3
    labels = {cell: found.label for cell, found in labels_of(project.workspace, assigned).items()}
    assert labels == {0: "NILM", 1: "ASC-US", 2: "HSIL"}
    assert merge_reads(project, [elsewhere, alone], SILENT) == 0


@pytest.mark.parametrize("part", ["", "pycyto", "pycyto/reads", "pycyto/reads/a"])
def test_every_folder_that_a_reader_might_send_is_understood(
    project: Project, elsewhere: Path, assigned: Assignment, part: str
) -> None:
    read_all(elsewhere / "pycyto", assigned, "A", ["NILM"] * 3)
    assert merge_reads(project, [elsewhere / part], SILENT) == 1
    assert len(reads_by(project.workspace, assigned, "A")) == 3


def test_a_file_grows_and_never_shrinks(
    project: Project, elsewhere: Path, assigned: Assignment
) -> None:
    lines = [a_line(assigned, "A", position) for position in range(3)]
    write_reads(project.workspace, "A", assigned, lines[:1], tail='{"schema"')
    sent = write_reads(elsewhere / "pycyto", "A", assigned, lines, tail='{"sch')
    assert merge_reads(project, [sent], SILENT) == 1
    target = reads_file(project.workspace, "A", assigned.name)
    assert len(reads_by(project.workspace, assigned, "A")) == 3

    before = target.read_bytes()
    assert before.endswith(b"}\n")
    older = write_reads(elsewhere / "pycyto", "A", assigned, lines[:2])
    assert merge_reads(project, [older], SILENT) == 0
    assert target.read_bytes() == before


def test_two_files_with_different_reads_stay_as_they_are(
    project: Project, elsewhere: Path, assigned: Assignment
) -> None:
    read_all(project.workspace, assigned, "A", ["NILM"] * 3)
    read_all(elsewhere / "pycyto", assigned, "A", ["HSIL"] * 3)
    read_all(elsewhere / "pycyto", assigned, "Dr. Ü", ["HSIL"] * 3)
    before = state(project.folder)
    with pytest.raises(RefusedError, match="each reads that the other lacks") as caught:
        merge_reads(project, [elsewhere], SILENT)
    assert "copy" in str(caught.value)
    assert "here" in str(caught.value)
    assert state(project.folder) == before


def test_two_files_that_contradict_each_other_are_not_copied(
    project: Project, tmp_path: Path, assigned: Assignment
) -> None:
    one = read_all(tmp_path / "one", assigned, "A", ["NILM"] * 3)
    other = read_all(tmp_path / "other", assigned, "A", ["HSIL"] * 3)
    with pytest.raises(RefusedError):
        merge_reads(project, [one, other], SILENT)
    assert state(project.folder) == {}


def test_what_does_not_fit_is_named_before_anything_is_copied(
    project: Project, elsewhere: Path, assigned: Assignment
) -> None:
    good = read_all(elsewhere / "pycyto", assigned, "A", ["NILM"] * 3)
    other = an_assignment(ORDERS, name="2026-09-09_bbbbbb")
    foreign = read_all(elsewhere / "x", other, "A", ["NILM"] * 3)
    stranger = write_reads(elsewhere / "y", "C", assigned, [a_line(assigned, "C", 0)])
    (elsewhere / "empty").mkdir()
    lines = [a_line(assigned, "A", 0), a_line(assigned, "A", 1, cell=2)]
    broken = write_reads(elsewhere / "z", "A", assigned, lines)
    for bad, word in (
        (broken, "Line 2"),
        (foreign, "2026-09-09_bbbbbb"),
        (stranger, "'C' is no reader"),
        (elsewhere / "empty", "no reads here"),
        (elsewhere / "nowhere", "no reads here"),
    ):
        with pytest.raises(BadInputError, match=word) as caught:
            merge_reads(project, [good, bad], SILENT)
        assert caught.value.where == str(bad)
    assert state(project.folder) == {}


def test_whoever_is_reading_is_left_alone(
    project: Project, elsewhere: Path, assigned: Assignment
) -> None:
    sent = read_all(elsewhere / "pycyto", assigned, "A", ["NILM"] * 3)
    folder = reads_file(project.workspace, "A", assigned.name).parent
    with locks.locked(folder), pytest.raises(LockedError):
        merge_reads(project, [sent], SILENT)
    assert state(project.folder) == {}


def test_the_projects_own_folder_is_no_news(project: Project, assigned: Assignment) -> None:
    read_all(project.workspace, assigned, "A", ["NILM"] * 3)
    assert merge_reads(project, [project.folder], SILENT) == 0
