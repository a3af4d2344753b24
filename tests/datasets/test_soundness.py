"""Gaps, odd labels and totals that do not fit are told; a sound data set has nothing against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pycyto.datasets.findings import Finding
from pycyto.datasets.soundness import soundness
from pycyto.labels import BETHESDA
from pycyto.manifest import Row
from pycyto.parts import PARTS
from pycyto.records import project_id_of_source
from tests.manifests import a_row

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")
RECORD = {
    "arguments": {"fractions": [0.6, 0.2, 0.2]},
    "counts": {"given": 40, "split": 40},
}


def cells() -> list[Row]:
    """Ten patients with one cell of each class; the last four validate and test."""
    return [
        a_row(
            entry_id=f"{p}", object_id=f"o{p}-{label}", image_key=f"k{p}", patient=f"p{p}",
            label=label, original_label=label, scheme="bethesda", content_hash=f"h{p}-{label}",
            file=f"images/{label}/{p}.png", source="lab",
        )
        for p in range(10)
        for label in LABELS
    ]  # fmt: skip


def part_of(row: Row) -> str:
    return {"6": "validation", "7": "validation", "8": "test", "9": "test"}.get(
        row.entry_id, "train"
    )


def findings(
    rows: list[Row], record: dict[str, Any] = RECORD, *, more: tuple[Row, ...] = ()
) -> dict[str, Finding]:
    parts = {p: [row for row in rows if part_of(row) == p and row.label] for p in PARTS}
    split = {row.key: part_of(row) for row in (*rows, *more)}
    return {found.check: found for found in soundness(rows, parts, split, record)}


def test_a_sound_data_set_has_nothing_against_it() -> None:
    assert findings(cells()) == {}


def changed(rows: list[Row], where: Callable[[Row], bool], **changes: Any) -> list[Row]:
    return [replace(row, **changes) if where(row) else row for row in rows]


def without(where: Callable[[Row], bool]) -> list[Row]:
    return [row for row in cells() if not where(row)]


def test_a_class_that_is_missing_from_a_part_is_told() -> None:
    found = findings(without(lambda r: r.label == "HSIL" and part_of(r) == "test"), {})
    assert set(found) == {"class missing from a part"}
    what = found["class missing from a part"].what
    assert what == "There is no HSIL in test, though 8 groups have some."


def test_a_class_that_cannot_be_everywhere_says_so() -> None:
    found = findings(without(lambda r: r.label == "HSIL" and r.entry_id not in "08"), {})
    assert set(found) == {"class missing from a part"}
    assert "from 2 groups and cannot be in every part" in found["class missing from a part"].what


def test_a_class_of_one_patient_is_told() -> None:
    found = findings(without(lambda r: r.label == "HSIL" and r.entry_id != "0"), {})
    assert set(found) == {"class missing from a part", "class of one group"}
    assert found["class of one group"].what.startswith("All 1 HSIL cells are of one patient")
    assert found["class of one group"].culprits == ("entry ID 0",)


def test_a_class_that_nobody_has_is_noted() -> None:
    found = findings(without(lambda r: r.label == "LSIL"), {})
    assert [(f.check, f.weight) for f in found.values()] == [("class without cells", "note")]


def test_a_source_of_one_class_is_told() -> None:
    rows = changed(cells(), lambda r: r.label == "HSIL", source="public")
    found = findings(rows)
    assert set(found) == {"source of one class"}
    assert "1 source of 2 hold cells of one class only (HSIL)" in found["source of one class"].what


def test_a_class_typed_into_the_manifest_is_found() -> None:
    rows = changed(cells(), lambda r: r.object_id == "o3-HSIL", label="HSLI")
    found = findings(rows)["class changed by hand"]
    assert found.weight == "failure"
    assert "HSLI Did you mean 'HSIL'?" in found.what
    assert found.culprits == ("3/o3-HSIL",)


def test_a_class_changed_in_the_manifest_is_found() -> None:
    rows = changed(cells(), lambda r: r.object_id == "o3-HSIL", label="NILM")
    found = findings(rows)["class changed by hand"]
    assert (found.weight, found.cells) == ("failure", 1)


def test_a_class_outside_the_scheme_may_be_exported() -> None:
    """By its folder it can be told from one that was typed in."""
    file = f"images/{BETHESDA.folder_of('Zoo')}/1.png"
    rows = changed(cells(), lambda r: r.label == "LSIL", label="Zoo", file=file)
    assert "class changed by hand" not in findings(rows)


@pytest.mark.parametrize(
    ("label", "check"),
    [("HSIL", "identical patches"), ("NILM", "identical patches of different classes")],
)
def test_one_picture_in_two_rows_is_told(label: str, check: str) -> None:
    rows = changed(cells(), lambda r: r.object_id == f"o3-{label}", content_hash="h2-HSIL")
    assert check in findings(rows)


def test_pictures_under_two_classes_are_named() -> None:
    rows = changed(cells(), lambda r: r.object_id == "o3-NILM", content_hash="h2-HSIL")
    found = findings(rows)["identical patches of different classes"]
    assert found.names == ("2/o2-HSIL (a é.svs of lab, HSIL) = 3/o3-NILM (a é.svs of lab, NILM)",)
    assert "QuPath" in found.remedy


def test_what_to_do_fits_where_cells_come_from() -> None:
    """No export and no QuPath mends cells of a public set."""
    rows = changed(cells(), lambda r: True, project_id=project_id_of_source("herlev"))
    rows = changed(rows, lambda r: r.object_id == "o3-NILM", content_hash="h2-HSIL")
    rows = changed(rows, lambda r: r.object_id == "o4-HSIL", label="NILM")
    both = [replace(row, project_id="p") if row.entry_id == "2" else row for row in rows]
    for check in ("identical patches of different classes", "class changed by hand"):
        remedy = findings(rows)[check].remedy
        assert "QuPath" not in remedy
        assert "source" in remedy
    remedy = findings(both)["identical patches of different classes"].remedy
    assert "QuPath" in remedy
    assert "source" in remedy


@pytest.mark.parametrize(
    "changes", [{"label_origin": "model_assisted"}, {"selected_by": "run 2026-01-01"}]
)
def test_labels_made_with_a_models_help_are_told_in_the_test_only(changes: dict[str, str]) -> None:
    assert findings(changed(cells(), lambda r: r.entry_id == "1", **changes)) == {}
    found = findings(changed(cells(), lambda r: r.entry_id == "9", **changes))
    assert set(found) == {"labels made with a model's help in the test"}
    assert next(iter(found.values())).cells == 4


def test_totals_that_do_not_add_up_are_told() -> None:
    record = {**RECORD, "counts": {"given": 45, "split": 40}}
    (found,) = findings(cells(), record).values()
    assert found.what == "The split was made of 45 cells, and 40 are here."


def test_cells_that_are_gone_are_noted() -> None:
    gone = a_row(object_id="gone", entry_id="77")
    (found,) = findings(cells(), more=(gone,)).values()
    assert (found.check, found.cells) == ("split names cells that are gone", 1)


def test_another_split_than_was_asked_for_is_noted() -> None:
    record = {**RECORD, "arguments": {"fractions": [0.8, 0.1, 0.1]}}
    (found,) = findings(cells(), record).values()
    assert found.what == (
        "60.0/20.0/20.0 % of the groups are in train/validation/test, where 80/10/10 was asked for."
    )
    cohort = {"arguments": {"fractions": [0.8, 0.1, 0.1], "test_slides_per_diagnosis": 2}}
    assert findings(cells(), cohort) == {}
