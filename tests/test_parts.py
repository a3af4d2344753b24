"""The tables of parts and folds come back as they were written, and a damaged one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.errors import BadInputError, UsageError
from pycyto.parts import (
    PARTS,
    parts_of_fold,
    read_folds,
    read_split,
    rows_by_part,
    write_folds,
    write_split,
)
from pycyto.records import CellKey
from tests.manifests import a_row, edit, write_manifest

KEYS = st.builds(CellKey, *[st.text(max_size=5)] * 3, st.none() | st.integers(0))


@settings(max_examples=40)
@given(st.dictionaries(KEYS, st.sampled_from(PARTS), max_size=5))
def test_a_split_comes_back(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[CellKey, str]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "split"
    write_split(folder, parts)
    assert read_split(folder) == parts


def test_equal_splits_give_equal_files(tmp_path: Path) -> None:
    keys = [CellKey("p", str(n), "o", p) for n in range(12) for p in (None, 0)]
    write_split(tmp_path / "a", dict.fromkeys(keys, "test"))
    write_split(tmp_path / "b", dict.fromkeys(reversed(keys), "test"))
    assert (tmp_path / "a/split.csv").read_bytes() == (tmp_path / "b/split.csv").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("test", "tset", "Line 2 names the part 'tset' for p/1/o/0"),
        ("test", "", "Line 2 names the part '' for p/1/o/0"),
        ("p,1,o,0,test\n", "p,1,o,0,test\np,1,o,0,train\n", "Line 3 .* which has one already"),
        ("o,0", "o,first", "Line 2, column point_index: 'first' is not a whole number"),
        (",test", "", "Line 2 has another number of columns"),
        ("part", "set", "Columns are missing: part"),
    ],
)
def test_a_damaged_split_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    write_split(tmp_path, {CellKey("p", "1", "o", 0): "test"})
    edit(tmp_path / "split.csv", lambda text: text.replace(old, new))
    with pytest.raises(BadInputError, match=message) as raised:
        read_split(tmp_path)
    assert raised.value.where == str(tmp_path / "split.csv")


def test_rows_are_dealt_out_by_cell(tmp_path: Path) -> None:
    rows = [a_row(object_id=name) for name in "abc"]
    unclassified = a_row(object_id="d", label="")
    write_manifest(tmp_path, [*rows, unclassified])
    write_split(
        tmp_path, {row.key: part for row, part in zip(rows, ("test", "train", "test"), strict=True)}
    )
    assert rows_by_part(tmp_path) == {
        "train": [rows[1]],
        "validation": [],
        "test": [rows[0], rows[2]],
    }


def test_a_cell_without_a_part_is_no_silent_loss(tmp_path: Path) -> None:
    rows = [a_row(object_id=name) for name in "abc"]
    write_manifest(tmp_path, rows)
    write_split(tmp_path, {rows[0].key: "train"})
    with pytest.raises(BadInputError, match="2 of 3 cells have no part") as raised:
        rows_by_part(tmp_path)
    assert "pycyto split" in str(raised.value)
    (tmp_path / "split.csv").unlink()
    with pytest.raises(BadInputError, match="Run pycyto split first"):
        rows_by_part(tmp_path)


@settings(max_examples=40)
@given(st.dictionaries(KEYS, st.integers(1, 9), max_size=5))
def test_folds_come_back(
    tmp_path_factory: pytest.TempPathFactory, folds: dict[CellKey, int]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "folds"
    write_folds(folder, folds)
    assert read_folds(folder) == folds


@pytest.mark.parametrize("fold", ["0", "-1", "two", "1.5", "\u00b2", ""])
def test_a_fold_is_a_number_from_one(fold: str, tmp_path: Path) -> None:
    write_folds(tmp_path, {CellKey("p", "1", "o", 0): 7})
    edit(tmp_path / "folds.csv", lambda text: text.replace("7", fold))
    with pytest.raises(BadInputError, match="Line 2 names the fold"):
        read_folds(tmp_path)


@given(st.dictionaries(KEYS, st.integers(1, 5), min_size=1))
def test_over_all_folds_every_cell_is_tested_once_and_validates_once(
    folds: dict[CellKey, int],
) -> None:
    number = max(folds.values())
    if number < 3:
        return
    all_parts = [parts_of_fold(folds, fold) for fold in range(1, number + 1)]
    for key in folds:
        places = [parts[key] for parts in all_parts]
        assert sorted(places) == ["test", *["train"] * (number - 2), "validation"]


def test_a_fold_that_is_not_there_is_named() -> None:
    folds = {CellKey("p", "1", str(n), None): n for n in (1, 2, 3)}
    with pytest.raises(UsageError, match=r"no fold 4(.|\n)*from 1 to 3"):
        parts_of_fold(folds, 4)


def test_the_rows_of_a_fold(tmp_path: Path) -> None:
    rows = [a_row(object_id=name) for name in "abc"]
    write_manifest(tmp_path, rows)
    write_folds(tmp_path, {row.key: number for number, row in enumerate(rows, 1)})
    assert rows_by_part(tmp_path, fold=3) == {
        "train": [rows[1]],
        "validation": [rows[0]],
        "test": [rows[2]],
    }


def test_the_split_of_another_data_set_is_told_from_one_that_is_too_old(tmp_path: Path) -> None:
    write_manifest(tmp_path, [a_row(object_id="a")])
    write_split(tmp_path, {a_row(object_id="z").key: "test"})
    with pytest.raises(BadInputError, match=r"split of another data set: none of its 1 cells"):
        rows_by_part(tmp_path)
