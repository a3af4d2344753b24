"""What read_cells.groovy decides, in QuPath's own Java: what comes next, what is said and left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError, RefusedError
from pycyto.labels import BETHESDA
from pycyto.qupath import _java
from pycyto.qupath.assignments import ADJUDICATION, CONSENSUS
from pycyto.qupath.locate import Installation
from pycyto.qupath.reads import labels_of, reads_by
from tests.assigned_project import AssignedProject, assigned

CELLS = 8
WORDS = st.sampled_from([*BETHESDA.names, "skip", "flag"])
same_project = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Groovy:
    """The classes of the script, and one project opened by them."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        self.folder = folder
        self.library = _java.library(installation)
        self.java = _java.open_project(installation, folder / "project.qpproj")

    def assignment(self, name: str = "") -> Any:
        with _java.refusals(self.folder):
            return self.library.PycytoAssignment.chosen(self.java, name)

    def task(self, mode: str = "reading", who: str = "A", *, told: bool = False) -> Any:
        with _java.refusals(self.folder):
            return self.library.PycytoReadingTask.of(self.assignment(), mode, who, told)

    def sitting(self, mode: str = "reading", who: str = "A") -> Any:
        task = self.task(mode, who)
        return self.library.PycytoReading(task.getReads(), task.getPositions())


@pytest.fixture
def double_read(tmp_path: Path) -> AssignedProject:
    return assigned(tmp_path / "Prüfung 1", cells=CELLS, repeat=0.25)


@pytest.fixture
def groovy(double_read: AssignedProject, installation: Installation) -> Groovy:
    return Groovy(double_read.folder, installation)


def python_reads(project: AssignedProject, who: str) -> dict[int, tuple[str, str | None]]:
    found = reads_by(project.folder / "pycyto", project.assignment, who)
    return {position: (read.action, read.label) for position, read in found.items()}


def test_an_answer_is_a_line_that_python_reads(
    groovy: Groovy, double_read: AssignedProject
) -> None:
    sitting = groovy.sitting()
    sitting.say("class", "HSIL", 3.2004)
    [line] = double_read.lines("A")
    first = double_read.assignment.orders["A"][0]
    assert line.pop("at")
    assert line == {
        "schema": 1,
        "assignment": double_read.assignment.name,
        "reader": "A",
        "position": 0,
        "cell": first,
        "action": "class",
        "label": "HSIL",
        "seconds": 3.2,
    }
    assert python_reads(double_read, "A") == {0: ("class", "HSIL")}


@given(answers=st.lists(st.one_of(WORDS, st.sampled_from(["back", "tomorrow", "no image"]))))
@same_project
def test_sittings_go_on_where_they_were(
    groovy: Groovy, double_read: AssignedProject, answers: Sequence[str]
) -> None:
    """Against a dictionary: what was said of each position, the last one last."""
    double_read.file("A").unlink(missing_ok=True)
    size = len(double_read.assignment.orders["A"])
    said: dict[int, tuple[str, str | None]] = {}
    missing: set[int] = set()
    sitting, shown = groovy.sitting(), 0
    for answer in answers:
        if answer == "back":
            assert sitting.takeBack(0.5) == bool(said)
            shown = said.popitem()[0] if said else shown
            assert sitting.getPosition() == (shown if shown < size else None)
            continue
        if answer == "tomorrow":
            sitting, missing = groovy.sitting(), set()
        elif shown == size:
            continue
        elif answer == "no image":
            missing.add(shown)
            sitting.leaveUnread()
        else:
            label = answer if answer in BETHESDA.names else None
            said[shown] = ("class" if label else answer, label)
            sitting.say(*said[shown], 1.0)
            sitting.goOn()
        shown = next((n for n in range(size) if n not in said and n not in missing), size)
        assert sitting.getPosition() == (shown if shown < size else None)
        assert sitting.getCount() == len(said)
    assert python_reads(double_read, "A") == said


