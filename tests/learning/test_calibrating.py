from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycyto.learning.batches import PatchSet
from pycyto.learning.calibrating import FEWEST, temperature_of
from pycyto.records import SILENT, Silent
from pycyto.temperature import at_temperature
from tests.learning.patch_data import write_data


class Model:
    """Answers by colour alone: HSIL is dark. It is as sure as it is told to be."""

    def __init__(self, sure: dict[str, float]) -> None:
        self.sure = sure

    def predict_on_batch(self, batch: Any) -> Any:
        pale = batch[:, :, :, 1].mean(axis=(1, 2)) > 120
        given = np.where(pale, self.sure["pale"], 1 - self.sure["dark"])
        return np.stack([given, 1 - given], axis=1).astype(np.float32)


class Listener(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> PatchSet:
    """Forty pale and twenty dark ones; one in four of the pale is called HSIL by its expert."""
    folder = tmp_path_factory.mktemp("data")
    rows = write_data(folder, {"validation": {"NILM": 40, "HSIL": 20}})
    pale = [row for row in rows if row.label == "NILM"]
    wrong = {row.key for row in pale[:10]}
    rows = [
        replace(
            row,
            label="HSIL" if row.key in wrong else row.label,
            source="dark" if row.label == "HSIL" else "pale",
        )
        for row in rows
    ]
    return PatchSet(folder, rows, ("NILM", "HSIL"))


def fitted(model: Model, cells: PatchSet, *, by_source: bool = False) -> float:
    return temperature_of(model, cells, orientations=1, by_source=by_source, reporter=SILENT)


def test_a_model_too_sure_gets_the_temperature_that_mends_it(cells: PatchSet) -> None:
    """Three in four of the pale ones are NILM; the dark ones, all right, say nothing at 0.5."""
    sure = {"pale": float(at_temperature(np.array([[0.75, 0.25]]), 0.5)[0, 0]), "dark": 0.5}
    found = fitted(Model(sure), cells)
    assert found == pytest.approx(2.0, abs=1e-3)
    assert round(found, 4) == found


def test_all_sources_count_alike_only_where_asked(cells: PatchSet) -> None:
    model = Model({"pale": 0.9, "dark": 0.9})
    alike, by_cell = fitted(model, cells, by_source=True), fitted(model, cells)
    # 30 of 40 and 20 of 20 are right: 7/8 of the sources, 5/6 of the cells.
    for found, right in ((alike, 7 / 8), (by_cell, 5 / 6)):
        assert at_temperature(np.array([[0.9, 0.1]]), found)[0, 0] == pytest.approx(right, abs=1e-3)


def test_it_is_fitted_on_what_the_model_will_answer(cells: PatchSet) -> None:
    class Turning(Model):
        """Sure of every second batch only, as if it depended on how a patch lies."""

        batches = 0

        def predict_on_batch(self, batch: Any) -> Any:
            Turning.batches += 1
            answer = super().predict_on_batch(batch)
            return answer if Turning.batches % 2 else np.full_like(answer, 0.5)

    found = temperature_of(
        Turning({"pale": 0.999, "dark": 0.5}),
        cells,
        orientations=2,
        by_source=False,
        reporter=SILENT,
    )
    assert found == pytest.approx(1.0, abs=0.01)


def test_too_few_cells_give_none_and_it_is_said(cells: PatchSet) -> None:
    few = PatchSet(cells.folder, cells.rows[: FEWEST - 1], cells.labels)
    listener = Listener()
    found = temperature_of(
        Model({"pale": 0.9, "dark": 0.9}), few, orientations=1, by_source=False, reporter=listener
    )
    assert found == 1
    assert listener.said == [
        "No temperature: 49 validation cells are too few to fit it on, 50 are needed."
    ]


def test_a_model_that_is_always_right_gets_none(cells: PatchSet) -> None:
    rows = [replace(row, label="HSIL" if row.source == "dark" else "NILM") for row in cells.rows]
    right = PatchSet(cells.folder, rows, cells.labels)
    assert fitted(Model({"pale": 0.9, "dark": 0.9}), right) == 1
