"""What the calibration error of a perfectly calibrated model is, by chance alone.

Probabilities of four classes are drawn from a Dirichlet distribution, flatter or
sharper, and true classes from these probabilities: such a model is right as often as it
says. Its expected calibration error would be 0 for endlessly many cells.
"""

from __future__ import annotations

import argparse

import numpy as np

from pycyto.evaluation.calibration import calibration
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.intervals import resampling

LABELS = ("NILM", "ASC-US", "LSIL", "HSIL")
CELLS, CONCENTRATIONS = (118, 335, 1709), (0.1, 0.3, 1.0)


def errors(cells: int, concentration: float, tries: int, seed: int) -> tuple[float, list[float]]:
    """Return the mean of the highest probability, and the calibration error of each try."""
    rng = np.random.default_rng(seed)
    one_by_one = resampling([str(number) for number in range(cells)], seed, resamples=0)
    sure, found = [], []
    for _ in range(tries):
        given = rng.dirichlet(np.full(len(LABELS), concentration), cells)
        truth = (rng.random((cells, 1)) > given.cumsum(axis=1)).sum(axis=1)
        truth = np.minimum(truth, len(LABELS) - 1)
        error = calibration(Classified(truth, given, LABELS, one_by_one), given).error
        sure.append(float(given.max(axis=1).mean()))
        found.append(error.value or 0.0)
    return float(np.mean(sure)), found


def main() -> None:
    """Print a table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("| cells | mean highest probability | calibration error, mean | 95 % of the tries |")
    print("|---|---|---|---|")
    for concentration in CONCENTRATIONS:
        for cells in CELLS:
            sure, found = errors(cells, concentration, given.tries, given.seed)
            low, high = np.quantile(found, (0.025, 0.975))
            told = f"{np.mean(found):.3f} | {low:.3f} to {high:.3f}"
            print(f"| {cells} | {sure:.2f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
