"""Figures of one source, and the mean of several."""

from __future__ import annotations

import numpy as np
import pytest

from pycyto.evaluation.of_source import SPECIFICITIES, OfSource, mean_macro_f1, of_source
from tests.evaluation.made import called, classified

LABELS = ("NILM", "HSIL")


def source(said: list[int], name: str = "a", groups: list[str] | None = None) -> OfSource:
    truth = [0] * 20 + [1] * 20
    cells = called(truth, said, LABELS, groups)
    return of_source(name, "test part", cells, cells)


def test_sensitivity_at_specificity_is_that_of_the_curve() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 200)
    scores = np.clip(0.35 + 0.3 * truth + rng.normal(0, 0.2, 200), 0, 1).round(2)
    cells = classified(truth, np.stack([1 - scores, scores], 1), LABELS)
    found = of_source("a", "test part", cells, cells).at_specificity
    for wanted in SPECIFICITIES:
        reached = [
            (scores[truth == 1] >= step).mean()
            for step in np.arange(0, 1.02, 0.01)
            if (scores[truth == 0] < step).mean() >= wanted
        ]
        assert found[wanted] == pytest.approx(max(reached))
    assert found[0.97] < found[0.65]


def test_all_sources_count_alike() -> None:
    perfect, half = source([0] * 20 + [1] * 20), source([0] * 20 + [0] * 20, "b")
    found = mean_macro_f1([perfect, half])
    assert found.value == pytest.approx((1 + (2 * 20 / 60) / 2) / 2)
    assert found.cells == 80
    assert found.interval is not None


def test_a_source_of_few_groups_withholds_the_interval() -> None:
    few = source([0] * 20 + [1] * 20, "b", [str(number % 4) for number in range(40)])
    found = mean_macro_f1([source([0] * 20 + [1] * 20), few])
    assert found.value == 1
    assert found.interval is None
    assert found.withheld


def test_one_side_alone_has_no_curve() -> None:
    cells = called([0] * 10, [0] * 10, LABELS)
    found = of_source("a", "test part", cells, cells)
    assert found.ranking is None
    assert found.at_specificity == {}
    assert found.to_json()["most_severe_auc"] is None
