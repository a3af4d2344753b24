"""A bundle is there whole or not at all, and replaces only what it may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.errors import RefusedError
from pycyto.images.resolution import Resolution
from pycyto.learning import saving
from pycyto.learning.bundle import EXPORT_FILES, Bundle, load_bundle
from pycyto.learning.history import Epoch, Training
from pycyto.learning.plan import Phase, TrainingSettings
from pycyto.learning.saving import Description, check_place, save_bundle
from tests.learning.conftest import LABELS, Saved

DESCRIPTION = Description(
    network="small",
    weights_origin={"kind": "none"},
    labels=LABELS,
    scheme="bethesda",
    resolution=Resolution(),
    counts={"train": {"NILM": 1, "HSIL": 1}},
    settings=TrainingSettings((Phase("all layers", "all", 1, 1e-3),), 4),
    audit={"passed": True},
    record={"finished_at": "2026-01-01", "versions": {}},
)
EPOCH = Epoch(1, "all layers", 0.5, 0.5, 0.5, 0.5, 0.5)


def save(path: Path, saved: Saved, **options: bool) -> Bundle:
    training = Training((EPOCH,), EPOCH, {"all layers": 1})
    return save_bundle(path, saved.model, DESCRIPTION, training, [], **options)


@pytest.mark.parametrize("error", [OSError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["write_json", "replace", "sha256_of"])
def test_a_broken_run_leaves_nothing(
    where: str, error: BaseException, saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> Any:
        raise error

    monkeypatch.setattr(files, where, fail)
    with pytest.raises(type(error)):
        save(tmp_path / "bundle", saved)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_replacement_leaves_the_old_one(
    saved: Saved, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_bundle(copied)
    rename = files.replace

    def fail(source: Path, target: Path) -> None:
        if target == copied and ".old" not in source.name:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(files, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save(copied, saved, overwrite=True)
    assert load_bundle(copied) == before
    assert [path.name for path in copied.parent.iterdir()] == ["bundle"]


def test_a_bundle_is_replaced_only_when_asked(saved: Saved, copied: Path) -> None:
    with pytest.raises(RefusedError, match="a bundle here already") as raised:
        save(copied, saved)
    assert "--overwrite" in str(raised.value)
    assert save(copied, saved, overwrite=True).card["counts"] == DESCRIPTION.counts
    assert [path.name for path in copied.parent.iterdir()] == ["bundle"]


def test_what_was_made_of_the_old_weights_goes_with_them(saved: Saved, copied: Path) -> None:
    for name in EXPORT_FILES:
        (copied / name).write_text("of the old weights")
    save(copied, saved, overwrite=True)
    assert not any((copied / name).exists() for name in EXPORT_FILES)


def test_what_is_not_only_a_bundle_is_never_replaced(copied: Path, tmp_path: Path) -> None:
    (copied / "my notes.txt").write_text("mine")
    with pytest.raises(RefusedError, match=r"my notes\.txt"):
        check_place(copied, overwrite=True)
    file = tmp_path / "thesis.docx"
    file.write_text("mine")
    for place in (file, tmp_path):
        with pytest.raises(RefusedError, match="no bundle"):
            check_place(place, overwrite=True)


def test_a_new_or_empty_folder_is_taken(saved: Saved, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (empty, tmp_path / "new" / "bundle"):
        assert save(place, saved).path == place


def test_what_cannot_be_loaded_is_not_written(
    saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "FORMAT", 99)
    with pytest.raises(Exception, match="format 99"):
        save(tmp_path / "bundle", saved)
    assert list(tmp_path.iterdir()) == []
