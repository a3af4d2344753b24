"""What a model says of cells of a data set, kept as a table so that it is asked once."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.learning.batches import PatchSet
from pycyto.learning.bundle import Bundle
from pycyto.learning.inference import Engine, classify
from pycyto.learning.kept_answers import is_frozen, kept_answers
from pycyto.learning.plan import settings_from
from pycyto.manifest import Row
from pycyto.records import CellKey, Reporter
from pycyto.steps.colours import reader_for

Floats = npt.NDArray[np.float32]
_KEY = ("project_id", "entry_id", "object_id", "point_index")


def classified_rows(
    bundle: Bundle,
    data: Path,
    rows: Sequence[Row],
    reporter: Reporter,
    engine: Engine | None = None,
) -> tuple[Floats, float]:
    """Return the probabilities of rows, (n, k), and the seconds that it took."""
    reader = reader_for(bundle, data, reporter)
    started = time.monotonic()
    with reporter.progress("classify cells", len(rows)) as advance:
        found = classify(bundle, map(reader, rows), engine=engine, advance=advance)
    return found, time.monotonic() - started


def answered_rows(
    bundle: Bundle, data: Path, rows: Sequence[Row], features: Path, reporter: Reporter
) -> Floats:
    """Return the probabilities of rows, (n, k), from kept features where the backbone is frozen."""
    if not is_frozen(settings_from(bundle.card["settings"])):
        return classified_rows(bundle, data, rows, reporter)[0]
    patches = PatchSet(data, rows, bundle.labels, reader_for(bundle, data, reporter))
    return kept_answers(bundle, patches, features, reporter)


def write_scores(
    path: Path, labels: Sequence[str], rows: Sequence[Row], probabilities: Floats
) -> None:
    """Write one line per cell: its key and its probabilities. It names no image and no patient."""
    with files.writing(path) as stream:
        stream.write(files.csv_row((*_KEY, *labels)))
        for row, own in zip(rows, probabilities, strict=True):
            stream.write(files.csv_row((*row.key, *map(float, own))))


def read_scores(path: Path) -> tuple[tuple[str, ...], Mapping[CellKey, Floats]]:
    """Return the classes and the probabilities of each cell.

    Raises
    ------
    BadInputError
        It is no such table.
    """
    with files.readable(path), path.open(encoding="utf-8", newline="") as stream:
        lines = list(csv.reader(stream))
    try:
        head, *rest = lines
        labels = tuple(head[len(_KEY) :])
        return labels, {_key(line): np.array(line[len(_KEY) :], np.float32) for line in rest}
    except (ValueError, IndexError) as error:
        raise BadInputError(
            "This is no table of probabilities.",
            where=path,
            remedy="Delete the folder that it is in: it is made anew.",
        ) from error


def joined(
    said: Sequence[tuple[tuple[str, ...], Mapping[CellKey, Floats]]], names: Sequence[str]
) -> tuple[tuple[str, ...], Mapping[CellKey, Floats]]:
    """Put together what several models said of different cells.

    Parameters
    ----------
    said
        Classes, and the probabilities of each cell, as `read_scores` returns them.
    names
        Of all classes, in their order.

    Returns
    -------
    tuple
        The same for all. A class that a model does not know is one that it gives no chance.
    """
    known = {label for labels, _ in said for label in labels}
    labels = tuple(name for name in names if name in known)
    found: dict[CellKey, Floats] = {}
    for own, scores in said:
        columns = [labels.index(label) for label in own]
        for key, probabilities in scores.items():
            found[key] = np.zeros(len(labels), np.float32)
            found[key][columns] = probabilities
    return labels, found


def _key(line: Sequence[str]) -> CellKey:
    project, entry, cell, point = line[: len(_KEY)]
    return CellKey(project, entry, cell, int(point) if point else None)
