"""The review panel in QuPath's own window, with real keys; and its script without a window."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.headless import ScriptResult, run_script
from pycyto.qupath.project import open_project
from tests.qupath_fixtures import ROOT, SCRIPTS
from tests.qupath_window import Window, needs_a_display, qupath_window

pytestmark = [pytest.mark.qupath, needs_a_display]
PANEL = "pycyto: review"
STARTER = ROOT / "tests" / "qupath_scripts" / "start_review.groovy"


@dataclass(frozen=True)
class Panel:
    """The panel as it is open, and what it leaves on the disk."""

    window: Window
    folder: Path
    state_file: Path

    def state(self) -> dict[str, Any]:
        """Return what the viewer shows now; nothing while QuPath is still starting."""
        if not self.state_file.exists():
            return {}
        content: dict[str, Any] = json.loads(self.state_file.read_text("utf-8"))
        return content

    def lines(self) -> list[dict[str, Any]]:
        """Return what is in the reviewer's log."""
        file = self.folder / "pycyto" / "decisions" / "anna.jsonl"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()]

    def press(self, *keys: str) -> list[dict[str, Any]]:
        """Press keys that decide, as one who looks does; return the log with a line for each."""
        for key in keys:
            before = self.count()
            self._press(key, before)
            self.window.until(partial(self._has_more_than, before), "no line in the log")
        return self.lines()

    def _press(self, key: str, before: int) -> None:
        """Press a key; what came before the cell could be seen is not taken, and pressed again."""
        for _ in range(20):
            time.sleep(0.5)
            self.window.key(key)
            if self.window.soon(partial(self._has_more_than, before)):
                return

    def _has_more_than(self, lines: int) -> bool:
        return self.count() > lines

    def close(self) -> None:
        """Close the panel as its own button does, and wait until all is saved."""
        self.window.focus(PANEL)
        self.window.key("alt+F4")
        self.window.until(lambda: PANEL not in self.state()["windows"], "still open")
        self.window.until(lambda: not self.state()["changed"], "not saved")

    def count(self) -> int:
        """Return how many lines the log has."""
        return len(self.lines()) if (self.folder / "pycyto/decisions/anna.jsonl").exists() else 0


@contextlib.contextmanager
def review_panel(
    qupath: Path, folder: Path, home: Path, *, editor: bool = False
) -> Iterator[Panel]:
    """Open the panel, perhaps from QuPath's script editor, and wait until it shows a cell."""
    home.mkdir(parents=True, exist_ok=True)
    config, start, state = (home / name for name in ("config.json", "start.json", "state.json"))
    files.write_json(config, {"reviewer": "Anna", "save_after": 4})
    script = SCRIPTS / "review.groovy"
    where = {"script": str(script), "config": str(config), "state": str(state)}
    files.write_json(start, {**where, "editor": editor})
    with qupath_window(qupath, folder, STARTER, home) as window:
        panel = Panel(window, folder, state)
        window.wait_for(PANEL)
        window.until(lambda: panel.state().get("selected"), "no cell is shown")
        window.focus(PANEL)
        yield panel


def headless(qupath: Path, folder: Path) -> ScriptResult:
    """Run the script without a window."""
    return run_script(qupath, SCRIPTS / "review.groovy", folder)


def classes(folder: Path) -> dict[str, str | None]:
    """Return the classes on the disk; refused where the file of cells is not that of the data."""
    opened = open_project(folder)
    return {
        item.object_id: item.class_name
        for image in opened.images
        for item in GeoJsonBackend(opened).read(image.entry_id).objects
    }


