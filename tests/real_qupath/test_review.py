"""Decisions of a review: in the log before anything else, then in QuPath's own data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycyto import Access, predict, write_back
from pycyto.errors import BadInputError, RefusedError
from pycyto.qupath import _java
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.project import open_project
from tests import stub_model

BLIND = {"shown": "nothing", "seconds": 1.25, "way": "panel"}
SEEING = {**BLIND, "shown": "prediction"}


@pytest.fixture(autouse=True)
def a_model() -> Iterator[None]:
    with stub_model.in_place():
        yield


class Sitting:
    """One reviewer at work in QuPath's own classes."""

    def __init__(self, folder: Path, installation: Installation, reviewer: str = "Dr. Ä") -> None:
        self.folder = folder
        self.library = _java.library(installation)
        self.java = _java.start(installation)
        self.project = _java.open_project(installation, folder / "project.qpproj")
        with _java.refusals(folder):
            self.run = self.library.PycytoRun.chosen(self.project, "")
            self.decisions = self.library.PycytoDecisions(self.project, reviewer)
            self.review = self.library.PycytoReview(self.run, self.decisions, 0.2)

    @property
    def images(self) -> list[str]:
        return [str(name) for name in self.review.getImages()]

    def opened(self, entry_id: str) -> Any:
        with _java.refusals(self.folder):
            return self.library.PycytoDecider(self.review, self.project.image(entry_id))

    def decide(self, decider: Any, cell: Any, label: str | None, action: str = "class") -> None:
        with _java.refusals(self.folder):
            decider.decide(cell, action, label, java_map(SEEING))


def java_map(values: dict[str, Any]) -> Any:
    from jpype import JClass

    return JClass("java.util.LinkedHashMap")(values)


def log_of(folder: Path, name: str = "dr%2E%20%C3%A4") -> list[dict[str, Any]]:
    text = (folder / "pycyto" / "decisions" / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def classes_on_disk(folder: Path, installation: Installation, entry_id: str) -> dict[str, str]:
    library = _java.library(installation)
    project = _java.open_project(installation, folder / "project.qpproj")
    return {
        str(item.getID()): str(library.PycytoObjects.classOf(item))
        for item in project.image(entry_id).objectsOnDisk()
    }


@pytest.fixture
def loaded(project: Path, installation: Installation) -> Path:
    access = Access(qupath=installation.folder)
    predict(project, model="m", objects="all", access=access)
    write_back(project, access=access)
    return project


def other_label(cell: Any) -> str:
    """Return a label that is neither the cell's predicted one nor the expert's."""
    return next(
        str(label)
        for label in cell.getLabels()
        if label not in (cell.getPredicted(), cell.getExpertLabel())
    )


def test_a_decision_is_logged_and_sets_the_class_of_the_experts_object(
    loaded: Path, installation: Installation
) -> None:
    sitting = Sitting(loaded, installation)
    decider = sitting.opened(sitting.images[0])
    cell = next(c for c in decider.getCells() if c.getPointIndex() is None)
    before = classes_on_disk(loaded, installation, sitting.images[0])
    label = other_label(cell)
    sitting.decide(decider, cell, label)
    [line] = log_of(loaded)
    assert line["old_class"] == before[line["object_id"]]
    assert (line["new_class"], line["label"], line["action"]) == (label, label, "class")
    assert (line["reviewer"], line["shown"], line["seconds"]) == ("Dr. Ä", "prediction", 1.25)
    assert line["probabilities"][line["predicted"]] == pytest.approx(0.775)
    assert classes_on_disk(loaded, installation, sitting.images[0]) == before
    decider.save()
    after = classes_on_disk(loaded, installation, sitting.images[0])
    assert {k for k in after if after[k] != before[k]} == {line["object_id"]}
    assert after[line["object_id"]] == label
    GeoJsonBackend(open_project(loaded)).read(sitting.images[0])  # fresh
