"""Draws the sample project: ``python sample_projects/make --out DIR --seed 7``."""

import argparse
import csv
from pathlib import Path

import numpy as np

from cohort import draw_cohort
from hard_cases import draw_hard_cases
from marks import Entry, Mark, write_marks
from plain import draw_patient, draw_slide
from project import write_project


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new project")
    parser.add_argument("--seed", type=int, default=7, help="the same seed draws the same project")
    parser.add_argument("--qupath", type=Path, help="QuPath 0.5.1; else paquo looks for one")
    parser.add_argument("--no-project", action="store_true", help="draw the pictures only")
    parser.add_argument("--cells", type=Path, help="keep all outlines and classes as JSON here")
    return parser.parse_args()


def draw_all(seed: int, images: Path) -> tuple[list[Entry], list[Mark]]:
    """Draw every picture into ``images``; each has its own stream of random numbers."""
    images.mkdir(parents=True, exist_ok=True)
    root = np.random.SeedSequence(seed)
    cohort_seed, slide_seed, hard_seed, *field_seeds = root.spawn(64)
    patients = draw_cohort(np.random.default_rng(cohort_seed))
    drawn = [
        draw_patient(np.random.default_rng(field_seed), patient, images)
        for patient, field_seed in zip(patients, field_seeds, strict=False)
    ]
    drawn.append(draw_slide(np.random.default_rng(slide_seed), len(patients) + 1, images))
    drawn += draw_hard_cases(np.random.default_rng(hard_seed), patients, images)
    return [entry for entry, _ in drawn], [mark for _, marks in drawn for mark in marks]


def write_hidden_truth(path: Path, marks: list[Mark]) -> None:
    """The classes of the cells that the project shows without one."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "object", "object_id", "centroid_x", "centroid_y", "class"))
        for mark in marks:
            if mark.label is None:
                x, y = (f"{value:.3f}" for value in mark.centroid)
                writer.writerow((mark.image, mark.object, mark.object_id, x, y, mark.truth))


def main() -> None:
    """Draw, then write the project."""
    arguments = _arguments()
    out: Path = arguments.out
    if (out / "project.qpproj").exists():
        raise SystemExit(f"{out} holds a project already; choose a new folder")
    entries, marks = draw_all(arguments.seed, out / "images")
    write_hidden_truth(out / "hidden_truth.csv", marks)
    if arguments.cells is not None:
        write_marks(arguments.cells, entries, marks)
    if not arguments.no_project:
        write_project(out.resolve(), entries, marks, arguments.qupath)
    print(f"{len(entries)} images, {len(marks)} objects in {out}")


if __name__ == "__main__":
    main()
