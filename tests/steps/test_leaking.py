"""Leaking variants are trained, tested and marked, and nothing of them stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pycyto import evaluate, train
from pycyto.errors import UsageError
from pycyto.files import read_json
from pycyto.learning.bundle import Bundle, load_bundle
from pycyto.parts import rows_by_part
from pycyto.records import SILENT
from pycyto.steps import tested
from pycyto.steps.leaking import leaking_variants, start_of
from tests.learning.patch_data import write_data

COUNTS = {
    "train": {"NILM": 4, "HSIL": 4},
    "validation": {"NILM": 2, "HSIL": 2},
    "test": {"NILM": 2, "HSIL": 3},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaking") / "data"
    write_data(folder, COUNTS)
    return folder


@pytest.fixture(scope="module")
def bundle(data: Path) -> Bundle:
    return load_bundle(train(data, out=data.parent / "model", epochs=1, batch_size=4).bundle)


@pytest.fixture(scope="module")
def cells(data: Path, bundle: Bundle) -> tested.Tested:
    return tested.tested(data, bundle, None, with_assisted=False, scores=None, reporter=SILENT)


def with_origin(bundle: Bundle, **origin: str) -> Bundle:
    card: dict[str, Any] = {**bundle.card, "weights_origin": origin}
    return replace(bundle, card=card)


def test_both_variants_are_in_the_report_and_marked(
    data: Path, bundle: Bundle, tmp_path: Path
) -> None:
    before = sorted((data / "images").rglob("*"))
    result = evaluate(data, model=bundle.path, out=tmp_path / "out", leaking=True, heat_maps=True)
    variants = read_json(result.metrics)["leaking_variants"]
    assert list(variants) == ["random split", "augmentation before the split"]
    assert {variant["mark"] for variant in variants.values()} == {"LEAKING"}
    assert [variant["figures"]["n"] for variant in variants.values()] == [5, 20]
    page = result.report.read_text("utf-8")
    assert page.count("LEAKING: random split") == 1
    assert sorted((data / "images").rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_chosen_cells_are_shown_with_heat_maps(data: Path, bundle: Bundle, tmp_path: Path) -> None:
    row = rows_by_part(data)["test"][0]
    name = f"{row.entry_id}/{row.object_id}"
    result = evaluate(data, model=bundle.path, out=tmp_path / "out", heat_maps=True, cells=[name])
    (cell,) = read_json(result.metrics)["chosen_cells"]
    assert (cell["object_id"], cell["true"]) == (row.object_id, row.label)
    chosen = result.report.read_text("utf-8").split('id="chosen"')[1].split("</section>")[0]
    assert chosen.count("data:image/jpeg") == 2
    with pytest.raises(UsageError, match="No tested cell is 1/nobody"):
        evaluate(data, model=bundle.path, out=tmp_path / "out", cells=["1/nobody"])


def test_without_being_asked_for_there_are_none(data: Path, bundle: Bundle, tmp_path: Path) -> None:
    result = evaluate(data, model=bundle.path, out=tmp_path / "out")
    assert read_json(result.metrics)["leaking_variants"] == {}
    assert "LEAKING" not in result.report.read_text("utf-8")


def test_a_start_that_is_not_here_is_said(bundle: Bundle, tmp_path: Path) -> None:
    from_file = with_origin(bundle, kind="file", sha256="0" * 64)
    with pytest.raises(UsageError, match="Name the file with --weights"):
        start_of(from_file, None)
    other = tmp_path / "other.h5"
    other.write_bytes(b"other")
    with pytest.raises(UsageError, match="not the weights that this model started from"):
        start_of(from_file, str(other))


def test_weights_that_cannot_be_had_leave_a_reason(
    bundle: Bundle, cells: tested.Tested, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    offline = replace(with_origin(bundle, kind="imagenet", file="x.h5"), network="vgg16")
    monkeypatch.setattr("pycyto.steps.leaking.build", _not_here)
    variants = leaking_variants(offline, cells, "imagenet", 0, SILENT)
    assert [variant.figures for variant in variants] == [None, None]
    assert all("not here" in variant.reason for variant in variants)


def _not_here(*_: object, **__: object) -> None:
    from pycyto.errors import MissingDependencyError

    raise MissingDependencyError("The ImageNet weights are not here.")
