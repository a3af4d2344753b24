"""The split step: what it writes, continues, counts and says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pycyto.errors import BadInputError, RefusedError, UsageError
from pycyto.files import read_json
from pycyto.manifest import Row
from pycyto.parts import read_folds, read_split, rows_by_part
from pycyto.records import Silent
from pycyto.steps.split import split
from tests.manifests import write_manifest


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def cell(number: int, label: str) -> Row:
    return Row(
        project_id="p", entry_id=f"{number}", object_id=f"o{number}", point_index=None,
        image_key=f"k{number}", project_name="", image_name="", centroid_x=0.0, centroid_y=0.0,
        left=0, top=0, width=224, downsample=1.0, label=label, original_label=label,
        content_hash="", file=f"images/{number}.png", scheme="bethesda", patient=f"p{number}",
    )  # fmt: skip


def cells(patients: int, *, label: str = "NILM") -> list[Row]:
    return [cell(number, label) for number in range(patients)]


def test_a_split_is_written_and_recorded(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    listener = Listener()
    result = split(tmp_path, seed=3, reporter=listener)
    assert read_split(tmp_path) == dict(result.parts)
    assert {part: len(rows) for part, rows in rows_by_part(tmp_path).items()} == {
        "train": 16,
        "validation": 2,
        "test": 2,
    }
    record = read_json(tmp_path / "record.json")["split"]
    assert record["seed"] == 3
    assert record["counts"]["given"] == record["counts"]["split"] == 20
    assert list(record["inputs"]) == ["manifest.csv"]
    assert result.summary.table() in listener.said
    (few,) = listener.warned
    assert few.startswith("The test part has 2 groups")


def test_what_may_be_no_slide_is_called_a_group(tmp_path: Path) -> None:
    rows = [replace(row, patient="unknown", slide=f"P{n}") for n, row in enumerate(cells(20))]
    write_manifest(tmp_path, rows)
    listener = Listener()
    split(tmp_path, reporter=listener)
    assert "What is kept together: 20 groups." in listener.said


def test_one_group_is_told_in_the_singular(tmp_path: Path) -> None:
    unknown = replace(cell(8, "NILM"), patient="unknown")
    write_manifest(tmp_path, [*cells(8), unknown, replace(cell(9, "NILM"), label="")])
    listener = Listener()
    split(tmp_path, reporter=listener)
    assert any(text.startswith("1 group rests on the image alone") for text in listener.warned)
    assert any(text.startswith("The test part has 1 group: ") for text in listener.warned)
    assert "1 cell has no class and is in no part." in listener.said


def test_cells_without_class_are_left_out_and_counted(tmp_path: Path) -> None:
    bare = [replace(row, object_id="bare") for row in cells(3, label="")]
    write_manifest(tmp_path, [*cells(20), *bare])
    result = split(tmp_path)
    assert (len(result.parts), result.unlabelled) == (20, 3)
    assert sum(map(len, rows_by_part(tmp_path).values())) == 20
    assert read_json(tmp_path / "record.json")["split"]["counts"]["skipped"] == {"no class": 3}


def test_data_may_grow_and_shrink(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    first = split(tmp_path)
    write_manifest(tmp_path, cells(30)[5:])
    second = split(tmp_path, seed=9)
    assert second.kept == 15
    assert all(
        second.parts[key] == part for key, part in first.parts.items() if key in second.parts
    )
    write_manifest(tmp_path, cells(30))
    assert split(tmp_path).parts.items() >= first.parts.items(), "what comes back has its old part"


def test_growing_data_need_a_split_again(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    split(tmp_path)
    write_manifest(tmp_path, cells(21))
    with pytest.raises(BadInputError, match="1 of 21 cells have no part yet"):
        rows_by_part(tmp_path)


def test_reshuffling_forgets_the_split_so_far(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    first = split(tmp_path)
    assert split(tmp_path, seed=1).parts == first.parts
    second = split(tmp_path, seed=1, reshuffle=True)
    assert second.parts != first.parts
    assert second.kept == 0


def test_what_is_missing_is_warned_of(tmp_path: Path) -> None:
    rare = [replace(row, object_id="h", patient="h", label="HSIL") for row in cells(1)]
    unknown = [replace(row, patient="unknown") for row in cells(20)]
    write_manifest(tmp_path, [*unknown[1:], *rare])
    listener = Listener()
    split(tmp_path, reporter=listener)
    assert any("19 groups rest on the image alone" in text for text in listener.warned)
    told = "There is no HSIL in validation, test: only 1 of 20 groups has any."
    assert told in listener.warned


def test_a_class_that_enough_groups_have_is_not_said_to_be_rare(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    parts = split(tmp_path).parts
    rows = [replace(row, label="HSIL") if parts[row.key] == "train" else row for row in cells(20)]
    write_manifest(tmp_path, rows)
    listener = Listener()
    split(tmp_path, reporter=listener)
    [told] = [text for text in listener.warned if "There is no HSIL" in text]
    assert told.startswith("There is no HSIL in validation, test: 16 of 20 groups have any, and ")
    [told] = [text for text in listener.warned if "There is no NILM" in text]
    assert told.startswith("There is no NILM in train: 4 of 20 groups have any, and ")


def test_without_any_class_there_is_nothing_to_split(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(5, label=""))
    with pytest.raises(BadInputError, match=r"None of these cells has a class(.|\n)*QuPath"):
        split(tmp_path)
    assert not (tmp_path / "split.csv").exists()


def test_folds_are_written_beside_the_split(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    first = split(tmp_path).parts
    listener = Listener()
    result = split(tmp_path, folds=5, reporter=listener)
    assert read_split(tmp_path) == dict(first)
    folds = read_folds(tmp_path)
    assert {key: f"fold {fold}" for key, fold in folds.items()} == dict(result.parts)
    assert Counter(folds.values()) == dict.fromkeys(range(1, 6), 4)
    assert "fold 5" in listener.said[1]
    assert listener.warned == []
    record = read_json(tmp_path / "record.json")
    assert set(record) == {"split", "folds"}
    assert record["folds"]["arguments"]["folds"] == 5


def test_folds_continue_and_start_anew(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    first = split(tmp_path, folds=5)
    write_manifest(tmp_path, cells(30))
    second = split(tmp_path, folds=5)
    assert second.parts.items() >= first.parts.items()
    assert second.kept == 20
    with pytest.raises(RefusedError, match="5 folds so far"):
        split(tmp_path, folds=3)
    assert split(tmp_path, folds=3, reshuffle=True).kept == 0


def test_folds_and_a_cohort_do_not_go_together(tmp_path: Path) -> None:
    write_manifest(tmp_path, cells(20))
    with pytest.raises(UsageError, match="every slide in turn"):
        split(tmp_path, folds=5, test_slides_per_diagnosis=2)
    with pytest.raises(UsageError, match="equal size"):
        split(tmp_path, folds=5, fractions=(0.6, 0.2, 0.2))
    assert not (tmp_path / "folds.csv").exists()
