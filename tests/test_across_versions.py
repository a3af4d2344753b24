"""What one version of QuPath writes, every version reads as the same records."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import shapely
import shapely.geometry

from pycyto import files
from pycyto.labels import BETHESDA
from pycyto.qupath import runs
from pycyto.qupath.geojson import objects_from
from pycyto.qupath.geojson_backend import GeoJsonBackend
from pycyto.qupath.headless import run_script
from pycyto.qupath.project import Project, ensure_project_id, open_project
from pycyto.qupath.run_tables import NewDetection, Update, read_new, read_updates, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.records import (
    RUN_MARK,
    UPDATED_MARK,
    Bounds,
    CellKey,
    ProjectObject,
    new_object_id,
    run_mark,
)
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests.qupath_installations import VARIABLE, installations, parameters

RUN_ID = "7c2e5f00-0000-4000-8000-000000000001"
# JPEG and PNG fields, the slide, the hard cases, detections that wait for a class.
IMAGES = (1, 12, 31, 32, 33, 36, 38)
ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "qupath_scripts"
# A process holds one Java only.
WRITE = """
import sys
from pathlib import Path
from pycyto import Access, write_back
write_back(sys.argv[1], yes=True, access=Access(qupath=Path(sys.argv[2])))
"""
READ = """
import sys
from pathlib import Path
import orjson
from pycyto.qupath.geojson import features_from
from pycyto.qupath.locate import installation_in
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import open_project
found = {}
for folder in sys.argv[3:]:
    project = open_project(folder)
    backend = PaquoBackend(project, installation_in(Path(sys.argv[2])))
    found[folder] = {
        image.entry_id: list(features_from(backend.read(image.entry_id).objects))
        for image in project.images
    }
Path(sys.argv[1]).write_bytes(orjson.dumps(found))
"""

# Every field of every object, with its place in the hierarchy and the colours that it is shown in.
LOOK = """
import sys, json
from pathlib import Path
from pycyto.qupath import _java
from pycyto.qupath.locate import installation_in
from pycyto.qupath.project import open_project
installation = installation_in(Path(sys.argv[2]))
library, java = _java.library(installation), _java.start(installation)
folder = Path(sys.argv[3])
project = _java.open_project(installation, folder / "project.qpproj")
found = {}
for image in open_project(folder).images:
    for item in project.image(image.entry_id).objectsOnDisk():
        parent, named = item.getParent(), item.getPathClass()
        found[f"{image.entry_id}/{item.getID()}"] = {
            **json.loads(str(library.PycytoCells.feature(item))),
            "parent": None if parent.isRootObject() else str(parent.getID()),
            "colour": str(item.getColor()),
            "class colour": None if named is None else str(named.getColor()),
            "locked": bool(item.isLocked()),
            "java": str(item.getClass().getName()),
            "measurements": [str(name) for name in item.getMeasurementList().getMeasurementNames()],
        }
