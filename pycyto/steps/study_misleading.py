"""What misleads about each source of a study, gathered for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pycyto.evaluation.looks import padded_share
from pycyto.evaluation.misleading import Misleading, crowded, enlarged, size_alone
from pycyto.evaluation.of_source import OfSource
from pycyto.images.patches import read_patch
from pycyto.manifest import Row
from pycyto.pseudonyms import pseudonyms_of
from pycyto.records import SILENT


def misleading(
    own: OfSource,
    data: Path,
    rows: Sequence[Row],
    trained: Sequence[Row],
    tested: Sequence[Row],
    variants: Mapping[str, Any],
    seed: int,
) -> Misleading:
    """Gather what misleads about a source that was learnt from.

    Parameters
    ----------
    own
        The model on its cells.
    data
        The pooled data set.
    rows, trained, tested
        All labelled rows of the source in it, those learnt from, and those of `own`, in its order.
    variants
        ``leaking_variants`` of the model's evaluation.
    """
    cut = [row for row in rows if row.original_width is None]
    return Misleading(
        source=own.name,
        honest=own.figures,
        leaking=_claimed(data, rows, variants),
        size_alone=size_alone(trained, tested, own.cells, seed),
        cells=len(rows),
        crowded=crowded(rows),
        cut=len(cut),
        leaving=sum(padded_share(read_patch(data, row)) > 0 for row in cut),
        enlarged=enlarged(rows, own.figures.labels),
    )


def _claimed(data: Path, rows: Sequence[Row], variants: Mapping[str, Any]) -> dict[str, float]:
    """Return macro-F1 by the name of the variant; the mean where a source has several names."""
    hide = pseudonyms_of(data, SILENT)
    names = {hide.of("source", row.source) for row in rows}
    found: dict[str, float] = {}
    for name, variant in variants.items():
        figures = [own for source, own in variant["by_source"].items() if source in names]
        values = [own["macro_f1"]["value"] for own in figures]
        if values and None not in values:
            found[name] = float(np.mean(values))
    return found
