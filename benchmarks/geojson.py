"""Files of cells against the standard library's json, the same steps on both sides.

Written: records to features to a file. Read: a file to features to records.
"""

from __future__ import annotations

import gc
import json
import math
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pycyto.qupath.geojson import features_from, objects_from, read_cells_file, write_cells_file
from pycyto.records import Bounds, ProjectObject

CELLS = 100_000
CELLS_FOR_MEMORY = 10_000  # tracing is slow; memory per cell does not depend on their number
VERTICES = 40
MEASUREMENTS = ("Area", "Perimeter", "Circularity", "Solidity", "Hematoxylin: mean")
ROUNDS = 3

Records = tuple[ProjectObject, ...]


def records(count: int) -> Records:
    """Return cells as QuPath's detection makes them, outlines to 0.01 px."""
    numbers = random.Random(0)  # noqa: S311 - nothing secret
    return tuple(a_record(numbers) for _ in range(count))


def a_record(numbers: random.Random) -> ProjectObject:
    """Return one cell with a round outline; a ring gives its first vertex again at the end."""
    x, y, radius = numbers.uniform(0, 5e4), numbers.uniform(0, 5e4), numbers.uniform(8, 40)
    angles = [2 * math.pi * number / VERTICES for number in range(VERTICES)]
    ring = [
        [round(x + radius * math.cos(angle), 2), round(y + radius * math.sin(angle), 2)]
        for angle in angles
    ]
    return ProjectObject(
        object_id=str(UUID(int=numbers.getrandbits(128), version=4)),
        kind="detection",
        class_name=numbers.choice(("NILM", "ASC-US", "LSIL", "HSIL")),
        centroid=(x, y),
        bounds=Bounds(x - radius, y - radius, 2 * radius, 2 * radius),
        area=math.pi * radius**2,
        geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        measurements={name: numbers.uniform(0, 500) for name in MEASUREMENTS},
    )


def write_ours(path: Path, items: Records) -> None:
    """Write a file of cells: beside itself, brought to the disk, renamed."""
    write_cells_file(path, "1", features_from(items), data_sha256="", qupath="0.5.1")


def write_theirs(path: Path, items: Records) -> None:
    """Write the same features with `json.dump`."""
    header = {"schema": 1, "entry_id": "1", "data_sha256": "", "qupath": "0.5.1"}
    features = list(features_from(items))
    with path.open("w", encoding="utf-8") as stream:
        json.dump({"type": "FeatureCollection", "pycyto": header, "features": features}, stream)


def read_ours(path: Path) -> Records:
    """Read a file of cells."""
    return read_cells_file(path, "1").objects


def read_theirs(path: Path) -> Records:
    """Read the same file with `json.load`, and make the same records of it."""
    with path.open(encoding="utf-8") as stream:
        return objects_from(json.load(stream)["features"])


@contextmanager
def without_collector() -> Iterator[None]:
    """Switch Python's garbage collector off, which json makes work more than orjson does."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes, starting with no garbage and without clearing up after."""
    gc.collect()
    start = time.perf_counter()
    result = work()
    took = time.perf_counter() - start
    del result
    return took


def in_turns(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each, with the collector and, under a longer name, without."""
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times.setdefault(name, []).append(seconds(work))
        with without_collector():
            for name, work in works.items():
                times.setdefault(f"{name}, no gc", []).append(seconds(work))
    return {name: statistics.median(found) for name, found in times.items()}


def bytes_per_cell(read: Callable[[Path], Records], path: Path) -> tuple[float, float]:
    """Return what records take once they are read, and at most while they are read."""
    gc.collect()
    tracemalloc.start()
    found = read(path)
    kept, at_most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / len(found), at_most / len(found)


def same_both_ways(ours: Path, theirs: Path, items: Records) -> None:
    """Make sure that both sides do the same work."""
    write_ours(ours, items)
    write_theirs(theirs, items)
    for path in (ours, theirs):
        for read in (read_ours, read_theirs):
            if read(path) != items:
                raise SystemExit(f"{read.__name__} of {path.name} gives other records")


def compared(what: str, times: dict[str, float], ours: str, theirs: str, bound: int) -> None:
    """Print the seconds of two sides and their ratio, with and without the collector."""
    for suffix in ("", ", no gc"):
        one, other = times[ours + suffix], times[theirs + suffix]
        wanted = "" if suffix else f"   (bound: {bound})"
        print(
            f"{what + suffix:14} pycyto {one:6.2f} s   {theirs} {other:6.2f} s"
            f"   ratio {other / one:5.1f}{wanted}"
        )


def main() -> None:
    """Print times, ratios and memory."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.geojson", Path(folder) / "theirs.geojson"
        same_both_ways(ours, theirs, records(CELLS_FOR_MEMORY))
        memory: dict[str, Any] = {
            name: bytes_per_cell(read, ours)
            for name, read in (("pycyto", read_ours), ("json.load", read_theirs))
        }
        write_ours(ours, records(CELLS))
        items = read_ours(ours)  # as reading makes them, which is what there is to be written
        size = ours.stat().st_size
        times = in_turns(
            {
                "write": partial(write_ours, ours, items),
                "json.dump": partial(write_theirs, theirs, items),
                "read": partial(read_ours, ours),
                "json.load": partial(read_theirs, ours),
            }
        )
    print(f"{CELLS} cells, {VERTICES} vertices, {size / 1e6:.0f} MB, medians of {ROUNDS} rounds")
    compared("write", times, "write", "json.dump", 10)
    compared("read", times, "read", "json.load", 3)
    for name, (kept, at_most) in memory.items():
        print(f"memory         {name:9} {kept:6.0f} bytes a cell, {at_most:6.0f} while reading")


if __name__ == "__main__":
    main()
