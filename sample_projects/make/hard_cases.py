"""Small entries that hold what real projects hold and tools stumble over."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from shapely.geometry import Polygon

from canvas import Points
from cells import ASC_US, CLASSES, HSIL, LSIL, NILM, Nucleus, Plan
from cohort import Patient
from field import Stage
from marks import Entry, Mark, ellipse_mark, points_mark, polygon_mark
from paint import Drawn
from plain import save_picture
from shapes import resampled, rounded

OUTSIDE_SCHEME = "Trichomonas"
"""A finding of the Bethesda System that is no cell class of the scheme."""

SIZE_PX = (900, 700)


@dataclass
class _Sheet:
    """One hard-case entry under construction. Positions in px."""

    rng: np.random.Generator
    patient: Patient
    size: tuple[int, int] = SIZE_PX

    def __post_init__(self) -> None:
        self.stage = Stage(self.rng, self.patient.scanner, self.size)

    def entry(self, file: str, name: str, cases: list[str], *, calibrated: bool = True) -> Entry:
        mpp = self.patient.scanner.mpp if calibrated else None
        return Entry(file, name, *self.size, mpp, self.patient.metadata, cases)

    def cell(self, label: str, x: float, y: float, *, body: Points | None = None) -> Drawn:
        return self.planned(self.stage.plan(label), x, y, body=body)

    def planned(self, plan: Plan, x: float, y: float, *, body: Points | None = None) -> Drawn:
        centre = np.array((x, y)) * self.patient.scanner.mpp
        return self.stage.cell(plan, centre, body=body)

    def save(self, path: Path) -> None:
        save_picture(path, self.stage.finish(inflammation=0.8))


def _mixed(rng: np.random.Generator, count: int) -> list[str]:
    return [str(label) for label in rng.permutation(np.resize(np.array(CLASSES), count))]


def _edges(rng: np.random.Generator, patient: Patient, images: Path) -> tuple[Entry, list[Mark]]:
    """Cells at the four edges and in the four corners, some cut by the border."""
    sheet = _Sheet(rng, patient)
    width, height = sheet.size
    places = [
        (25, 30), (width - 20, 25), (22, height - 25), (width - 30, height - 22),
        (width // 3, 12), (2 * width // 3, height - 10), (15, height // 2), (width - 12, 280),
        (width // 2, height // 2), (260, 470), (640, 230),
    ]  # fmt: skip
    entry = sheet.entry("edges.png", "edges.png", ["cells at edges and corners"])
    cells = [sheet.cell(label, x, y) for label, (x, y) in zip(_mixed(rng, 11), places, strict=True)]
    sheet.save(images / entry.file)
    return entry, [polygon_mark(entry, cell, label=cell.label) for cell in cells]


def _crescent(radius_um: float) -> Points:
    """A bent cell: its centroid lies in the hollow. Shape (n, 2), um around the centroid."""
    outer = np.linspace(-2.05, 1.85, 60)
    inner = outer[::-1]
    hollow = 0.56 + 0.12 * np.abs(inner / 2.0) ** 3 + 0.03 * np.sin(5.0 * inner)
    bulge = 1.0 + 0.05 * np.cos(3.0 * outer + 0.6)
    x = np.concatenate((bulge * np.cos(outer), hollow * np.cos(inner)))
    y = np.concatenate((bulge * np.sin(outer), hollow * np.sin(inner)))
    sharp = resampled(np.stack((x, y), axis=1) * radius_um, 180)
    ring = gaussian_filter1d(sharp, 4.0, axis=0, mode="wrap")
    return np.asarray(ring - Polygon(ring).centroid.coords[0])


def _crescent_plan(plan: Plan, radius_um: float) -> Plan:
    """The same cell with its nucleus in the thick part of the crescent."""
    nucleus = plan.nuclei[0]
    shifted = Nucleus(
        (0.43 * radius_um, 0.0), min(nucleus.radius, 0.14 * radius_um), *_rest_of(nucleus)
    )
    return Plan(
        plan.label, "crescent", radius_um, True, 1.0, plan.thickness, (shifted,), 0.0, 0.0,
        plan.pink, plan.defocus,
    )  # fmt: skip


def _rest_of(nucleus: Nucleus) -> tuple[float, float, float, float, float, float]:
    return (
        nucleus.aspect, nucleus.irregularity, nucleus.density, nucleus.grain,
        nucleus.contrast, nucleus.membrane,
    )  # fmt: skip


def _trichomonas(rng: np.random.Generator) -> Plan:
    """A pear-shaped grey-green body of 12 um with a faint, slender nucleus."""
    nucleus = Nucleus((0.0, 1.0), 1.3, 0.45, 0.02, 0.45, 0.4, 0.1, 0.0)
    return Plan(
        OUTSIDE_SCHEME, "organism", 6.0, False, 0.78, 2.2, (nucleus,), 0.0, 0.0, 0.1,
        abs(rng.normal(0, 0.1)),
    )  # fmt: skip


def _hole(drawn: Drawn, mpp: float, rng: np.random.Generator) -> Points:
    """A spot in the cytoplasm, beside the nucleus, that the outline leaves out. In px."""
    centre = drawn.outline.mean(axis=0)
    beside = centre + 0.66 * (drawn.outline[0] - centre)
    return np.asarray(rounded(rng, 2.2, 0.9, 0.02)[::8] / mpp + beside)


def _single_shapes(sheet: _Sheet, entry: Entry) -> list[Mark]:
    """Ellipse, hole, centroid outside, unclassified, outside the scheme."""
    rng, mpp = sheet.rng, sheet.patient.scanner.mpp
    oval = sheet.cell(LSIL, 130, 130)
    holed = sheet.cell(ASC_US, 350, 130)
    bent = _crescent_plan(sheet.stage.plan(NILM), 26.0)
    crescent = sheet.planned(bent, 590, 150, body=_crescent(26.0))
    unclassified = sheet.cell(NILM, 790, 140)
    organism = sheet.planned(_trichomonas(rng), 780, 400)
    return [
        ellipse_mark(entry, oval, LSIL),
        polygon_mark(entry, holed, label=ASC_US, holes=(_hole(holed, mpp, rng),)),
        polygon_mark(entry, crescent, label=NILM),
        polygon_mark(entry, unclassified, label=None),
        polygon_mark(entry, organism, label=OUTSIDE_SCHEME),
    ]


def _shapes(rng: np.random.Generator, patient: Patient, images: Path) -> tuple[Entry, list[Mark]]:
    """Every kind of object that is not a plain outlined cell."""
    sheet = _Sheet(rng, patient)
    cases = [
        "ellipse", "polygon with a hole", "centroid outside a concave outline",
        "unclassified cell", "class outside the scheme", "two cells on one pixel",
        "multi-point annotation",
    ]  # fmt: skip
    entry = sheet.entry("shapes.png", "shapes.png", cases)
    marks = _single_shapes(sheet, entry)
    under, over = sheet.cell(NILM, 160.3, 400.3), sheet.cell(HSIL, 160.3, 400.3)
    marks += [polygon_mark(entry, cell, label=cell.label) for cell in (under, over)]
    places = [(380.0, 380.0), (560.0, 420.0), (330.0, 590.0), (520.0, 600.0), (720.0, 590.0)]
    for x, y in places:
        sheet.cell(NILM, x, y)
    marks.append(points_mark(entry, places, NILM))
    sheet.save(images / entry.file)
    return entry, marks


def _few_cells(
    sheet: _Sheet, entry: Entry, images: Path, count: int, *, waiting: bool = False
) -> tuple[Entry, list[Mark]]:
    """Plain cells; ``waiting`` makes them detections without a class."""
    cells = sheet.stage.scatter(_mixed(sheet.rng, count))
    sheet.save(images / entry.file)
    marks = [
        polygon_mark(entry, cell, label=None if waiting else cell.label, detection=waiting)
        for cell in cells
    ]
    return entry, marks


def _named(
    rng: np.random.Generator, patients: list[Patient], images: Path
) -> list[tuple[Entry, list[Mark]]]:
    """No pixel size; two entries with one name; a name with space, accent and percent."""
    first, second, third, fourth = (_Sheet(rng, patient) for patient in patients)
    accent = "Übersicht 50% Vergrößerung.png"
    uncalibrated = first.entry("nosize.jpg", "nosize.jpg", ["no pixel size"], calibrated=False)
    same = ["two entries with one name"]
    north = second.entry("north/field.jpg", "field.jpg", same)
    south = third.entry("south/field.jpg", "field.jpg", same)
    special = fourth.entry(accent, accent, ["name with space, accents and percent sign"])
    sheets = (first, second, third, fourth)
    entries = (uncalibrated, north, south, special)
    return [
        _few_cells(sheet, entry, images, 12) for sheet, entry in zip(sheets, entries, strict=True)
    ]


def _waiting(rng: np.random.Generator, patient: Patient, images: Path) -> tuple[Entry, list[Mark]]:
    """Unclassified detections that wait for a class."""
    sheet = _Sheet(rng, patient, (1400, 1000))
    entry = sheet.entry("waiting.jpg", "waiting.jpg", ["unclassified detections"])
    return _few_cells(sheet, entry, images, 28, waiting=True)


def draw_hard_cases(
    rng: np.random.Generator, patients: list[Patient], images: Path
) -> list[tuple[Entry, list[Mark]]]:
    """All hard cases: further fields of patients who have a plain one already."""
    return [
        _edges(rng, patients[0], images),
        _shapes(rng, patients[1], images),
        *_named(rng, patients[2:6], images),
        _waiting(rng, patients[6], images),
    ]
