"""From a split data set to a bundle: the whole step, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import pytest
from PIL import Image

from pycyto.errors import BadInputError, PycytoError, RefusedError, UsageError
from pycyto.images.patches import content_hash, write_patch
from pycyto.learning.bundle import WEIGHTS_FILE, load_bundle, was_trained_on
from pycyto.learning.calibrating import Calibrate
from pycyto.learning.checkpoint import place_of
from pycyto.manifest import Row, read_manifest
from pycyto.parts import read_split, write_split
from pycyto.records import Silent
from pycyto.steps.train import train
from tests.learning.patch_data import SECRETS, row_of, texture, write_data
from tests.manifests import write_manifest

CALIBRATE: tuple[Calibrate, ...] = ("temperature", "none")
COUNTS = {
    "train": {"NILM": 4, "HSIL": 3},
    "validation": {"NILM": 2, "HSIL": 1},
    "test": {"NILM": 1, "LSIL": 1},
}


class Listener(Silent):
    """Keeps what is said, and can press Ctrl-C after so many patches."""

    def __init__(self, *, stops_after: int | None = None) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.totals: list[int | None] = []
        self.advanced = 0
        self._stops_after = stops_after

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    @contextmanager
    def progress(self, description: str, total: int | None) -> Iterator[Callable[[int], None]]:
        if "look at patches" in description:  # the audit's
            yield lambda _: None
            return
        self.totals.append(total)
        yield self._advance

    def _advance(self, count: int) -> None:
        if self._stops_after is not None and self.advanced >= self._stops_after:
            raise KeyboardInterrupt
        self.advanced += count


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_data(tmp_path / "data", COUNTS)
    return tmp_path / "data"


def rewrite(data: Path, change: Callable[[Row], Row]) -> None:
    from pycyto.manifest import read_manifest

    write_manifest(data, map(change, read_manifest(data)))


def relabel(data: Path, entry_id: str, label: str) -> None:
    """Give a cell another class, as an export does after it was changed in QuPath."""

    def change(row: Row) -> Row:
        if row.entry_id != entry_id:
            return row
        file = f"images/{label}/{Path(row.file).name}"
        (data / row.file).rename(data / file)
        return replace(row, label=label, file=file)

    rewrite(data, change)


def move(data: Path, old: str, new: str, *, label: str | None = None) -> None:
    """Give the cells of a part, of one class or all, another part."""
    from pycyto.manifest import read_manifest

    parts = read_split(data)
    moved = {row.key for row in read_manifest(data) if label in (None, row.label)}
    write_split(data, {k: new if p == old and k in moved else p for k, p in parts.items()})


def test_a_split_becomes_a_bundle_that_has_not_seen_the_test_part(
    data: Path, tmp_path: Path
) -> None:
    parts = read_split(data)
    listener = Listener()
    result = train(data, out=tmp_path / "out", epochs=2, batch_size=4, reporter=listener)
    assert result.labels == ("NILM", "HSIL")
    assert result.counts == {part: COUNTS[part] for part in ("train", "validation")}
    assert result.skipped == {"unclassified": 0, "of another class": 0}
    bundle = load_bundle(result.bundle)
    seen = {key for key in parts if was_trained_on(bundle, key)}
    assert seen == {key for key, part in parts.items() if part != "test"}
    assert bundle.card["result"]["best_epoch"] == result.best_epoch in (1, 2)
    assert bundle.card["result"]["validation_macro_f1"] == result.macro_f1
    assert bundle.card["record"]["step"] == "train"
    assert bundle.card["record"]["inputs"].keys() == {"manifest.csv", "split.csv"}
    assert listener.totals == [14]
    assert listener.advanced == 14
    assert bundle.card["audit"]["passed"]
    assert "train: 7 cells (NILM 4, HSIL 3)" in listener.said
    everything = "".join(path.read_text("latin-1") for path in bundle.path.iterdir())
    assert not any(name in everything for name in (*SECRETS, str(tmp_path)))


def test_ctrl_c_leaves_no_bundle(data: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        train(data, out=tmp_path / "out", epochs=1, reporter=Listener(stops_after=0))
    assert sorted(tmp_path.iterdir()) == before


def weights_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every weight in a bundle."""
    found: dict[str, bytes] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with h5py.File(folder / WEIGHTS_FILE) as file:
        file.visititems(keep)
    return found


