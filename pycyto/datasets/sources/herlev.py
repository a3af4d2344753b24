"""Herlev: one cell per image in seven folders, a coloured mask beside each.

Jantzen, Norup, Dounias, Bjerregaard: Pap-smear benchmark data for pattern classification
(NiSIS 2005). Layout: ``<class>/<slide>-<field>-NNN.BMP`` and ``…-d.bmp``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from pycyto.datasets.outlines import Outlines, shape_of_mask
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import class_folders, images_in, tell_lossy
from pycyto.errors import BadInputError
from pycyto.labels import BETHESDA
from pycyto.manifest import UNKNOWN

CLASSES = (
    "normal_superficiel", "normal_intermediate", "normal_columnar", "light_dysplastic",
    "moderate_dysplastic", "severe_dysplastic", "carcinoma_in_situ",
)  # fmt: skip

# Published with the set: micrometres per pixel.
MPP = 0.201

# Colours of a mask: red is the background, grey what belongs to other cells.
NUCLEUS, CYTOPLASM = (0, 0, 255), (0, 0, 128)

_NUMBER = re.compile(r"-\d+$")
_MASK = re.compile(r"-d$", re.IGNORECASE)


class Herlev:
    """Reads the seven folders."""

    name = "herlev"
    scheme = BETHESDA
    single = True
    outlined = True
    published = True

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the cells; the name without its last number is the slide."""
        images = {
            label: [image for image in images_in(path) if not _MASK.search(image.stem)]
            for label, path in class_folders(folder, CLASSES, "Herlev", notes)
        }
        tell_lossy(images, notes)
        for label, own in images.items():
            for image in own:
                slide = _NUMBER.sub("", image.stem)
                yield SourceCell(
                    name=f"{label}/{image.stem}",
                    image=image,
                    image_name=f"{label}/{image.name}",
                    original_label=label,
                    slide=UNKNOWN if slide == image.stem else slide,
                    mpp=MPP,
                )

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return the nucleus, and the cell with it, from the mask beside the image."""
        path = cell.image.with_name(f"{cell.image.stem}-d.bmp")
        if not path.exists():
            return None
        with Image.open(cell.image) as image:
            size = image.size
        try:
            with Image.open(path) as mask:
                colours = np.asarray(mask.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise BadInputError(f"This mask cannot be read ({error}).", where=path) from error
        if colours.shape[:2] != (size[1], size[0]):
            raise BadInputError("This mask is of another size than its image.", where=path)
        nucleus, cytoplasm = ((colours == colour).all(axis=2) for colour in (NUCLEUS, CYTOPLASM))
        if not (nucleus.any() or cytoplasm.any()):
            raise BadInputError("This mask has none of the published colours.", where=path)
        return Outlines(shape_of_mask(nucleus | cytoplasm), shape_of_mask(nucleus))
