"""Write-back and undo inside a real QuPath under faults, by the hundred.

Each seed is one trip with one fault; see `tests/faults/in_qupath.py`. One QuPath per process::

    python -m benchmarks.faults_qupath QUPATH_FOLDER --trips 300
    python -m benchmarks.faults_qupath QUPATH_FOLDER --first 17 --trips 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from pycyto.qupath.locate import installation_in
from tests.faults.in_qupath import FAULTS, IN_PROCESS, QuPathTrips, Trip

# One in so many is killed, which takes a process of its own.
_KILLED = 8


def main() -> int:
    """Play the trips that were asked for, and print what came of them."""
    options = _options()
    installation = installation_in(options.qupath)
    if installation is None:
        sys.exit(f"There is no QuPath in {options.qupath}.")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        player = QuPathTrips(installation, Path(folder))
        trips = []
        for seed in range(options.first, options.first + options.trips):
            kinds = FAULTS[len(IN_PROCESS) :] if seed % _KILLED == 0 else IN_PROCESS
            trips.append(player.play(seed, kinds))
            _tell_problems(trips[-1])
    _tell(trips)
    seconds = time.perf_counter() - start
    sys.stdout.write(
        f"QuPath {installation.version}: {len(trips)} round trips in {seconds:.0f} s, "
        f"{sum(bool(trip.problems) for trip in trips)} with a problem\n"
    )
    return int(any(trip.problems for trip in trips))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("qupath", type=Path, help="folder of the installation")
    parser.add_argument("--trips", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    return parser.parse_args()


def _tell_problems(trip: Trip) -> None:
    for problem in trip.problems:
        sys.stdout.write(f"seed {trip.seed}, {trip.fault} in {trip.step}: {problem[:2000]}\n")
    sys.stdout.flush()


def _tell(trips: list[Trip]) -> None:
    for kind in FAULTS:
        of_kind = [trip for trip in trips if trip.fault == kind]
        struck = Counter(trip.step for trip in of_kind if trip.faulted)
        steps = ", ".join(f"{count} in {step}" for step, count in sorted(struck.items()))
        bad = sum(bool(trip.problems) for trip in of_kind)
        sys.stdout.write(f"{kind:18} {len(of_kind):4} trips, {bad} with a problem; {steps}\n")


if __name__ == "__main__":
    sys.exit(main())