Path(sys.argv[1]).write_text(json.dumps(found))
"""

Records = dict[str, tuple[ProjectObject, ...]]
Pair = tuple[Path, Path]

pytestmark = pytest.mark.qupath


def pairs() -> list[Any]:
    """Return a parameter for each version that writes with each that reads."""
    found = installations()
    if len(found) > 1:
        both = itertools.product(found, repeat=2)
        return [pytest.param(pair, id=f"{pair[0].name}-{pair[1].name}") for pair in both]
    reason = f"needs two versions of QuPath: set {VARIABLE} to their folders"
    return [pytest.param(None, id="no QuPath", marks=pytest.mark.skip(reason=reason))]


def in_process(code: str, home: Path, *arguments: object) -> None:
    options = f"-Xmx2g -Duser.home={home} -Djava.util.prefs.userRoot={home}"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PAQUO_JAVA_OPTS": options},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def stage(folder: Path) -> Run:
    """Stage a run of a detection for each annotation and a class for each undecided detection."""
    project = ensure_project_id(open_project(folder))
    new: list[NewDetection] = []
    updates: list[Update] = []
    images = {}
    backend = GeoJsonBackend(project)
    for image in project.images:
        found = backend.read(image.entry_id)
        created = [one for item in found.objects for one in made_of(project, image.entry_id, item)]
        classified = [
            Update(image.entry_id, item.object_id, *item.centroid, "LSIL", chances("LSIL"))
            for item in found.objects
            if item.kind == "detection" and item.undecided and not item.made_by_pycyto
        ]
        images[image.entry_id] = ImageState(
            "staged", found.data_sha256, len(created), len(classified)
        )
        new += created
        updates += classified
    run = Run(
        folder=project.workspace / "runs" / runs.folder_name(RUN_ID, files.now()),
        run_id=RUN_ID,
        created_at=files.now(),
        project_id=project.project_id,
        state="staged",
        objects="all",
        model={"bundle_id": "0123456789ab", "network": "small", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={label.name: label.colour for label in BETHESDA.labels},
        counts={},
        images=images,
    )
    write_tables(run.folder, run.labels, new=new, updates=updates)
    runs.save(run)
    return run


def made_of(project: Project, entry_id: str, item: ProjectObject) -> Iterator[NewDetection]:
    if item.kind != "annotation" or item.made_by_pycyto:
        return
    places = dict(enumerate(item.points)) if item.points else {None: item.centroid}
    for number, (index, (x, y)) in enumerate(places.items()):
        key = CellKey(project.project_id, entry_id, item.object_id, index)
        label = BETHESDA.names[(number + len(item.object_id)) % 4]
        yield NewDetection(
            entry_id=entry_id,
            object_id=new_object_id(key, RUN_ID),
            source_id=item.object_id,
            point_index=index,
            x=x,
            y=y,
            z=item.z,
            t=item.t,
            radius=20.5,
            label=label,
            probabilities=chances(label),
        )


def chances(label: str) -> dict[str, float]:
    return {name: 0.7 if name == label else 0.1 for name in BETHESDA.names}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Stage the run, without any QuPath."""
    folder = tmp_path_factory.mktemp("staged") / "project"
    copy_project(sample_project_folder(), folder)
    shutil.rmtree(folder / "pycyto" / "runs", ignore_errors=True)
    file = folder / "project.qpproj"
    content = files.read_json(file)
    content["images"] = [image for image in content["images"] if image["entryID"] in IMAGES]
    files.write_json(file, content)
    return stage(folder)


Twins = Callable[[Path], tuple[Path, Path]]


