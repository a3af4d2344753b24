"""The colours of the slides of a project, for a model that wants them brought to a target.

They are those of up to `CELLS` cells of a slide (or of the whole project, its source),
the first by a digest of their cell keys: whichever cells are to be predicted, and
whatever class they have by now, the statistics are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from pycyto.images.colour import Colour, Key, Normaliser, slide_named
from pycyto.images.crop import Pixels
from pycyto.images.resolution import Resolution
from pycyto.images.stain import Statistics, Sums, sums_of
from pycyto.qupath.backend import Backend
from pycyto.qupath.project import ImageEntry, Project
from pycyto.qupath.selection import Selection
from pycyto.records import CellKey
from pycyto.settings import Settings
from pycyto.steps.cells import ImageCells, Tally, cut_patches, read_cells
from pycyto.steps.rows import said_of

CELLS = 300


@dataclass
class ProjectColours:
    """Brings the patches of a project to the colours that a model wants.

    Attributes
    ----------
    wanted
        A selection whose scheme, centroid and largest outline hold.
    rule
        At which scale to cut.
    icc
        Whether colour profiles in the images are applied.
    """

    colour: Colour
    project: Project
    backend: Backend
    wanted: Selection
    rule: Resolution
    settings: Settings
    icc: bool = False
    _known: dict[Key, Statistics] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._normaliser = Normaliser(self.colour)

    @property
    def left(self) -> Collection[str]:
        """Cell keys of patches that had too little tissue and stayed as they were."""
        return self._normaliser.left

    def __call__(self, image: ImageEntry, key: CellKey, pixels: Pixels) -> Pixels:
        """Return the patch of a cell, (224, 224, 3) uint8, as the model is to see it."""
        return self._normaliser(str(key), pixels, lambda: self._statistics(image))

    def _statistics(self, image: ImageEntry) -> Statistics:
        key = self._key(image)
        if key not in self._known:
            same = [other for other in self.project.images if self._key(other) == key]
            self._known[key] = self._counted(same)
        return self._known[key]

    def _key(self, image: ImageEntry) -> Key:
        if self.colour.stats == "source":
            return "source", self.project.name
        said = said_of(image, self.settings.metadata_keys)
        slide = said["site"], said["patient"], said["slide"]
        return slide_named(self.project.name, slide, image.image_key)

    def _counted(self, images: Sequence[ImageEntry]) -> Statistics:
        """Return the statistics of images, as far as they can be read: the prediction tells."""
        # Whatever was selected or decided, and never what pycyto put there; but of the kind that is
        # asked for, as in a data set: detections of nuclei, say, would show other patches.
        everything = replace(
            self.wanted,
            classes=None,
            only=None,
            any_class=True,
            classified_detections=True,
        )
        read = [
            found
            for image in images
            for found in read_cells(self.project, self.backend, [image], everything, Tally())
        ]
        keys = sorted((cell.key for found in read for cell in found.cells), key=_digest)
        chosen = set(keys[:CELLS])
        return sum((self._sums(found, chosen) for found in read), Sums()).statistics

    def _sums(self, found: ImageCells, chosen: set[CellKey]) -> Sums:
        cells = replace(found, cells=[cell for cell in found.cells if cell.key in chosen])
        patches = cut_patches(
            cells,
            resolution=self.rule,
            mappings=self.settings.path_mappings,
            tally=Tally(),
            icc=self.icc,
        )
        return sum((sums_of(pixels) for _, _, pixels in patches if pixels is not None), Sums())


def _digest(key: CellKey) -> str:
    return hashlib.sha256(str(key).encode()).hexdigest()