@given(data=st.data())
@same_project
def test_labels_and_disagreements_are_those_of_python(
    groovy: Groovy, double_read: AssignedProject, data: st.DataObject
) -> None:
    size = len(double_read.assignment.orders["A"])
    for reader in ("A", "B"):
        # Two words only, so that readers agree now and then.
        word = st.sampled_from(["HSIL", "HSIL", "NILM", "skip", None])
        double_read.say(reader, data.draw(st.lists(word, min_size=size, max_size=size)))
    for folder in (CONSENSUS, ADJUDICATION):
        word = st.sampled_from(["LSIL", "flag", "skip", None])
        double_read.say(folder, data.draw(st.lists(word, min_size=CELLS, max_size=CELLS)))
    expected = labels_of(double_read.folder / "pycyto", double_read.assignment)
    consensus = groovy.library.PycytoConsensus(groovy.assignment())
    labels = {n: consensus.labelOf(n) for n in range(CELLS)}
    assert {n: str(label.getWord()) for n, label in labels.items() if label is not None} == {
        n: label.label for n, label in expected.items()
    }
    assert [int(n) for n in consensus.getDisagreements()] == _disagreements(double_read)


def _disagreements(project: AssignedProject) -> list[int]:
    """Return cells that everybody has read as often as they were to, and not as one class."""
    reads = {who: python_reads(project, who) for who in project.assignment.readers}
    showings = {who: project.assignment.showings(who) for who in reads}
    found = []
    for cell in range(CELLS):
        if all(at in reads[who] for who in reads for at in showings[who][cell]):
            said = {reads[who][showings[who][cell][0]] for who in reads}
            if len(said) > 1 or said.pop()[0] != "class":
                found.append(cell)
    return found


def fully_read(project: AssignedProject) -> None:
    """A and B agree on all cells but two: HSIL or LSIL, and one that B flags."""
    for reader, first, second in (("A", "HSIL", "NILM"), ("B", "LSIL", "flag")):
        words = {0: first, 1: second}
        order = project.assignment.orders[reader]
        project.say(reader, [words.get(cell, "NILM") for cell in order])


def test_what_is_due(groovy: Groovy, double_read: AssignedProject) -> None:
    due = groovy.library.PycytoReadingTask.due
    assert due(groovy.assignment()) == "reading"
    fully_read(double_read)
    assert due(groovy.assignment()) == "consensus"
    double_read.say(CONSENSUS, ["flag", "ASC-US"])
    assert due(groovy.assignment()) == "adjudication"
    double_read.say(ADJUDICATION, ["HSIL"])
    assert due(groovy.assignment()) == "reading"


def test_consensus_hears_what_was_said_but_not_by_whom(
    groovy: Groovy, double_read: AssignedProject
) -> None:
    fully_read(double_read)
    task = groovy.task("consensus", "A + B")
    assert [int(n) for n in task.getPositions()] == [0, 1]
    # In order of severity, whoever said it; what is no class comes last.
    assert [str(word) for word in task.said(0)] == ["LSIL", "HSIL"]
    assert [str(word) for word in task.said(1)] == ["NILM", "flag"]
    sitting = groovy.library.PycytoReading(task.getReads(), task.getPositions())
    sitting.say("class", "HSIL", 1.0)
    sitting.goOn()
    sitting.say("flag", None, 1.0)
    sitting.goOn()
    assert sitting.getPosition() is None
    lines = double_read.lines(CONSENSUS)
    assert [(line["reader"], line["position"], line["cell"]) for line in lines] == [
        ("A + B", 0, 0),
        ("A + B", 1, 1),
    ]
    third = groovy.task("adjudication", "C")
    assert [int(n) for n in third.getPositions()] == [1]
    assert not third.said(1)
    assert "left open for a third reader" in task.summary()[1]


def test_readers_see_nothing_of_each_other(groovy: Groovy, double_read: AssignedProject) -> None:
    fully_read(double_read)
    task = groovy.task("reading", "A")
    assert not any(task.said(n) or task.answer(n) for n in range(CELLS))


