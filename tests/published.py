"""Small sets in the published layouts, drawn for tests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto.images.crop import Pixels

COLUMNS = (
    "image_id", "image_filename", "image_doi", "cell_id", "bethesda_system", "nucleus_x",
    "nucleus_y",
)  # fmt: skip

RED, BLUE, DARK_BLUE, GREY = (255, 0, 0), (0, 0, 255), (0, 0, 128), (128, 128, 128)


def picture(seed: int, width: int = 100, height: int = 80) -> Pixels:
    """Return smooth blobs, (height, width, 3) uint8, that no other seed has."""
    rng = np.random.default_rng(seed)
    blobs = Image.fromarray(rng.integers(40, 230, (7, 7, 3)).astype(np.uint8))
    return np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC))


def save(path: Path, pixels: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def mask(width: int, height: int) -> Pixels:
    """Return a mask in Herlev's colours: a nucleus of 10 x 6 in a cell of 40 x 30."""
    colours = np.full((height, width, 3), RED, np.uint8)
    colours[:4, :4] = GREY
    colours[20:50, 30:70] = DARK_BLUE
    colours[30:36, 40:50] = BLUE
    return colours


def herlev(folder: Path, classes: Mapping[str, int]) -> Path:
    """Draw so many cells of each class; every second has a mask."""
    seed = 0
    for label, number in classes.items():
        for n in range(1, number + 1):
            seed += 1
            stem = folder / label / f"1484{len(label)}-148{seed // 2:04d}-{n:03d}"
            save(stem.with_suffix(".BMP"), picture(seed))
            if n % 2:
                save(stem.with_name(f"{stem.name}-d.bmp"), mask(100, 80))
    return folder


def sipakmed(folder: Path, fields: Mapping[str, Sequence[int]]) -> Path:
    """Draw fields with so many cropped cells each, as downloaded, with outlines."""
    seed = 100
    for label, cells in fields.items():
        top = folder / f"im_{label}" / f"im_{label}"
        for field, number in enumerate(cells, 1):
            seed += 1
            save(top / f"{field:03d}.bmp", picture(seed, 300, 300))
            for n in range(1, number + 1):
                seed += 1
                cell = save(top / "CROPPED" / f"{field:03d}_{n:02d}.bmp", picture(seed, 90, 70))
                _outline(cell.with_name(f"{cell.stem}_cyt.dat"), 10, 10, 60, 50)
                _outline(cell.with_name(f"{cell.stem}_nuc.dat"), 30, 25, 20, 10)
    return folder


def _outline(path: Path, left: int, top: int, width: int, height: int) -> None:
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    path.write_text("".join(f"{x}.5,{y}.5\r\n" for x, y in corners), encoding="ascii")


def cric(folder: Path, cells: Iterable[tuple[str, str, int, int]], **further: str) -> Path:
    """Draw fields of 400 x 300 and a table with (file, class, x, y) of each cell."""
    cells = list(cells)
    for seed, name in enumerate(sorted({cell[0] for cell in cells}), 500):
        save(folder / "images" / name, picture(seed, 400, 300))
    with (folder / "classifications.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow((*COLUMNS, *further))
        for number, (name, label, x, y) in enumerate(cells, 1):
            writer.writerow((7, name, "10.1/x", number, label, x, y, *further.values()))
    return folder


def ps3c(folder: Path, classes: Mapping[str, int], *, untold: int = 1) -> Path:
    """Draw the images of the training set, its table, and test images without a class."""
    lines = ["image_name,label"]
    seed = 900
    for label, number in classes.items():
        for _ in range(number):
            seed += 1
            name = f"isbi2025_ps3c_train_image_{seed:05d}.png"
            save(folder / "isbi2025-ps3c-train-dataset" / label / name, picture(seed))
            lines.append(f"{name},{label}")
    for n in range(untold):
        name = f"isbi2025_ps3c_test_image_{n:05d}.png"
        save(folder / "isbi2025-ps3c-test-dataset" / name, picture(2000 + n))
    table = folder / "pap-smear-cell-classification-challenge" / "isbi2025-ps3c-train-dataset.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
