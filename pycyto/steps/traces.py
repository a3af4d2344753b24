"""What the steps before have left: counts, and the history of the training."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

from pycyto import files, provenance
from pycyto.errors import BadInputError
from pycyto.evaluation.stages import Stage, stage
from pycyto.learning.bundle import Bundle
from pycyto.steps.tested import Tested


def stages(bundle: Bundle, test: Tested, names: frozenset[str]) -> list[Stage]:
    """Return the counts of every step so far that left any, none of them under a name."""
    records = provenance.records_in(test.folder)
    found = [stage(step, record.get("counts", {}), names) for step, record in records.items()]
    found.append(stage("train (this model)", bundle.card.get("counts", {}), names))
    return [*found, stage("evaluate", counts(test), names)]


def counts(test: Tested) -> dict[str, Any]:
    """Return where the cells of the data set went in this evaluation."""
    labelled = len({row.key for own in test.parts.values() for row in own})
    skipped = {
        "no class": len(test.rows) - labelled,
        "not in the test part": labelled - len(test.parts["test"]),
        "class unknown to the model": len(test.others),
        "labelled or chosen with a model's help": len(test.aside),
    }
    used = dict(Counter(row.label for row in test.known))
    return {"given": len(test.rows), "tested": used, "skipped": skipped}


def stage_of_run(run: Path, names: frozenset[str]) -> list[Stage]:
    """Return the counts of a run of ``pycyto predict``, none of them under a name.

    Raises
    ------
    BadInputError
        The folder holds none.
    """
    content = files.read_json(run / "run.json")
    counts = content.get("counts") if isinstance(content, dict) else None
    if not isinstance(counts, dict):
        raise BadInputError(
            "This run has no counts.",
            where=run / "run.json",
            remedy="Name a folder that pycyto predict has written.",
        )
    return [stage("predict (the run that was named)", counts, names)]


def history_in(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ``history.csv``; none where there is no such file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return [dict(row) for row in csv.DictReader(stream)]