def test_the_last_page_says_which_file_to_send(groovy: Groovy) -> None:
    text = str(groovy.task().sending())
    assert "send this one file to the person who gave it to you, to be put into" in text
    assert text.endswith(
        "the folder pycyto/reads/a of the original. Nothing else of the copy is needed."
    )


def test_training_readers_are_told_the_score_at_the_end(
    double_read: AssignedProject, installation: Installation
) -> None:
    fully_read(double_read)
    double_read.say(CONSENSUS, ["HSIL", "HSIL"])
    training = assigned(
        double_read.folder, cells=CELLS, readers=("T",), repeat=0.0, proficiency=True
    )
    groovy = Groovy(training.folder, installation)
    truth = labels_of(double_read.folder / "pycyto", double_read.assignment)
    by_key = {double_read.assignment.cells[n].key: label.label for n, label in truth.items()}
    words = [by_key[training.assignment.cells[n].key] for n in training.assignment.orders["T"]]
    with pytest.raises(RefusedError, match="is for training, and is read only"):
        groovy.task("consensus", "T")
    task = groovy.task(who="T")
    assert not task.getIsTold()
    assert groovy.task(who="T", told=True).getIsTold()
    assert [str(task.answer(n)) for n in range(CELLS)] == words
    training.say("T", ["LSIL" if word == "HSIL" else word for word in words])
    first, *score = (str(line) for line in groovy.task(who="T").summary())
    assert first == f"{CELLS} of {CELLS} cells are read."
    assert score == [
        f"The consensus says the same of {CELLS - 2} of {CELLS}.",
        "HSIL called something else: 2 of 2.",
    ]
    double_read.file("A").unlink()  # as in a copy for a trainee
    double_read.file(CONSENSUS).unlink()
    score = [str(line) for line in groovy.task(who="T", told=True).summary()]
    assert "pycyto agreement" in score[1]


def test_a_line_that_was_never_finished_is_cut_off(
    groovy: Groovy, double_read: AssignedProject
) -> None:
    double_read.say("A", ["HSIL", "NILM"])
    with double_read.file("A").open("ab") as file:
        file.write(b'{"schema": 1, "assign')
    sitting = groovy.sitting()
    assert sitting.getPosition() == 2
    sitting.say("class", "LSIL", 1.0)
    assert python_reads(double_read, "A") == {
        0: ("class", "HSIL"),
        1: ("class", "NILM"),
        2: ("class", "LSIL"),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assignment": "2026-02-02_aaaaaa"}, "belongs to the assignment 2026-02-02_aaaaaa"),
        ({"reader": "B"}, "is by B"),
        ({"cell": 99}, "not at this place"),
        ({"position": 99}, "not at this place"),
        ({"position": None}, "not at this place"),
        ({"label": "CIN 3"}, "cannot be said"),
        ({"action": "skip"}, "cannot be said"),
        ({"schema": 2}, "another version of pycyto"),
    ],
)
def test_a_file_that_does_not_belong_here_is_refused(
    groovy: Groovy, double_read: AssignedProject, change: dict[str, Any], message: str
) -> None:
    double_read.say("A", ["HSIL"])
    [line] = double_read.lines("A")
    before = json.dumps(line) + "\n" + json.dumps({**line, **change}) + "\n"
    double_read.file("A").write_text(before, "utf-8")
    with pytest.raises(BadInputError, match=f"Line 2 of .*{message}"):
        groovy.task()
    assert double_read.file("A").read_text("utf-8") == before


def test_who_may_not_read(groovy: Groovy, double_read: AssignedProject) -> None:
    with pytest.raises(BadInputError, match=r"'C' is no reader of .*Its readers are: A, B"):
        groovy.task("reading", "C")
    with pytest.raises(RefusedError, match="Say who sits at the screen"):
        groovy.task("consensus", " ")
    with pytest.raises(RefusedError, match="a has read these cells already"):
        groovy.task("adjudication", "a")


