"""A training of the matrix of domains in the place of the real one, which takes its time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycyto.errors import BadInputError
from pycyto.learning.bundle import Bundle
from pycyto.manifest import Row
from pycyto.parts import rows_by_part
from pycyto.steps import cross_domain as step

LABELS = ("NILM", "LSIL", "HSIL")
# With so many epochs a training on one source alone fails.
FAILING = 99


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the training by one that knows the cells of the sources that it learns from.

    Returns
    -------
    list
        Filled with what each training is given.
    """
    calls: list[dict[str, Any]] = []

    def train(data: Path, *, out: Path, reporter: Any, **options: Any) -> None:
        rows = rows_by_part(data)
        labels = tuple(name for name in LABELS if any(row.label == name for row in rows["train"]))
        if options.get("epochs") == FAILING and len({row.source for row in rows["train"]}) == 1:
            raise BadInputError("No cell to learn from.")
        calls.append({"rows": rows, "labels": labels, **options})

    def load(path: Path) -> Any:
        return type("Stub", (), {"labels": calls[-1]["labels"]})()

    def classified(
        bundle: Bundle, folder: Path, rows: list[Row], cache: Path, reporter: Any
    ) -> np.ndarray:
        sources = {row.source for row in calls[-1]["rows"]["train"]}
        found = np.full((len(rows), len(bundle.labels)), 0.1, np.float32)
        for index, row in enumerate(rows):
            known = row.source in sources
            found[index, bundle.labels.index(row.label) if known else 0] = 0.8
        return found

    monkeypatch.setattr(step, "train", train)
    monkeypatch.setattr(step, "load_bundle", load)
    monkeypatch.setattr(step, "answered_rows", classified)
    return calls
