"""Training a head on kept features against running the frozen network again in every epoch.

Three parts, all in one run: the time for the same views with and without kept features, and how
far the weights are from each other in the end; what the number of views does to the figures of the
validation cells; peak memory for 200 and for 2,000 patches.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from pycyto.images.patches import content_hash
from pycyto.learning.batches import PatchSet
from pycyto.learning.history import Training
from pycyto.learning.networks import build, network_named
from pycyto.learning.plan import Phase, TrainingSettings
from pycyto.learning.training import fit
from pycyto.manifest import Row
from pycyto.parts import rows_by_part

NETWORK = "mobilenetv2"
EPOCHS = 20
# The least gain over running the network again, as a share of the views that it is spared.
BOUND = 0.8
LABELS = ("NILM", "LSIL", "HSIL")
MEMORY = (200, 2000)


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, and of all processors that the process used."""

    wall: float
    cpu: float


def draw_patches(folder: Path, count: int, *, start: int = 0) -> list[Row]:
    """Write noise of another tint for each class, and return its rows."""
    rows = []
    for number in range(start, start + count):
        label = LABELS[number % len(LABELS)]
        generator = np.random.default_rng(number)
        tint = 120 + 25 * LABELS.index(label) + 30 * generator.standard_normal(3)
        noise = generator.normal(tint, 30, (56, 56, 3)).clip(0, 255).astype(np.uint8)
        pixels = noise.repeat(4, axis=0).repeat(4, axis=1)
        name = f"{number}.png"
        Image.fromarray(pixels).save(folder / name, compress_level=1)
        rows.append(row_of(name, label, content_hash(pixels)))
    return rows


def row_of(name: str, label: str, digest: str) -> Row:
    """Return a row of a manifest with what training looks at."""
    return Row(
        project_id="p",
        entry_id=name,
        object_id=name,
        point_index=None,
        image_key=name,
        project_name="p",
        image_name=name,
        centroid_x=112,
        centroid_y=112,
        left=0,
        top=0,
        width=224,
        downsample=1,
        label=label,
        original_label=label,
        content_hash=digest,
        file=name,
    )


def sets_from(data: Path | None, folder: Path, count: int) -> tuple[PatchSet, PatchSet]:
    """Return training and validation patches: some of a data set, or drawn ones."""
    if data is None:
        train, unseen = draw_patches(folder, count), draw_patches(folder, count // 3, start=count)
        return PatchSet(folder, train, LABELS), PatchSet(folder, unseen, LABELS)
    parts = rows_by_part(data)
    generator = np.random.default_rng(0)
    train, unseen = (
        [rows[int(i)] for i in np.sort(generator.permutation(len(rows))[:most])]
        for rows, most in ((parts["train"], count), (parts["validation"], count))
    )
    labels = tuple(sorted({row.label for row in train}))
    return PatchSet(data, train, labels), PatchSet(data, unseen, labels)


def trained(
    sets: tuple[PatchSet, PatchSet],
    weights: str,
    views: int,
    *,
    features: Path | None,
    seed: int = 0,
) -> tuple[Any, Training, Cost]:
    """Train the head alone; return the model, the history and what it cost."""
    model = build(NETWORK, len(sets[0].labels), weights=weights, seed=seed)
    phase = Phase("head", "none", EPOCHS, 1e-4)
    settings = TrainingSettings((phase,), batch_size=8, seed=seed, patience=EPOCHS, views=views)
    wall, cpu = time.monotonic(), time.process_time()
    training = fit(model, network_named(NETWORK), *sets, settings, features=features)
    return model, training, Cost(time.monotonic() - wall, time.process_time() - cpu)


def compare_times(sets: tuple[PatchSet, PatchSet], weights: str, views: Sequence[int]) -> None:
    """Print how much faster kept features are, and what they change."""
    same = views[len(views) // 2]
    again, _, slow = trained(sets, weights, same, features=None)
    print(f"{EPOCHS} epochs, {len(sets[0])} + {len(sets[1])} patches; the network in every epoch:")
    print(f"  {slow.wall:7.1f} s by the clock, {slow.cpu:7.1f} s of processors")
    print("views  kept features (clock, processors)   times as fast   bound   found again")
    for number in views:
        with tempfile.TemporaryDirectory() as folder:
            model, _, quick = trained(sets, weights, number, features=Path(folder))
            _, _, later = trained(sets, weights, number, features=Path(folder))
        ratio = f"{slow.wall / quick.wall:5.1f} ({slow.cpu / quick.cpu:5.1f})"
        print(
            f"{number:5}  {quick.wall:9.1f} s {quick.cpu:12.1f} s {ratio:>21} "
            f"{BOUND * EPOCHS / number:9.1f} {later.wall:11.1f} s"
        )
        if number == same:
            pairs = zip(model.get_weights(), again.get_weights(), strict=True)
            largest = max(float(np.abs(one - other).max()) for one, other in pairs)
            print(f"       largest difference of a weight from the network's own: {largest:.1e}")


def compare_views(
    sets: tuple[PatchSet, PatchSet], weights: str, views: Sequence[int], repeats: int
) -> None:
    """Print what the number of views does to the figures of the validation patches."""
    print(f"\nviews  accuracy        macro-F1   ({repeats} seeds, mean ± standard deviation)")
    with tempfile.TemporaryDirectory() as folder:
        for number in views:
            figures = []
            for seed in range(repeats):
                _, training, _ = trained(sets, weights, number, features=Path(folder), seed=seed)
                figures.append((training.best.val_accuracy, training.best.val_macro_f1))
            mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
            told = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)]
            print(f"{number:5}  {'   '.join(told)}")


