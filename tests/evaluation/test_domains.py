import numpy as np

from pycyto.evaluation.domains import by_domain
from pycyto.manifest import Row


def row(scanner: str, site: str) -> Row:
    return Row(
        "p", "1", "o", None, "k", "", "", 0.0, 0.0, 0, 0, 224, 1.0, "", "", "", "",
        scanner=scanner, site=site, source="",
    )  # fmt: skip


def test_each_value_has_its_own_figures_and_groups() -> None:
    rows = [row("A", "x"), row("B", "x"), row("B", "x"), row("B", "unknown")]
    truth = np.array([1, 0, 1, 1])
    probabilities = np.eye(2)[[0, 0, 1, 1]]
    found = by_domain(rows, ["g1", "g1", "g2", "g2"], truth, probabilities, ("NILM", "HSIL"))
    seen = [(s.name, s.groups, s.figures.n, s.figures.worst_miss.count) for s in found["scanner"]]
    assert seen == [("B", 2, 3, 0), ("A", 1, 1, 1)]
    assert [s.name for s in found["site"]] == ["x", "unknown"]
    assert [s.name for s in found["source"]] == ["unknown"], "an empty value is not known"
