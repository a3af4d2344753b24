"""The interval of a share of cells: exact, for as many independent cells as these are worth.

Where few cells are counted the middle of the resamples flatters: whatever is drawn anew, a model
that missed one cell has missed that one or none. The exact interval knows what the next cells may
bring, and resampling how much less the cells of few groups say than independent ones.

References
----------
Clopper and Pearson, Biometrika 26 (1934) 404: the exact interval of a share. Korn and Graubard,
Survey Methodology 24 (1998) 193: the same at the number of cells that the design effect leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv

from pycyto.evaluation.intervals import TAIL, Estimate, Floats, undecided

# Intraclass correlation that is taken for granted where hardly any cell is counted, since nothing
# is there to measure it by. Errors of a network on SIPaKMeD and CRIC had 0.2 to 0.3 by group.
_CORRELATION = 0.2


def share_of(count: int, sizes: npt.NDArray[np.integer[Any]], values: Floats) -> Estimate:
    """Return a share of cells with its interval.

    Parameters
    ----------
    count
        Cells that count.
    sizes
        (groups,) of how many cells of each group they are a part.
    values
        (resamples,) the share in each, NaN where it is not defined.
    """
    cells, groups = int(sizes.sum()), int((sizes > 0).sum())
    withheld, undefined = undecided(values, groups)
    if not cells:
        return Estimate(None, 0, 0, count, None, "not defined", undefined)
    interval = None if withheld else _interval(count, sizes, values)
    return Estimate(count / cells, cells, groups, count, interval, withheld, undefined)


def _interval(
    count: int, sizes: npt.NDArray[np.integer[Any]], values: Floats
) -> tuple[float, float]:
    cells = int(sizes.sum())
    low, high = exact(count / cells, _worth(count / cells, cells, values))
    # Resampling sees no likeness within groups in a few cells. So no end may be nearer to 0 or 1
    # than it would be if none or all of the cells counted, of groups as alike as they often are.
    size = float((sizes.astype(np.float64) ** 2).sum() / cells)
    _, least = exact(0.0, cells / (1 + (size - 1) * _CORRELATION))
    return min(low, 1 - least), max(high, least)


def _worth(share: float, cells: int, values: Floats) -> float:
    """Return the number of independent cells whose share would vary as the resamples do."""
    varied = float(np.nanvar(values))
    return min(cells, share * (1 - share) / varied) if varied else cells


def exact(share: float, cells: float) -> tuple[float, float]:
    """Return the 95 % interval of Clopper and Pearson of a share of so many independent cells."""
    count = share * cells
    low = float(betaincinv(count, cells - count + 1, TAIL)) if share > 0 else 0.0
    high = float(betaincinv(count + 1, cells - count, 1 - TAIL)) if share < 1 else 1.0
    return low, high
