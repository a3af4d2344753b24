"""The ordinary entries: one field for each patient, and the slide."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cohort import Patient, draw_labels
from field import Stage, draw_field
from marks import Entry, Mark, polygon_mark
from scanner import SCANNER_A
from slide import write_slide

FIELD_PX = (1600, 1200)
PNG_FIELD_PX = (1000, 800)
"""PNG fields are smaller, because they take four times the bytes."""

SLIDE_PX = (4096, 3072)
SLIDE_CELLS = 110
JPEG_QUALITY = 90


def save_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a PNG or JPEG, by the ending of the name, without resolution tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        image.save(path, optimize=True)
    else:
        image.save(path, quality=JPEG_QUALITY)


def draw_patient(
    rng: np.random.Generator, patient: Patient, images: Path
) -> tuple[Entry, list[Mark]]:
    """Draw the field of one patient and write its picture below ``images``."""
    is_png = patient.number % 6 == 0
    size = PNG_FIELD_PX if is_png else FIELD_PX
    mpp = patient.scanner.mpp
    area = size[0] * size[1] * mpp**2 / 1e4
    labels = draw_labels(rng, patient, round(area * rng.uniform(3.5, 4.7)))
    field = draw_field(rng, patient.scanner, size, labels)
    name = f"P{patient.number:02d}_field.{'png' if is_png else 'jpg'}"
    save_picture(images / name, field.pixels)
    entry = Entry(name, name, *size, mpp, patient.metadata)
    return entry, [polygon_mark(entry, cell, label=cell.label) for cell in field.cells]


def draw_slide(rng: np.random.Generator, number: int, images: Path) -> tuple[Entry, list[Mark]]:
    """Draw the whole-slide image of one more patient."""
    even = (0.42, 0.2, 0.2, 0.18)
    patient = Patient(number, even, SCANNER_A, "Lab North", "ThinPrep", "Reader 1")
    stage = Stage(rng, patient.scanner, SLIDE_PX)
    cells = stage.scatter(draw_labels(rng, patient, SLIDE_CELLS), margin_um=30.0)
    pixels = stage.finish(inflammation=1.0, tiled=True)
    name = f"P{number:02d}_slide.svs"
    write_slide(images / name, pixels, patient.scanner.mpp)
    entry = Entry(name, name, *SLIDE_PX, patient.scanner.mpp, patient.metadata)
    return entry, [polygon_mark(entry, cell, label=cell.label) for cell in cells]
