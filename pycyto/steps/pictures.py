"""Wrongly called cells as the report shows them."""

from __future__ import annotations

from collections.abc import Sequence

from pycyto.errors import UsageError
from pycyto.evaluation.classified import Classified
from pycyto.evaluation.gallery import Pictured, describe
from pycyto.images.crop import Pixels
from pycyto.labels import listed
from pycyto.learning.bundle import Bundle
from pycyto.learning.gradcam import heat_maps as maps_of
from pycyto.learning.gradcam import over
from pycyto.steps.shown import Shown
from pycyto.steps.tested import Tested


def pictures(
    bundle: Bundle,
    test: Tested,
    shown: Shown,
    cells: Classified,
    which: Sequence[int],
    *,
    heat_maps: bool,
) -> list[Pictured]:
    """Return some of the tested cells with their pictures.

    Parameters
    ----------
    cells
        Those of `test.known`.
    which
        Positions among them.
    heat_maps
        Whether to add where the network looked for the class that it called.
    """
    patches = [test.reader(test.known[index]) for index in which]
    heats: Sequence[Pixels | None] = [None] * len(patches)
    if heat_maps and patches:
        called = [int(cells.called[index]) for index in which]
        found = maps_of(bundle, patches, called)
        heats = [over(patch, heat) for patch, heat in zip(patches, found, strict=True)]
    return [
        describe(shown.rows[index], patch, cells, index, heat)
        for index, patch, heat in zip(which, patches, heats, strict=True)
    ]


def chosen_cells(test: Tested, names: Sequence[str]) -> list[int]:
    """Return the positions among `test.known` of cells that were asked for.

    Raises
    ------
    UsageError
        When one of them is not tested.
    """
    known = {row.key.place: index for index, row in enumerate(test.known)}
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(
            f"No tested cell is {listed(missing)}.",
            remedy=f"--cell takes entry and object ID, such as {next(iter(known))}; the report "
            "and manifest.csv name them.",
        )
    return [known[name] for name in names]
