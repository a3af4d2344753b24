"""What reviewers decided is read line by line, and replayed to what holds for each cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.decisions import Decision, read_decisions, replay
from pycyto.records import CellKey
from tests.reviewing import RUN, START, a_line, write_log

PROJECT_ID = "11111111-2222-3333-4444-555555555555"
CELLS = tuple(CellKey(PROJECT_ID, "1", str(UUID(int=number))) for number in range(3))
CELL = CELLS[0]
LATER = START + timedelta(days=1)
NAMES = ("NILM", "ASC-US", "LSIL", "HSIL")


def a_decision(number: int, action: str = "class", **changes: Any) -> Decision:
    label = changes.pop("label", "HSIL") if action in ("class", "accept") else None
    values: dict[str, Any] = {
        "decision": str(UUID(int=1000 + number)), "at": START + timedelta(seconds=number),
        "reviewer": "Anna", "key": CELL, "run": RUN, "shown": "prediction",
        "predicted": "HSIL", "probabilities": {}, "action": action, "old_class": None,
        "new_class": label, "label": label, "takes_back": None, "seconds": 1.0, "way": "panel",
    }  # fmt: skip
    return Decision(**{**values, **changes})


def taking_back(number: int, of: int) -> Decision:
    return a_decision(number, "take back", takes_back=str(UUID(int=1000 + of)))


def outcome(*decisions: Decision) -> tuple[str, str | None]:
    (verdict,) = replay(decisions).values()
    return verdict.state, verdict.decided.label if verdict.decided else None


def test_a_line_comes_back_with_all_its_members(tmp_path: Path) -> None:
    key = CELL._replace(point_index=2)
    write_log(tmp_path, [a_line(key, old_class="Tumor: é", way="page", shown="nothing")], "Dr. Ä")
    (found,) = read_decisions(tmp_path)
    assert (found.key, found.at) == (key, START)
    assert (found.old_class, found.new_class, found.label) == ("Tumor: é", "HSIL", "HSIL")
    assert (found.shown, found.action, found.way, found.run) == ("nothing", "class", "page", RUN)
    assert found.probabilities == {"NILM": 0.25, "HSIL": 0.75}
    assert (found.reviewer, found.seconds, found.takes_back) == ("Anna", 1.25, None)


def test_without_logs_nothing_was_decided(tmp_path: Path) -> None:
    assert read_decisions(tmp_path) == []
    assert replay([]) == {}


def test_a_last_line_without_its_end_is_none(tmp_path: Path) -> None:
    write_log(tmp_path, [a_line(CELL)], tail=json.dumps(a_line(CELL, 1)))
    assert len(read_decisions(tmp_path)) == 1


def test_reviewers_stand_in_the_order_of_time(tmp_path: Path) -> None:
    write_log(tmp_path, [a_line(CELL, 5, label="LSIL"), a_line(CELL, 9)], "Zoe")
    write_log(tmp_path, [a_line(CELL, 7, label="NILM")], "Anna")
    assert [one.label for one in read_decisions(tmp_path)] == ["LSIL", "NILM", "HSIL"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 2}, "schema 2"),
        ({"decision": "first"}, "no UUID"),
        ({"object_id": 7}, "object_id is 7"),
        ({"at": "yesterday"}, "yesterday"),
        ({"at": "2026-01-31T12:00:00.000"}, "no time zone"),
        ({"point_index": -1}, "point_index is -1"),
        ({"point_index": True}, "point_index is True"),
        ({"run": ""}, "run is ''"),
        ({"shown": "everything"}, "known are: prediction, nothing"),
        ({"action": "delete", "label": None}, "known are: class"),
        ({"way": "mail"}, "known are: panel"),
        ({"label": None}, "its label None"),
        ({"action": "skip", "label": "HSIL"}, "its label 'HSIL'"),
        ({"action": "take back", "label": None}, "takes back None"),
        ({"takes_back": str(UUID(int=1))}, "takes back"),
        ({"probabilities": {"NILM": "high"}}, "'high' where a number"),
        ({"probabilities": []}, "list"),
        ({"seconds": float("nan")}, "nan' where a number"),
    ],
)
def test_a_bad_line_is_named(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = write_log(tmp_path, [a_line(CELL), {**a_line(CELL, 1), **changes}])
    with pytest.raises(BadInputError, match=f"Line 2 .*{reason}") as raised:
        read_decisions(tmp_path)
    assert raised.value.where == str(path)


@pytest.mark.parametrize("member", sorted(a_line(CELL)))
def test_a_line_that_lacks_something_is_named(member: str, tmp_path: Path) -> None:
    line = {key: value for key, value in a_line(CELL).items() if key != member}
    write_log(tmp_path, [line])
    with pytest.raises(BadInputError, match=f"Line 1 .*it has no '{member}'"):
        read_decisions(tmp_path)


# --- replay -----------------------------------------------------------------------------------


def test_the_last_class_that_was_not_taken_back_is_the_label() -> None:
    first, second = a_decision(0, label="LSIL"), a_decision(1, "accept", label="HSIL")
    assert outcome(first, second) == ("decided", "HSIL")
    assert outcome(first, second, taking_back(2, 1)) == ("decided", "LSIL")
    assert outcome(first, second, taking_back(2, 0)) == ("decided", "HSIL")
    assert outcome(first, second, taking_back(2, 1), taking_back(3, 0)) == ("open", None)


def test_flags_and_skips() -> None:
    decided, flag, skip = a_decision(0), a_decision(1, "flag"), a_decision(2, "skip")
    assert outcome(skip) == ("skipped", None)
    assert outcome(flag, skip) == ("flagged", None)
    assert outcome(decided, skip) == ("decided", "HSIL")
    assert outcome(decided, flag) == ("flagged", "HSIL")
    assert outcome(decided, flag, taking_back(3, 1)) == ("decided", "HSIL")
    assert outcome(flag, a_decision(4)) == ("decided", "HSIL")


def test_a_class_that_somebody_gave_outside_the_review_is_noticed() -> None:
    lines = [a_decision(0, old_class="NILM", new_class="LSIL"),
             a_decision(1, old_class="LSIL", new_class="HSIL")]  # fmt: skip
    (verdict,) = replay(lines).values()
    known = [name for name in (None, *NAMES) if verdict.agrees_with(name, LATER)]
    assert known == ["LSIL", "HSIL"]
    # Data that are older than all of it have the class of before the first.
    assert verdict.agrees_with("NILM", START - timedelta(seconds=1))
    assert not verdict.agrees_with("ASC-US", START - timedelta(seconds=1))
    assert not verdict.agrees_with("NILM", START)


@st.composite
def logs(draw: st.DrawFn) -> list[Decision]:
    """Return lines on a few cells by two people, some of which take back an earlier one."""
    lines: list[Decision] = []
    for number in range(draw(st.integers(1, 12))):
        key, reviewer = draw(st.sampled_from(CELLS)), draw(st.sampled_from(["Anna", "Zoe"]))
        earlier = [one for one in lines if one.key == key and one.action != "take back"]
        action = draw(st.sampled_from(["class", "accept", "skip", "flag", "take back"]))
        if action == "take back" and not earlier:
            action = "flag"
        changes: dict[str, Any] = {"key": key, "reviewer": reviewer}
        if action == "take back":
            changes["takes_back"] = draw(st.sampled_from(earlier)).decision
        elif action in ("class", "accept"):
            changes["label"] = draw(st.sampled_from(NAMES))
        lines.append(a_decision(number, action, **changes))
    return lines


def written(tmp_path: Path, lines: Sequence[Decision]) -> None:
    for reviewer in {one.reviewer for one in lines}:
        own = [one for one in lines if one.reviewer == reviewer]
        write_log(
            tmp_path,
            [
                a_line(one.key, action=one.action, label=one.label, takes_back=one.takes_back,
                       decision=one.decision, at=one.at.isoformat(), reviewer=reviewer)
                for one in own
            ],
            reviewer,
        )  # fmt: skip


@given(logs())
def test_what_was_taken_back_might_never_have_been(lines: list[Decision]) -> None:
    gone = {one.takes_back for one in lines} - {None}
    kept = [one for one in lines if one.decision not in gone and one.action != "take back"]
    with_all, without = replay(lines), replay(kept)
    for key, verdict in with_all.items():
        if key in without:
            assert verdict.state == without[key].state
            assert verdict.decided == without[key].decided
        else:
            assert (verdict.state, verdict.decided) == ("open", None)


@given(logs())
def test_cells_do_not_touch_each_other(lines: list[Decision]) -> None:
    by_cell = groupby(sorted(lines, key=lambda one: one.key[2]), key=lambda one: one.key)
    for key, own in by_cell:
        assert replay(list(own))[key] == replay(lines)[key]


@given(logs())
def test_the_last_word_counts(lines: list[Decision]) -> None:
    last = lines[-1]
    verdict = replay(lines)[last.key]
    assert verdict.lines[-1] is last
    if last.label:
        assert (verdict.state, verdict.decided) == ("decided", last)
    if last.action == "flag":
        assert verdict.state == "flagged"
    if verdict.state == "decided":
        assert verdict.decided is not None


@given(logs())
def test_in_how_many_files_the_lines_stand_is_all_one(
    tmp_path_factory: pytest.TempPathFactory, lines: list[Decision]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    written(folder, lines)
    found = replay(read_decisions(folder))
    expected = replay(lines)
    assert found.keys() == expected.keys()
    for key, verdict in found.items():
        assert verdict.state == expected[key].state
        ids = [one.decision for one in verdict.lines]
        assert ids == [one.decision for one in expected[key].lines]
