"""What must be true of a project and its data set, whatever has happened to them.

Each problem has a sort: ``lost or changed`` and ``invented`` objects, ``wrong success``,
``unnamed error``, ``stuck`` (a rerun that refuses what it should do), ``other end`` (one that
ends elsewhere), ``unreadable``, ``litter`` and ``stray`` (files that nobody needs).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pycyto.manifest import Row, read_manifest
from pycyto.qupath.runs import Run, all_runs, damaged_runs
from pycyto.records import RUN_MARK, UPDATED_MARK, run_mark
from tests.faults.generated import Objects
from tests.faults.stand_in import Save, objects_in, read_json, sha256, without_parent
from tests.faults.world import World


class Problem(NamedTuple):
    """Something that must not be."""

    sort: str
    text: str


def of_project(world: World, *, stale_ok: bool) -> Iterator[Problem]:
    """Yield what is wrong with the expert's data and with the files beside it.

    Parameters
    ----------
    stale_ok
        Whether a file of cells may be older than the data: somebody has saved since.
    """
    saves, known = world.qupath.saves(), _runs(world)
    for error in damaged_runs(world.folder / "pycyto"):
        yield Problem("lost or changed", str(error))
    for name, content in world.made.files.items():
        path = world.folder / name
        if name.startswith("images/"):
            continue
        if not path.exists() or path.read_bytes() != content:
            yield Problem("lost or changed", f"{name} is not what it was")
    for entry_id in world.made.objects:
        yield from _of_data(world, entry_id, [s for s in saves if s.entry_id == entry_id], known)
        yield from _of_cells(world, entry_id, saves, stale_ok=stale_ok)


def of_litter(world: World, step: str) -> Iterator[Problem]:
    """Yield what a clean run should not leave behind, nor an earlier one that was killed.

    The note of a lock is gone where the step takes that lock; elsewhere it is harmless.
    """
    locked = {"export": world.out, "export again": world.out, "predict": None}
    note = locked.get(step, world.folder / "pycyto")
    for path in world.seen.rglob("*"):
        if path.name.endswith(".part") or (path.name == "lock.json" and path.parent == note):
            yield Problem("litter", str(path.relative_to(world.seen)))


def of_data_set(folder: Path) -> Iterator[Problem]:
    """Yield where manifest and patches do not agree."""
    rows = read_manifest(folder)
    for row in rows:
        found = _patch(folder / row.file)
        if found != row.content_hash:
            yield Problem("wrong success", f"{row.file} is {found}, not {row.content_hash}")
    there = {path.relative_to(folder).as_posix() for path in folder.glob("images/*/*")}
    for name in sorted(there - {row.file for row in rows}):
        yield Problem("stray", f"{name} is in no row of the manifest")


def of_export(result: Mapping[str, Any], project_id: str) -> Iterator[Problem]:
    """Yield where an export that returned has not done what it says."""
    folder = Path(result["out"])
    rows = read_manifest(folder) if result["used"] or (folder / "manifest.csv").exists() else []
    ours = [row for row in rows if row.project_id == project_id]
    if len(ours) != len(rows):
        yield Problem("wrong success", "rows of this project under another project ID")
    counted = Counter(row.label or "unclassified" for row in ours)
    if dict(counted) != result["by_label"]:
        yield Problem("wrong success", f"rows {dict(counted)}, said {result['by_label']}")
    if len(ours) < result["used"] or (ours and result["new"] + result["kept"] > len(ours)):
        yield Problem("wrong success", f"{len(ours)} rows, said {dict(result)}")
    record = read_json(folder / "record.json")["export"]["counts"]
    if any(record.get(name) != result[name] for name in ("new", "kept", "by_label")):
        yield Problem("wrong success", f"recorded {record}, said {dict(result)}")


def of_prediction(world: World, result: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a prediction that returned has not staged what it says."""
    run = next((run for run in _runs(world) if run.name == result["run"]), None)
    if run is None or run.state != "staged":
        yield Problem("wrong success", f"no staged run {result['run']}")
        return
    new, updates = tables(run, "new"), tables(run, "updates")
    staged = len(new) + len(updates)
    if not staged == run.counts["staged"] == run.counts["predicted"] == result["used"]:
        yield Problem("wrong success", f"{staged} rows staged, said {run.counts}")
    for entry_id, image in run.images.items():
        rows = [sum(r["entry_id"] == entry_id for r in rows) for rows in (new, updates)]
        if rows != [image.new, image.updates]:
            yield Problem("wrong success", f"{entry_id}: {rows} rows, said {image}")
        states = [save.objects for save in world.qupath.saves() if save.sha256 == image.data_sha256]
        ids = {item["id"] for objects in states for item in objects}
        said = {r["source_id"] for r in new if r["entry_id"] == entry_id}
        said |= {r["object_id"] for r in updates if r["entry_id"] == entry_id}
        if not said <= ids:
            yield Problem("invented", f"{run.name} is about objects that {entry_id} does not have")
    by_class = Counter(row["class"] for row in (*new, *updates))
    if {k: v for k, v in result["by_label"].items() if v} != dict(by_class):
        yield Problem("wrong success", f"{dict(by_class)} staged, said {result['by_label']}")
    distinct = {(row["entry_id"], row["object_id"]) for row in (*new, *updates)}
    if len(distinct) != staged:
        yield Problem("invented", "two staged rows are one object")


