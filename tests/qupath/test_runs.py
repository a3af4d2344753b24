"""A run comes back as it was staged, and one that is not whole is refused."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError, NotWritableError
from pycyto.qupath import runs
from pycyto.qupath.runs import ImageState, NewDetection, Run, Update

LABELS = ("NILM", "ASC-US")
RUN_ID = "1f9c2a3b-0000-4000-8000-000000000000"
# Each example is a file on disk: making a failing one smaller would take minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITIES = st.fixed_dictionaries(dict.fromkeys(LABELS, FINITE))
NEW = st.builds(
    NewDetection,
    entry_id=st.sampled_from(["1", "2"]), object_id=st.uuids().map(str), source_id=st.text(),
    point_index=st.none() | st.integers(0), x=FINITE, y=FINITE, z=st.integers(0), t=st.integers(0),
    radius=FINITE, label=st.sampled_from(LABELS), probabilities=PROBABILITIES,
)  # fmt: skip
UPDATES = st.builds(
    Update,
    st.sampled_from(["1", "2"]),
    st.text(),
    FINITE,
    FINITE,
    st.sampled_from(LABELS),
    PROBABILITIES,
)


def a_run(folder: Path, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "created_at": "2026-01-31T12:00:00+00:00",
        "project_id": "p",
        "state": "staged",
        "objects": "annotations",
        "model": {"bundle_id": "b", "network": "small", "labels": list(LABELS)},
        "scheme": "bethesda",
        "colours": {"NILM": (76, 175, 80), "ASC-US": (255, 193, 7)},
        "counts": {"given": 3, "predicted": 3, "by_class": {"NILM": 2, "ASC-US": 1}},
        "images": {"1": ImageState("staged", "00", 1, 1)},
    }
    return Run(folder, **{**values, **changes})


def a_detection(**changes: Any) -> NewDetection:
    values: dict[str, Any] = {
        "entry_id": "1", "object_id": "n", "source_id": "s", "point_index": None, "x": 0.1,
        "y": 2.0, "z": 0, "t": 0, "radius": 0.0, "label": "NILM",
        "probabilities": {"NILM": 0.75, "ASC-US": 0.25},
    }  # fmt: skip
    return NewDetection(**{**values, **changes})


UPDATE = Update("1", "u", 1.5, 2.5, "ASC-US", {"NILM": 0.25, "ASC-US": 0.75})


@pytest.fixture
def staged(tmp_path: Path) -> Run:
    """A run of two objects, as predict leaves it."""
    run = a_run(tmp_path / "pycyto" / "runs" / runs.folder_name(RUN_ID, "2026-01-31T12:00:00"))
    runs.write_tables(run.folder, LABELS, new=[a_detection()], updates=[UPDATE])
    runs.save(run)
    return run


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@settings(max_examples=40, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NEW, max_size=4), st.lists(UPDATES, max_size=4))
def test_tables_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, new: list[NewDetection], updates: list[Update]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    runs.write_tables(folder, iter(LABELS), new=iter(new), updates=iter(updates))
    for entry_id in ("1", "2"):
        wanted_new = [item for item in new if item.entry_id == entry_id]
        wanted_updates = [item for item in updates if item.entry_id == entry_id]
        state = ImageState("staged", "", len(wanted_new), len(wanted_updates))
        run = a_run(folder, images={entry_id: state})
        assert runs.read_new(run, entry_id) == wanted_new
        assert runs.read_updates(run, entry_id) == wanted_updates


def test_tables_have_the_form_that_the_scripts_read(tmp_path: Path) -> None:
    point = a_detection(point_index=0, radius=20.0)
    known = dataclasses.replace(UPDATE, trained_on=True)
    runs.write_tables(tmp_path, LABELS, new=[a_detection(), point], updates=[known])
    assert (tmp_path / "new" / "1.csv").read_bytes().decode() == (
        "object_id,source_id,point_index,x,y,z,t,radius,class,trained_on,"
        "P(NILM),P(ASC-US)\n"
        "n,s,,0.1,2.0,0,0,0.0,NILM,0,0.75,0.25\n"
        "n,s,0,0.1,2.0,0,0,20.0,NILM,0,0.75,0.25\n"
    )
    assert (tmp_path / "updates" / "1.csv").read_bytes().decode() == (
        "object_id,x,y,class,trained_on,P(NILM),P(ASC-US)\nu,1.5,2.5,ASC-US,1,0.25,0.75\n"
    )


def test_a_probability_stands_under_its_own_class(staged: Run) -> None:
    backwards = a_detection(probabilities={"ASC-US": 0.25, "NILM": np.float64(0.75)})
    runs.write_tables(staged.folder, LABELS, new=[backwards], updates=[UPDATE])
    assert runs.read_new(staged, "1") == [a_detection()]


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


def drop_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def test_rows_that_got_lost_on_the_way_are_missed(staged: Run) -> None:
    for name, read in (("new/1.csv", runs.read_new), ("updates/1.csv", runs.read_updates)):
        drop_last_line(staged.folder / name)
        with pytest.raises(
            BadInputError, match=r"1 objects were staged .* and 0 are here"
        ) as raised:
            read(staged, "1")
        assert raised.value.where == str(staged.folder / name)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.1,", "nought,"),
        (",NILM,0,0.75,0.25", ""),
        (",0.25\n", "\n"),
        ("P(ASC-US)", "P(AGC)"),
        ("object_id", "object"),
        (",NILM,", ",AGC,"),
        ("s,,0.1", "s,first,0.1"),
        (",s,", f",{'s' * 200_000},"),
    ],
)
def test_a_damaged_table_is_named(old: str, new: str, staged: Run) -> None:
    edit(staged.folder / "new" / "1.csv", old, new)
    with pytest.raises(BadInputError, match="cannot be read") as raised:
        runs.read_new(staged, "1")
    assert raised.value.where == str(staged.folder / "new" / "1.csv")


def test_a_missing_table_is_named(staged: Run) -> None:
    (staged.folder / "updates" / "1.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="cannot be read"):
        runs.read_updates(staged, "1")
    (staged.folder / "updates" / "1.csv").unlink()
    with pytest.raises(BadInputError, match="missing"):
        runs.read_updates(staged, "1")


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
