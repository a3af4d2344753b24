"""A small data set on disk whose classes differ by texture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto.images.crop import Pixels
from pycyto.images.patches import content_hash
from pycyto.labels import BETHESDA
from pycyto.manifest import Row
from pycyto.parts import write_split
from pycyto.records import CellKey
from tests.manifests import write_manifest

# What must appear in no bundle.
SECRETS = ("Slide of Mrs Example", "PATIENT-77", "SLIDE-88", "St Elsewhere")

_TINTS = {"NILM": (225, 200, 210), "ASC-US": (200, 190, 230), "LSIL": (180, 210, 180)}


def texture(label: str, number: int) -> Pixels:
    """Return a (224, 224, 3) uint8 patch; HSIL is dark and striped, the others pale."""
    generator = np.random.default_rng((number, *label.encode()))
    tint = np.array(_TINTS.get(label, (110, 60, 140)), np.float64)
    stripes = 40 * np.sin(np.arange(224) / 3) if label == "HSIL" else np.zeros(224)
    noise = generator.normal(0, 8, (224, 224, 3))
    return np.clip(tint + stripes[:, None, None] + noise, 0, 255).astype(np.uint8)


def row_of(folder: Path, label: str, number: int) -> Row:
    """Write one patch and return its row."""
    pixels = texture(label, number)
    file = f"images/{BETHESDA.folder_of(label)}/{number}.png"
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)
    return Row(
        project_id="p",
        entry_id=f"entry-{number}",
        object_id=f"{number:08d}-0000-4000-8000-000000000000",
        point_index=None,
        image_key=hashlib.sha256(str(number).encode()).hexdigest(),
        project_name="project",
        image_name=SECRETS[0],
        centroid_x=100.0,
        centroid_y=100.0,
        left=0,
        top=0,
        width=224,
        downsample=1.0,
        label=label,
        original_label=label,
        content_hash=content_hash(pixels),
        file=file,
        scheme="bethesda",
        source="lab",
        site=SECRETS[3],
        patient=f"{SECRETS[1]}-{number}",
        slide=SECRETS[2],
    )


def write_data(folder: Path, counts: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Write a data set with so many patches by part and class; return its rows."""
    rows: list[Row] = []
    parts: dict[CellKey, str] = {}
    for part, by_class in counts.items():
        for label, count in by_class.items():
            for _ in range(count):
                rows.append(row_of(folder, label, len(rows)))
                parts[rows[-1].key] = part
    write_manifest(folder, rows)
    write_split(folder, parts)
    return rows