def test_keys_decide_and_what_was_decided_is_saved(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    before = classes(reviewable)
    with review_panel(qupath_installation, reviewable, tmp_path / "home") as panel:
        first = panel.state()
        [line] = panel.press("2")
        assert (line["object_id"], line["label"]) == (first["selected"], "ASC-US")
        assert (line["shown"], line["way"], line["reviewer"]) == ("prediction", "panel", "Anna")
        assert 0.5 <= first["downsample"] <= 1
        panel.window.until(
            lambda: panel.state()["selected"] != first["selected"], "the cell is still shown"
        )
        assert panel.state()["focused"] == PANEL

        lines = panel.press("Return", "s", "f")
        assert [line["action"] for line in lines] == ["class", "accept", "skip", "flag"]
        assert lines[1]["label"] == lines[1]["predicted"]
        lines = panel.press("u", "BackSpace")
        assert [line["takes_back"] for line in lines[4:]] == [
            lines[3]["decision"],
            lines[2]["decision"],
        ]
        panel.window.until(lambda: not panel.state()["changed"], "no autosave")

        time.sleep(2.0)
        panel.window.key("2", "2", "2")  # the others were meant for the cell that was there before
        time.sleep(4.0)
        assert panel.count() == len(lines) + 1

        panel.window.key("h")
        panel.window.until(lambda: not panel.state()["detections"], "predictions are shown")
        panel.window.key("Right")
        panel.window.key("Return")  # nobody accepts what is hidden
        lines = panel.press("3")
        assert (lines[-1]["shown"], lines[-1]["label"]) == ("nothing", "LSIL")
        panel.window.key("h")
        panel.window.until(lambda: panel.state()["detections"], "predictions are hidden")

        panel.window.focus("QuPath")
        panel.window.key("1", "1", "s")
        for name in ("review", "undo_predictions"):
            with pytest.raises(BadInputError, match="Another pycyto is at work"):
                run_script(qupath_installation, SCRIPTS / f"{name}.groovy", reviewable)
        panel.close()
        assert len(panel.lines()) == len(lines)
    after = classes(reviewable)
    final = {line["object_id"]: line["new_class"] for line in lines}
    assert {k: after[k] for k in final} == final
    assert {k: v for k, v in after.items() if k not in final} == {
        k: v for k, v in before.items() if k not in final
    }
    assert not (reviewable / "pycyto" / "decisions" / "lock.json").exists()


def test_nothing_lies_over_the_cells_and_hidden_predictions_are_nowhere(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    older = begin_a_review_of_an_older_run(reviewable)
    home = tmp_path / "home"
    with review_panel(qupath_installation, reviewable, home, editor=True) as panel:
        [told] = [text for text in panel.state()["said"] if "was begun" in text]
        assert f"A review of the run {older} was begun (1 of " in told
        assert not [title for title in panel.state()["windows"] if "Script" in title]
        assert panel.state()["small"] == []
        assert panel.state()["panes"]
        panel.window.key("h")
        panel.window.until(lambda: not panel.state()["panes"], "the panes tell of predictions")
        panel.window.key("h")
        panel.window.until(lambda: panel.state()["panes"], "the panes are gone")
        panel.close()
        panel.window.until(
            lambda: "Script Editor" in panel.state()["windows"], "the editor does not come back"
        )


def begin_a_review_of_an_older_run(folder: Path) -> str:
    """Make a run that is older than that of the project, with a cell decided; return its name."""
    run = next((folder / "pycyto" / "runs").iterdir())
    older = run.with_name("2020-01-01_older")
    shutil.copytree(run, older)
    content = files.read_json(run / "run.json")
    files.write_json(older / "run.json", {**content, "created_at": "2020-01-01T00:00:00Z"})
    line = {
        "schema": 1, "decision": "d1", "at": "2020-01-02T00:00:00Z", "reviewer": "Berta",
        "project_id": open_project(folder).project_id, "entry_id": "1",
        "object_id": str(uuid.uuid4()), "point_index": None, "run": older.name,
        "action": "class", "label": "HSIL",
    }  # fmt: skip
    log = folder / "pycyto" / "decisions" / "berta.jsonl"
    log.parent.mkdir()
    log.write_text(json.dumps(line) + "\n", "utf-8")
    return older.name


def test_every_slide_is_gone_through_and_saved(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    """A thousand cells in a sitting: some hundred here, over all images, with no question asked."""
    with review_panel(qupath_installation, reviewable, tmp_path / "home") as panel:
        seen = {panel.state()["entry_id"]}
        titles: set[str] = set()
        left = headless_left(reviewable)
        for _ in range(left):
            panel.press("Return")
            seen.add(panel.state()["entry_id"])
            titles.update(panel.state()["windows"])
        last = panel.lines()[-1]["entry_id"]
        panel.window.until(lambda: panel.state()["entry_id"] == last, f"image {last} is not shown")
        seen.add(last)
        assert len(seen) == len(open_project(reviewable).images)
        assert not [title for title in titles if "ave" in title], titles
        panel.window.picture(tmp_path / "done.png")
        panel.close()
    result = headless(qupath_installation, reviewable)
    assert (result.counts["decided"], result.counts["open"], result.counts["applied"]) == (
        left,
        0,
        0,
    )


def headless_left(folder: Path) -> int:
    run = next((folder / "pycyto" / "runs").glob("*/run.json"))
    images = files.read_json(run)["images"]
    return sum(image.get("read_back") or 0 for image in images.values())


def test_killed_in_the_middle_nothing_is_lost(
    qupath_installation: Path, reviewable: Path, tmp_path: Path
) -> None:
    before = classes(reviewable)
    with review_panel(qupath_installation, reviewable, tmp_path / "home") as panel:
        lines = panel.press("4", "4", "4")  # one fewer than are saved at once
        panel.window.kill()
    assert classes(reviewable) == before
    changed = {line["object_id"]: "HSIL" for line in lines if line["old_class"] != "HSIL"}
    result = headless(qupath_installation, reviewable)  # the lock of the dead is no obstacle
    assert (result.counts["decided"], result.counts["applied"]) == (3, len(changed))
    assert classes(reviewable) == {**before, **changed}
    assert headless(qupath_installation, reviewable).counts["applied"] == 0


def test_a_damaged_log_stops_the_script_with_a_result(
    qupath_installation: Path, reviewable: Path
) -> None:
    log = reviewable / "pycyto" / "decisions" / "anna.jsonl"
    log.parent.mkdir()
    log.write_text("{oops\n", "utf-8")
    with pytest.raises(BadInputError, match=r"Line 1 of .*anna\.jsonl is not valid JSON"):
        headless(qupath_installation, reviewable)
    assert log.read_text("utf-8") == "{oops\n"
