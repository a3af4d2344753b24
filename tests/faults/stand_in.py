"""What stands in for QuPath where there is none: it saves objects, and loads a staged run.

It does to a generated project what QuPath and the scripts export_cells.groovy and
import_predictions.groovy would, by the rules of docs/formats.md. It is not a way into
a real project: what it writes, QuPath could not read.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import math
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from pycyto.qupath.geojson import cells_file
from pycyto.records import RUN_MARK, UPDATED_MARK, run_mark
from tests.faults.generated import Generated, Objects

_SAME_PLACE = 0.5
_NOT_INHERITED = ("nucleus", "points")


class ScriptRefused(Exception):  # noqa: N818 - the scripts call it a refusal too
    """The script has told the user why it does nothing."""


@dataclass(frozen=True)
class Save:
    """One save of an image's objects: the journal is what the harness believes."""

    entry_id: str
    sha256: str
    by: str
    objects: Objects


class StandIn:
    """QuPath at work on a generated project.

    Parameters
    ----------
    folder
        The project.
    journal
        A file out of reach of the faults, with one line per save that came to its end.
    """

    def __init__(self, folder: Path, journal: Path) -> None:
        self.folder = folder
        self._journal = journal

    def create(self, project: Generated) -> None:
        """Write a generated project."""
        self._journal.unlink(missing_ok=True)
        for name, content in project.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for entry_id, objects in project.objects.items():
            self.save(entry_id, objects, by="expert")
            self.refresh(entry_id)

    def saves(self) -> list[Save]:
        """Return the saves so far, the oldest first."""
        if not self._journal.exists():
            return []
        return [Save(*orjson.loads(line)) for line in self._journal.read_bytes().splitlines()]

    def data_file(self, entry_id: str) -> Path:
        """Return where the objects of an image are."""
        return self.folder / "data" / entry_id / "data.qpdata"

    def on_disk(self, entry_id: str) -> Objects:
        """Return the objects of an image with their parents, as QuPath would read them."""
        path = self.data_file(entry_id)
        return objects_in(path.read_bytes()) if path.exists() else []

    def save(self, entry_id: str, objects: Objects, *, by: str) -> None:
        """Save an image as QuPath does: not in one step, with a backup meanwhile."""
        path = self.data_file(entry_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = path.with_name("data.qpdata.bkp")
        if path.exists():
            path.replace(backup)
        content = b"%d\n" % len(self.saves()) + orjson.dumps(objects)
        with path.open("wb") as stream:
            stream.write(content[: len(content) // 2])
            stream.flush()
            stream.write(content[len(content) // 2 :])
        self._note(Save(entry_id, hashlib.sha256(content).hexdigest(), by, objects))
        path.with_name("summary.json").write_text(json.dumps({"objects": len(objects)}))
        backup.unlink(missing_ok=True)

    def refresh(self, entry_id: str) -> None:
        """Write the file of cells anew, as export_cells.groovy does."""
        if not self.data_file(entry_id).exists():
            return
        path = cells_file(self.folder / "pycyto", entry_id)
        header = {
            "schema": 1,
            "entry_id": entry_id,
            "data_sha256": sha256(self.data_file(entry_id)),
            "qupath": "0.5.1",
            "written_at": "2026-01-31T12:00:00Z",
        }
        features = [without_parent(item) for item in self.on_disk(entry_id)]
        lines = b",\n".join(map(orjson.dumps, features))
        head = b'{"type":"FeatureCollection",\n"pycyto":' + orjson.dumps(header)
        _write(path, head + b',\n"features":[\n' + lines + b"\n]}\n")

    def mend(self) -> None:
        """Do what the messages ask of a person: finish broken saves, run export_cells.groovy."""
        for note in self.folder.parent.rglob("lock.json"):
            os.utime(note, (0, 0))  # a person takes longer than a script that writes its note
        known = {save.sha256 for save in self.saves()}
        for data in [path.parent for path in self.folder.glob("data/*/data.qpdata*")]:
            backup, path = data / "data.qpdata.bkp", data / "data.qpdata"
            if backup.exists() and path.exists() and sha256(path) in known:
                backup.unlink()
            elif backup.exists():
                backup.replace(path)
            self.refresh(data.name)

    def load(self, name: str) -> dict[str, int]:
        """Load a run, as import_predictions.groovy with "Run for project".

        Raises
        ------
        ScriptRefused
            Some images were refused; the others are loaded.
        """
        run = self.folder / "pycyto" / "runs" / name
        counts = {"created": 0, "updated": 0, "gone": 0, "read_back": 0}
        problems = []
        with self._locked():
            for entry_id in read_json(run / "run.json")["images"]:
                try:
                    for key, count in _Loading(self, run, entry_id).done().items():
                        counts[key] += count
                except ScriptRefused as refusal:
                    problems.append(f"{entry_id}: {refusal}")
        if problems:
            raise ScriptRefused("; ".join(problems))
        return counts

    def _note(self, save: Save) -> None:
        line = orjson.dumps((save.entry_id, save.sha256, save.by, save.objects)) + b"\n"
        with self._journal.open("ab") as stream:
            stream.write(line)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        note = self.folder / "pycyto" / "lock.json"
        note.parent.mkdir(exist_ok=True)
        if note.exists():
            with contextlib.suppress(OSError, ValueError):
                held = json.loads(note.read_text())
                if held["host"] != socket.gethostname() or psutil.pid_exists(held["pid"]):
                    raise ScriptRefused("Another pycyto is at work.")
            note.unlink(missing_ok=True)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": "", "by": "stand-in"}
        try:
            with note.open("x") as stream:
                stream.write(json.dumps(holder))
        except FileExistsError:
            raise ScriptRefused("Another pycyto is at work.") from None
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


class _Loading:
    """One image of a run, on its way into the data."""

    def __init__(self, qupath: StandIn, run: Path, entry_id: str) -> None:
        self._qupath = qupath
        self._folder = run
        self._json = read_json(run / "run.json")
        self._state: dict[str, Any] = self._json["images"][entry_id]
        self._entry_id = entry_id
        self._mark = float(run_mark(self._json["run_id"]))
        self._objects = [] if self._has_backup else qupath.on_disk(entry_id)
        self._by_id = {item["id"]: item for item in self._objects}
        self._counts = {"created": 0, "updated": 0, "gone": 0}
        self._changed = False

    def done(self) -> dict[str, int]:
        """Write the image, as PycytoWriting.gvy does, and return the counts."""
        if self._state["state"] == "written":
            return {}
        data = self._qupath.data_file(self._entry_id)
        self._recover(data)
        if data.with_name("data.qpdata.bkp").exists():
            raise ScriptRefused("A save was interrupted.")
        before = self._state.get("pending_sha256", "")
        marked = any(map(self._is_marked, self._objects))
        resumed = bool(before) and sha256(data) != before and marked
        if not resumed:
            overwritten = self._state["state"] == "overwritten"
            if sha256(data) != self._state["data_sha256"] and not overwritten:
                raise ScriptRefused("This image was saved after the run was predicted.")
            self._keep_snapshot(data)
        for row in self._rows("new"):
            self._create(row)
        for row in self._rows("updates"):
            self._update(row)
        if self._changed:
            self._qupath.save(self._entry_id, self._objects, by=self._json["run_id"])
        self._qupath.refresh(self._entry_id)
        # Somebody may have saved since it was begun: then the snapshot is no way back.
        return self._close("" if resumed else sha256(data))

    def _recover(self, data: Path) -> None:
        """Put the state before a save of ours back that did not come to its end."""
        backup, before = data.with_name("data.qpdata.bkp"), self._state.get("pending_sha256", "")
        if backup.exists() and before and sha256(backup) == before:
            backup.replace(data)
            self._objects = self._qupath.on_disk(self._entry_id)
            self._by_id = {item["id"]: item for item in self._objects}

    def _note(self, **values: object) -> None:
        self._state |= values
        states = {image["state"] for image in self._json["images"].values()}
        self._json["state"] = states.pop() if len(states) == 1 else "partly written"
        if "written" not in (*states, self._json["state"]) and len(states) > 1:
            order = ("staged", "overwritten", "undone")
            self._json["state"] = next(state for state in order if state in states)
        _write(self._folder / "run.json", json.dumps(self._json, indent=2).encode())

    def _is_marked(self, item: Mapping[str, Any]) -> bool:
        said = item["properties"].get("measurements", {})
        return self._mark in (said.get(RUN_MARK), said.get(UPDATED_MARK))

    @property
    def _has_backup(self) -> bool:
        data = self._qupath.data_file(self._entry_id)
        return data.with_name("data.qpdata.bkp").exists()

    def _keep_snapshot(self, data: Path) -> None:
        cells = cells_file(self._qupath.folder / "pycyto", self._entry_id)
        for source in (data, data.with_name("summary.json"), cells):
            if source.exists():
                target = self._folder / "snapshots" / self._entry_id / source.name
                _write(target, source.read_bytes())
        self._note(snapshot_sha256=sha256(data), pending_sha256=sha256(data))

    def _rows(self, name: str) -> list[dict[str, str]]:
        path = self._folder / name / f"{self._entry_id}.csv"
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def _create(self, row: dict[str, str]) -> None:
        same, source = self._by_id.get(row["object_id"]), self._by_id.get(row["source_id"])
        if same is not None:
            self._counts["created" if self._is_marked(same) else "gone"] += 1
            return
        made = None if source is None else _detection(row, source)
        if made is None:
            self._counts["gone"] += 1
            return
        made["properties"]["measurements"][RUN_MARK] = self._mark
        self._objects.append(made)
        self._counts["created"] += 1
        self._changed = True

    def _update(self, row: dict[str, str]) -> None:
        target = self._by_id.get(row["object_id"])
        if target is None or not (self._is_marked(target) or _is_free(target, row)):
            self._counts["gone"] += 1
            return
        self._counts["updated"] += 1
        if not self._is_marked(target):
            properties = target["properties"]
            properties["classification"] = {"name": row["class"], "color": [1, 2, 3]}
            measured = properties.setdefault("measurements", {})
            measured |= {**_probabilities(row), UPDATED_MARK: self._mark}
            self._changed = True

    def _close(self, written: str) -> dict[str, int]:
        found = self._qupath.on_disk(self._entry_id)
        counts = {**self._counts, "read_back": sum(map(self._is_marked, found))}
        self._note(
            state="written",
            written_sha256=written,
            written_at="2026-01-31T12:00:00Z",
            written_by="stand-in",
            pending_sha256="",
            left={},
            **counts,
        )
        return counts


def objects_in(data: bytes) -> Objects:
    """Return the objects in the bytes of a data.qpdata."""
    found: Objects = orjson.loads(data.split(b"\n", 1)[1])
    return found


def without_parent(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as a file of cells has it."""
    return {key: value for key, value in item.items() if key != "parent"}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return orjson.loads(path.read_bytes())


def _detection(row: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the detection of a row; None where the expert's object has moved."""
    exact, geometry = dict(source["pycyto"]), source["geometry"]
    if row["point_index"]:
        index, points = int(row["point_index"]), exact["points"]
        if index >= len(points) or not _near(points[index], row):
            return None
        geometry = {"type": "Polygon", "isEllipse": True, "coordinates": [[points[index]] * 4]}
        exact["centroid"] = points[index]
    elif not _is_at(exact, row):
        return None
    return {
        "type": "Feature",
        "id": row["object_id"],
        "geometry": geometry,
        "properties": {
            "objectType": "detection",
            "classification": {"name": row["class"], "color": [1, 2, 3]},
            "measurements": _probabilities(row),
        },
        "pycyto": {key: value for key, value in exact.items() if key not in _NOT_INHERITED},
        "parent": None,
    }


def _probabilities(row: Mapping[str, str]) -> dict[str, float]:
    return {f"pycyto: {key}": float(row[key]) for key in row if key.startswith("P(")}


def _is_free(target: Mapping[str, Any], row: Mapping[str, str]) -> bool:
    properties = target["properties"]
    no_class = "classification" not in properties and properties["objectType"] != "annotation"
    return no_class and _is_at(target["pycyto"], row)


def _is_at(exact: Mapping[str, Any], row: Mapping[str, str]) -> bool:
    return any(_near(exact[key], row) for key in ("centroid", "nucleus") if key in exact)


def _near(point: list[float], row: Mapping[str, str]) -> bool:
    return math.hypot(point[0] - float(row["x"]), point[1] - float(row["y"])) <= _SAME_PLACE


def _write(path: Path, content: bytes) -> None:
    """Write a file as the scripts do: beside itself, then renamed. What a kill leaves is theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.script")
    part.write_bytes(content)
    part.replace(path)