def test_the_same_command_goes_on_after_ctrl_c_and_ends_with_the_same_weights(
    data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"epochs": 2, "batch_size": 4, "seed": 3}
    whole = train(data, out=tmp_path / "whole", **options)
    out = tmp_path / "out"
    before = sorted(tmp_path.iterdir())
    stopped = Listener(stops_after=7)  # an epoch has seven patches
    with pytest.raises(KeyboardInterrupt):
        train(data, out=out, reporter=stopped, **options)
    assert sorted(tmp_path.iterdir()) == sorted([*before, place_of(out)])
    assert any("--restart" in line for line in stopped.said)
    left = place_of(out).read_bytes()
    assert not any(secret.encode() in left for secret in (*SECRETS, str(tmp_path), "entry-"))

    with pytest.raises(RefusedError, match="after epoch 1, and it differs in this: batch size"):
        train(data, out=out, **{**options, "batch_size": 2})
    relabel(data, "entry-6", "NILM")
    with pytest.raises(RefusedError, match="the train cells"):
        train(data, out=out, **options)
    relabel(data, "entry-6", "HSIL")

    again = Listener()
    result = train(data, out=out, reporter=again, **options)
    assert "Going on after epoch 1." in again.said
    assert again.totals == [7]
    assert weights_of(out) == weights_of(whole.bundle)
    assert result.macro_f1 == whole.macro_f1
    assert sorted(tmp_path.iterdir()) == sorted([*before, out])


def test_restart_begins_anew(data: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 2, "batch_size": 4}
    with pytest.raises(KeyboardInterrupt):
        train(data, out=tmp_path / "out", reporter=Listener(stops_after=7), **options)
    listener = Listener()
    train(data, out=tmp_path / "out", reporter=listener, seed=1, restart=True, **options)
    assert listener.totals == [14]
    assert not place_of(tmp_path / "out").exists()


def test_sources_that_count_alike_make_another_model_and_belong_to_the_training(
    data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"epochs": 2, "batch_size": 4, "balance": "sources"}
    before = train(data, out=tmp_path / "one source", **options)
    with pytest.raises(KeyboardInterrupt):
        train(data, out=tmp_path / "out", reporter=Listener(stops_after=7), **options)
    rewrite(data, lambda row: replace(row, source="lab" if row.entry_id < "entry-2" else "other"))
    with pytest.raises(RefusedError, match="the train cells"):
        train(data, out=tmp_path / "out", **options)
    after = train(data, out=tmp_path / "out", restart=True, **options)
    assert weights_of(after.bundle) != weights_of(before.bundle)


def test_the_bundle_records_how_it_learnt_and_the_contact_sheet_lies_beside_it(
    data: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "sheet.png"
    result = train(
        data,
        out=tmp_path / "out",
        epochs=1,
        batch_size=4,
        balance="oversample",
        augmentation="free",
        label_smoothing=0.05,
        orientations=4,
        contact_sheet=sheet,
    )
    bundle = load_bundle(result.bundle)
    assert bundle.orientations == 4
    card = bundle.card
    assert card["settings"]["label_smoothing"] == 0.05
    assert card["settings"]["balance"] == "oversample"
    assert card["settings"]["augmentation"]["rotation"] == 180
    assert card["result"]["backbone_weights_trained"]["all layers"] > 90_000
    page = (result.bundle / "README.txt").read_text("utf-8")
    assert "patches of rare classes were drawn more often" in page
    assert "rotated by up to 180 degrees" in page
    assert "5 % of the truth shared out among all classes" in page
    assert "the mean over 4 orientations of each patch" in page
    with Image.open(sheet) as image:
        assert image.format == "PNG"
        assert image.height > image.width / 2  # a line for each of three NILM and three HSIL
    assert {path.suffix for path in result.bundle.iterdir()} == {".json", ".txt", ".h5", ".csv"}


def test_cells_outside_the_scheme_or_without_class_are_left_out_and_counted(
    data: Path, tmp_path: Path
) -> None:
    from pycyto.manifest import read_manifest

    more = [row_of(data, label, 100 + i) for i, label in enumerate(("ASC-H", "ASC-H", ""))]
    write_manifest(data, [*read_manifest(data), *more])
    parts = read_split(data)
    write_split(data, {**parts, more[0].key: "train", more[1].key: "validation"})
    listener = Listener()
    result = train(data, out=tmp_path / "out", epochs=1, batch_size=8, reporter=listener)
    assert result.skipped == {"unclassified": 1, "of another class": 2}
    assert "1 cell was left out: unclassified." in listener.warned
    assert "2 cells were left out: of another class." in listener.warned
    assert result.counts["train"] == COUNTS["train"]


def test_a_patient_in_two_parts_is_refused_without_being_named(data: Path, tmp_path: Path) -> None:
    rewrite(data, lambda row: replace(row, patient=SECRETS[1]))
    with pytest.raises(
        RefusedError, match=r"more than one part: 1 of 1 patient(.|\n)*entry-0"
    ) as raised:
        train(data, out=tmp_path / "out")
    assert not any(secret in str(raised.value) for secret in SECRETS)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: move(data, "train", "test"), "no labelled cell in the train part"),
        (lambda data: move(data, "validation", "test"), "no labelled cell in the validation part"),
        (lambda data: move(data, "train", "test", label="HSIL"), "needs two classes"),
        (lambda data: move(data, "test", "validation"), "Validation cells are LSIL"),
        (lambda data: (data / "split.csv").unlink(), "no split.csv"),
        (lambda data: rewrite(data, lambda row: replace(row, scheme="")), "no label scheme"),
        (
            lambda data: rewrite(data, lambda row: replace(row, scheme=row.label)),
            "different schemes",
        ),
        (lambda data: rewrite(data, lambda row: replace(row, label="")), "no labelled cell"),
        (
            lambda data: rewrite(
                data, lambda row: replace(row, downsample=1.0 + (row.label == "HSIL"))
            ),
            "not cut at one resolution",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    spoil: Callable[[Path], object], words: str, data: Path, tmp_path: Path
) -> None:
    spoil(data)
    with pytest.raises(BadInputError, match=words):
        train(data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_linear_head_is_fitted_and_its_card_says_how(data: Path, tmp_path: Path) -> None:
    listener = Listener()
    result = train(
        data,
        out=tmp_path / "out",
        network="mobilenetv2-linear",
        weights="none",
        cache=tmp_path / "features",
        reporter=listener,
    )
    card = load_bundle(result.bundle).card
    assert card["result"]["penalty"] > 0
    assert card["result"]["backbone_weights_trained"] == {"linear head": 0}
    assert card["settings"]["views"] == 1
    page = (result.bundle / "README.txt").read_text("utf-8")
    assert "fitted at once, 0 weights of the backbone: linear head" in page
    assert f"Penalty      {card['result']['penalty']:g}, chosen by training cells alone" in page
    assert "on the validation cells, from which it has not learnt" in page
    assert "each patch as it is; rare classes count more in the loss" in page
    for absent in ("epoch", "batches of", "degrees", "views"):
        assert absent not in page
    again = train(
        data,
        out=tmp_path / "again",
        network="mobilenetv2-linear",
        weights="none",
        cache=tmp_path / "features",
    )
    assert weights_of(again.bundle) == weights_of(result.bundle)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"network": "resnet51"}, UsageError),
        ({"network": "mobilenetv2-linear", "weights": "none", "epochs": 2}, UsageError),
        ({"weights": "imagenet"}, UsageError),
        ({"weights": "absent.h5", "network": "mobilenetv2"}, BadInputError),
        ({"seed": -1}, UsageError),
        ({"epochs": 0}, UsageError),
        ({"views": 2}, UsageError),
        ({"unfreeze": "paper"}, UsageError),
        ({"orientations": 3}, UsageError),
        ({"label_smoothing": 0.7}, UsageError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    arguments: dict[str, Any], kind: type[PycytoError], data: Path, tmp_path: Path
) -> None:
    with pytest.raises(kind):
        train(data, out=tmp_path / "out", **arguments)


