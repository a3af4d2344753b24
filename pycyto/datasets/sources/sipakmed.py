"""SIPaKMeD: cells cropped from fields with clusters of cells, in five folders, with outlines.

Plissiti, Dimitrakopoulos, Sfikas, Nikou, Krikoni, Charchanti: SIPAKMED: a new dataset for feature
and image based classification of normal and pathological cervical cells in Pap smear images
(ICIP 2018). Layout: ``im_<Class>/im_<Class>/CROPPED/NNN_MM.bmp`` with ``NNN_MM_cyt.dat`` and
``NNN_MM_nuc.dat``, where NNN is the field; or the same files in ``<Class>/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pycyto.datasets.outlines import Outlines, shape_in_file
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import class_folders, images_in, tell_lossy
from pycyto.labels import BETHESDA

CLASSES = (
    "Superficial-Intermediate", "Parabasal", "Metaplastic", "Koilocytotic", "Dyskeratotic",
)  # fmt: skip

_CROPPED = re.compile(r"(\d+)_\d+")
_FIELD = re.compile(r"\d+")


class Sipakmed:
    """Reads the five folders. No pixel size is published."""

    name = "sipakmed"
    scheme = BETHESDA
    single = True
    outlined = True
    published = True

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the cropped cells; class and number of the field are the slide."""
        images = {
            label: images_in(path)
            for label, path in class_folders(folder, CLASSES, "SIPaKMeD", notes)
        }
        tell_lossy(images, notes)
        for label, own in images.items():
            for image in own:
                cropped = _CROPPED.fullmatch(image.stem)
                if cropped:
                    yield SourceCell(
                        name=f"{label}/{image.stem}",
                        image=image,
                        image_name=f"{label}/{image.name}",
                        original_label=label,
                        slide=f"{label}_{cropped[1]}",
                    )
                elif _FIELD.fullmatch(image.stem):
                    notes.skip("field that the cells were cropped from")
                else:
                    notes.problems.append(
                        f"{label}/{image.name} is not named as SIPaKMeD names its cells (NNN_MM)."
                    )

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return the outlines of the cell and of its nucleus, as they were drawn."""
        paths = [cell.image.with_name(f"{cell.image.stem}_{part}.dat") for part in ("cyt", "nuc")]
        drawn = [shape_in_file(path) if path.exists() else None for path in paths]
        return Outlines(*drawn) if any(drawn) else None
