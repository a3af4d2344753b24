"""Write-back and undo inside a real QuPath, with a fault at one of the steps that change a file.

One *trip*: a generated project is predicted, written, worked on by the expert, written by a
second model and undone; somewhere a fault strikes, the command is given again, and every
object of the expert is compared field by field. `benchmarks/faults_qupath.py` plays many.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np

from pycyto import Access, files, predict, undo, write_back
from pycyto.errors import PartlyDoneError, PycytoError
from pycyto.qupath import _java, runs
from pycyto.qupath.locate import Installation, installation_in
from pycyto.qupath.runs import Run
from pycyto.records import RUN_MARK, UPDATED_MARK, run_mark
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder
from tests import stub_model

FAULTS: Final = (
    "none", "I/O error", "out of memory", "Ctrl-C", "saved by another", "broken save",
    "kill", "kill while saving",
)  # fmt: skip
# A killed QuPath is a process of its own, which takes seconds to start.
IN_PROCESS: Final = FAULTS[:6]
IMAGES: Final = ("33", "38")
_STEPS: Final = ("write", "write second", "undo second", "undo")
_MOST_CHANGES: Final = 36


@dataclass
class Trip:
    """What came of one seed."""

    seed: int
    fault: str
    step: str
    faulted: bool = False
    problems: list[str] = field(default_factory=list)


class QuPathTrips:
    """Plays trips in this process's QuPath, in a folder of its own."""

    def __init__(self, installation: Installation, place: Path) -> None:
        self._installation = installation
        self._place = place
        self._template = place / "template"
        _make_template(self._template)
        self._access = Access(qupath=installation.folder)

    def play(self, seed: int, kinds: Iterable[str] = IN_PROCESS) -> Trip:
        """Play one trip; its problems say what was lost, invented or claimed."""
        rng = np.random.default_rng(seed)
        trip = Trip(seed, str(rng.choice(tuple(kinds))), str(rng.choice(_STEPS)))
        folder = self._place / f"Prüfung {seed}"
        shutil.rmtree(folder, ignore_errors=True)
        copy_project(self._template, folder)
        with _stubbed():
            _Play(self, folder, rng, trip).go()
        shutil.rmtree(folder)
        return trip

    @property
    def installation(self) -> Installation:
        return self._installation

    @property
    def access(self) -> Access:
        return self._access


