"""The colours of a slide in a project do not depend on what is to be predicted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycyto.images.colour import KINDS, Colour, Kind
from pycyto.images.resolution import Resolution
from pycyto.images.stain import Statistics
from pycyto.qupath.project import ensure_project_id
from pycyto.qupath.selection import Selection
from pycyto.records import SILENT
from pycyto.steps.cells import Tally, cut_patches, read_cells
from pycyto.steps.context import Access, open_context
from pycyto.steps.project_colours import ProjectColours

SAMPLE = Path(__file__).parents[2] / "sample_projects" / "liquid_based"
TARGET = Statistics((60.0, 20.0, -8.0), (8.0, 4.0, 6.0), 10**6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_selection_changes_no_colour(tmp_path: Path, kind: Kind) -> None:
    shutil.copytree(SAMPLE, tmp_path / "project")
    context = open_context(tmp_path / "project", Access(backend="geojson"))
    project, backend = ensure_project_id(context.project), context.backend(SILENT)
    everything = Selection(context.scheme, unclassified=True)
    image = project.images[0]
    found = next(read_cells(project, backend, [image], everything, Tally()))
    rule = Resolution(None, 1.0)
    tally, mappings = Tally(), context.settings.path_mappings
    cuts = list(cut_patches(found, resolution=rule, mappings=mappings, tally=tally))
    cell, _, pixels = cuts[0]
    assert pixels is not None
    few = replace(everything, only=frozenset({cell.key.object_id}), classes=("HSIL",))
    seen = [
        ProjectColours(Colour(TARGET, kind), project, backend, wanted, rule, context.settings)(
            image, cell.key, pixels
        )
        for wanted in (everything, few)
    ]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], pixels)


def test_a_patch_without_tissue_stays_and_is_counted_once(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "project")
    context = open_context(tmp_path / "project", Access(backend="geojson"))
    project, backend = ensure_project_id(context.project), context.backend(SILENT)
    wanted, rule = Selection(context.scheme, unclassified=True), Resolution(None, 1.0)
    image = project.images[0]
    found = next(read_cells(project, backend, [image], wanted, Tally()))
    colours = ProjectColours(
        Colour(TARGET, "patch"), project, backend, wanted, rule, context.settings
    )
    glass = np.full((224, 224, 3), 240, np.uint8)
    for cell in (found.cells[0], found.cells[0], found.cells[1]):
        np.testing.assert_array_equal(colours(image, cell.key, glass), glass)
    assert colours.left == {str(cell.key) for cell in found.cells[:2]}
