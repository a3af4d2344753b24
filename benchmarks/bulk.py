"""Cells in bulk: 100,000 written and read at once, against paquo and QuPath's own import.

Each part runs in processes of its own, since a process holds one Java only; the two sides of a
comparison share one. The cells are polygons of 20 vertices, each detection has seven measurements.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import psutil
from PIL import Image

from pycyto import files
from pycyto.labels import BETHESDA
from pycyto.qupath import _java, runs
from pycyto.qupath.geojson import cells_file
from pycyto.qupath.headless import launcher_of, run_script
from pycyto.qupath.locate import Installation, find_qupath, installation_in
from pycyto.qupath.paquo_backend import PaquoBackend
from pycyto.qupath.project import Project, ensure_project_id, open_project
from pycyto.qupath.run_tables import NewDetection, write_tables
from pycyto.qupath.runs import ImageState, Run
from pycyto.qupath.writing import Writer
from pycyto.records import RUN_MARK, CellKey, ImageObjects, ProjectObject, new_object_id

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

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


def stage(project: Project, found: Sequence[ImageObjects]) -> Run:
    """Stage a run that makes a detection of each annotation, with a probability per class."""
    run_id = str(uuid.uuid4())
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
        model={"bundle_id": "0123456789ab", "network": "small", "labels": list(BETHESDA.names)},
        scheme="bethesda",
        colours={label.name: label.colour for label in BETHESDA.labels},
        counts={},
        images=images,
    )
    write_tables(run.folder, run.labels, new=new, updates=())
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


class Taken(NamedTuple):
    """Seconds by the clock, and of all processors that this process has used."""

    clock: float
    cpu: float

    def less(self, other: Taken) -> Taken:
        """Return the difference."""
        return Taken(self.clock - other.clock, self.cpu - other.cpu)


def now() -> Taken:
    """Return the seconds so far."""
    return Taken(time.perf_counter(), time.process_time())


def seconds(work: Callable[[], object]) -> Taken:
    """Return how long something takes, starting with no garbage in Python."""
    gc.collect()
    start = now()
    work()
    return now().less(start)


class Steps:
    """When QuPath's side comes to which step; it tells of each before it changes a file."""

    def __init__(self, installation: Installation) -> None:
        from jpype import JProxy

        self.seen: list[tuple[Taken, str]] = [(now(), "start")]
        told = JProxy("java.util.function.BiConsumer", dict={"accept": self._accept})
        _java.library(installation).PycytoFiles.setWatcher(told)

    def _accept(self, step: Any, file: Any) -> None:
        self.seen.append((now(), f"{step} {file.getName()}"))

    def between(self, first: str, last: str) -> Taken:
        """Return the seconds between the first of one step and the next of another."""
        names = [name for _, name in self.seen]
        start = names.index(first)
        return self.seen[names.index(last, start)][0].less(self.seen[start][0])


def writing(
    installation: Installation, project: Project, run: Run, entry_id: str
) -> dict[str, Taken]:
    """Write one image of a run; return the seconds of the whole and of its parts."""
    writer = Writer(project, installation)
    steps = Steps(installation)
    whole = seconds(lambda: writer.write(run, entry_id))
    save = steps.between("save data.qpdata", "saved data.qpdata")
    into = steps.between("rename run.json", "save data.qpdata")
    return {"write": whole, "write without saving": whole.less(save), "table to hierarchy": into}


def detections_in(project: Project, entry_id: str) -> list[dict[str, Any]]:
    """Return the written detections as the GeoJSON that other programs read."""
    lines = cells_file(project.workspace, entry_id).read_bytes().splitlines()[3:-1]
    features = [orjson.loads(line.rstrip(b",")) for line in lines]
    return [
        {key: value for key, value in feature.items() if key != "pycyto"}
        for feature in features
        if RUN_MARK in feature["properties"].get("measurements", {})
    ]


def read_with_qupath(hierarchy: Any, path: Path) -> None:
    """Import a GeoJSON file as QuPath does."""
    from jpype import JClass

    file = JClass("java.io.File")(str(path))
    hierarchy.addObjects(JClass("qupath.lib.io.PathIO").readObjects(file))


def look_at_each(detections: Iterable[Any]) -> list[Any]:
    """Ask paquo for centroid, class and measurements of each object."""
    return [
        (item.roi.centroid.coords[0], item.path_class.name, dict(item.measurements))
        for item in detections
    ]