class _Play:
    def __init__(
        self, player: QuPathTrips, folder: Path, rng: np.random.Generator, trip: Trip
    ) -> None:
        self._player, self._folder, self._rng, self._trip = player, folder, rng, trip
        self._seen = Inside(folder, player.installation)
        self._before = int(rng.integers(1, _MOST_CHANGES))

    def go(self) -> None:
        for image in IMAGES:
            self._seen.save(image, lambda hierarchy: _draw(self._seen, hierarchy, self._rng))
        self._expert = self._seen.objects()
        first = self._predicted("annotations")
        self._step("write", lambda **more: self._write(first, **more))
        self._check_written(first)
        self._work()
        second = self._predicted("all")
        self._step("write second", lambda **more: self._write(second, **more))
        self._check_written(second)
        self._step("undo second", lambda **_: self._undo(second))
        self._check_gone(second)
        self._step("undo", lambda **_: self._undo(first))
        self._check_gone(first)
        self._compare("after everything was undone", strict=True)

    def _predicted(self, objects: Any) -> Run:
        return predict(self._folder, model="m", objects=objects, access=self._player.access).run

    def _write(self, run: Run, **more: Any) -> Any:
        return write_back(self._folder, run.name, access=self._player.access, **more)

    def _undo(self, run: Run) -> Any:
        return undo(self._folder, run.name, access=self._player.access)

    # --- a step, with the fault if it is its turn ----------------------------------------------

    def _step(self, name: str, command: Callable[..., Any]) -> None:
        if name != self._trip.step or self._trip.fault == "none":
            command()
            self._compare(name)
            return
        ended = self._struck(name, command)
        self._compare(f"{name}, {self._trip.fault} ({ended})", broken="kill" in self._trip.fault)
        if ended == "done":
            return
        try:
            command()
        except PartlyDoneError as error:
            # Somebody else has saved: refused by name, and done only when that is insisted on.
            if self._trip.fault != "saved by another":
                self._problem(f"{name} again: {error}")
                return
            command(stale_ok=True)
        except PycytoError as error:
            self._problem(f"{name} again: {error}")
        self._compare(f"{name} again")

    def _struck(self, name: str, command: Callable[..., Any]) -> str:
        if "kill" in self._trip.fault:
            return self._killed(name)
        try:
            with self._fault():
                command()
        except PycytoError as error:
            return type(error).__name__
        except KeyboardInterrupt:
            return "interrupted"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._problem(f"{name}: {error!r}")
            return "unexpected"
        return "done"

    def _killed(self, name: str) -> str:
        verb = "undo" if name.startswith("undo") else "write"
        known = runs.all_runs(self._folder / "pycyto")
        which = known[-1 if "second" in name else 0].name
        settings = (verb, which, str(self._before), self._trip.fault)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.faults.in_qupath",
                str(self._player.installation.folder),
                str(self._folder),
                *settings,
            ],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self._trip.faulted = done.returncode == KILLED
        if done.returncode not in (0, KILLED):
            self._problem(f"the process ended with {done.returncode}: {done.stderr[-1500:]}")
        return "killed" if self._trip.faulted else "done"

    @contextmanager
    def _fault(self) -> Iterator[None]:
        left = [self._before]

        def accept(step: Any, file: Any) -> None:
            left[0] -= 1
            kind = self._trip.fault
            if kind in ("broken save", "kill while saving"):
                if str(step) == "save" and left[0] <= 0 and not self._trip.faulted:
                    self._trip.faulted = True
                    break_save(Path(str(file)))
                    raise KeyboardInterrupt
            elif left[0] == 0 or (kind == "saved by another" and left[0] < 0):
                self._strike(kind, str(step))

        with self._seen.watched(accept):
            yield

    def _strike(self, kind: str, step: str) -> None:
        from jpype import JClass

        if kind == "saved by another":
            # Whoever saves after QuPath has begun to save is lost: no program can help that.
            if not self._trip.faulted and step != "save":
                self._trip.faulted = True
                self._work_on(str(self._rng.choice(IMAGES)))
            return
        self._trip.faulted = True
        if kind == "I/O error":
            raise JClass("java.io.IOException")("No space left on device")
        if kind == "out of memory":
            raise JClass("java.lang.OutOfMemoryError")("Java heap space")
        raise KeyboardInterrupt

    # --- the expert --------------------------------------------------------------------------

    def _work(self) -> None:
        """Let the expert save some work of his own, and correct some of the run's objects."""
        for image in IMAGES:
            self._work_on(image)

    def _work_on(self, image: str) -> None:
        self._seen.save(image, lambda hierarchy: _work(self._seen, hierarchy, self._rng))
        objects = self._seen.objects()
        mine = {key: item for key, item in objects.items() if key.startswith(f"{image}/")}
        others = {k: v for k, v in self._expert.items() if not k.startswith(f"{image}/")}
        # What a run has set in the meantime is not the expert's: it goes when the run goes.
        known = {key: self._expert.get(key, item) for key, item in mine.items()}
        changed = {
            key: item if _own(item) != _own(known[key]) else known[key]
            for key, item in mine.items()
        }
        self._expert = {**others, **changed}

    # --- what must hold ------------------------------------------------------------------------

    def _compare(self, when: str, *, strict: bool = False, broken: bool = False) -> None:
        if broken and any(self._folder.rglob("data.qpdata.bkp")):
            return  # the former data lies beside it until the command is given again
        now, expert = self._seen.objects(), self._expert
        same = (lambda item: item) if strict else _own
        for key in sorted(now.keys() | expert.keys()):
            if key not in now:
                self._problem(f"{when}: lost {key}")
            elif key not in expert:
                self._problem(f"{when}: invented {key}")
            elif same(now[key]) != same(expert[key]):
                self._problem(f"{when}: changed {key}: {expert[key]} -> {now[key]}")

    def _check_written(self, run: Run) -> None:
        state = runs.load(run.folder)
        marked = self._seen.marked(run)
        for image, told in state.images.items():
            if told.state != "written" or told.read_back != marked[image]:
                self._problem(f"run {run.name} in {image}: {told}, and {marked[image]} are there")
            if told.new + told.updates != (told.created + told.updated + told.gone + told.decided):
                self._problem(f"run {run.name} in {image}: counts {told}")
        if any(state.pending_sha256 for state in state.images.values()):
            self._problem(f"run {run.name}: a save is still pending")

    def _check_gone(self, run: Run) -> None:
        state, marked = runs.load(run.folder), self._seen.marked(run)
        for image, told in state.images.items():
            if told.state != "undone" or len(told.left) != marked[image]:
                self._problem(f"undo of {run.name} in {image}: {told}, {marked[image]} are there")

    def _problem(self, text: str) -> None:
        self._trip.problems.append(text)


