"""Reasons beside a prediction: whose nucleus is whose, what counts as normal, what is alike."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto import Access, export, predict
from pycyto.errors import BadInputError
from pycyto.manifest import read_manifest
from pycyto.qupath import _java
from pycyto.qupath.locate import Installation
from tests import stub_model
from tests.manifests import write_manifest


class Drawing:
    """Objects on an empty image, made by QuPath's own classes."""

    def __init__(self, installation: Installation, scale: float = 1.0) -> None:
        from jpype import JClass

        self.library = _java.library(installation)
        self.scale = scale
        self.objects = JClass("java.util.ArrayList")()
        self.rois = JClass("qupath.lib.roi.ROIs")
        self._make = JClass("qupath.lib.objects.PathObjects")
        self._plane = JClass("qupath.lib.regions.ImagePlane")
        self._class = JClass("qupath.lib.objects.classes.PathClass")

    def disc(self, x: float, y: float, radius: float, z: int = 0) -> Any:
        left, top, side = ((v * self.scale) for v in (x - radius, y - radius, 2 * radius))
        return self.rois.createEllipseROI(left, top, side, side, self._plane.getPlane(z, 0))

    def box(self, x: float, y: float, radius: float) -> Any:
        left, top, side = ((v * self.scale) for v in (x - radius, y - radius, 2 * radius))
        plane = self._plane.getDefaultPlane()
        return self.rois.createRectangleROI(left, top, side, side, plane)

    def point(self, x: float, y: float) -> Any:
        plane = self._plane.getDefaultPlane()
        return self.rois.createPointsROI(x * self.scale, y * self.scale, plane)

    def cell(
        self, x: float, y: float, nucleus: float, cell: float, name: str | None = None, z: int = 0
    ) -> Any:
        """Add a QuPath cell object: a disc in a disc, by their radii."""
        path_class = self._class.fromString(name) if name else None
        made = self._make.createCellObject(
            self.disc(x, y, cell, z), self.disc(x, y, nucleus, z), path_class, None
        )
        return self._add(made)

    def annotation(self, roi: Any, name: str | None = None) -> Any:
        path_class = self._class.fromString(name) if name else None
        return self._add(self._make.createAnnotationObject(roi, path_class))

    def classified_by_run(self, made: Any, *, as_new: bool = False) -> Any:
        """Mark an object as pycyto does what it has created, or what it has classified."""
        name = made.getPathClass().toString()
        made.getMeasurementList().put(f"pycyto: P({name})", 0.9)
        made.getMeasurementList().put("pycyto: run" if as_new else "pycyto: updated by", 7.0)
        return made

    def nuclei(self, cells: Iterable[Any] = ()) -> Any:
        from jpype import JClass

        return self.library.PycytoNuclei(
            self.objects, JClass("java.util.ArrayList")(list(cells)), "bethesda"
        )

    def predicted(self, made: Any, label: str, expert: str | None = None) -> Any:
        """Return a cell of a run as the tables have it."""
        from jpype import JArray, JClass, JDouble

        roi = made.getROI()
        labels = JClass("java.util.ArrayList")(["NILM", "HSIL"])
        cell = self.library.PycytoCell(
            JClass("java.util.LinkedHashMap")(
                {
                    "entryId": "1",
                    "objectId": str(made.getID()),
                    "detectionId": str(made.getID()),
                    "pointIndex": None,
                    "x": roi.getCentroidX(),
                    "y": roi.getCentroidY(),
                    "predicted": label,
                    "labels": labels,
                    "probabilities": JArray(JDouble)([0.5, 0.5]),
                    "isTrainedOn": False,
                }
            )
        )
        cell.setExpertLabel(expert)
        return cell

    def nucleus_of(self, made: Any, nuclei: Any = None) -> Any:
        roi = made.getROI()
        return (nuclei or self.nuclei()).of(made, roi.getCentroidX(), roi.getCentroidY())

    def _add(self, made: Any) -> Any:
        self.objects.add(made)
        return made


Draw = Callable[..., Drawing]


@pytest.fixture
def draw(installation: Installation) -> Draw:
    return lambda scale=1.0: Drawing(installation, scale)


# --- whose nucleus ----------------------------------------------------------------------------


def test_a_cell_object_has_its_own_nucleus(draw: Draw) -> None:
    drawing = draw()
    nucleus = drawing.nucleus_of(drawing.cell(50, 50, 10, 20))
    assert nucleus.getArea() == pytest.approx(np.pi * 100, rel=0.01)
    assert nucleus.getPartOfCell() == pytest.approx(0.25, rel=0.01)


def test_a_point_and_an_outline_have_that_of_the_only_cell_object_there(draw: Draw) -> None:
    drawing = draw()
    drawing.cell(50, 50, 10, 20)
    for roi in (drawing.point(52, 48), drawing.disc(51, 51, 24), drawing.box(50, 50, 18)):
        assert drawing.nucleus_of(drawing.annotation(roi)).getPartOfCell() == pytest.approx(
            0.25, rel=0.01
        )
    for elsewhere in (drawing.point(90, 50), drawing.disc(50, 50, 60), drawing.disc(50, 50, 9)):
        assert drawing.nucleus_of(drawing.annotation(elsewhere)) is None


