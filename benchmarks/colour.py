"""Reinhard's normalisation beside scikit-image's: how much quicker, and how far apart.

scikit-image goes rgb2lab, shift and stretch, lab2rgb; it is needed for this alone:
``pip install scikit-image``. Patches are those of a data set, each with the
statistics of its own tissue; the target is the tissue of all of them.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from pycyto.images.crop import Pixels
from pycyto.images.patches import pixels_in
from pycyto.images.stain import Statistics, Sums, normalise, sums_of
from pycyto.manifest import read_manifest


def by_skimage(patch: Pixels, source: Statistics, target: Statistics) -> Pixels:
    """Return what the same statistics make of a patch there."""
    scale = np.array(target.deviation) / np.array(source.deviation)
    lab = (rgb2lab(patch) - source.mean) * scale + target.mean
    changed: Pixels = np.rint(lab2rgb(lab) * 255).astype(np.uint8)
    changed[~patch.any(axis=-1)] = 0
    return changed


def main() -> None:
    """Print both times, their ratio, and the largest difference in grey levels."""
    warnings.simplefilter("ignore")  # scikit-image tells of each colour that sRGB has not
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of a data set")
    parser.add_argument("--patches", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rows = read_manifest(given.data)
    generator = np.random.default_rng(given.seed)
    chosen = generator.choice(len(rows), min(given.patches, len(rows)), replace=False)
    patches = [pixels_in(given.data / rows[index].file) for index in chosen]
    sums = [sums_of(patch) for patch in patches]
    target = sum(sums, Sums()).statistics
    ours, theirs, apart = [], [], [0]
    for patch, found in zip(patches, sums, strict=True):
        source = found.statistics
        start = time.process_time()
        mine = normalise(patch, source, target)
        middle = time.process_time()
        other = by_skimage(patch, source, target)
        end = time.process_time()
        if mine is not None:
            ours.append(middle - start)
            theirs.append(end - middle)
            apart.append(int(np.abs(mine.astype(int) - other).max()))
    own, peer = np.median(ours) * 1000, np.median(theirs) * 1000
    ratios = np.array(theirs) / np.array(ours)
    print(
        f"{len(ours)} patches, seed {given.seed}, median processor time: pycyto {own:.2f} ms, "
        f"scikit-image {peer:.2f} ms, ratio {np.median(ratios):.1f} (bound 5; 5th percentile "
        f"{np.percentile(ratios, 5):.1f}); at most {max(apart)} grey levels apart (bound 2)"
    )


if __name__ == "__main__":
    main()