def of_states(world: World, step: str, result: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a step has taken an older state of an image for the present one."""
    states: dict[str, str] = {}
    if step == "predict" and result:
        run = next(run for run in _runs(world) if run.name == result["run"])
        states = {entry_id: image.data_sha256 for entry_id, image in run.images.items()}
    elif "out" in result:
        inputs = read_json(Path(result["out"]) / "record.json")["export"]["inputs"]
        some = world.made.options.images
        for name, digest in inputs.items():
            entry_id = name.removesuffix(" objects").rpartition("/")[2]
            if name.endswith(" objects") and (some is None or entry_id in some):
                states[entry_id] = digest
    for entry_id, digest in states.items():
        if digest != sha256(world.qupath.data_file(entry_id)):
            yield Problem("wrong success", f"{step} took {entry_id} in an older state")


def of_load(world: World, result: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a run that was loaded is not in the data."""
    run = next(run for run in _runs(world) if run.name == world.run)
    found = sum(len(_ours(world.qupath.on_disk(entry_id), run)) for entry_id in run.images)
    counted = sum(image.created + image.updated for image in run.images.values())
    # Nothing was done to a run that was loaded already: objects may have gone since.
    if run.state != "written" or (result["read_back"] and found != counted):
        yield Problem("wrong success", f"{found} objects of a {run.state} run, counted {counted}")


def of_undo(world: World, result: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a run that was taken back is still there."""
    run = next(run for run in _runs(world) if run.name == result["run"])
    if run.state != "undone" or any(image.state != "undone" for image in run.images.values()):
        yield Problem("wrong success", f"{run.name} is {run.state} after undo")
    for entry_id in run.images:
        if _ours(world.qupath.on_disk(entry_id), run):
            yield Problem("wrong success", f"{entry_id} still holds objects of {run.name}")


def project_id(world: World) -> str:
    """Return the project's ID, empty where it has none."""
    path = world.folder / "pycyto" / "project.json"
    return str(read_json(path)["project_id"]) if path.exists() else ""


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return a manifest without what differs from one project to the next."""
    if not (folder / "manifest.csv").exists():
        return []
    return [_plain(row) for row in read_manifest(folder)]


def staged_rows(run: Run) -> list[dict[str, str]]:
    """Return what a run says, without the IDs that are drawn anew for each."""
    new = [dict(row, object_id="") for row in tables(run, "new")]
    return [*new, *tables(run, "updates")]


def tables(run: Run, name: str) -> list[dict[str, str]]:
    """Read a table of a run for all images, with the entry ID of each row."""
    found = []
    for path in sorted((run.folder / name).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            found += [{"entry_id": path.stem, **row} for row in csv.DictReader(stream)]
    return found


def human(objects: Objects, known: Sequence[Run]) -> Objects:
    """Return the expert's own objects, without what runs have added to them."""
    marks = {float(run_mark(run.run_id)) for run in known}
    return [_unmarked(item, marks) for item in objects if _measured(item, RUN_MARK) not in marks]


def _plain(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Row.__slots__ if name != "project_id"}


def _runs(world: World) -> list[Run]:
    return all_runs(world.folder / "pycyto")


def _of_data(
    world: World, entry_id: str, saves: Sequence[Save], known: Sequence[Run]
) -> Iterator[Problem]:
    path = world.qupath.data_file(entry_id)
    backup = path.with_name("data.qpdata.bkp")
    last = max(number for number, save in enumerate(saves) if save.by == "expert")
    expected = human(saves[last].objects, known)
    if backup.exists():  # a save of QuPath's was killed: its backup or the new file holds it all
        contents = [p.read_bytes() for p in (backup, path) if p.exists()]
        if not any(_parsed(content, known) == expected for content in contents):
            yield Problem("lost or changed", f"{entry_id}: neither data nor backup is the expert's")
        return
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest not in {save.sha256 for save in saves[last:]}:
        old = "an older save" if digest in {save.sha256 for save in saves} else "no save"
        yield Problem("lost or changed", f"{entry_id}: the data is {old} of the expert's")
    found = _parsed(content, known)
    if found != expected:
        yield Problem("lost or changed", f"{entry_id}: {_difference(expected, found)}")
    mine = {item["id"] for item in saves[last].objects}
    for item in objects_in(content):
        if item["id"] not in mine and not any(_is_of(item, run) for run in known):
            yield Problem("invented", f"{entry_id}: {item['id']} is nobody's")


def _of_cells(
    world: World, entry_id: str, saves: Sequence[Save], *, stale_ok: bool
) -> Iterator[Problem]:
    """Yield where a file of cells says something else than the save that it names."""
    path = world.folder / "pycyto" / "cells" / f"{entry_id}.geojson"
    data = world.qupath.data_file(entry_id)
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        if not stale_ok:
            yield Problem("lost or changed", f"{path.name}: {error!r}")
        return
    named = content["pycyto"]["data_sha256"]
    states = [save.objects for save in saves if save.sha256 == named]
    if not states or content["features"] != [without_parent(item) for item in states[0]]:
        yield Problem("invented", f"{path.name} is not what was saved")
    if not stale_ok and named != hashlib.sha256(data.read_bytes()).hexdigest():
        yield Problem("lost or changed", f"{path.name} is older than the data")


def _parsed(content: bytes, known: Sequence[Run]) -> Objects | None:
    try:
        return human(objects_in(content), known)
    except (IndexError, ValueError):
        return None


def _difference(expected: Objects, found: Objects | None) -> str:
    if found is None:
        return "the data cannot be read"
    there = {item["id"]: item for item in found}
    for item in expected:
        other = there.get(item["id"])
        if other is None:
            return f"{item['id']} is gone"
        fields = [key for key in item if item[key] != other.get(key)]
        if fields:
            return f"{item['id']} has another {', '.join(fields)}"
    return f"{len(found)} objects instead of {len(expected)}"


def _ours(objects: Objects, run: Run) -> Objects:
    return [item for item in objects if _is_of(item, run)]


def _is_of(item: Mapping[str, Any], run: Run) -> bool:
    mark = float(run_mark(run.run_id))
    return mark in (_measured(item, RUN_MARK), _measured(item, UPDATED_MARK))


def _measured(item: Mapping[str, Any], name: str) -> float | None:
    found: float | None = item["properties"].get("measurements", {}).get(name)
    return found


def _unmarked(item: dict[str, Any], marks: set[float]) -> dict[str, Any]:
    """Return an object as it was before one of the runs gave it a class.

    What an earlier run has said of it is left out in any case: a later one replaces it.
    """
    if UPDATED_MARK not in item["properties"].get("measurements", {}):
        return item
    ours = _measured(item, UPDATED_MARK) in marks
    properties = {k: v for k, v in item["properties"].items() if k != "classification" or not ours}
    kept = {
        name: value
        for name, value in properties.pop("measurements").items()
        if name != UPDATED_MARK and not name.startswith("pycyto: P(")
    }
    return {**item, "properties": properties | ({"measurements": kept} if kept else {})}


def _patch(path: Path) -> str:
    """Return the hash of a patch's pixels, or what is wrong with it."""
    return _pixels_hash(path.read_bytes()) if path.exists() else "missing"


@lru_cache(maxsize=4096)
def _pixels_hash(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        if image.size != (224, 224) or image.mode != "RGB":
            return f"{image.size} {image.mode}"
        return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()
