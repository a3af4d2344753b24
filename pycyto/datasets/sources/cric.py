"""CRIC Cervix: fields of conventional smears, and a table with the place of each nucleus.

Rezende et al.: Cric searchable image database as a public platform for conventional pap smear
cytology data. Scientific Data 8, 151 (2021). Layout: ``classifications.csv`` and the images, beside
it or below. Its coordinates count pixels from 1.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import demand_folder, images_in
from pycyto.errors import BadInputError
from pycyto.images.reading import size_of
from pycyto.labels import BETHESDA, listed
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
    published = True

    def __init__(self, mpp: float | None = None) -> None:
        self._mpp = mpp

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the cells field by field.

        Raises
        ------
        BadInputError
            When there is no table, or a column is missing.
        """
        demand_folder(folder)
        by_field = _by_field(folder / TABLE, notes)
        images = _images(folder, by_field, notes)
        _tell_differences(by_field, images, notes)
        for name, rows in sorted(by_field.items()):
            if name in images:
                yield from self._of_field(images[name], rows, notes)

    def _of_field(
        self, image: Path, rows: Sequence[_Nucleus], notes: Notes
    ) -> Iterator[SourceCell]:
        try:
            width, height = size_of(image)
        except BadInputError as error:
            notes.problems.append(f"{image.name}: {error.what}")
            return
        for row in rows:
            if not (1 <= row.x <= width and 1 <= row.y <= height):
                notes.problems.append(
                    f"{row.place}: ({row.x}, {row.y}) is outside {image.name}, which is "
                    f"{width} x {height} pixels, counted from 1."
                )
                continue
            line = row.line
            said = {name: line[name].strip() for name in FURTHER if line.get(name, "").strip()}
            yield SourceCell(
                name=f"{image.name}/{line['cell_id']}",
                image=image,
                image_name=image.name,
                original_label=row.label,
                slide=line.get("slide", "").strip() or image.stem,
                centre=(row.x - 0.5, row.y - 0.5),
                mpp=self._mpp,
                said={"preparation": line.get("preparation", "").strip() or PREPARATION, **said},
                line=row.place,
            )

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return nothing: the table has points."""
        return None


_REMEDY = "Download the table again, or mend it."


@dataclass(frozen=True, slots=True)
class _Nucleus:
    """A line of the table whose values can be read."""

    number: int
    line: Mapping[str, str]
    x: int
    y: int

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{TABLE}, line {self.number}"

    @property
    def label(self) -> str:
        """Its class in the table's words."""
        return self.line["bethesda_system"].strip()


def _by_field(path: Path, notes: Notes) -> dict[str, list[_Nucleus]]:
    """Return the lines of the table by field; what is wrong with others is noted."""
    if not path.is_file():
        raise BadInputError(
            f"This is not CRIC as published: there is no {TABLE}.",
            where=path.parent,
            remedy=f"Give the folder that holds {TABLE} and the images.",
        )
    found: dict[str, list[_Nucleus]] = defaultdict(list)
    first: dict[str, int] = {}
    for number, line in records(path, COLUMNS, "the download", _REMEDY, notes.problems):
        row = _nucleus(line, number, path, notes)
        if row is None:
            continue
        earlier = first.setdefault(line["cell_id"], number)
        if earlier != number:
            notes.problems.append(
                f"{row.place}: the cell {line['cell_id']} is in line {earlier} too."
            )
            continue
        found[line["image_filename"]].append(row)
    for name, rows in found.items():
        _tell_torn_spots(name, rows, notes)
    return found


def _nucleus(line: Mapping[str, str], number: int, path: Path, notes: Notes) -> _Nucleus | None:
    """Return what a line says, or None, with all that is wrong with it noted."""
    problems = [
        f"Line {number}, column {name}: it is empty."
        for name in ("image_filename", "cell_id", "bethesda_system")
        if not line[name].strip()
    ]
    centre = []
    for name in ("nucleus_x", "nucleus_y"):
        try:
            centre.append(int(value(line, name, "int", (path, number))))
        except BadInputError as error:
            problems.append(error.what)
    notes.problems += [f"{TABLE}, l{problem.removeprefix('L')}" for problem in problems]
    return None if problems else _Nucleus(number, line, *centre)


def _tell_torn_spots(name: str, rows: Sequence[_Nucleus], notes: Notes) -> None:
    """Tell where a field has cells of several classes on one spot.

    Of these, cells that get two labels are left out when their patches are compared.
    """
    spots: dict[tuple[int, int], list[_Nucleus]] = defaultdict(list)
    for row in rows:
        spots[row.x, row.y].append(row)
    for (x, y), own in spots.items():
        if len({row.label for row in own}) > 1:
            told = listed(f"{row.label} (line {row.number})" for row in own)
            notes.warnings.append(
                f"{TABLE} has several classes on one spot of {name}, ({x}, {y}): {told}."
            )


def _images(folder: Path, wanted: Container[str], notes: Notes) -> dict[str, Path]:
    """Return the images by their names, which the table must tell apart."""
    found: dict[str, Path] = {}
    for path in images_in(folder):
        earlier = found.setdefault(path.name, path)
        if earlier != path and path.name in wanted:
            places = (one.relative_to(folder).as_posix() for one in (earlier, path))
            notes.problems.append(f"{path.name} is there twice: {' and '.join(places)}.")
    return found


def _tell_differences(
    by_field: Mapping[str, Sequence[_Nucleus]], images: Mapping[str, Path], notes: Notes
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