def peak(count: int) -> int:
    """Train in a process of its own and return its peak of memory in bytes."""
    command = [sys.executable, "-m", "benchmarks.training", "--measure-memory", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def measure_memory(count: int) -> None:
    """Train both phases on drawn patches and print the peak."""
    with tempfile.TemporaryDirectory() as folder:
        patches = PatchSet(Path(folder), draw_patches(Path(folder), count), LABELS)
        few = replace(patches, rows=patches.rows[:50])
        phases = (Phase("head", "none", 2, 1e-4), Phase("last layer", 1, 1, 1e-5))
        settings = TrainingSettings(phases, batch_size=8, views=2)
        model = build("small", len(LABELS))
        fit(model, network_named("small"), patches, few, settings, features=Path(folder) / "kept")
    print(peak_so_far())


def peak_so_far() -> int:
    """Return the most memory that this process has had, in bytes."""
    try:
        import resource  # noqa: PLC0415  (not on Windows, where psutil knows the peak)
    except ImportError:
        return int(psutil.Process().memory_info()._asdict()["peak_wset"])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def compare_memory() -> None:
    """Print the peaks of few and of many patches, and their ratio."""
    few, many = map(peak, MEMORY)
    print(f"\npeak memory: {MEMORY[0]} patches {few / 2**20:.0f} MiB, ", end="")
    print(f"{MEMORY[1]} patches {many / 2**20:.0f} MiB, ratio {many / few:.2f}")


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a split data set; else patches are drawn")
    parser.add_argument("--weights", help="of MobileNetV2 without top; else they are random")
    parser.add_argument("--patches", type=int, default=300)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["time", "views", "memory"])
    parser.add_argument("--measure-memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure_memory:
        measure_memory(options.measure_memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        sets = sets_from(options.data, Path(folder), options.patches)
        weights = options.weights or "none"
        parts: dict[str, Callable[[], None]] = {
            "time": lambda: compare_times(sets, weights, options.views),
            "views": lambda: compare_views(sets, weights, options.views, options.repeats),
            "memory": compare_memory,
        }
        for name, run in parts.items():
            if options.only in (None, name):
                run()


if __name__ == "__main__":
    main()