@pytest.fixture(scope="module")
def twins(staged: Run, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Return a function that writes the run once from Python and once with the script in QuPath."""

    @functools.cache
    def written(installation: Path) -> tuple[Path, Path]:
        home = tmp_path_factory.mktemp(f"twins-{installation.name}")
        folders = home / "python" / "project", home / "groovy" / "project"
        for folder in folders:
            copy_project(staged.folder.parents[2], folder)
        in_process(WRITE, home, folders[0], installation)
        with pytest.MonkeyPatch.context() as patch:
            homes = f"-Duser.home={home} -Djava.util.prefs.userRoot={home}"
            patch.setenv("JAVA_TOOL_OPTIONS", homes)
            run_script(installation, SCRIPTS / "import_predictions.groovy", folders[1])
        return folders

    return written


@pytest.fixture(scope="module")
def matrix(staged: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[Pair, Records]:
    """Return what each version reads of what each has written."""
    folders = {}
    for writer in installations():
        folders[writer] = tmp_path_factory.mktemp(f"by-{writer.name}") / "project"
        copy_project(staged.folder.parents[2], folders[writer])
        in_process(WRITE, folders[writer].parent, folders[writer], writer)
    found = {}
    for reader in installations():
        answer = tmp_path_factory.mktemp(f"read-{reader.name}") / "answer.json"
        in_process(READ, answer.parent, answer, reader, *folders.values())
        content = orjson.loads(answer.read_bytes())
        for writer, folder in folders.items():
            images = content[str(folder)]
            found[writer, reader] = {name: objects_from(one) for name, one in images.items()}
    return found


def shape_of(item: ProjectObject) -> Any:
    return shapely.geometry.shape({k: item.geometry[k] for k in ("type", "coordinates")})


def has_hole(item: ProjectObject) -> bool:
    return item.geometry["type"] == "Polygon" and len(item.geometry["coordinates"]) > 1


def fields_of(item: ProjectObject) -> dict[str, Any]:
    """Return all fields; the outline in a form that does not depend on where it starts."""
    values = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    del values["geometry"]
    return {**values, "outline": shapely.normalize(shape_of(item)).wkt}


def check_same(ours: Records, theirs: Records, form: Callable[[ProjectObject], object]) -> None:
    """Compare all records in a form, and outlines with holes more loosely.

    Each version builds those in its own way when it saves and reads them, which moves a vertex
    by some thousandths of a pixel.
    """
    assert ours.keys() == theirs.keys()
    holes = 0
    for entry_id, objects in ours.items():
        for one, other in zip(objects, theirs[entry_id], strict=True):
            if has_hole(one) and has_hole(other):
                check_same_with_hole(one, other)
                holes += 1
            else:
                assert form(one) == form(other)
    assert holes < 10


def check_same_with_hole(one: ProjectObject, other: ProjectObject) -> None:
    assert without_outline(one) == without_outline(other)
    assert one.centroid == pytest.approx(other.centroid, abs=0.01)
    assert one.area == pytest.approx(other.area, rel=1e-4)
    assert dataclasses.astuple(one.bounds) == pytest.approx(
        dataclasses.astuple(other.bounds), abs=0.01
    )
    assert shape_of(one).symmetric_difference(shape_of(other)).area < 1


def without_outline(item: ProjectObject) -> ProjectObject:
    nowhere = Bounds(0, 0, 0, 0)
    return dataclasses.replace(item, centroid=(0, 0), bounds=nowhere, area=0, geometry={})


@pytest.mark.parametrize("pair", pairs())
def test_who_wrote_makes_no_difference(matrix: dict[Pair, Records], pair: Pair) -> None:
    _, reader = pair
    check_same(matrix[pair], matrix[reader, reader], lambda item: item)


@pytest.mark.parametrize("pair", pairs())
def test_who_reads_makes_no_difference(matrix: dict[Pair, Records], pair: Pair) -> None:
    """From 0.6 on QuPath begins some outlines at another vertex."""
    writer, _ = pair
    check_same(matrix[pair], matrix[writer, writer], fields_of)


@pytest.mark.parametrize("pair", pairs())
def test_the_run_is_there(matrix: dict[Pair, Records], pair: Pair, staged: Run) -> None:
    mark = run_mark(RUN_ID)
    for entry_id, objects in matrix[pair].items():
        created = {item.object_id for item in objects if item.measurements.get(RUN_MARK) == mark}
        assert created == {item.object_id for item in read_new(staged, entry_id)}
        updated = {
            item.object_id for item in objects if item.measurements.get(UPDATED_MARK) == mark
        }
        assert updated == {item.object_id for item in read_updates(staged, entry_id)}


# --- Python and Groovy --------------------------------------------------------------------------


def looked_at(folder: Path, installation: Path) -> dict[str, dict[str, Any]]:
    answer = folder.parent / "looked at.json"
    in_process(LOOK, folder.parent, answer, installation, folder)
    found: dict[str, dict[str, Any]] = json.loads(answer.read_text("utf-8"))
    return found


@pytest.mark.parametrize("installation", parameters())
def test_python_and_groovy_write_the_same_objects(
    twins: Twins, installation: Path, staged: Run
) -> None:
    python, groovy = (looked_at(folder, installation) for folder in twins(installation))
    assert python == groovy
    made = {
        row.object_id: (entry_id, row)
        for entry_id in staged.images
        for row in read_new(staged, entry_id)
    }
    assert len(made) > 100
    for object_id, (entry_id, row) in made.items():
        one = python[f"{entry_id}/{object_id}"]
        assert (one["parent"], one["locked"], one["colour"]) == (None, False, "None")
        assert one["properties"]["classification"]["name"] == row.label
        assert one["class colour"] is not None


def lines_of(file: Path) -> list[str]:
    """Return a file's lines without that of a file of cells which says of which data it is."""
    return [line for line in file.read_text("utf-8").splitlines() if "data_sha256" not in line]


@pytest.mark.parametrize("installation", parameters())
def test_python_and_groovy_leave_the_same_files(twins: Twins, installation: Path) -> None:
    python, groovy = twins(installation)
    for pattern in ("pycyto/cells/*.geojson", "pycyto/runs/*/written/*.csv", "classifiers/*.json"):
        names = {path.relative_to(python) for path in python.glob(pattern)}
        assert names == {path.relative_to(groovy) for path in groovy.glob(pattern)} != set()
        for name in names:
            assert lines_of(python / name) == lines_of(groovy / name)
    one, other = (runs.all_runs(folder / "pycyto")[-1] for folder in (python, groovy))
    assert one.state == other.state == "written"
    counts = ("new", "updates", "created", "updated", "gone", "decided", "read_back")
    for entry_id, state in one.images.items():
        for count in counts:
            assert getattr(state, count) == getattr(other.images[entry_id], count)
    assert sum(state.updated for state in one.images.values()) > 0
