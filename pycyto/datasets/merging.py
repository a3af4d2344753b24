"""What must not be joined: cells that are there twice, other schemes, other resolutions.

Of each cell some hundred bytes are kept, so that a merge of a million cells fits into memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from pycyto.errors import BadInputError, RefusedError
from pycyto.images.resolution import Resolution, resolution_of
from pycyto.labels import counted, listed
from pycyto.manifest import COLUMNS, Row, iter_manifest, lines_of, order

# A cell as a meeting remembers it: the number of its data set, and its key as text.
Place = tuple[int, str]

# Pairs of cells that a message names.
_NAMED = 20

# Columns that are others where a cell was cut at another resolution.
_OF_DOWNSAMPLE = {"left", "top", "width", "content_hash", "file"}


@dataclass(slots=True)
class Inventory:
    """One data set as a merge sees it.

    Attributes
    ----------
    name
        By which messages call it.
    ordered
        Whether its rows are in the order of their keys.
    projects
        IDs of the projects of each source.
    repeated
        Keys, as texts, of cells that an earlier data set has with the very same row.
    """

    folder: Path
    name: str
    cells: int = 0
    ordered: bool = True
    projects: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    schemes: Counter[str] = field(default_factory=Counter)
    scales: dict[tuple[float, float | None], Row] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    _last: tuple[str, ...] = ()

    def add(self, row: Row) -> None:
        """Take a row into account."""
        self.cells += 1
        self.ordered, self._last = self.ordered and self._last <= order(row), order(row)
        self.projects[row.source].add(row.project_id)
        if row.label and row.scheme:
            self.schemes[row.scheme] += 1
        self.scales.setdefault((row.downsample, row.mpp), row)

    @property
    def mpps(self) -> str:
        """The micrometres per patch pixel that its cells have, in words."""
        found = {mpp for _, mpp in self.scales}
        known = sorted(mpp for mpp in found if mpp is not None)
        texts = ["unknown"] if None in found else []
        if known:
            texts.append(f"{known[0]:g}" if len(known) == 1 else f"{known[0]:g} to {known[-1]:g}")
        return " or ".join(texts)


@dataclass(slots=True)
class Meetings:
    """Finds cells, pictures and objects that two data sets have."""

    _cells: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    _pictures: dict[bytes, Place] = field(default_factory=dict)
    _objects: dict[bytes, Place] = field(default_factory=dict)
    collisions: list[tuple[Place, Place]] = field(default_factory=list)
    copies: list[tuple[Place, Place]] = field(default_factory=list)
    duplicates: list[tuple[Place, Place]] = field(default_factory=list)

    def add(self, row: Row, number: int, inventory: Inventory) -> None:
        """Compare a row of the data set with that number with those before."""
        key, line = str(row.key), _short(lines_of([row]))
        met = self._cells.get(_short(key))
        if met is None:
            self._cells[_short(key)] = number, line
            self._compare(row, number, key)
        elif met[0] == number:
            raise BadInputError(
                f"Two rows stand for one cell ({key}).",
                where=inventory.folder / "manifest.csv",
                remedy="Export, ingest or merge again, or restore the file.",
            )
        elif met[1] == line:
            inventory.repeated.add(key)
        else:
            self.collisions.append(((met[0], key), (number, key)))

    def _compare(self, row: Row, number: int, key: str) -> None:
        """Look for the object and for the picture of a cell in other data sets."""
        place = number, key
        name = _short(f"{row.object_id}/{row.point_index}")
        earlier = self._objects.setdefault(name, place)
        if earlier[0] != number:
            self.copies.append((earlier, place))
            return
        earlier = self._pictures.setdefault(_short(row.content_hash), place)
        if earlier[0] != number:
            self.duplicates.append((earlier, place))

    def refuse(self, folders: Sequence[Path]) -> None:
        """Raise `RefusedError` if anything is there twice that must not be.

        Parameters
        ----------
        folders
            Of the data sets, by their numbers.
        """
        lists = (self.collisions, self.copies, self.duplicates)
        pairs = [pair for found in lists for pair in found]
        if not pairs:
            return
        shown = {place for found in lists for pair in found[:_NAMED] for place in pair}
        rows = _rows_of(shown.union(*self.collisions), folders)
        named = {place: _named(rows[place], folders[place[0]]) for place in shown}
        differing = [_differing(rows[one], rows[other]) for one, other in self.collisions]
        details = _details(self.collisions, differing, rows)
        cells, copies, pictures = (
            counted(len(found), noun)
            for found, noun in zip(lists, ("cell", "cell", "picture"), strict=True)
        )
        sentences = (
            f"In two data sets, and not the same in both: {cells}{_common(differing)}.",
            f"In two copies of a project: {copies}.",
            f"In two data sets, pixel by pixel the same: {pictures}.",
        )
        told = [
            f"  - {sentence}\n{_lines(found, named, details)}"
            for found, sentence in zip(lists, sentences, strict=True)
            if found
        ]
        between = sorted({(one[0], other[0]) for one, other in pairs})
        raise RefusedError(
            "These data sets have cells in common, which would count twice and stand on both "
            "sides of a split.\n" + "\n".join(told),
            where="; ".join(f"{folders[one]} and {folders[other]}" for one, other in between),
            remedy="Leave one of the two data sets out, or make it again without these cells.",
        )


def _rows_of(places: Collection[Place], folders: Sequence[Path]) -> dict[Place, Row]:
    """Return the rows of cells, from the manifests anew."""
    return {
        (number, str(row.key)): row
        for number, folder in enumerate(folders)
        for row in iter_manifest(folder)
        if (number, str(row.key)) in places
    }


def _named(row: Row, folder: Path) -> str:
    """Return the file, the image, the source and the label of a cell."""
    return f"{folder / row.file} ({row.image_name} of {row.source}, {row.label or 'unclassified'})"


def _differing(one: Row, other: Row) -> tuple[str, ...]:
    """Return the columns in which two rows of a cell differ, without those that follow."""
    found = [name for name in COLUMNS if getattr(one, name) != getattr(other, name)]
    follows = _OF_DOWNSAMPLE if "downsample" in found else {"file"}
    return tuple(name for name in found if name not in follows) or tuple(found)


def _common(differing: Sequence[tuple[str, ...]]) -> str:
    """Return the columns in which all pairs differ, where they are the same ones; else nothing."""
    if len(set(differing)) != 1:
        return ""
    columns = differing[0]
    why = ""
    if "downsample" in columns:
        why = ": exported at another resolution"
    elif "mpp" in columns:
        why = ": with another pixel size"
    return f"; different {listed(columns)}{why}"


def _details(
    pairs: Sequence[tuple[Place, Place]],
    differing: Sequence[tuple[str, ...]],
    rows: Mapping[Place, Row],
) -> dict[tuple[Place, Place], str]:
    """Return of each pair in which columns it differs, and the values of both."""
    return {
        (one, other): "; ".join(_values(name, rows[one], rows[other]) for name in columns)
        for (one, other), columns in zip(pairs, differing, strict=True)
    }


def _values(name: str, one: Row, other: Row) -> str:
    if name == "content_hash":
        return "other pixels"
    values = [getattr(row, name) for row in (one, other)]
    return f"{name}: {' / '.join('nothing' if v in (None, '') else str(v) for v in values)}"


def _lines(
    pairs: Sequence[tuple[Place, Place]],
    named: Mapping[Place, str],
    details: Mapping[tuple[Place, Place], str],
) -> str:
    lines = []
    for one, other in pairs[:_NAMED]:
        lines += [f"      {named[one]}", f"    = {named[other]}"]
        lines += [f"      {detail}"] if (detail := details.get((one, other))) else []
    more = [f"    … and {len(pairs) - _NAMED} more"] if len(pairs) > _NAMED else []
    return "\n".join([*lines, *more])


def names_of(folders: Sequence[Path]) -> list[str]:
    """Return names that tell folders apart: with that of the folder around where they are alike."""
    for length in (1, 2):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def check_schemes(inventories: list[Inventory]) -> None:
    """Refuse data sets that were labelled by different schemes.

    Raises
    ------
    RefusedError
        There are two schemes.
    """
    found = {one.name: listed(sorted(one.schemes)) for one in inventories if one.schemes}
    if len({scheme for one in inventories for scheme in one.schemes}) > 1:
        raise RefusedError(
            f"These data sets have different classes: {_by_name(found)}.",
            remedy="Merge those of one scheme. PS3C says of an image whether it shows healthy or "
            "unhealthy cells or both; none of that is a Bethesda class.",
        )


def check_resolutions(inventories: list[Inventory]) -> Resolution:
    """Return the rule that all patches were cut by.

    Raises
    ------
    RefusedError
        There are two rules, or a data set follows none.
    """
    found: dict[str, Resolution] = {}
    for one in inventories:
        try:
            found[one.name] = resolution_of(list(one.scales.values()), one.folder)
        except BadInputError as error:
            raise RefusedError(
                error.what,
                where=one.folder,
                remedy="Patches of --scale fit have no common scale, so they are not merged. "
                "Ingest at native scale, or export with one --mpp.",
            ) from error
    first, *others = found.values()
    if not all(first.agrees_with(other) for other in others):
        raise RefusedError(
            f"These data sets were cut at different resolutions: {_by_name(found)}.",
            remedy="Export or ingest them again at one resolution.",
        )
    return first


def namesakes(inventories: list[Inventory]) -> list[str]:
    """Return the sources whose name stands for different projects in two data sets."""
    met: dict[str, list[frozenset[str]]] = defaultdict(list)
    for one in inventories:
        for source, projects in one.projects.items():
            met[source].append(frozenset(projects))
    return sorted(source for source, projects in met.items() if len(set(projects)) > 1)


def _by_name(found: Mapping[str, object]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in found.items())


def _short(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
