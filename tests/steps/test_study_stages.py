"""A stage is made once, and anew exactly when what it was made from has changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.records import SILENT, Reporter
from pycyto.steps.study_stages import GONE, RECORD, TO_DO, Stages, digest_of_folder
from tests.links import link
from tests.steps.test_train import Listener


class Maker:
    """Writes a file, and counts how often it was asked to."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path, reporter: Reporter) -> str:
        self.made += 1
        files.write_text(folder / "made", str(self.made))
        return "output"


def test_it_is_made_once(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(2):
        stage = Stages(tmp_path, SILENT).run("a", {"x": 1}, {"in": "1"}, make)
        assert stage.output == "output"
    assert make.made == 1


@pytest.mark.parametrize(
    ("settings", "inputs"),
    [
        ({"x": 2}, {"in": "1"}),
        ({"x": 1}, {"in": "2"}),
        ({"x": 1}, {}),
        ({"x": 1}, {"in": "1", "more": "1"}),
    ],
)
def test_it_is_made_anew_when_something_changed(
    tmp_path: Path, settings: dict[str, int], inputs: dict[str, str]
) -> None:
    make = Maker()
    Stages(tmp_path, SILENT).run("a", {"x": 1}, {"in": "1"}, make)
    (tmp_path / "a" / "old").touch()
    Stages(tmp_path, SILENT).run("a", settings, inputs, make)
    assert make.made == 2
    assert not (tmp_path / "a" / "old").exists()


def stops(folder: Path, reporter: Reporter) -> str:
    (folder / "half").touch()
    raise KeyboardInterrupt


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_broken_off_stage_is_not_taken_for_made(tmp_path: Path, goes_on: bool) -> None:
    stages = Stages(tmp_path, SILENT)
    with pytest.raises(KeyboardInterrupt):
        stages.run("a", {}, {}, stops, goes_on=goes_on)

    def make(folder: Path, reporter: Reporter) -> str:
        assert (folder / "half").exists() == goes_on
        return "output"

    assert stages.run("a", {}, {}, make, goes_on=goes_on).output == "output"
    # With other settings nothing can go on.
    with pytest.raises(KeyboardInterrupt):
        stages.run("b", {}, {}, stops, goes_on=True)
    stages.run("b", {"other": 1}, {}, _expects_nothing, goes_on=True)


def _expects_nothing(folder: Path, reporter: Reporter) -> str:
    assert [path.name for path in folder.iterdir()] == [RECORD]
    return "output"


def test_the_user_hears_of_the_stage_and_not_of_its_steps(tmp_path: Path) -> None:
    listener = Listener()

    def make(folder: Path, reporter: Reporter) -> str:
        reporter.say("Split them with pycyto split.")
        reporter.warn("There is no HSIL in test.")
        return "output"

    for _ in range(2):
        Stages(tmp_path, listener).run("a", {}, {}, make, title="The first", place=Path("here"))
    begins, done, kept = listener.said
    assert begins == "The first (here): begins."
    assert re.fullmatch(r"The first: done in \d+ s\.", done)
    assert kept == "The first (here): done before, kept."
    assert listener.warned == ["There is no HSIL in test."]


def test_what_was_broken_off_goes_on(tmp_path: Path) -> None:
    listener = Listener()
    with pytest.raises(KeyboardInterrupt):
        Stages(tmp_path, listener).run("a", {}, {}, stops, goes_on=True)
    Stages(tmp_path, listener).run("a", {}, {}, Maker(), goes_on=True)
    assert listener.said[:2] == ["a: begins.", "a: goes on."]


def test_what_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    make = Maker()

    def breaks(folder: Path, reporter: Reporter) -> str:
        raise BadInputError("This source cannot be read.")

    Stages(tmp_path, SILENT).run("sources/a", {}, {"x": "1"}, make, keeps=True)
    with pytest.raises(BadInputError, match="cannot be read"):
        Stages(tmp_path, SILENT).run("sources/a", {}, {"x": "2"}, breaks, keeps=True)
    again = Stages(tmp_path, SILENT)
    again.run("sources/a", {}, {"x": "1"}, breaks, keeps=True)
    assert again.kept == ["sources/a"]
    assert (tmp_path / "sources" / "a" / "made").read_text("utf-8") == "1"


def test_what_is_gone_leaves_a_finished_stage_as_it_is(tmp_path: Path) -> None:
    make = Maker()
    stages = Stages(tmp_path, SILENT)
    with pytest.raises(BadInputError, match="the source"):
        stages.run("a", {}, {"the source": GONE}, make)
    stages.run("a", {}, {"the source": "1"}, make)
    assert stages.run("a", {}, {"the source": GONE}, make).output == "output"
    assert make.made == 1
    with pytest.raises(BadInputError, match="gone"):
        stages.run("a", {"other": 1}, {"the source": GONE}, make)
    # The stage that is there was not touched.
    assert (tmp_path / "a" / "made").exists()


def test_a_rehearsal_makes_nothing(tmp_path: Path) -> None:
    make = Maker()
    stages = Stages(tmp_path, SILENT, dry_run=True)
    first = stages.run("a", {}, {}, make)
    second = stages.run("b", {}, {"a": first.output}, make)
    assert (first.output, second.output) == (TO_DO, TO_DO)
    assert stages.redone == ["a", "b"]
    assert not make.made
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "deep" / "b").write_text("longer"),
        lambda folder: (folder / "deep" / "b").rename(folder / "c"),
        lambda folder: os.utime(folder / "a", (1, 1)),
        lambda folder: (folder / "new").touch(),
    ],
)
def test_a_changed_folder_has_another_digest(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a", "deep/b"):
        (tmp_path / name).write_text("text")
    before = digest_of_folder(tmp_path)
    assert digest_of_folder(tmp_path) == before
    change(tmp_path)
    assert digest_of_folder(tmp_path) != before


def test_what_is_skipped_does_not_count(tmp_path: Path) -> None:
    before = digest_of_folder(tmp_path, lambda path: path.name == "own")
    (tmp_path / "own").touch()
    assert digest_of_folder(tmp_path, lambda path: path.name == "own") == before
    assert digest_of_folder(tmp_path / "missing") == GONE


def test_what_is_behind_a_link_counts(tmp_path: Path) -> None:
    disk, source = tmp_path / "disk", tmp_path / "source"
    disk.mkdir()
    source.mkdir()
    link(source / "images", disk, folder=True)
    before = digest_of_folder(source)
    (disk / "1.png").touch()
    assert digest_of_folder(source) != before
