"""Patches per second of ``pycyto.export`` and of the plain loop, on the sample project's slide."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto import Access, export
from pycyto.manifest import PATCH_SIZE, Row, read_manifest
from pycyto.steps.demo import copy_project
from pycyto.steps.scripts import sample_project_folder

ROUNDS = 5
SLIDE = "P31_slide.svs"


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(project: Path, out: Path) -> None:
    """Export the slide's cells."""
    export(project, out=out, images=[SLIDE], access=Access(backend="geojson"))


def plain_loop(slide: Path, rows: list[Row], out: Path) -> None:
    """Cut the same cells as a short script would."""
    import openslide

    out.mkdir()
    with openslide.OpenSlide(slide) as opened:
        for number, row in enumerate(rows):
            box = opened.read_region((row.left, row.top), 0, (PATCH_SIZE, PATCH_SIZE))
            box.convert("RGB").save(out / f"{number}.png")


def inner(rows: list[Row], slide: Path) -> list[Row]:
    """Return the cells whose patch is inside the slide: at its border the two rules differ."""
    import openslide

    with openslide.OpenSlide(slide) as opened:
        right, bottom = (side - PATCH_SIZE for side in opened.dimensions)
    return [row for row in rows if 0 <= row.left <= right and 0 <= row.top <= bottom]


def same_pixels(one: Path, other: Path) -> bool:
    """Whether two patches are the same."""
    return np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))


def measure(work: Path) -> tuple[float, float, float]:
    """Return the patches per second of ours and of the plain loop, taken in turns, and sizes.

    The third figure is how large our files are, the plain loop's being 1.
    """
    project = work / "project"
    copy_project(sample_project_folder(), project)
    slide = next(project.rglob(SLIDE))
    ours(project, work / "first")
    everything = read_manifest(work / "first")
    rows = inner(everything, slide)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        times[0].append(seconds(partial(ours, project, work / f"ours{number}")))
        times[1].append(seconds(partial(plain_loop, slide, rows, work / f"plain{number}")))
    sizes = [0, 0]
    for number, row in enumerate(rows):
        pair = work / "ours0" / row.file, work / "plain0" / f"{number}.png"
        if not same_pixels(*pair):
            raise SystemExit(f"{row.file} is not what the plain loop cut")
        sizes = [size + path.stat().st_size for size, path in zip(sizes, pair, strict=True)]
    mine, plain = map(statistics.median, times)
    return len(everything) / mine, len(rows) / plain, sizes[0] / sizes[1]


def main() -> None:
    """Print both rates, their ratio and that of the sizes."""
    with tempfile.TemporaryDirectory() as folder:
        mine, plain, size = measure(Path(folder))
    print(f"pycyto.export  {mine:7.0f} patches/s, manifest and record included")
    print(f"plain loop     {plain:7.0f} patches/s, PNG alone")
    print(f"ratio          {mine / plain:7.2f}, files {size:.2f} times as large")


if __name__ == "__main__":
    main()