def test_where_two_cell_objects_overlap_nothing_is_said(draw: Draw) -> None:
    drawing = draw()
    drawing.cell(50, 50, 10, 20)
    drawing.cell(65, 50, 10, 20)
    assert drawing.nucleus_of(drawing.annotation(drawing.point(57, 50))) is None
    assert drawing.nucleus_of(drawing.annotation(drawing.point(35, 50))) is not None


def test_a_drawn_nucleus_belongs_to_the_outline_around_it(draw: Draw) -> None:
    drawing = draw()
    cell = drawing.annotation(drawing.disc(50, 50, 20), "HSIL")
    assert drawing.nucleus_of(cell) is None
    drawing.annotation(drawing.disc(52, 50, 10), "Nucleus")
    assert drawing.nucleus_of(cell).getPartOfCell() == pytest.approx(0.25, rel=0.01)
    assert not drawing.nucleus_of(cell).getIsDetected()
    assert drawing.nucleus_of(drawing.annotation(drawing.box(50, 50, 20))) is None  # no outline
    drawing.annotation(drawing.disc(45, 50, 5), "nucleus")
    assert drawing.nucleus_of(cell) is None  # one of two


def test_a_nucleus_in_another_plane_is_another_cells(draw: Draw) -> None:
    drawing = draw()
    drawing.cell(50, 50, 10, 20, z=1)
    assert drawing.nucleus_of(drawing.annotation(drawing.point(50, 50))) is None


def test_a_nucleus_as_large_as_its_cell_says_nothing(draw: Draw) -> None:
    drawing = draw()
    assert drawing.nucleus_of(drawing.cell(50, 50, 20, 20)) is None


# --- what is normal ---------------------------------------------------------------------------


def row_of_cells(drawing: Drawing, y: float, name: str | None, radii: Iterable[float]) -> list[Any]:
    return [drawing.cell(100.0 * n, y, radius, 40, name) for n, radius in enumerate(radii)]


@pytest.mark.parametrize("scale", [1.0, 0.1, 3.7])
def test_the_multiple_needs_no_pixel_size(draw: Draw, scale: float) -> None:
    drawing = draw(scale)
    row_of_cells(drawing, 0, "Intermediate cell", [9, 10, 11, 10, 30])
    large = drawing.cell(0, 500, 10 * 3**0.5, 40, "LSIL")
    nuclei = drawing.nuclei()
    assert (nuclei.getNormal(), nuclei.getCount()) == ("cells of an intermediate class", 5)
    assert nuclei.timesNormal(drawing.nucleus_of(large, nuclei)) == pytest.approx(3, rel=0.01)


def test_the_median_of_an_even_number_lies_between_the_middle_two(draw: Draw) -> None:
    drawing = draw()
    row_of_cells(drawing, 0, "intermediate", [1, 2, 4, 5, 30, 6])
    areas = [np.pi * radius**2 for radius in (4, 5)]
    assert drawing.nuclei().getNormalArea() == pytest.approx(sum(areas) / 2, rel=0.01)


def test_intermediate_cells_come_first_then_annotated_then_predicted_nilm(draw: Draw) -> None:
    drawing = draw()
    others = row_of_cells(drawing, 300, None, [8] * 5)
    cells = [drawing.predicted(made, "NILM") for made in others]
    assert drawing.nuclei().getNormal() is None
    assert drawing.nuclei(cells[:4]).getNormal() is None
    assert drawing.nuclei(cells).getNormal() == "cells that are predicted NILM"
    row_of_cells(drawing, 200, "NILM", [9] * 4)
    assert drawing.nuclei(cells).getNormal() == "cells that are predicted NILM"
    drawing.cell(900, 200, 9, 40, "Negative for intraepithelial lesion or malignancy")
    assert drawing.nuclei(cells).getNormal() == "cells that are annotated NILM"
    row_of_cells(drawing, 0, "NILM: Intermediate", [10] * 4)
    assert drawing.nuclei(cells).getNormal() == "cells that are annotated NILM"
    drawing.cell(900, 0, 10, 40, "intermediate squamous")
    nuclei = drawing.nuclei(cells)
    assert (nuclei.getNormal(), nuclei.getCount()) == ("cells of an intermediate class", 5)


def test_predicted_nilm_that_an_expert_calls_otherwise_is_not_normal(draw: Draw) -> None:
    drawing = draw()
    made = row_of_cells(drawing, 0, None, [8] * 6)
    cells = [drawing.predicted(item, "NILM") for item in made[:4]]
    doubted = [drawing.predicted(made[4], "NILM", "HSIL"), drawing.predicted(made[5], "HSIL")]
    assert drawing.nuclei([*cells, *doubted]).getNormal() is None
    agreed = drawing.predicted(made[4], "NILM", "NILM")
    assert drawing.nuclei([*cells, agreed]).getCount() == 5


