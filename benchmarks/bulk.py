"""Cells in bulk: 100,000 written and read at once, against paquo and QuPath's own import.

Each part runs in processes of its own, since a process holds one Java only; the two sides of a
comparison share one. The cells are polygons of 20 vertices, each detection has five measurements.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

from pycyto import files
from pycyto.labels import BETHESDA
from pycyto.qupath import _java, runs
from pycyto.qupath.geojson import cells_file
from pycyto.qupath.headless import launcher_of, run_script
from pycyto.qupath.locate import Installation, find_qupath, installation_in
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import Project, ensure_project_id, open_project
from pycyto.qupath.runs import ImageState, NewDetection, Run
from pycyto.qupath.writing import Writer
from pycyto.records import RUN_MARK, CellKey, ImageObjects, ProjectObject, new_object_id

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "qupath_scripts"
CELLS = 100_000
WARM_UP = 2_000  # Java compiles what it runs often
SIDE = 3000


# --- the project -------------------------------------------------------------------------------


def make_project(installation: Installation, folder: Path, cells: Sequence[int]) -> Project:
    """Make a project with so many annotations of 20 vertices in each image, none in some."""
    from jpype import JClass, JInt

    _java.library(installation)  # starts Java
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "field.png"
    Image.fromarray(np.zeros((SIDE, SIDE, 3), np.uint8)).save(picture)
    counts = JClass("java.util.ArrayList")()
    for count in cells:
        counts.add(JClass("java.lang.Integer").valueOf(JInt(count)))
    binding = JClass("groovy.lang.Binding")()
    binding.setVariable("folder", str(folder))
    binding.setVariable("picture", str(picture))
    binding.setVariable("cells", counts)
    script = JClass("java.io.File")(str(HERE / "bulk_project.groovy"))
    JClass("groovy.lang.GroovyShell")(_loader(), binding).evaluate(script)
    return ensure_project_id(open_project(folder))


def _loader() -> Any:
    from jpype import JClass

    return JClass("qupath.lib.io.PathIO").class_.getClassLoader()


def stage(project: Project, found: Sequence[ImageObjects], run_id: str) -> Run:
    """Stage a run that makes a detection of each annotation, with a probability per class."""
    images, new = {}, []
    for image in found:
        items = [_detection(project, image.entry_id, item, run_id) for item in image.objects]
        images[image.entry_id] = ImageState("staged", image.data_sha256, len(items), 0)
        new += items
    run = Run(
        folder=project.workspace / "runs" / runs.folder_name(run_id, files.now()),
        run_id=run_id,
        created_at=files.now(),
        project_id=project.project_id,
        state="staged",
        objects="annotations",
        model={"bundle_id": "bulk", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={name: (1, 2, 3) for name in BETHESDA.names},
        counts={},
        images=images,
    )
    runs.write_tables(run.folder, run.labels, new=new, updates=())
    runs.save(run)
    return run


def _detection(project: Project, entry_id: str, item: ProjectObject, run_id: str) -> NewDetection:
    key = CellKey(project.project_id, entry_id, item.object_id)
    labels = BETHESDA.names
    own = labels[item.object_id.encode()[0] % len(labels)]
    return NewDetection(
        entry_id=entry_id,
        object_id=new_object_id(key, run_id),
        source_id=item.object_id,
        point_index=None,
        x=item.centroid[0],
        y=item.centroid[1],
        z=0,
        t=0,
        radius=20.0,
        label=own,
        probabilities={name: 0.7 if name == own else 0.1 for name in labels},
    )


# --- times ------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Steps:
    """When QuPath's side comes to which step; it tells of each before it changes a file."""

    def __init__(self, installation: Installation) -> None:
        from jpype import JProxy

        self.seen: list[tuple[float, str]] = [(time.perf_counter(), "start")]
        told = JProxy("java.util.function.BiConsumer", dict={"accept": self._accept})
        _java.library(installation).PycytoFiles.setWatcher(told)

    def _accept(self, step: Any, file: Any) -> None:
        self.seen.append((time.perf_counter(), f"{step} {file.getName()}"))

    def between(self, first: str, last: str) -> float:
        """Return the seconds between the first of one step and the next of another."""
        names = [name for _, name in self.seen]
        start = names.index(first)
        return self.seen[names.index(last, start)][0] - self.seen[start][0]


def writing(installation: Installation, project: Project, run: Run, entry_id: str) -> dict[str, float]:
    """Write one image of a run; return the seconds of the whole and of its parts."""
    writer = Writer(project, installation)
    steps = Steps(installation)
    whole = seconds(lambda: writer.write(run, entry_id))
    save = steps.between("save data.qpdata", "saved data.qpdata")
    into = steps.between("rename run.json", "save data.qpdata")
    return {"write": whole, "write without saving": whole - save, "table to hierarchy": into}


def detections_in(project: Project, entry_id: str) -> list[dict[str, Any]]:
    """Return the written detections as the GeoJSON that other programs read."""
    lines = cells_file(project.workspace, entry_id).read_bytes().splitlines()[3:-1]
    features = [orjson.loads(line.rstrip(b",")) for line in lines]
    return [
        {key: value for key, value in feature.items() if key != "pycyto"}
        for feature in features
        if RUN_MARK in feature["properties"].get("measurements", {})
    ]


def java_file(path: Path) -> Any:
    from jpype import JClass

    return JClass("java.io.File")(str(path))


def read_with_qupath(hierarchy: Any, path: Path) -> None:
    """Import a GeoJSON file as QuPath does."""
    from jpype import JClass

    hierarchy.addObjects(JClass("qupath.lib.io.PathIO").readObjects(java_file(path)))


def look_at_each(detections: Iterable[Any]) -> list[Any]:
    """Ask paquo for centroid, class and measurements of each object."""
    return [
        (item.roi.centroid.coords[0], item.path_class.name, dict(item.measurements))
        for item in detections
    ]


def compare(installation: Installation, work: Path, count: int) -> dict[str, float]:
    """Return the seconds of both sides for so many cells: image 1 is ours, 2 and 3 are theirs."""
    project = make_project(installation, work, [count, 0, 0])
    run = stage(project, [PaquoBackend(project, installation).read("1")], str(uuid.uuid4()))
    times = writing(installation, project, run, "1")
    features = detections_in(project, "1")
    path = work / "cells.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))

    from paquo.projects import QuPathProject

    with QuPathProject(project.file, mode="r+") as opened:
        image = opened.images[1]
        times["paquo load_geojson"] = seconds(lambda: image.hierarchy.load_geojson(features))
        times["paquo save"] = seconds(opened.save)
        other = opened.images[2]
        times["PathIO.readObjects"] = seconds(
            lambda: read_with_qupath(other.hierarchy.java_object, path)
        )
        found = len(other.hierarchy.detections)
    with QuPathProject(project.file, mode="r") as opened:
        detections = opened.images[1].hierarchy.detections
        seen: list[Any] = []
        times["paquo objects"] = seconds(lambda: seen.extend(look_at_each(detections)))
    backend = PaquoBackend(project, installation)
    read: list[ImageObjects] = []
    times["read"] = seconds(lambda: read.append(backend.read("2")))
    if not len(features) == len(seen) == len(read[0].objects) == found == count:
        raise SystemExit(f"{count} cells: {len(features)} written, {len(seen)}, {found} read")
    return times
