"""The gallery in QuPath's own window, with real keys.

Every key is pressed twice: in the window, and in the gallery without one, which
`test_gallery` tests. Both must decide the same.
"""

from __future__ import annotations

import contextlib
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.errors import PycytoError
from pycyto.labels import BETHESDA
from pycyto.qupath import runs
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.headless import run_script
from pycyto.qupath.project import open_project
from pycyto.qupath.run_tables import read_new, read_updates
from tests.gallery_play import LABELS, Answer, Cell, Gallery, Reviewer
from tests.groovy_jar import groovy_command
from tests.qupath_fixtures import ROOT, SCRIPTS
from tests.qupath_window import Window, needs_a_display, qupath_window

pytestmark = [pytest.mark.qupath, needs_a_display]
TITLE = "pycyto: gallery"
STARTER = ROOT / "tests" / "qupath_scripts" / "start_review.groovy"
# By the names of JavaFX and of X.
NAMES = {
    "SPACE": "space",
    "PAGE_DOWN": "Next",
    "PAGE_UP": "Prior",
    "BACK_SPACE": "BackSpace",
    **{key: key.capitalize() for key in ("LEFT", "RIGHT", "UP", "DOWN", "HOME", "END", "TAB")},
    **{f"DIGIT{n}": str(n) for n in range(1, 10)},
}


class Both(Gallery):
    """The gallery in QuPath's window, and beside it the one without a window."""

    def __init__(self, window: Window, folder: Path, state: Path) -> None:
        super().__init__(groovy_command())
        self.window, self.folder, self._state = window, folder, state
        self.decided: list[tuple[str, str, str, str]] = []
        self.seen: Any = None

    def state(self) -> dict[str, Any]:
        """Return what QuPath shows now."""
        content: dict[str, Any] = json.loads(self._state.read_text("utf-8"))
        return content

    def show(self, label: str, state: str = "open") -> Answer:
        """Wait for the page that the window shows by itself."""
        answer = super().show(label, state)
        self._wait_for_pictures(answer)
        return answer

    def press(self, key: str) -> Answer:
        """Press a key in both, and wait until the window has done what the other did."""
        answer = super().press(key)
        self.window.key(NAMES.get(key, key.lower()))
        self.decided += answer.decisions
        if answer.decisions:
            self.window.until(
                lambda: len(decisions(self.folder)) >= len(self.decided), f"{key}: {answer}"
            )
        if key in ("PAGE_DOWN", "PAGE_UP", "TAB"):
            self._wait_for_pictures(answer)
        if answer.cells != self.seen:
            self.seen = answer.cells
            time.sleep(1.0)  # a key that comes sooner than somebody can look is not taken
        return answer

    def _wait_for_pictures(self, answer: Answer) -> None:
        self.window.until(
            lambda: self.state()["pictures"] == len(answer.cells), f"no pictures for {answer}"
        )


@contextlib.contextmanager
def opened(qupath: Path, folder: Path, home: Path, **settings: int) -> Iterator[Both]:
    """Open the gallery with some of its settings."""
    home.mkdir(parents=True, exist_ok=True)
    config, start, state = (home / name for name in ("config.json", "start.json", "state.json"))
    files.write_json(config, {"reviewer": "Anna", **settings})
    script = SCRIPTS / "gallery.groovy"
    files.write_json(start, {"script": str(script), "config": str(config), "state": str(state)})
    with qupath_window(qupath, folder, STARTER, home) as window:
        window.wait_for(TITLE)
        both = Both(window, folder, state)
        try:
            window.focus(TITLE)
            yield both
        finally:
            both.close()