def test_which_assignment(groovy: Groovy, double_read: AssignedProject) -> None:
    with pytest.raises(BadInputError, match="There is no assignment 'x' in this project"):
        groovy.assignment("x")
    path = double_read.reads / f"{double_read.assignment.name}.json"
    content = json.loads(path.read_text("utf-8"))
    other = double_read.reads / "2026-01-01_abcdef.json"
    content |= {"assignment": other.stem, "created_at": "2020-01-01T00:00:00Z"}
    other.write_text(json.dumps(content), "utf-8")
    assert groovy.assignment().getName() == double_read.assignment.name
    assert groovy.assignment(other.stem).getName() == other.stem
    path.unlink()
    other.write_text(json.dumps(content | {"orders": {"A": [0]}}), "utf-8")
    with pytest.raises(BadInputError, match="is not whole"):
        groovy.assignment()
    other.write_text(json.dumps(content | {"project_id": "another"}), "utf-8")
    with pytest.raises(BadInputError, match="was made for another project"):
        groovy.assignment()
    other.unlink()
    with pytest.raises(BadInputError, match="Nothing is assigned"):
        groovy.assignment()


# --- what the canvas shows ------------------------------------------------------------------------

SIZES = st.floats(50, 3000)
IMAGE = (4096.0, 3072.0)
LARGE = (4000.0, 3000.0)  # a canvas that holds every cell


@given(
    x=st.floats(0, IMAGE[0]),
    y=st.floats(0, IMAGE[1]),
    downsample=st.floats(0.05, 8),
    width=SIZES,
    height=SIZES,
    factor=st.floats(0.2, 5),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@settings(max_examples=100, deadline=None)
def test_a_frame_shows_what_it_says(
    installation: Installation,
    x: float,
    y: float,
    downsample: float,
    width: float,
    height: float,
    factor: float,
    at: tuple[float, float],
) -> None:
    frame = _java.library(installation).PycytoFrame(x, y, downsample, width, height)
    screen_x, screen_y = at[0] * width, at[1] * height
    assert frame.screenX(frame.imageX(screen_x)) == pytest.approx(screen_x, abs=1e-6)
    left, top, wide, high = frame.region(int(IMAGE[0]), int(IMAGE[1]))
    assert 0 <= left <= max(frame.imageX(0), 0)
    assert 0 <= top <= max(frame.imageY(0), 0)
    assert min(frame.imageX(width), IMAGE[0]) <= left + wide <= IMAGE[0]
    assert min(frame.imageY(height), IMAGE[1]) <= top + high <= IMAGE[1]
    larger = frame.magnified(factor, screen_x, screen_y, *IMAGE)
    if 0 < larger.getX() < IMAGE[0] and 0 < larger.getY() < IMAGE[1]:
        # What is under the pointer stays there.
        assert larger.imageX(screen_x) == pytest.approx(frame.imageX(screen_x), abs=1e-6)
        assert larger.imageY(screen_y) == pytest.approx(frame.imageY(screen_y), abs=1e-6)


def test_cells_come_up_at_one_magnification(
    groovy: Groovy, double_read: AssignedProject, installation: Installation
) -> None:
    around = _java.library(installation).PycytoFrame.around
    cells = groovy.assignment().getCells()
    shown = {around(cell, 0.125, 0.25, *LARGE).getDownsample() for cell in cells}
    assert shown == {0.5}
    # A pixel of the screen is the same length in every image, ...
    assert around(cells[0], 0.125, 0.5, *LARGE).getDownsample() == 0.25
    # ... and where nobody knows the pixels' size, they are taken for the usual ones.
    assert around(cells[0], 0.125, float("nan"), *LARGE).getDownsample() == 0.5
    small = around(cells[0], 0.125, 0.25, 60.0, 60.0)
    assert cells[0].getWidth() / small.getDownsample() <= 0.9 * 60 + 1e-9
