"""The tables of a run come back exactly, and one that is not whole is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError
from pycyto.qupath.run_tables import NewDetection, Update, read_new, read_updates, write_tables
from pycyto.qupath.runs import ImageState, Run
from tests.qupath.conftest import LABELS, a_run, edit

# Each example is a file on disk: making a failing one smaller would take minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITIES = st.fixed_dictionaries(dict.fromkeys(LABELS, FINITE))
NEW = st.builds(
    NewDetection,
    entry_id=st.sampled_from(["1", "2"]), object_id=st.uuids().map(str), source_id=st.text(),
    point_index=st.none() | st.integers(0), x=FINITE, y=FINITE, z=st.integers(0), t=st.integers(0),
    radius=FINITE, label=st.sampled_from(LABELS), probabilities=PROBABILITIES,
    trained_on=st.booleans(), source_class=st.none() | st.text(min_size=1),
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
    """A run of two objects, and their tables."""
    run = a_run(tmp_path)
    write_tables(run.folder, LABELS, new=[a_detection()], updates=[UPDATE])
    return run


@settings(max_examples=40, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(NEW, max_size=4), st.lists(UPDATES, max_size=4))
def test_tables_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, new: list[NewDetection], updates: list[Update]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_tables(folder, iter(LABELS), new=iter(new), updates=iter(updates))
    for entry_id in ("1", "2"):
        wanted_new = [item for item in new if item.entry_id == entry_id]
        wanted_updates = [item for item in updates if item.entry_id == entry_id]
        state = ImageState("staged", "", len(wanted_new), len(wanted_updates))
        run = a_run(folder, images={entry_id: state})
        assert read_new(run, entry_id) == wanted_new
        assert read_updates(run, entry_id) == wanted_updates


def test_tables_have_the_form_that_the_scripts_read(tmp_path: Path) -> None:
    point = a_detection(point_index=0, radius=20.0, source_class='Tumor, "sure"')
    known = dataclasses.replace(UPDATE, trained_on=True)
    write_tables(tmp_path, LABELS, new=[a_detection(), point], updates=[known])
    assert (tmp_path / "new" / "1.csv").read_bytes().decode() == (
        "object_id,source_id,point_index,x,y,z,t,radius,class,trained_on,source_class,"
        "P(NILM),P(ASC-US)\n"
        "n,s,,0.1,2.0,0,0,0.0,NILM,0,,0.75,0.25\n"
        'n,s,0,0.1,2.0,0,0,20.0,NILM,0,"Tumor, ""sure""",0.75,0.25\n'
    )
    assert (tmp_path / "updates" / "1.csv").read_bytes().decode() == (
        "object_id,x,y,class,trained_on,P(NILM),P(ASC-US)\nu,1.5,2.5,ASC-US,1,0.25,0.75\n"
    )


def test_a_probability_stands_under_its_own_class(staged: Run) -> None:
    backwards = a_detection(probabilities={"ASC-US": 0.25, "NILM": np.float64(0.75)})
    write_tables(staged.folder, LABELS, new=[backwards], updates=[UPDATE])
    assert read_new(staged, "1") == [a_detection()]


def test_a_run_of_a_version_that_noted_no_source_class_is_read(staged: Run) -> None:
    write_tables(staged.folder, LABELS, new=[a_detection(source_class="HSIL")], updates=[UPDATE])
    assert read_new(staged, "1")[0].source_class == "HSIL"
    edit(staged.folder / "new" / "1.csv", ",source_class,", ",")
    edit(staged.folder / "new" / "1.csv", ",HSIL,", ",")
    assert read_new(staged, "1") == [a_detection()]


def drop_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def test_rows_that_got_lost_on_the_way_are_missed(staged: Run) -> None:
    for name, read in (("new/1.csv", read_new), ("updates/1.csv", read_updates)):
        drop_last_line(staged.folder / name)
        with pytest.raises(
            BadInputError, match=r"1 objects were staged .* and 0 are here"
        ) as raised:
            read(staged, "1")
        assert raised.value.where == str(staged.folder / name)


def test_a_table_that_is_gone_is_named(staged: Run) -> None:
    (staged.folder / "new" / "1.csv").unlink()
    with pytest.raises(BadInputError, match=r"table of 1 objects .* is gone from the run"):
        read_new(staged, "1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.1,", "nought,"),
        (",NILM,0,,0.75,0.25", ""),
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
        read_new(staged, "1")
    assert raised.value.where == str(staged.folder / "new" / "1.csv")


def test_a_missing_table_is_named(staged: Run) -> None:
    (staged.folder / "updates" / "1.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_updates(staged, "1")
    (staged.folder / "updates" / "1.csv").unlink()
    with pytest.raises(BadInputError, match="missing"):
        read_updates(staged, "1")
