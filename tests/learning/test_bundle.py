"""A bundle says what it is, and whatever was changed in it is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.images.resolution import Resolution
from pycyto.learning.bundle import (
    ALL_FILES,
    CHECKED_FILES,
    EVALUATION_FILE,
    WEIGHTS_FILE,
    id_of,
    load_bundle,
    was_trained_on,
)
from pycyto.records import CellKey
from tests.learning.conftest import Saved
from tests.learning.patch_data import SECRETS

Card = dict[str, Any]


def edit(folder: Path, change: Callable[[Card], object]) -> None:
    card = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    change(card)
    files.write_json(folder / "bundle.json", card)


def test_it_says_what_it_is(saved: Saved) -> None:
    bundle = load_bundle(saved.bundle.path)
    assert bundle == saved.bundle
    assert bundle.labels == ("NILM", "HSIL")
    assert (bundle.scheme, bundle.network, bundle.resolution) == ("bethesda", "small", Resolution())
    assert bundle.bundle_id == id_of(bundle.card["files"][WEIGHTS_FILE], bundle.labels)
    assert "Research use only" in bundle.card["intended_use"]
    assert bundle.card["input"]["preprocessing"] == "unit"
    assert {path.name for path in bundle.path.iterdir()} == set(ALL_FILES) - {EVALUATION_FILE}


def test_it_knows_the_cells_that_it_has_seen(saved: Saved) -> None:
    assert all(was_trained_on(saved.bundle, row.key) for row in saved.rows)
    key = saved.rows[0].key
    assert not was_trained_on(saved.bundle, key._replace(point_index=0))
    assert not was_trained_on(saved.bundle, CellKey("p", "x", key.object_id))


def test_it_names_nobody(saved: Saved) -> None:
    everything = b"".join(path.read_bytes() for path in saved.bundle.path.iterdir())
    for secret in (*SECRETS, saved.rows[0].object_id, str(saved.bundle.path.parent)):
        assert secret.encode() not in everything


def test_its_page_reads_well(saved: Saved) -> None:
    page = (saved.bundle.path / "README.txt").read_text(encoding="utf-8")
    assert saved.bundle.bundle_id in page
    assert "Research use only" in page
    assert "full resolution" in page
    assert all(len(line) <= 100 for line in page.splitlines())


def test_its_history_is_a_table(saved: Saved) -> None:
    head, *lines = (saved.bundle.path / "history.csv").read_text(encoding="utf-8").splitlines()
    assert head == "epoch,phase,loss,accuracy,val_loss,val_accuracy,val_macro_f1"
    assert [line.split(",")[:2] for line in lines] == [["1", "all layers"]]


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_a_changed_file_is_noticed(name: str, copied: Path) -> None:
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BadInputError, match="has changed") as raised:
        load_bundle(copied)
    assert raised.value.where == str(copied / name)


@pytest.mark.parametrize("name", [*CHECKED_FILES, "bundle.json"])
def test_a_missing_file_is_named(name: str, copied: Path) -> None:
    (copied / name).unlink()
    with pytest.raises(BadInputError, match=r"missing|no bundle\.json"):
        load_bundle(copied)


@pytest.mark.parametrize("where", ["nowhere", "."])
def test_what_is_no_bundle_is_refused(where: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="This is no bundle"):
        load_bundle(tmp_path / where)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card.update(format=2), "has the format 2"),
        (lambda card: card.update(network="vgg99"), "no network 'vgg99'"),
        (lambda card: card.update(network=["small"]), "no bundle that this version"),
        (lambda card: card.update(scheme="other"), "no label scheme 'other'"),
        (lambda card: card.update(labels=["HSIL", "NILM"]), "labels HSIL, NILM"),
        (lambda card: card.update(labels=["NILM", "LSIL"]), "do not belong together"),
        (lambda card: card.update(labels="NILM"), "'NILM' where a list should be"),
        (lambda card: card.update(patch_size=96), "patch size 96"),
        (lambda card: card.update(orientations=3), "orientations 3"),
        (lambda card: card.update(orientations=True), "orientations True"),
        (lambda card: card.update(orientations=4), "do not belong together"),
        (lambda card: card.update(temperature=0), "temperature 0: no number from 0.05 to 20"),
        (lambda card: card.update(temperature=True), "temperature True"),
        (lambda card: card.update(temperature="2"), "temperature '2'"),
        (lambda card: card.update(temperature=1.5), "do not belong together"),
        (lambda card: card.update(resolution={"mpp": -1, "downsample": 1}), "resolution"),
        (lambda card: card.pop("resolution"), "'resolution' is missing"),
        (lambda card: card.update(files=None), "has changed"),
    ],
)
def test_an_edited_card_is_refused(
    change: Callable[[Card], object], words: str, copied: Path
) -> None:
    edit(copied, change)
    with pytest.raises(BadInputError, match=words):
        load_bundle(copied)


def test_labels_that_do_not_fit_the_weights_are_refused(copied: Path) -> None:
    """Even when whoever changed them has made a new ID."""
    labels = ["NILM", "LSIL", "HSIL"]

    def change(card: Card) -> None:
        card.update(labels=labels, bundle_id=id_of(card["files"][WEIGHTS_FILE], labels))

    edit(copied, change)
    with pytest.raises(BadInputError, match="3 labels, weights for 2"):
        load_bundle(copied)


def test_the_same_weights_over_other_orientations_are_another_model(copied: Path) -> None:
    before = load_bundle(copied)
    sha256 = before.card["files"][WEIGHTS_FILE]
    new_id = id_of(sha256, before.labels, 4)
    edit(copied, lambda card: card.update(orientations=4, bundle_id=new_id))
    after = load_bundle(copied)
    assert after.orientations == 4
    assert after.bundle_id != before.bundle_id


def test_the_same_weights_at_another_temperature_are_another_model(copied: Path) -> None:
    before = load_bundle(copied)
    sha256 = before.card["files"][WEIGHTS_FILE]
    new_id = id_of(sha256, before.labels, temperature=1.5)
    edit(copied, lambda card: card.update(temperature=1.5, bundle_id=new_id))
    after = load_bundle(copied)
    assert after.temperature == 1.5
    assert after.bundle_id != before.bundle_id


@pytest.mark.parametrize("text", ["[]", "{", "3"])
def test_a_card_that_is_no_card_is_refused(text: str, copied: Path) -> None:
    (copied / "bundle.json").write_text(text)
    with pytest.raises(BadInputError):
        load_bundle(copied)


def test_a_bundle_from_before_these_were_recorded_still_loads(copied: Path) -> None:
    def forget(card: Card) -> None:
        for name in ("views", "balance", "augmentation"):
            del card["settings"][name]
        del card["orientations"], card["temperature"]
        for phase in card["settings"]["phases"]:
            phase["learns"] = phase.pop("unfrozen")
        del card["result"]["backbone_weights_trained"]

    edit(copied, forget)
    bundle = load_bundle(copied)
    assert (bundle.labels, bundle.orientations) == (("NILM", "HSIL"), 1)
    assert bundle.temperature == 1


def test_it_records_how_it_learnt(saved: Saved) -> None:
    settings = saved.bundle.card["settings"]
    (phase,) = settings["phases"]
    assert phase["unfrozen"] == "all"
    assert (settings["views"], settings["balance"]) == (4, "weights")
    assert settings["augmentation"]["rotation"] == 15
    (trained,) = saved.bundle.card["result"]["backbone_weights_trained"].values()
    assert trained > 90_000
    page = (saved.bundle.path / "README.txt").read_text("utf-8")
    assert f"{trained:,} weights of the backbone: all layers" in page
