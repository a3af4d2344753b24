"""Who the simulated patients are, and what was found on their slides."""

from dataclasses import dataclass

import numpy as np

from cells import CLASSES
from scanner import SCANNER_A, SCANNER_B, Scanner

PROFILES: tuple[tuple[int, tuple[float, float, float, float]], ...] = (
    (6, (0.78, 0.14, 0.05, 0.03)),
    (8, (0.42, 0.42, 0.10, 0.06)),
    (8, (0.34, 0.16, 0.40, 0.10)),
    (8, (0.34, 0.10, 0.14, 0.42)),
)
"""Patients per finding, and their mixture of classes: NILM cells lie beside every lesion."""

SITES = ("Lab North", "Lab South")
PREPARATIONS = ("ThinPrep", "SurePath")
ANNOTATORS = ("Reader 1", "Reader 2", "Reader 3")


@dataclass(frozen=True)
class Patient:
    """One simulated patient with one slide.

    Attributes
    ----------
    mixture
        Share of each class of `CLASSES` among the annotated cells.
    """

    number: int
    mixture: tuple[float, float, float, float]
    scanner: Scanner
    site: str
    preparation: str
    annotator: str

    @property
    def metadata(self) -> dict[str, str]:
        """Metadata of the project entry."""
        return {
            "Patient": f"P{self.number:02d}",
            "Slide": f"S{self.number:02d}",
            "Scanner": self.scanner.name,
            "Site": self.site,
            "Preparation": self.preparation,
            "Annotator": self.annotator,
        }


def _patient(number: int, mixture: tuple[float, float, float, float], index: int) -> Patient:
    return Patient(
        number=number,
        mixture=mixture,
        # Three independent bits of the index within a finding: none predicts the class.
        scanner=(SCANNER_A, SCANNER_B)[index % 2],
        site=SITES[index // 2 % 2],
        preparation=PREPARATIONS[index // 4 % 2],
        annotator=ANNOTATORS[number % 3],
    )


def draw_cohort(rng: np.random.Generator) -> list[Patient]:
    """All patients that have a plain field, in order of their number."""
    slots = [
        (mixture, index + shift)
        for shift, (count, mixture) in enumerate(PROFILES)
        for index in range(count)
    ]
    order = rng.permutation(len(slots))
    return [_patient(number + 1, *slots[slot]) for number, slot in enumerate(order)]


def draw_labels(rng: np.random.Generator, patient: Patient, count: int) -> list[str]:
    """Classes of the cells on a field; every finding is met in its share, rounded at random."""
    expected = np.array(patient.mixture) * count
    counts = np.floor(expected + rng.uniform(0, 1, len(CLASSES))).astype(int)
    labels = np.repeat(CLASSES, counts)
    return [str(label) for label in rng.permutation(labels)]
