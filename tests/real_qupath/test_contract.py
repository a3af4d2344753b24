"""Both backends return the same records of the same project."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import shapely
import shapely.geometry

from pycyto.labels import BETHESDA
from pycyto.qupath import _java
from pycyto.qupath.decisions import read_decisions, replay
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.locate import Installation
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import ensure_project_id, open_project
from pycyto.records import CellKey, ProjectObject
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests.faults.in_qupath import as_qupath, random_object
from tests.reviewing import a_line, write_log


def fields_of(item: ProjectObject) -> dict[str, Any]:
    """Return all fields; the outline in a form that does not depend on where it starts."""
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    del values["geometry"]
    return {**values, "outline": shapely.normalize(shape_of(item)).wkt}


def shape_of(item: ProjectObject) -> Any:
    plain = {key: item.geometry[key] for key in ("type", "coordinates")}
    return shapely.geometry.shape(plain)


def has_hole(item: ProjectObject) -> bool:
    return item.geometry["type"] == "Polygon" and len(item.geometry["coordinates"]) > 1


def test_same_records(whole_project: Path, installation: Installation) -> None:
    opened = open_project(whole_project)
    paquo, geojson = PaquoBackend(opened, installation), GeoJsonBackend(opened)
    total = 0
    for image in opened.images:
        theirs, ours = paquo.read(image.entry_id), geojson.read(image.entry_id)
        assert theirs.data_sha256 == ours.data_sha256
        assert list(map(fields_of, theirs.objects)) == list(map(fields_of, ours.objects))
        total += len(ours.objects)
    assert total >= 500


def test_the_files_that_the_scripts_left_say_the_same(
    tmp_path: Path, installation: Installation
) -> None:
    """The sample project's own files were written by export_cells.groovy in QuPath 0.5.1.

    Versions build outlines with holes in their own way, which moves them by
    some thousandths of a pixel; all else is the same.
    """
    copy_project(sample_project_folder(), tmp_path / "copy")
    opened = open_project(tmp_path / "copy")
    paquo, geojson = PaquoBackend(opened, installation), GeoJsonBackend(opened)
    for image in opened.images:
        theirs, ours = paquo.read(image.entry_id), geojson.read(image.entry_id)
        for one, other in zip(theirs.objects, ours.objects, strict=True):
            assert (one.object_id, one.class_name) == (other.object_id, other.class_name)
            assert one.centroid == pytest.approx(other.centroid, abs=0.01)
            assert one.area == pytest.approx(other.area, rel=1e-4)
            assert shape_of(one).symmetric_difference(shape_of(other)).area < 1
            if not has_hole(other):
                assert fields_of(one) == fields_of(other)


def random_polygon(java: Any, rng: np.random.Generator) -> Any:
    """Return an outline as people and programs draw them: smooth, jagged, or crossing itself."""
    from jpype import JClass, JDouble

    count = int(rng.integers(3, 40)) if rng.random() < 0.95 else 200
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    if rng.random() < 0.3:
        rng.shuffle(angles)  # crosses itself
    if rng.random() < 0.3:
        angles = np.repeat(angles, 2)[:count]  # a vertex comes twice
    radii = rng.uniform(0.2, 1, count) * rng.choice([0.02, 5, 40, 3000])
    x, y = rng.uniform(-50, 40_000, 2)
    xs, ys = x + radii * np.cos(angles), y + radii * np.sin(angles)
    planes = JClass("qupath.lib.regions.ImagePlane")
    plane = planes.getPlane(int(rng.integers(2)), int(rng.integers(2)))
    return java.ROIs.createPolygonROI(JDouble[:](list(xs)), JDouble[:](list(ys)), plane)


def test_outlines_are_those_of_qupath(installation: Installation) -> None:
    """QuPath makes a valid geometry in its own slow way; ours is the same, or is made by it."""
    from jpype import JClass, JException

    java, library = _java.start(installation), _java.library(installation)
    qupath = JClass("qupath.lib.io.GsonTools").getInstance(False)
    rng = np.random.default_rng(20261125)
    simple, impossible = 0, 0
    for _ in range(1500):
        roi = random_polygon(java, rng)
        drawn = shapely.Polygon([(p.getX(), p.getY()) for p in roi.getAllPoints()])
        simple += drawn.is_valid
        if not drawn.is_valid and installation.version.startswith("0.5"):
            continue  # made anew each time, and for large ones it takes seconds
        ours = json.loads(str(library.PycytoOutline.geometry(roi)))
        one = shapely.geometry.shape(ours)
        try:
            theirs = json.loads(str(qupath.toJson(roi, JClass("qupath.lib.roi.interfaces.ROI"))))
        except JException:  # too thin for it: then ours is as drawn
            assert one.hausdorff_distance(drawn) < 0.011
            impossible += 1
            continue
        other = shapely.geometry.shape(theirs)
        assert ours.get("plane") == theirs.get("plane")
        if not drawn.is_valid:
            continue  # QuPath's affair
        if ours == theirs or (not one.is_valid and installation.version.startswith("0.5")):
            continue  # made by QuPath, which can make a valid outline invalid, 0.5.1 anew each time
        assert one.is_valid
        assert other.is_valid
        # QuPath cuts off what is thinner than a hundredth of a pixel; ours is as drawn.
        assert one.symmetric_difference(other).area < 0.01 + 0.002 * other.length
        assert ours["type"] == theirs["type"] or other.area < 0.01
    assert 300 < simple < 1200
    assert 0 < impossible < 400


def test_an_outline_without_area_stops_nobody(installation: Installation) -> None:
    from jpype import JDouble

    java, library = _java.start(installation), _java.library(installation)
    rois, plane = java.ROIs, random_polygon(java, np.random.default_rng(1)).getImagePlane()
    once = JDouble[:]([7.0])
    for roi in (
        rois.createRectangleROI(5, 5, 0, 0, plane),
        rois.createEllipseROI(5, 5, 0, 3, plane),
        rois.createLineROI(3, 3, 3, 3, plane),
        rois.createPolygonROI(once, once, plane),
        rois.createEmptyROI(),
    ):
        assert json.loads(str(library.PycytoOutline.geometry(roi)))["type"] in (
            "Polygon",
            "LineString",
        )


def test_objects_are_those_of_qupath(installation: Installation) -> None:
    """Every field of objects of every kind, as QuPath writes it."""
    java, library = _java.start(installation), _java.library(installation)
    rng = np.random.default_rng(20261125)
    kinds = set()
    for _ in range(500):
        item = random_object(java, rng)
        ours = json.loads(str(library.PycytoCells.feature(item)))
        theirs = as_qupath(item)
        del ours["pycyto"]
        for name in {"geometry", "nucleusGeometry"} & theirs.keys():
            one, other = ours.pop(name), theirs.pop(name)
            shapes = [shapely.geometry.shape(geometry) for geometry in (one, other)]
            assert shapes[0].hausdorff_distance(shapes[1]) < 0.011
            assert one.keys() == other.keys()
            assert [one.get(key) for key in ("type", "plane", "isEllipse")] == [
                other.get(key) for key in ("type", "plane", "isEllipse")
            ]
        assert ours == theirs
        assert list(ours) == list(theirs)
        kinds.add(ours["properties"]["objectType"])
    assert kinds == {"annotation", "detection", "tile", "cell"}


def test_reading_changes_no_file(project: Path, installation: Installation) -> None:
    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    before = state()
    opened = open_project(project)
    backend = PaquoBackend(opened, installation)
    for image in opened.images:
        backend.read(image.entry_id)
    assert state() == before


# --- decisions ----------------------------------------------------------------------------------


def random_log(rng: np.random.Generator, keys: list[CellKey], count: int) -> list[dict[str, Any]]:
    """Return what a reviewer may have said of some cells, some of it taken back."""
    lines: list[dict[str, Any]] = []
    for number in range(count):
        key = keys[rng.integers(len(keys))]
        action = str(rng.choice(["class", "accept", "skip", "flag", "take back"]))
        own = [one for one in lines if one["object_id"] == key.object_id]
        earlier = [one["decision"] for one in own if one["action"] != "take back"]
        if action == "take back" and not earlier:
            continue
        changes: dict[str, Any] = {"action": action, "label": None}
        if action == "take back":
            changes["takes_back"] = str(rng.choice(earlier))
        elif action in ("class", "accept"):
            changes["label"] = str(rng.choice(BETHESDA.names))
        lines.append(a_line(key, number, **changes))
    return lines


def test_python_and_groovy_replay_decisions_alike(
    project: Path, installation: Installation
) -> None:
    """The same state, label and last word for each cell, from the logs of two reviewers."""
    from jpype import JArray, JClass, JDouble

    library = _java.library(installation)
    opened, rng = ensure_project_id(open_project(project)), np.random.default_rng(20261126)
    keys = [CellKey(opened.project_id, "1", str(uuid4())) for _ in range(60)]
    lines = random_log(rng, keys, 180)
    for number, reviewer in enumerate(("Anna", "Dr. Ä")):
        write_log(opened.workspace, lines[number::2], reviewer)
    verdicts = replay(read_decisions(opened.workspace))
    theirs = library.PycytoDecisions(
        _java.open_project(installation, project / "project.qpproj"), None
    )
    states = set()
    for key in keys:
        cell = library.PycytoCell(
            JClass("java.util.HashMap")({
                "entryId": "1", "objectId": key.object_id, "detectionId": key.object_id,
                "x": 0.0, "y": 0.0, "predicted": "HSIL", "labels": JClass("java.util.ArrayList")(),
                "probabilities": JArray(JDouble)(0), "isTrainedOn": False,
            })
        )  # fmt: skip
        cell.replay(theirs.of(cell.getKey()))
        verdict, standing = verdicts.get(key), theirs.labelling(cell.getKey())
        assert str(cell.getState()) == (verdict.state if verdict else "open")
        states.add(str(cell.getState()))
        decided = verdict.decided if verdict else None
        assert cell.getLabel() == (decided and decided.label)
        assert (standing and str(standing["decision"])) == (decided and decided.decision)
    assert states == {"open", "decided", "skipped", "flagged"}
