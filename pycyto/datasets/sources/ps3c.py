"""PS3C: images of the Pap Smear Cell Classification Challenge (ISBI 2025) in four folders.

Its classes are a scheme of their own: an image may show several cells. Layout:
``isbi2025-ps3c-train-dataset/<class>/*.png``, the test images without a published class, and a
folder with ``isbi2025-ps3c-train-dataset.csv`` (columns ``image_name``, ``label``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import class_folders, images_in
from pycyto.labels import PS3C
from pycyto.tables import records

TRAIN, TEST = "isbi2025-ps3c-train-dataset", "isbi2025-ps3c-test-dataset"
TABLE = f"pap-smear-cell-classification-challenge/{TRAIN}.csv"


class Ps3c:
    """Reads the four folders. The names of files tell no group, and no pixel size is published."""

    name = "ps3c"
    scheme = PS3C
    single = True
    outlined = False
    published = True

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the images that have a class.

        Raises
        ------
        BadInputError
            When there is no folder of a class, or the table cannot be read.
        """
        labels = _labels(folder / TABLE)
        for label, path in class_folders(folder, PS3C.names, "PS3C", notes, apart=(TEST,)):
            for image in images_in(path):
                told = labels.get(image.name, label)
                if told != label:
                    notes.problems.append(
                        f"{label}/{image.name} is {told!r} in {Path(TABLE).name}."
                    )
                    continue
                yield SourceCell(
                    name=f"{label}/{image.stem}",
                    image=image,
                    image_name=f"{label}/{image.name}",
                    original_label=label,
                )
        untold = len(images_in(folder / TEST)) if (folder / TEST).is_dir() else 0
        if untold:
            notes.skip("test image without a published class", untold)

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return nothing: there are none."""
        return None


def _labels(path: Path) -> dict[str, str]:
    """Return the class of each image by its name, where the table is there."""
    if not path.exists():
        return {}
    found = (line for _, line in records(path, ("image_name", "label"), "the download"))
    return {line["image_name"]: line["label"] for line in found}