def decisions(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the reviewer's log."""
    file = folder / "pycyto" / "decisions" / "anna.jsonl"
    text = file.read_text("utf-8") if file.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def key_of(line: dict[str, Any]) -> str:
    """Return the cell of a line, as `cells_of` names it."""
    point = line["point_index"]
    return f"{line['entry_id']}/{line['object_id']}/{'' if point is None else point}"


def classes(folder: Path) -> dict[str, str | None]:
    """Return the classes on the disk; refused where the file of cells is not that of the data."""
    project = open_project(folder)
    return {
        item.object_id: item.class_name
        for image in project.images
        for item in GeoJsonBackend(project).read(image.entry_id).objects
    }


def is_saved(folder: Path, before: dict[str, str | None]) -> bool:
    """Return whether the data have other classes, and the files of cells have followed."""
    try:
        return classes(folder) != before
    except PycytoError:
        return False


def cells_of(folder: Path) -> list[Cell]:
    """Return the cells of the project's run; where an expert has a class for one, that is true."""
    run = runs.load(next((folder / "pycyto" / "runs").iterdir()))
    said = classes(folder)
    cells = []
    for entry_id in run.images:
        with (run.folder / "written" / f"{entry_id}.csv").open(encoding="utf-8") as stream:
            written = {row["object_id"] for row in csv.DictReader(stream)}
        for new in read_new(run, entry_id):
            point = "" if new.point_index is None else new.point_index
            if new.object_id in written:
                key = f"{entry_id}/{new.source_id}/{point}"
                cells.append(_cell(entry_id, key, new, said[new.source_id] or ""))
        cells += [
            _cell(entry_id, f"{entry_id}/{update.object_id}/", update, "")
            for update in read_updates(run, entry_id)
            if update.object_id in written
        ]
    return cells


def _cell(entry_id: str, key: str, row: Any, expert: str) -> Cell:
    label = BETHESDA.find(expert)
    return Cell(
        entry_id=entry_id,
        cell_id=key,
        truth=label or row.label,
        predicted=row.label,
        probabilities=tuple(row.probabilities[name] for name in LABELS),
        expert=label or expert,
    )


def test_a_run_is_reviewed_with_few_keys(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    cells = cells_of(reviewable)
    before = classes(reviewable)
    with opened(qupath_installation, reviewable, tmp_path / "home") as both:
        both.start(cells)
        Reviewer(both, cells).review()
        both.window.picture(tmp_path / "done.png")
        both.window.key("alt+F4")
        both.window.until(lambda: TITLE not in both.state()["windows"], "still open")
    lines = decisions(reviewable)
    made = [(key_of(line), line["action"], line["label"], line["way"]) for line in lines]
    assert made == both.decided
    assert {line["shown"] for line in lines} == {"prediction"}
    assert both.keys <= 1.3 * len(cells)
    assert not (reviewable / "pycyto" / "decisions" / "lock.json").exists()
    after = classes(reviewable)
    wanted = {line["object_id"]: line["new_class"] for line in lines}
    assert {k: after[k] for k in wanted} == wanted
    assert {k: v for k, v in after.items() if k not in wanted} == {
        k: v for k, v in before.items() if k not in wanted
    }
    left = run_script(qupath_installation, SCRIPTS / "review.groovy", reviewable).counts
    assert (left["open"], left["decided"], left["applied"]) == (0, len(cells), 0)


def test_a_key_that_came_before_the_page_decides_nothing(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    cells = cells_of(reviewable)
    with opened(qupath_installation, reviewable, tmp_path / "home", columns=4, rows=2) as both:
        both.start(cells, columns=4, rows=2)
        both.show(LABELS[0])
        time.sleep(4.0)  # the next page is read ahead
        both.window.key("Next", "3")
        time.sleep(4.0)
        assert decisions(reviewable) == []
        both.window.key("3")
        both.window.until(lambda: len(decisions(reviewable)) == 1, "not decided")


def test_enter_shows_the_cell_in_the_viewer_and_escape_leads_back(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    cells = cells_of(reviewable)
    with opened(qupath_installation, reviewable, tmp_path / "home", columns=4, rows=2) as both:
        both.start(cells, columns=4, rows=2)
        both.show(LABELS[0])
        chosen = both.press("DIGIT3").chosen
        both.window.key("Return")
        both.window.until(lambda: both.state().get("selected") == chosen.split("/")[1], "not shown")
        both.window.until(lambda: both.state().get("focused") != TITLE, "no focus for the viewer")
        assert TITLE in both.state()["windows"]
        both.window.key("4")  # is for QuPath now
        both.window.key("Escape")
        both.window.until(lambda: both.state().get("focused") == TITLE, "no way back")
        both.press("DIGIT2")
        both.press("BACK_SPACE")
        both.window.until(lambda: len(decisions(reviewable)) == 3, "not decided")
        assert [line["label"] for line in decisions(reviewable)] == ["LSIL", "ASC-US", None]
        both.window.key("alt+F4")
        both.window.until(lambda: TITLE not in both.state()["windows"], "still open")
        both.window.until(lambda: not both.state().get("changed"), "not saved")
        assert not [title for title in both.state()["windows"] if "ave" in title]


def test_a_page_is_taken_back_from_afar(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    """Its slide was saved and closed meanwhile."""
    cells = cells_of(reviewable)
    before = classes(reviewable)
    with opened(qupath_installation, reviewable, tmp_path / "home", columns=4, rows=1) as both:
        both.start(cells, columns=4, rows=1)
        both.show(LABELS[0])
        both.press("DIGIT4")
        both.press("A")
        while (answer := both.press("PAGE_DOWN")).page + 1 < answer.pages:
            pass
        both.window.until(lambda: is_saved(reviewable, before), "not saved when it was left")
        while not (answer := both.press("BACK_SPACE")).message.startswith("Nothing"):
            assert (answer.page, answer.decisions[0][1]) == (0, "take back")
        both.window.key("alt+F4")
        both.window.until(lambda: TITLE not in both.state()["windows"], "still open")
    made = [(key_of(line), line["action"]) for line in decisions(reviewable)]
    assert made == [(cell, action) for cell, action, _, _ in both.decided]
    assert classes(reviewable) == before


def test_killed_after_a_page_nothing_is_lost(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    cells = cells_of(reviewable)
    before = classes(reviewable)
    with opened(qupath_installation, reviewable, tmp_path / "home") as both:
        both.start(cells)
        both.show(LABELS[0])
        both.press("A")
        for _ in range(3):
            both.press("DIGIT4")
        both.window.kill()
    assert classes(reviewable) == before
    lines = decisions(reviewable)
    result = run_script(qupath_installation, SCRIPTS / "review.groovy", reviewable)
    assert result.counts["decided"] == len(lines) == len(both.decided)
    assert classes(reviewable) == {
        **before,
        **{line["object_id"]: line["new_class"] for line in lines},
    }


def test_without_a_window_the_script_says_so(qupath_installation: Path, reviewable: Path) -> None:
    with pytest.raises(Exception, match="needs the window of QuPath"):
        run_script(qupath_installation, SCRIPTS / "gallery.groovy", reviewable)
