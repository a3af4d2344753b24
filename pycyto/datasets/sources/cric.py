"""CRIC Cervix: fields of conventional smears, and a table with the place of each nucleus.

Rezende et al.: Cric searchable image database as a public platform for conventional pap smear
cytology data. Scientific Data 8, 151 (2021). Layout: ``classifications.csv`` and the images, beside
it or below. Its coordinates count pixels from 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import images_in
from pycyto.errors import BadInputError
from pycyto.images.reading import size_of
from pycyto.labels import BETHESDA, counted
from pycyto.tables import records, value

TABLE = "classifications.csv"
COLUMNS = ("image_filename", "cell_id", "bethesda_system", "nucleus_x", "nucleus_y")
# Columns that the published table has not, and for which the manifest has a place.
FURTHER = ("patient", "site", "scanner", "annotator", "decided_at")

PREPARATION = "conventional"

_NAMED = 5


class Cric:
    """Reads the table; all cells of a field are one slide.

    Parameters
    ----------
    mpp
        Micrometres per pixel of the fields. None is published with the set.
    """

    name = "cric"
    scheme = BETHESDA
    single = False
    outlined = False

    def __init__(self, mpp: float | None = None) -> None:
        self._mpp = mpp

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the cells field by field.

        Raises
        ------
        BadInputError
            When there is no table, a column is missing, or a line cannot be read.
        """
        by_field = _by_field(folder / TABLE, notes)
        images = {path.name: path for path in images_in(folder)}
        _tell_differences(by_field, images, notes)
        for name, lines in sorted(by_field.items()):
            if name in images:
                yield from self._of_field(images[name], lines, folder, notes)

    def _of_field(
        self, image: Path, lines: Mapping[int, Mapping[str, str]], folder: Path, notes: Notes
    ) -> Iterator[SourceCell]:
        try:
            width, height = size_of(image)
        except BadInputError as error:
            notes.problems.append(f"{image.name}: {error.what}")
            return
        for number, line in lines.items():
            place = folder / TABLE, number
            x, y = (value(line, f"nucleus_{axis}", "int", place, _REMEDY) for axis in "xy")
            if not (0 <= x <= width and 0 <= y <= height):
                notes.problems.append(
                    f"{TABLE}, line {number}: ({x}, {y}) is outside {image.name}, which is "
                    f"{width} x {height} pixels."
                )
                continue
            said = {name: line[name].strip() for name in FURTHER if line.get(name, "").strip()}
            yield SourceCell(
                name=f"{image.name}/{line['cell_id']}",
                image=image,
                image_name=image.name,
                original_label=line["bethesda_system"].strip(),
                slide=line.get("slide", "").strip() or image.stem,
                centre=(x - 0.5, y - 0.5),
                mpp=self._mpp,
                said={"preparation": line.get("preparation", "").strip() or PREPARATION, **said},
            )

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return nothing: the table has points."""
        return None


_REMEDY = "Download the table again, or mend the line."


def _by_field(path: Path, notes: Notes) -> dict[str, dict[int, dict[str, str]]]:
    """Return the lines of the table by field and number."""
    if not path.is_file():
        raise BadInputError(
            f"This is not CRIC as published: there is no {TABLE}.",
            where=path.parent,
            remedy=f"Give the folder that holds {TABLE} and the images.",
        )
    found: dict[str, dict[int, dict[str, str]]] = defaultdict(dict)
    first: dict[str, int] = {}
    places: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for number, line in records(path, COLUMNS, "the download", _REMEDY):
        earlier = first.setdefault(line["cell_id"], number)
        if earlier != number:
            notes.problems.append(
                f"{TABLE}, line {number}: the cell {line['cell_id']} is in line {earlier} too."
            )
            continue
        found[line["image_filename"]][number] = line
        places[line["image_filename"], line["nucleus_x"], line["nucleus_y"]].add(
            line["bethesda_system"]
        )
    torn = sum(len(classes) > 1 for classes in places.values())
    if torn:
        notes.warnings.append(
            f"On {counted(torn, 'spot')} of a field the table has cells of several classes."
        )
    return found


def _tell_differences(
    by_field: Mapping[str, Mapping[int, object]], images: Mapping[str, Path], notes: Notes
) -> None:
    """Tell which fields of the table are not there, and which images it does not know."""
    missing = Counter({name: len(own) for name, own in by_field.items() if name not in images})
    if missing:
        notes.skip("in a field whose image is missing", missing.total())
        notes.warnings.append(f"Images are missing: {_named(sorted(missing))}.")
    further = sorted(images.keys() - by_field.keys())
    if further:
        notes.warnings.append(f"The table has no cell in these images: {_named(further)}.")


def _named(names: list[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest
