import numpy as np

from pycyto.evaluation.domains import by_domain
from pycyto.manifest import Row
from tests.evaluation.made import classified


def row(scanner: str, site: str) -> Row:
    return Row(
        "p", "1", "o", None, "k", "", "", 0.0, 0.0, 0, 0, 224, 1.0, "", "", "", "",
        scanner=scanner, site=site, source="",
    )  # fmt: skip


def test_each_value_has_its_own_figures_and_groups() -> None:
    rows = [row("A", "x"), row("B", "x"), row("B", "x"), row("B", "unknown")]
    cells = classified(
        [1, 0, 1, 1], np.eye(2)[[0, 0, 1, 1]], ("NILM", "HSIL"), ["g1", "g1", "g2", "g2"]
    )
    found = by_domain(rows, cells)
    seen = [(s.name, s.groups, s.figures.n, s.figures.worst_miss.count) for s in found["scanner"]]
    assert seen == [("B", 2, 3, 0), ("A", 1, 1, 1)]
    assert [s.name for s in found["site"]] == ["x", "unknown"]
    assert [s.name for s in found["source"]] == ["unknown"], "an empty value is not known"


def test_each_value_has_an_interval_of_its_own() -> None:
    """Ten patients on one scanner, three on the other, whose figures nothing supports."""
    rows = [row("A", "x")] * 20 + [row("B", "x")] * 6
    groups = [f"a{n // 2}" for n in range(20)] + [f"b{n // 2}" for n in range(6)]
    cells = classified([3] * 26, np.eye(4)[[0, 3, 3, 3] * 6 + [3, 3]], groups=groups)
    one, other = by_domain(rows, cells)["scanner"]
    low, high = one.figures.worst_miss.interval or (1, 0)
    assert low < 5 / 20 < high
    assert (other.groups, other.figures.worst_miss.interval) == (3, None)