def compare(installation: Installation, work: Path, count: int) -> dict[str, Taken]:
    """Return the seconds of both sides for so many cells: image 1 is ours, 2 and 3 are theirs."""
    project = make_project(installation, work, [count, 0, 0])
    run = stage(project, [PaquoBackend(project, installation).read("1")])
    times = writing(installation, project, run, "1")
    features = detections_in(project, "1")
    path = work / "cells.geojson"
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}))
    from paquo.projects import QuPathProject

    with QuPathProject(project.file, mode="r+") as opened:
        _, one, other = (image.hierarchy for image in opened.images)
        times["load_geojson"] = seconds(lambda: one.load_geojson(features))
        times["readObjects"] = seconds(lambda: read_with_qupath(other.java_object, path))
        imported = len(other.detections)
    with QuPathProject(project.file, mode="r") as opened:
        seen: list[Any] = []
        # From the file on both sides.
        image = opened.images[1]
        times["paquo objects"] = seconds(
            lambda: seen.extend(look_at_each(image.hierarchy.detections))
        )
    backend = PaquoBackend(project, installation)
    read: list[ImageObjects] = []
    times["read"] = seconds(lambda: read.append(backend.read("2")))
    if not len(features) == len(seen) == len(read[0].objects) == imported == count:
        raise SystemExit(f"{count} cells: {len(features)} written, {len(seen)}, {imported} read")
    return times


def speed(installation: Installation, work: Path, count: int) -> dict[str, Taken]:
    """Compare once with few cells, so that Java has compiled both sides, then in earnest."""
    compare(installation, work / "warm", min(WARM_UP, count))
    return compare(installation, work / "cold", count)


def prepared(installation: Installation, work: Path, cells: Sequence[int]) -> dict[str, float]:
    """Make a project of such images with a staged run, for another process."""
    project = make_project(installation, work, cells)
    backend = PaquoBackend(project, installation)
    stage(project, [backend.read(image.entry_id) for image in project.images])
    return {}


def scripts(installation: Installation, work: Path, count: int) -> dict[str, Taken]:
    """Return the seconds of the whole script in a QuPath of its own, and of a plain import."""
    path = work / "cells.geojson"
    project = work / "project"
    script = SCRIPTS / "import_predictions.groovy"
    times = {"script": seconds(lambda: run_script(installation.folder, script, project))}
    found = detections_in(open_project(project), "1")
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": found}))
    if len(found) != count:
        raise SystemExit(f"{len(found)} of {count} cells were loaded")
    plain = HERE / "bulk_script.groovy"
    arguments = (project / "project.qpproj", "1", path)
    command = [str(launcher_of(installation.folder)), "script"]
    for argument in arguments:
        command += ["--args", str(argument)]
    times["plain script"] = seconds(
        lambda: subprocess.run([*command, str(plain)], check=True, stdout=subprocess.DEVNULL)
    )
    return times


# --- memory -----------------------------------------------------------------------------------


def peak() -> int:
    """Return the most memory that this process has held, in bytes: Java and Python."""
    if resource is None:  # Windows, where psutil knows the peak
        return int(psutil.Process().memory_info().peak_wset)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def write_all(installation: Installation, work: Path) -> dict[str, float]:
    """Write a staged run into all its images, then read them; return the peak after each."""
    project = open_project(work)
    run = runs.all_runs(project.workspace)[-1]
    writer = Writer(project, installation)
    for entry_id in run.images:
        run = writer.write(run, entry_id)
    written = peak()
    backend = PaquoBackend(project, installation)
    for entry_id, state in run.images.items():
        if len(backend.read(entry_id).objects) != 2 * state.created or not state.created:
            raise SystemExit(f"image {entry_id} does not hold what was written")
    return {"write": written, "write and read": peak()}


# --- processes --------------------------------------------------------------------------------


