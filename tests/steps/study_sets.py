"""Two small sets for a study: folders of drawn cells, darker and more striped with severity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHADES = {"NILM": 210, "LSIL": 150, "HSIL": 70}


def draw_set(folder: Path, seed: int, number: int = 9, tint: int = 0) -> Path:
    """Draw so many cells of each class, each unlike all others."""
    rng = np.random.default_rng(seed)
    for label, shade in SHADES.items():
        for index in range(number):
            blobs = rng.integers(-40, 40, (7, 7, 3)) + shade + np.array([0, tint, -tint])
            image = Image.fromarray(np.clip(blobs, 0, 255).astype(np.uint8))
            path = folder / label / f"{seed}-{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.resize((224, 224), Image.Resampling.BICUBIC).save(path, compress_level=1)
    return folder


STUDY = """
title = "Two sets <&>"
[[source]]
name = "one"
kind = "folder"
path = "one"
[[source]]
name = "two"
kind = "folder"
path = "two"
[[source]]
name = "new"
kind = "folder"
path = "new"
role = "test"
[split]
fractions = [40, 30, 30]
[[network]]
name = "small"
epochs = 1
batch_size = 8
[[network]]
name = "vgg16"
weights = "nowhere.weights.h5"
[cross_domain]
by = "source"
[evaluation]
atlas = 2
"""