def test_what_a_run_has_made_or_classified_is_nobodys_annotation(draw: Draw) -> None:
    drawing = draw()
    made = row_of_cells(drawing, 0, "NILM", [8] * 6)
    drawing.classified_by_run(made[0])
    drawing.classified_by_run(made[1], as_new=True)
    assert drawing.nuclei().getNormal() is None
    drawing.cell(900, 0, 8, 40, "NILM")
    assert drawing.nuclei().getCount() == 5


def test_a_nucleus_counts_once_whoever_points_at_it(draw: Draw) -> None:
    drawing = draw()
    row_of_cells(drawing, 0, None, [8] * 5)
    for n in range(4):
        drawing.annotation(drawing.point(100.0 * n, 0), "NILM")
        drawing.annotation(drawing.disc(100.0 * n, 0, 40), "NILM")
    assert drawing.nuclei().getNormal() is None
    drawing.annotation(drawing.point(400, 0), "NILM")
    assert drawing.nuclei().getCount() == 5


# --- a run ------------------------------------------------------------------------------------


@pytest.fixture
def model() -> Iterator[None]:
    with stub_model.seeing_in_place():
        yield


@pytest.fixture
def run(project: Path, installation: Installation, tmp_path: Path, model: None) -> Path:
    """A run with similar cells, which are those of the project itself."""
    access, data = Access(qupath=installation.folder), tmp_path / "data"
    export(project, out=data, access=access)
    rows = read_manifest(data)
    write_manifest(data, [replace(row, label_origin="consensus") for row in rows])
    return predict(project, model="m", similar=data, access=access).run.folder


def reasons_of(run: Path, installation: Installation, entry_id: str) -> tuple[Any, list[Any]]:
    """Return the reasons of an image, and the cells of its new detections."""
    drawing = Drawing(installation)
    project = _java.open_project(installation, run.parents[2] / "project.qpproj")
    objects = project.image(entry_id).objectsOnDisk()
    by_id = {str(item.getID()): item for item in objects}
    with (run / "new" / f"{entry_id}.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if not row["point_index"]]
    cells = [drawing.predicted(by_id[row["source_id"]], row["class"]) for row in rows]
    chosen = drawing.library.PycytoRun.chosen(project, run.name)
    from jpype import JClass

    with _java.refusals(run):
        found = drawing.library.PycytoReasons(
            chosen, entry_id, objects, JClass("java.util.ArrayList")(cells)
        )
    return found, cells


def test_similar_cells_are_those_of_the_table(run: Path, installation: Installation) -> None:
    entry_id = "1"
    found, cells = reasons_of(run, installation, entry_id)
    with (run / "similar" / f"{entry_id}.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert cells
    for cell in cells:
        expected = [row for row in table if row["object_id"] == cell.getObjectId()]
        shown = list(found.getSimilar().of(cell))
        assert expected
        for item, row in zip(shown, expected, strict=True):
            assert item.get("label") == row["label"]
            assert item.get("origin") == row["label_origin"] == "consensus"
            assert item.get("similarity") == float(row["similarity"])
            assert bool(item.get("same_slide")) is (row["same_slide"] == "1")
            assert Path(str(item.get("file"))) == run / "similar" / row["file"]
            assert Path(str(item.get("file"))).is_file()


def test_a_table_that_names_another_file_is_refused(run: Path, installation: Installation) -> None:
    table = run / "similar" / "1.csv"
    text = table.read_text("utf-8")
    name = text.splitlines()[1].rpartition(",")[2]
    table.write_text(text.replace(name, "../../../project.qpproj", 1), "utf-8")
    with pytest.raises(BadInputError, match="none of its pictures"):
        reasons_of(run, installation, "1")


def test_without_similar_cells_and_nuclei_there_is_nothing_to_say(
    project: Path, installation: Installation, model: None
) -> None:
    run = predict(project, model="m", access=Access(qupath=installation.folder)).run.folder
    found, cells = reasons_of(run, installation, "1")
    assert [list(found.sentences(cell)) for cell in cells] == [[]] * len(cells)
    assert [list(found.getSimilar().of(cell)) for cell in cells] == [[]] * len(cells)


def test_sentences_say_the_reference_and_its_number(
    draw: Draw, project: Path, installation: Installation, model: None
) -> None:
    run = predict(project, model="m", access=Access(qupath=installation.folder)).run.folder
    opened = _java.open_project(installation, project / "project.qpproj")
    drawing = draw()
    large = drawing.cell(0, 500, 20, 40)
    cell = drawing.predicted(large, "HSIL")

    def sentences() -> list[str]:
        from jpype import JClass

        chosen = drawing.library.PycytoRun.chosen(opened, run.name)
        found = drawing.library.PycytoReasons(
            chosen, "1", drawing.objects, JClass("java.util.ArrayList")([cell])
        )
        return [str(text) for text in found.sentences(cell)]

    unsaid, part = sentences()
    assert "cannot be said: fewer than 5" in unsaid
    assert part.startswith("N:C ratio 0.25 (area of the nucleus / area of the whole cell")
    assert "fixed distance" in part
    row_of_cells(drawing, 0, "Intermediate", [10] * 7)
    size, _, rule = sentences()
    assert size.startswith(
        "Nucleus 4.0 times as large as normal: the median of 7 cells of an inter"
    )
    assert "never speaks against HSIL" in rule