def test_a_place_that_is_taken_is_refused_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("mine")
    with pytest.raises(RefusedError, match="no bundle"):
        train(tmp_path / "no data", out=tmp_path / "out", overwrite=True)


def disguised(folder: Path, row: Row, number: int) -> Row:
    """Give a cell the looks of the other class."""
    pixels = texture({"NILM": "HSIL", "HSIL": "NILM"}[row.label], 1000 + number)
    write_patch(folder / row.file, pixels)
    return replace(row, content_hash=content_hash(pixels))


def test_the_temperature_is_kept_unless_asked_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_data(
        folder,
        {"train": {"NILM": 4, "HSIL": 3}, "validation": {"NILM": 30, "HSIL": 25}},
    )
    # Some look like the other class, so that no model is right about all.
    rows = [
        disguised(folder, row, index) if index % 9 == 8 else row
        for index, row in enumerate(read_manifest(folder))
    ]
    write_manifest(folder, rows)
    bundles = {
        calibrate: load_bundle(
            train(
                folder, out=tmp_path / calibrate, epochs=2, batch_size=4, calibrate=calibrate
            ).bundle
        )
        for calibrate in CALIBRATE
    }
    kept, plain = bundles["temperature"], bundles["none"]
    assert plain.temperature == 1
    assert kept.temperature != 1
    assert kept.card["temperature"] == kept.temperature
    assert kept.card["record"]["arguments"]["calibrate"] == "temperature"
    assert weights_of(kept.path) == weights_of(plain.path)
    assert kept.bundle_id != plain.bundle_id
    page = (kept.path / "README.txt").read_text("utf-8")
    assert f"at a temperature of {kept.temperature:.2f}" in page
    assert "Calibrated" not in (plain.path / "README.txt").read_text("utf-8")


def test_a_model_keeps_the_stain_that_it_was_trained_at(data: Path, tmp_path: Path) -> None:
    plain, coloured = tmp_path / "plain", tmp_path / "coloured"
    train(data, out=plain, epochs=1)
    train(data, out=coloured, epochs=1, colour="reinhard", stats="source")
    found = load_bundle(coloured)
    assert load_bundle(plain).colour is None
    assert found.colour is not None
    assert found.colour.stats == "source"
    assert found.bundle_id != load_bundle(plain).bundle_id
    card = json.loads((coloured / "bundle.json").read_text("utf-8"))
    card["colour"]["target"]["mean"][0] += 1
    (coloured / "bundle.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(BadInputError):
        load_bundle(coloured)


def test_a_reference_of_no_use_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of no use"):
        train(data, out=tmp_path / "model", epochs=1, reference=tmp_path / "x.png")