class Inside:
    """The project as QuPath itself sees it."""

    def __init__(self, project: Path, installation: Installation) -> None:
        self.java = _java.start(installation)
        self.library = _java.library(installation)
        self.project = _java.open_project(installation, project / "project.qpproj")

    def save(self, entry_id: str, change: Callable[[Any], None]) -> None:
        """Change something as a person would, and save."""
        entry = self.project.image(entry_id).getEntry()
        image_data = entry.readImageData()
        change(image_data.getHierarchy())
        entry.saveImageData(image_data)
        image_data.getServer().close()

    def objects(self) -> dict[str, dict[str, Any]]:
        """Return every field of every object that no run has made, by image and ID."""
        return {
            f"{image}/{item.getID()}": _fields(self.library, item)
            for image in IMAGES
            for item in self.project.image(image).objectsOnDisk()
            if np.isnan(float(item.getMeasurementList().get(RUN_MARK)))
        }

    def marked(self, run: Run) -> Counter[str]:
        """Count the objects that a run has made or classified, by image."""
        mark = float(run_mark(run.run_id))
        return Counter(
            image
            for image in IMAGES
            for item in self.project.image(image).objectsOnDisk()
            if mark in [float(item.getMeasurementList().get(n)) for n in (RUN_MARK, UPDATED_MARK)]
        )

    @contextmanager
    def watched(self, accept: Callable[[Any, Any], None]) -> Iterator[None]:
        """Let a function be told of each change of a file before it is done."""
        from jpype import JProxy

        watcher = JProxy("java.util.function.BiConsumer", {"accept": accept})
        self.library.PycytoFiles.setWatcher(watcher)
        try:
            yield
        finally:
            self.library.PycytoFiles.setWatcher(None)


def _fields(library: Any, item: Any) -> dict[str, Any]:
    # As QuPath itself tells it, and what it rounds.
    feature = as_qupath(item)
    exact = json.loads(str(library.PycytoCells.feature(item)))["pycyto"]
    parent, colour = item.getParent(), item.getColor()
    return {
        **feature,
        "pycyto": exact,
        "parent": None if parent.isRootObject() else str(parent.getID()),
        "description": str(item.getDescription()) if item.isAnnotation() else None,
        "own colour": None if colour is None else int(colour),
        "class": None if item.getPathClass() is None else str(item.getPathClass().toString()),
    }


def as_qupath(item: Any) -> dict[str, Any]:
    """Return an object as QuPath itself exports it to GeoJSON."""
    from jpype import JClass

    text = JClass("qupath.lib.io.GsonTools").getInstance(False).toJson(item)
    feature: dict[str, Any] = json.loads(str(text))
    return feature


def _own(item: dict[str, Any]) -> dict[str, Any]:
    """Return what a run may not change in a detection that it classifies, and in others all."""
    if item["properties"].get("objectType") not in ("detection", "cell"):
        return item
    shown = ("classification", "color")
    properties = {k: v for k, v in item["properties"].items() if k not in shown}
    said = properties.pop("measurements", None) or {}
    kept = {name: value for name, value in said.items() if not name.startswith("pycyto: ")}
    return {
        **item,
        "class": None,
        "own colour": None,
        "properties": {**properties, "measurements": kept},
    }


# --- generated objects and work ----------------------------------------------------------------


def _make_template(folder: Path) -> None:
    """Keep two images of the sample project, which makes copying quick."""
    copy_project(sample_project_folder(), folder)
    content = files.read_json(folder / "project.qpproj")
    content["images"] = [i for i in content["images"] if str(i["entryID"]) in IMAGES]
    files.write_json(folder / "project.qpproj", content)
    text = (folder / "project.qpproj").read_text("utf-8")
    for path in (folder / "images").rglob("*.*"):
        if path.name not in text:
            path.unlink()
    for path in (folder / "data").iterdir():
        if path.name not in IMAGES:
            shutil.rmtree(path)
    shutil.rmtree(folder / "pycyto" / "cells")


def _draw(seen: Inside, hierarchy: Any, rng: np.random.Generator) -> None:
    """Add random objects of every kind, some within others."""
    made = seen.java.ArrayList()
    for number in range(int(rng.integers(4, 14))):
        item = random_object(seen.java, rng)
        if number and rng.random() < 0.2 and made[0].isAnnotation():
            made[0].addChildObject(item)
        else:
            made.add(item)
    hierarchy.addObjects(made)


