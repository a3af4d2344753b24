from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation.abstaining import abstaining
from pycyto.evaluation.metrics import score
from tests.evaluation.made import classified

TWO = ("NILM", "HSIL")


def test_the_least_sure_cells_go_to_a_human_first() -> None:
    """Five cells; the two least sure are the only wrong one and an HSIL."""
    of_hsil = np.array([0.05, 0.95, 0.4, 0.7, 0.1])
    cells = classified([0, 1, 1, 1, 0], np.stack([1 - of_hsil, of_hsil], axis=1), TWO)
    none, one, two = abstaining(cells, (0, 0.2, 0.4))
    whole = score(cells)
    assert (none.cells, none.sureness) == (0, None)
    assert (none.worst_miss, none.macro_f1) == (whole.worst_miss, whole.macro_f1)
    assert (one.cells, one.most_severe) == (1, 1)
    assert one.sureness == pytest.approx(0.6)
    assert (one.worst_miss.count, one.worst_miss.of) == (0, 2)
    assert (one.sensitivity.count, one.macro_f1.value) == (2, 1)
    assert (two.cells, two.most_severe) == (2, 2)
    assert (two.sensitivity.count, two.sensitivity.of) == (1, 1)


def test_cells_given_away_and_kept_are_all_cells() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 97)
    cells = classified(truth, rng.dirichlet(np.ones(4), 97))
    for point in abstaining(cells):
        assert point.macro_f1.cells + point.cells == 97
        assert point.most_severe + point.worst_miss.of == (truth == 3).sum()
