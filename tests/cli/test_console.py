"""What the console prints, and where."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from pycyto.cli import console as module
from pycyto.cli.console import Console


def test_counts_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    Console().counts("cells", {"given": 120, "skipped": 7})
    assert capsys.readouterr().out == "cells\n  120  given\n    7  skipped\n"


def test_a_table_has_columns_as_wide_as_their_widest_cell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Console().table(["run", "cells"], [["2026-01-02-abc", 12], ["b", 3]])
    assert capsys.readouterr().out.splitlines() == [
        "run             cells",
        "2026-01-02-abc  12",
        "b               3",
    ]


def test_progress_in_a_log_is_ten_lines_at_most(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with Console().progress("cutting", 60) as advance:
        for _ in range(60):
            advance(1)
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [f"cutting: {done} of 60" for done in range(6, 61, 6)]
    assert captured.out == ""


def test_what_is_done_at_once_leaves_no_line_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress("cutting", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


def test_progress_without_a_total_counts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with Console().progress("cutting", None) as advance:
        advance(5)
    assert capsys.readouterr().err == "cutting: 5\n"


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(quiet=True).progress("cutting", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_and_results_stay_out_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    console = Console()
    with console.progress("cutting [HSIL]", 3) as advance:
        advance(3)
        console.show("result")
    assert "cutting [HSIL]" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert capsys.readouterr().out == "result\n"


def events_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_program_gets_everything_as_events(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(events=True)
    console.say("Präparat\n1")
    console.warn("careful")
    console.tell(run="2026-01-31_120000_1f9c2a")
    console.error("No image.")
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.isascii(), "whatever encoding the pipe has"
    assert events_in(captured.out) == [
        {"event": "said", "text": "Präparat\n1"},
        {"event": "warning", "text": "careful"},
        {"event": "told", "run": "2026-01-31_120000_1f9c2a"},
        {"event": "error", "text": "No image."},
    ]


def test_progress_for_a_program_begins_at_nothing_and_ends_at_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console(events=True).progress("cells", 3) as advance:
        advance(1)
        advance(2)
    told = events_in(capsys.readouterr().out)
    assert [event["done"] for event in told] == [0, 3]
    assert {(event["event"], event["of"], event["total"]) for event in told} == {
        ("progress", "cells", 3)
    }


def test_people_do_not_see_what_programs_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Console().tell(run="2026-01-31_120000_1f9c2a")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_log_can_be_read_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, newline="\n"))
    Console().say("sources/herlev: begins.")
    assert written.getvalue() == b"sources/herlev: begins.\n"
