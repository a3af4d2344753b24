"""A run comes back as it was saved, and one that is not whole is refused."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pycyto.errors import BadInputError, NotWritableError
from pycyto.qupath import runs
from pycyto.qupath.runs import ImageState, Run
from tests.qupath.conftest import LABELS, RUN_ID, a_run, edit


@pytest.fixture
def staged(tmp_path: Path) -> Run:
    """A run that waits to be written; its tables do not matter here."""
    run = a_run(tmp_path / "pycyto" / "runs" / runs.folder_name(RUN_ID, "2026-01-31T12:00:00"))
    runs.save(run)
    return run


def test_a_run_comes_back(staged: Run) -> None:
    assert runs.load(staged.folder) == staged
    assert staged.labels == LABELS
    assert staged.name == "2026-01-31_120000_1f9c2a"
    content = json.loads((staged.folder / "run.json").read_text())
    assert content["schema"] == 1
    assert "folder" not in content
    assert content["images"]["1"]["data_sha256"] == "00"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema": 1', '"schema": 2'),
        ('"schema": 1', '"scheme_": 1'),
        ('"model": {', '"model_": {'),
        ('"labels": [', '"names": ['),
        ('"NILM",\n', "3,\n"),
        ('"staged",\n      "data', '"staged",\n      "more": 1, "data'),
        ('"images": {', '"images": [], "x": {'),
        ('"created_at"', '"created"'),
        ('"colours": {', '"colours": 3, "x": {'),
        ('"1": {', '"../1": {'),
        (RUN_ID, "no UUID"),
        ('"new": 1', '"new": "1"'),
        ('"new": 1', '"new": -1'),
        ('"left": {}', '"left": {"a": 1}'),
        ('"network": "small"', '"network": {}'),
        ('"state": "staged",\n  "objects"', '"state": "lost",\n  "objects"'),
        ("76,", "760,"),
    ],
)
def test_a_run_of_another_version_is_named(old: str, new: str, staged: Run) -> None:
    edit(staged.folder / "run.json", old, new)
    with pytest.raises(BadInputError, match="This run cannot be read") as raised:
        runs.load(staged.folder)
    assert raised.value.where == str(staged.folder / "run.json")


@pytest.mark.parametrize("text", ["", "[]", "3", "null", '{"schema": 1'])
def test_what_is_no_run_is_named(text: str, staged: Run) -> None:
    (staged.folder / "run.json").write_text(text)
    with pytest.raises(BadInputError, match=r"run\.json"):
        runs.load(staged.folder)


def test_a_full_disk_leaves_the_old_state(staged: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritableError):
        runs.save(dataclasses.replace(staged, state="written"))
    assert runs.load(staged.folder) == staged


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("staged", "staged", "staged"),
        ("written", "staged", "partly written"),
        ("written", "written", "written"),
        ("written", "undone", "partly written"),
        ("undone", "staged", "staged"),
        ("undone", "undone", "undone"),
    ],
)
def test_the_whole_follows_from_its_images(
    first: Any, second: Any, whole: str, tmp_path: Path
) -> None:
    run = a_run(tmp_path, images={})
    for entry_id, state in (("1", first), ("2", second)):
        run = run.with_image(entry_id, ImageState(state, "", 0, 0))
    assert run.state == whole
    assert list(run.images) == ["1", "2"]


def saved(workspace: Path, run_id: str, created_at: str, state: Any) -> Run:
    folder = workspace / "runs" / runs.folder_name(run_id, created_at)
    run = a_run(folder, run_id=run_id, created_at=created_at, state=state)
    runs.save(run)
    return run


def test_the_newest_run_in_a_state_is_picked(tmp_path: Path) -> None:
    new = saved(tmp_path, "bb" * 16, "2026-02-01T08:00:00+00:00", "written")
    middle = saved(tmp_path, "cc" * 16, "2026-01-31T12:00:00+00:00", "staged")
    old = saved(tmp_path, "aa" * 16, "2026-01-31T12:00:00+00:00", "staged")
    assert runs.all_runs(tmp_path) == [old, middle, new]
    assert runs.pick(tmp_path, None, ["staged", "partly written"]) == middle
    assert runs.pick(tmp_path, None, ("written",)) == new
    assert runs.pick(tmp_path, old.name, ["written"]) == old
    with pytest.raises(BadInputError, match=r"No run here is undone\.") as raised:
        runs.pick(tmp_path, None, ["undone"])
    assert old.name in str(raised.value)
    with pytest.raises(BadInputError, match="no run 'x' here"):
        runs.pick(tmp_path, "x", ["staged"])


def test_a_damaged_run_does_not_hide_the_others(staged: Run) -> None:
    workspace = staged.folder.parents[1]
    bad = workspace / "runs" / "bad"
    bad.mkdir()
    (bad / "run.json").write_text("{")
    assert runs.all_runs(workspace) == [staged]
    (error,) = runs.damaged_runs(workspace)
    assert error.where == str(bad / "run.json")
    assert runs.pick(workspace, None, ["staged"]) == staged
    with pytest.raises(BadInputError, match="not valid JSON"):
        runs.pick(workspace, "bad", ["staged"])


def test_pruning_keeps_the_snapshots_of_the_newest_runs(tmp_path: Path) -> None:
    made = [
        saved(tmp_path, letter * 32, f"2026-02-0{day}T08:00:00+00:00", "written")
        for day, letter in enumerate("abcd", 1)
    ]
    for run in made[:3]:  # the last one has none yet
        for folder in run.kept:
            (folder / "1").mkdir(parents=True)
            (folder / "1" / "data.qpdata").write_bytes(b"12345")
    pending = ImageState("staged", "", 1, 1, pending_sha256="00")
    runs.save(made[0].with_image("1", pending))
    assert runs.prune_snapshots(tmp_path, 1) == 10
    assert [run.kept[0].exists() for run in made] == [True, False, True, False]
    assert runs.prune_snapshots(tmp_path, 1) == 0


def test_a_project_without_runs(tmp_path: Path) -> None:
    assert runs.all_runs(tmp_path) == []
    with pytest.raises(BadInputError, match="Known runs: none"):
        runs.pick(tmp_path, None, ["staged"])