def random_object(java: Any, rng: np.random.Generator) -> Any:
    """Return an object of any kind, with any of the fields that an object can have."""
    from jpype import JClass

    objects, roi = JClass("qupath.lib.objects.PathObjects"), _roi(java, rng)
    kind = str(rng.choice(["annotation", "annotation", "detection", "tile", "cell"]))
    if kind == "cell" and not roi.isArea():
        kind = "annotation"
    if kind == "cell":
        item = objects.createCellObject(roi, roi.scale(0.5, 0.5), None, None)
    else:
        item = getattr(objects, f"create{kind.capitalize()}Object")(roi)
    name = rng.choice(["", "HSIL", "LSIL", "Trichomonas", "ASC-H: é", "a/b"])
    if name:
        item.setPathClass(java.PathClass.fromString(str(name)))
    if rng.random() < 0.3:
        item.setName(f'région {rng.integers(99)} "x"')
    if rng.random() < 0.2:
        item.setLocked(True)
    if kind == "annotation" and rng.random() < 0.3:
        item.setDescription("why\nthis one")
        item.getMetadata().put("clé", "v")
    if rng.random() < 0.2:
        item.setColor(int(rng.integers(255)), 10, 20)
    for number in range(int(rng.integers(0, 3))):
        item.getMeasurementList().put(f"m {number}", float(np.float32(rng.normal())))
    return item


def _roi(java: Any, rng: np.random.Generator) -> Any:
    from jpype import JClass, JDouble

    rois = java.ROIs
    x, y, w, h = (float(np.float32(v)) for v in (*rng.uniform(0, 900, 2), *rng.uniform(8, 90, 2)))
    plane = JClass("qupath.lib.regions.ImagePlane").getPlane(int(rng.random() < 0.1), 0)
    xs = JDouble[:]([x, x + w, x + w / 2])
    ys = JDouble[:]([y, y, y + h])
    makers: dict[str, Callable[[], Any]] = {
        "rectangle": lambda: rois.createRectangleROI(x, y, w, h, plane),
        "ellipse": lambda: rois.createEllipseROI(x, y, w, h, plane),
        "polygon": lambda: rois.createPolygonROI(xs, ys, plane),
        "line": lambda: rois.createLineROI(x, y, x + w, y + h, plane),
        "point": lambda: rois.createPointsROI(x, y, plane),
        "points": lambda: rois.createPointsROI(xs, ys, plane),
    }
    return makers[str(rng.choice(list(makers)))]()


def _work(seen: Inside, hierarchy: Any, rng: np.random.Generator) -> None:
    """Do what experts do: name, move, relabel, lock, delete, add; and correct the run's objects."""
    mine = [item for item in hierarchy.getAnnotationObjects() if not item.hasChildObjects()]
    for item in rng.permutation(np.arange(len(mine)))[:4]:
        chosen = mine[int(item)]
        deed = str(rng.choice(["name", "class", "lock", "delete", "nothing"]))
        if deed == "name":
            chosen.setName("seen")
        elif deed == "class":
            chosen.setPathClass(seen.java.PathClass.fromString("ASC-US"))
        elif deed == "lock":
            chosen.setLocked(True)
        elif deed == "delete":
            hierarchy.removeObject(chosen, False)
    theirs = [
        item
        for item in hierarchy.getDetectionObjects()
        if not np.isnan(float(item.getMeasurementList().get(RUN_MARK)))
    ]
    if theirs:
        theirs[int(rng.integers(len(theirs)))].setLocked(True)
        theirs[int(rng.integers(len(theirs)))].setPathClass(
            seen.java.PathClass.fromString("Trichomonas")
        )
    hierarchy.addObject(random_object(seen.java, rng))


# --- a model, and a process to kill ------------------------------------------------------------

KILLED: Final = 66


@contextmanager
def _stubbed() -> Iterator[None]:
    """Put a model in place; a QuPath that happens to be open stays out of it."""
    with (
        stub_model.in_place(),
        mock.patch("pycyto.qupath.running.running", return_value=[]),
    ):
        yield


def break_save(data: Path) -> None:
    """Leave what QuPath leaves when it is killed while it saves."""
    content = data.read_bytes()
    data.rename(data.with_name("data.qpdata.bkp"))
    data.write_bytes(content[: len(content) // 2])


def _be_killed(installation: Installation, folder: Path, settings: list[str]) -> None:
    """Give a command, and end this process as if somebody had pulled the plug."""
    verb, run, count, fault = settings
    left = [int(count)]

    def accept(step: Any, file: Any) -> None:
        left[0] -= 1
        if fault == "kill while saving" and str(step) == "save" and left[0] <= 0:
            break_save(Path(str(file)))
            os._exit(KILLED)
        if fault == "kill" and left[0] == 0:
            os._exit(KILLED)

    access = Access(qupath=installation.folder)
    with _stubbed(), Inside(folder, installation).watched(accept):
        (undo if verb == "undo" else write_back)(folder, run, access=access)


if __name__ == "__main__":
    found = installation_in(Path(sys.argv[1]))
    assert found is not None
    _be_killed(found, Path(sys.argv[2]), sys.argv[3:])