def part(name: str, installation: Installation, work: Path, *cells: int) -> dict[str, Any]:
    """Run one part in a process of its own and return what it measured."""
    answer = work.parent / f"{name}.json"
    command = [sys.executable, __file__, "--part", name, "--qupath", str(installation.folder)]
    command += ["--work", str(work), "--answer", str(answer), "--cells", *map(str, cells)]
    homes = f"-Duser.home={work.parent} -Djava.util.prefs.userRoot={work.parent}"
    options = f"-XX:MaxRAMPercentage=50 {homes}"
    done = subprocess.run(
        command,
        env={**os.environ, "PAQUO_JAVA_OPTS": options},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(answer.read_text("utf-8"))
    return found


def do_part(given: argparse.Namespace) -> None:
    """Do a part: this is the process of its own."""
    installation = installation_in(given.qupath)
    if installation is None:
        raise SystemExit(f"{given.qupath} holds no QuPath")
    cells = given.cells
    parts: dict[str, Callable[[], Mapping[str, Any]]] = {
        "speed": lambda: speed(installation, given.work, cells[0]),
        "prepare": lambda: prepared(installation, given.work, cells),
        "memory": lambda: write_all(installation, given.work),
    }
    given.answer.write_text(json.dumps(parts[given.part]()), "utf-8")


def show_speed(found: Mapping[str, Any], count: int) -> None:
    """Print the comparisons that share a process."""
    times = {name: Taken(*pair) for name, pair in found.items()}
    rows = (
        ("table to hierarchy / paquo load_geojson", "table to hierarchy", "load_geojson", 8),
        ("  ... whole write without its save", "write without saving", "load_geojson", 0),
        ("table to hierarchy / PathIO.readObjects", "table to hierarchy", "readObjects", 3),
        ("read / paquo objects one by one", "read", "paquo objects", 5),
    )
    print(f"{'':42} {'seconds: pycyto, the other':^30} ratio, of CPU seconds")
    for what, ours, theirs, bound in rows:
        one, other = times[ours], times[theirs]
        print(
            f"{what:42} {one.clock:13.2f} {other.clock:13.2f}    {other.clock / one.clock:5.1f}"
            f" {other.cpu / one.cpu:12.1f} {f'(bound: {bound})' if bound else ''}"
        )
    whole = times["write"]
    print(f"{'whole write, read back and counted':42} {whole.clock:13.2f} for {count} cells")


def show_scripts(installation: Installation, folder: Path, count: int) -> None:
    """Print what whole scripts take, the start of QuPath included."""
    part("prepare", installation, folder / "project", count)
    times = scripts(installation, folder, count)
    ours, plain = times["script"].clock, times["plain script"].clock
    what = "import_predictions.groovy / plain import"
    print(f"{what:42} {ours:13.2f} {plain:13.2f}    {plain / ours:5.1f}")


def show_memory(installation: Installation, folder: Path, count: int) -> None:
    """Print peaks: per cell of one image, and for many images against a few."""
    few, images = count // 20, 40
    peaks = {}
    for name, cells in {
        "tenth": [count // 10], "one": [count], "few": [few] * 4, "many": [few] * images,
    }.items():  # fmt: skip
        work = folder / name / "project"
        part("prepare", installation, work, *cells)
        peaks[name] = part("memory", installation, work)
    for what in peaks["one"]:
        per_cell = (peaks["one"][what] - peaks["tenth"][what]) / (count - count // 10)
        ratio = peaks["many"][what] / peaks["few"][what]
        print(
            f"memory, {what:15} {per_cell:7.0f} bytes a cell; {images} images of {few} cells"
            f" {peaks['many'][what] / 2**20:5.0f} MiB,"
            f" 4 images {peaks['few'][what] / 2**20:5.0f} MiB,"
            f" ratio {ratio:4.2f} (bound: 1.2)"
        )


def main() -> None:
    """Print ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qupath", type=Path, help="folder of a QuPath")
    parser.add_argument("--cells", type=int, nargs="*", default=[CELLS])
    for name in ("--part", "--work", "--answer"):
        parser.add_argument(name, type=str if name == "--part" else Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=("speed", "scripts", "memory"))
    given = parser.parse_args()
    if given.part:
        do_part(given)
        return
    installation = find_qupath(given.qupath)
    if installation is None:
        raise SystemExit("There is no QuPath: --qupath FOLDER.")
    count = given.cells[0]
    print(f"QuPath {installation.version}, {count} cells of 20 vertices, 7 measurements each")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if given.only in (None, "speed"):
            show_speed(part("speed", installation, work / "speed", count), count)
        if given.only in (None, "scripts"):
            show_scripts(installation, work / "scripts", count)
        if given.only in (None, "memory"):
            show_memory(installation, work / "memory", count)


if __name__ == "__main__":
    main()
