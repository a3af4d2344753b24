"""Whatever stands in two parts is found, and a split of whole groups has none of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycyto.datasets.groups import groups_of
from pycyto.datasets.leaks import leaks
from pycyto.datasets.split import assign, assign_folds
from pycyto.manifest import UNKNOWN, Row
from pycyto.parts import PARTS, parts_of_fold
from pycyto.records import CellKey, project_id_of_source
from tests.manifests import a_row


def cells(images: int, *, each: int = 3) -> list[Row]:
    """Images of a patient each, with cells far from one another."""
    return [
        a_row(
            entry_id=f"{image}", object_id=f"o{image}-{n}", image_key=f"k{image}", left=1000 * n,
            top=0, content_hash=f"h{image}-{n}", patient=f"p{image}", label=("NILM", "HSIL")[n % 2],
        )
        for image in range(images)
        for n in range(each)
    ]  # fmt: skip


def dealt(rows: Sequence[Row], parts: Mapping[CellKey, str]) -> dict[str, list[Row]]:
    return {part: [row for row in rows if parts[row.key] == part] for part in PARTS}


def by_image(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Image 1 is validation, image 2 is the test, all others train."""
    where = {"1": "validation", "2": "test"}
    return {p: [r for r in rows if where.get(r.entry_id, "train") == p] for p in PARTS}


def found(parts: dict[str, list[Row]]) -> set[str]:
    return {finding.check for finding in leaks(parts)}


@st.composite
def manifests(draw: st.DrawFn) -> list[Row]:
    """Images of some patients, some imported twice, some cells overlapping, of any classes."""
    patients = draw(st.integers(3, 12))
    rows: list[Row] = []
    for patient in range(patients):
        for image in range(draw(st.integers(1, 3))):
            known = draw(st.booleans())
            for n in range(draw(st.integers(1, 3))):
                row = a_row(
                    entry_id=f"{patient}-{image}", object_id=f"o{len(rows)}",
                    image_key=f"k{patient}-{0 if draw(st.integers(0, 5)) == 0 else image}",
                    left=100 * n, top=0, content_hash=f"h{len(rows)}",
                    patient=f"p{patient}" if known else UNKNOWN, slide=f"s{patient}-{image}",
                    label=draw(st.sampled_from(("NILM", "ASC-US", "LSIL", "HSIL"))),
                )  # fmt: skip
                rows.append(row)
    return rows


@settings(deadline=None, max_examples=1000)
@given(manifests(), st.integers(0, 9))
def test_of_a_thousand_manifests_no_split_leaks(rows: list[Row], seed: int) -> None:
    if len(groups_of(rows)) < 3:
        return
    assert found(dealt(rows, assign(rows, seed=seed))) == set()
    folds = assign_folds(rows, 3, seed=seed)
    assert found(dealt(rows, parts_of_fold(folds, 1 + seed % 3))) == set()


def same_patient(rows: list[Row]) -> list[Row]:
    return [replace(row, patient="p2") if row.entry_id == "5" else row for row in rows]


def same_image(rows: list[Row]) -> list[Row]:
    return [replace(r, image_key="k2", top=9000) if r.entry_id == "5" else r for r in rows]


def same_cell(rows: list[Row]) -> list[Row]:
    return [replace(r, object_id="o2-0") if r.object_id == "o5-0" else r for r in rows]


def same_pixels(rows: list[Row]) -> list[Row]:
    return [replace(r, content_hash="h2-1") if r.object_id == "o5-1" else r for r in rows]


def overlapping(rows: list[Row]) -> list[Row]:
    return [replace(r, image_key="k2", left=r.left + 223) if r.entry_id == "5" else r for r in rows]


PLANTED: dict[str, tuple[Callable[[list[Row]], list[Row]], set[str]]] = {
    "patient": (same_patient, {"group in several parts"}),
    "image": (same_image, {"group in several parts", "image in several parts"}),
    "cell": (same_cell, {"cell in several parts"}),
    "patch": (same_pixels, {"identical patch in several parts"}),
    "crop": (
        overlapping,
        {
            "group in several parts",
            "image in several parts",
            "overlapping crops in several parts",
        },
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_kind_of_leak_is_found_and_named(name: str) -> None:
    plant, expected = PLANTED[name]
    parts = by_image(plant(cells(8)))
    findings = list(leaks(parts))
    assert {finding.check for finding in findings} == expected
    for finding in findings:
        assert finding.weight == "failure"
        assert finding.remedy
        assert any("2" in culprit for culprit in finding.culprits)
        assert any("5" in culprit for culprit in finding.culprits)
        assert "p2" not in finding.what


def test_crops_that_only_touch_do_not_overlap() -> None:
    rows = [replace(r, image_key="k2", left=r.left + 224) if r.entry_id == "5" else r
            for r in cells(8)]  # fmt: skip
    assert "overlapping crops in several parts" not in found(by_image(rows))


def test_other_planes_of_a_crop_show_other_pixels() -> None:
    rows = [replace(r, z=1) if r.entry_id == "5" else r for r in overlapping(cells(8))]
    assert "overlapping crops in several parts" not in found(by_image(rows))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(PARTS), min_size=12, max_size=12))
def test_a_random_split_leaks_exactly_where_a_group_is_torn(parts: list[str]) -> None:
    rows = cells(4)
    dealt_out = dealt(rows, {row.key: part for row, part in zip(rows, parts, strict=True)})
    where = {row.key: part for row, part in zip(rows, parts, strict=True)}
    torn = [g for g in groups_of(rows) if len({where[r.key] for r in g.rows}) > 1]
    findings = {finding.check: finding for finding in leaks(dealt_out)}
    assert ("group in several parts" in findings) == bool(torn)
    if torn:
        assert findings["group in several parts"].cells == sum(len(g.rows) for g in torn)


def test_pictures_that_are_the_same_are_named_and_the_remedy_fits_where_they_come_from() -> None:
    (finding,) = leaks(by_image(same_pixels(cells(8))))
    assert finding.names == ("5/o5-1 (a é.svs, HSIL) = 2/o2-1 (a é.svs, HSIL)",)
    assert finding.names[0] in finding.told()
    assert "names" not in finding.to_json(culprits=False)
    assert "in QuPath" in finding.remedy
    source = project_id_of_source("lab")
    rows = [replace(row, project_id=source) for row in same_pixels(cells(8))]
    (finding,) = leaks(by_image(rows))
    assert "QuPath" not in finding.remedy
    assert "out of the source" in finding.remedy
