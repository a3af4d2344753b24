"""How long ``pycyto --help`` takes, in units of ``import click``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "import click": [sys.executable, "-c", "import click"],
    "pycyto --help": [sys.executable, "-m", "pycyto", "--help"],
}


def seconds(command: list[str]) -> float:
    """Return how long one start of a process takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Alternate between the two, so that a busy machine slows both."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name:<16} {1000 * median:7.0f} ms (median of {ROUNDS})")
    ratio = medians["pycyto --help"] / medians["import click"]
    print(f"{'ratio':<16} {ratio:7.2f}")


if __name__ == "__main__":
    main()
