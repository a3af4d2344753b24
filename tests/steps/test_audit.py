"""The audit step: every plant is found, named and shown, and nothing else is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pycyto import audit, split
from pycyto.errors import BadInputError, RefusedError
from pycyto.files import read_json
from pycyto.images.crop import Pixels
from pycyto.images.patches import content_hash, read_patch, write_patch
from pycyto.manifest import Row, read_manifest
from pycyto.parts import read_split, rows_by_part, write_split
from pycyto.steps.audit import honest
from tests.images.test_likeness import cell
from tests.manifests import a_row, write_manifest
from tests.steps.test_split import Listener

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")


def stored(folder: Path, row: Row, pixels: Pixels) -> Row:
    write_patch(folder / row.file, pixels)
    return row.with_hash(content_hash(pixels))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve patients with two cells each, split."""
    folder = tmp_path / "Präparate é"
    rows = [
        a_row(
            entry_id=f"{p}", object_id=f"o{p}-{n}", image_key=f"k{p}", patient=f"Muster {p}",
            image_name=f"Muster {p}.svs", label=LABELS[(p + n) % 4], scheme="bethesda",
            file=f"images/{LABELS[(p + n) % 4]}/{p}-{n}.png", left=500 * n, top=0,
        )
        for p in range(12)
        for n in range(2)
    ]  # fmt: skip
    write_manifest(folder, [stored(folder, row, cell(7 * k)) for k, row in enumerate(rows)])
    split(folder, fractions=(0.5, 0.25, 0.25))
    return folder


def change(folder: Path, row: Row, pixels: Pixels) -> None:
    """Put another picture in the place of a patch, as an export would."""
    rows = [stored(folder, r, pixels) if r.key == row.key else r for r in read_manifest(folder)]
    write_manifest(folder, rows)


def checks(folder: Path) -> list[str]:
    return [found["check"] for found in read_json(folder / "audit" / "audit.json")["findings"]]


def one_of(folder: Path, part: str) -> Row:
    return rows_by_part(folder)[part][0]


def pixels_of(folder: Path, row: Row) -> Pixels:
    return np.asarray(Image.open(folder / row.file))


def test_a_sound_data_set_passes_and_says_so(data: Path) -> None:
    listener = Listener()
    result = audit(data, reporter=listener)
    assert result.audit.passed
    assert checks(data) == []
    assert listener.warned == []
    assert "Audit: nothing against this split." in listener.said
    assert "Nothing against this split." in result.report.read_text("utf-8")


def test_a_copy_in_another_part_is_refused_and_its_place_named(data: Path) -> None:
    tested, trained = one_of(data, "test"), one_of(data, "train")
    change(data, tested, pixels_of(data, trained))
    with pytest.raises(RefusedError, match="pixel by pixel the same") as raised:
        audit(data)
    assert f"{tested.entry_id}/{tested.object_id} ({tested.image_name}" in str(raised.value)
    assert f"{trained.entry_id}/{trained.object_id} ({trained.image_name}" in str(raised.value)
    assert "identical patch in several parts" in checks(data)
    # The page has no names.
    assert "Muster" not in (data / "audit" / "index.html").read_text("utf-8")


def test_a_near_copy_is_warned_of_and_shown_as_a_pair(data: Path) -> None:
    tested, trained = one_of(data, "test"), one_of(data, "train")
    copy = np.ascontiguousarray(np.rot90(pixels_of(data, trained)))
    change(data, tested, np.clip(copy * 1.05, 0, 255).astype(np.uint8))
    listener = Listener()
    result = audit(data, reporter=listener)
    assert [(pair.one.key, pair.other.key) for pair in result.pairs] == [(trained.key, tested.key)]
    assert checks(data) == ["near-identical patches in several parts"]
    assert f"{tested.entry_id}/{tested.object_id} ({tested.image_name}" in listener.warned[0]
    page = result.report.read_text("utf-8")
    assert page.count("data:image/jpeg") == 2
    assert "Muster" not in page


def test_a_torn_patient_is_refused_without_a_name(data: Path) -> None:
    tested = one_of(data, "test")
    write_split(data, {**read_split(data), tested.key: "train"})
    with pytest.raises(RefusedError, match="In more than one part: 1 of 12 patients") as raised:
        audit(data)
    assert "Muster" not in str(raised.value)
    assert f"entry ID {tested.entry_id}" in str(raised.value)


def test_all_broken_patches_are_named_at_once(data: Path) -> None:
    missing, cut_off = rows_by_part(data)["train"][:2]
    (data / missing.file).unlink()
    (data / cut_off.file).write_bytes((data / cut_off.file).read_bytes()[:90])
    with pytest.raises(BadInputError) as raised:
        audit(data)
    assert missing.file in str(raised.value)
    assert cut_off.file in str(raised.value)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_patches_of_another_kind_are_named(data: Path, mode: str) -> None:
    row = one_of(data, "validation")
    grey = Image.fromarray(pixels_of(data, row)).convert("L")
    picture = grey.convert("I;16") if mode == "I;16" else grey.convert(mode)
    picture.save(data / row.file)
    with pytest.raises(BadInputError, match="A patch is 224 px square RGB") as raised:
        audit(data)
    assert row.file in str(raised.value)


def test_the_table_of_a_torn_split_counts_cells_where_they_are(data: Path) -> None:
    tested = one_of(data, "test")
    write_split(data, {**read_split(data), tested.key: "train"})
    with pytest.raises(RefusedError):
        audit(data)
    held = read_json(data / "audit" / "audit.json")["split"]["parts"]
    assert {part: own["cells"] for part, own in held.items()} == {
        part: len(rows) for part, rows in rows_by_part(data).items()
    }


def test_folds_are_audited_too(data: Path) -> None:
    split(data, folds=4)
    assert audit(data, fold=2).audit.passed
    tested, trained = rows_by_part(data, 2)["test"][0], rows_by_part(data, 2)["train"][0]
    change(data, tested, pixels_of(data, trained))
    with pytest.raises(RefusedError):
        audit(data, fold=2)


def reads(folder: Path, monkeypatch: pytest.MonkeyPatch, *, anew: bool) -> int:
    """Return how many patches are read."""
    seen: list[Row] = []

    def read(folder: Path, row: Row) -> Pixels:
        seen.append(row)
        return read_patch(folder, row)

    with monkeypatch.context() as patched:
        patched.setattr("pycyto.steps.thumbnails.read_patch", read)
        audit(folder) if anew else honest(folder, None, Listener())
    return len(seen)


def test_patches_that_were_seen_are_not_read_again(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reads(data, monkeypatch, anew=False) == 24
    assert reads(data, monkeypatch, anew=False) == 0
    assert reads(data, monkeypatch, anew=True) == 24
    change(data, one_of(data, "train"), cell(999))
    assert reads(data, monkeypatch, anew=False) == 1
    (data / "audit" / "thumbnails.npz").write_bytes(b"PK\x03\x04 no")
    assert reads(data, monkeypatch, anew=False) == 24


def hidden(rows: Sequence[Row], key: object) -> list[Row]:
    return [replace(r, label="HSLI") if r.key == key else r for r in rows]


def test_a_class_that_was_typed_in_is_refused(data: Path) -> None:
    row = one_of(data, "train")
    write_manifest(data, hidden(read_manifest(data), row.key))
    with pytest.raises(BadInputError, match=r"HSLI(.|\n)*pycyto export again"):
        audit(data)
