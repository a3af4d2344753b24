"""How often the interval of a share of cells holds the truth, beside the middle of the resamples.

Cells are drawn of groups whose own shares differ, by a beta distribution with the
intraclass correlation that is named; sizes of groups differ too. What is counted is how
often the truth lies above the upper end (the share looks smaller than it is: the model
flatters itself), in per cent, and how wide the interval is; 2.5 is what is claimed.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np

from pycyto.evaluation.intervals import RESAMPLES, divided, interval_of, resampling
from pycyto.evaluation.shares import share_of

CELLS, GROUPS, SHARES, CORRELATIONS = (35, 100, 300), (12, 30, 60), (0.01, 0.03, 0.1), (0.0, 0.2)


def row(
    cells: int, groups: int, share: float, correlation: float, tries: int, seed: int
) -> tuple[float, ...]:
    """Return coverage, share of ends that are too low, and width, in per cent, of both ways."""
    rng = np.random.default_rng(seed)
    sizes = 1 + rng.multinomial(cells - groups, rng.dirichlet(np.full(groups, 2.0)))
    drawn = resampling([f"g{number:02}" for number in range(groups)], seed, RESAMPLES)
    rates = np.full((tries, groups), share)
    if correlation:
        spread = 1 / correlation - 1
        rates = rng.beta(share * spread, (1 - share) * spread, (tries, groups))
    counts = rng.binomial(sizes, rates)
    below = drawn.drawn(sizes)
    found = np.empty((tries, 2, 2))
    for index, own in enumerate(counts):
        values = divided(drawn.drawn(own), below)
        middle, ours = interval_of(values, groups)[0], share_of(int(own.sum()), sizes, values)
        found[index] = middle, ours.interval
    low, high = found[..., 0], found[..., 1]
    held = (low <= share) & (share <= high)
    both = [100 * own.mean(axis=0) for own in (held, high < share, high - low)]
    return tuple(float(own[way]) for way in (0, 1) for own in both)


def main() -> None:
    """Print a table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ways = [
        f"{way}: {what}" for way in ("middle", "pycyto") for what in ("held", "too low", "wide")
    ]
    print("|", " | ".join(("cells", "groups", "share", "correlation", *ways)), "|")
    print("|" + "---|" * (4 + len(ways)))
    for cells, groups, share, correlation in product(CELLS, GROUPS, SHARES, CORRELATIONS):
        if groups <= cells:
            found = row(cells, groups, share, correlation, given.tries, given.seed)
            told = (str(cells), str(groups), f"{share:g}", f"{correlation:g}")
            print("|", " | ".join((*told, *(f"{own:.1f}" for own in found))), "|", flush=True)


if __name__ == "__main__":
    main()
