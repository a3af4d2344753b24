"""Which objects of an image are cells, and why the others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pycyto.errors import UsageError
from pycyto.labels import LabelScheme
from pycyto.manifest import PATCH_SIZE
from pycyto.records import Cell, CellKey, ProjectObject

ObjectKind = Literal["annotations", "detections", "all"]
Centroid = Literal["cell", "nucleus"]

# Reasons, worded for the counts at the end of every command. The Groovy
# scripts use the same words, and a test compares them.
NOT_ASKED_FOR = "other kind of object"
TILE = "tile or TMA core"
OURS = "made by pycyto"
OUR_CLASS = "classified by pycyto"
TISSUE = "tissue outline"
NO_CLASS = "no class"
OUTSIDE_SCHEME = "class outside the scheme"
OTHER_CLASS = "other class than asked for"
CLASSIFIED = "detection with a class"
SEVERAL_POINTS = "several points in one detection"
NO_NUCLEUS = "no nucleus"
COPY = "copy of another object"
SAME_ID = "same ID as another object"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for.

    Attributes
    ----------
    objects
        Annotations, detections (QuPath cell objects included) or both.
    classes
        Only these classes, spelled in any way the scheme knows; None for all
        of the scheme.
    unclassified
        Whether cells without a class are wanted too.
    classified_detections
        False where a class is to be given: one that is there is not replaced,
        unless an earlier run gave it and nobody has decided since.
    any_class
        Whatever the class is, also one that a run gave: the labels come from elsewhere.
    centroid
        Of QuPath cell objects: that of the cell or of its nucleus.
    largest_outline
        In patches: a larger annotation is tissue, not a cell.
    only
        UUIDs of the objects to look at, in lower case; None for all. The others are not
        even counted.
    """

    scheme: LabelScheme
    objects: ObjectKind = "annotations"
    classes: tuple[str, ...] | None = None
    unclassified: bool = False
    classified_detections: bool = True
    any_class: bool = False
    centroid: Centroid = "cell"
    largest_outline: float = 8.0
    only: frozenset[str] | None = None


@dataclass(slots=True)
class Selected:
    """The cells of one image and, by reason, how many objects are none of them.

    Attributes
    ----------
    foreign
        Of those whose class is outside the scheme: how many of which class.
    """

    cells: list[Cell] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    foreign: Counter[str] = field(default_factory=Counter)


def select(
    objects: Iterable[ProjectObject], wanted: Selection, *, project_id: str, entry_id: str
) -> Selected:
    """Return the cells among the objects of one image.

    A point annotation is one cell per point: they are counted as such, also
    when they are skipped. One whose last point was deleted is none. An object
    that was imported twice is one cell; of different ones with the same ID none
    is, since a prediction could not be given back to the right one.
    """
    result, objects = Selected(), _chosen(objects, wanted.only)
    repeated = _repeated(objects)
    for number, item in enumerate(objects):
        reason = repeated.get(number) or _reason_against(item, wanted)
        if reason is not None:
            n_cells = len(item.points) or int(not _is_point_annotation(item))
            result.skipped[reason] += n_cells
            if reason == OUTSIDE_SCHEME and item.class_name:
                result.foreign[item.class_name] += n_cells
            continue
        result.cells += _cells(item, wanted.centroid, project_id, entry_id)
    return result


def label_of(class_name: str | None, scheme: LabelScheme) -> str:
    """Return the label of a class: that of the scheme, else the class itself; empty for none."""
    return scheme.find(class_name) or class_name or ""


def wanted_classes(names: Iterable[str], scheme: LabelScheme) -> tuple[str, ...]:
    """Return class names as given by the user, spelled as the scheme does.

    Raises
    ------
    UsageError
        When there are none.
    """
    found = tuple(label_of(name.strip(), scheme) for name in names if name.strip())
    if not found:
        raise UsageError("--classes names no class.")
    return found


def _chosen(
    objects: Iterable[ProjectObject], only: Collection[str] | None
) -> tuple[ProjectObject, ...]:
    return tuple(item for item in objects if only is None or item.object_id in only)


def _repeated(objects: Sequence[ProjectObject]) -> dict[int, str]:
    """Return the reasons against objects that share their ID, by their number."""
    first: dict[str, int] = {}
    shared: dict[str, list[int]] = {}
    for number, item in enumerate(objects):
        if first.setdefault(item.object_id, number) != number:
            shared.setdefault(item.object_id, [first[item.object_id]]).append(number)
    against: dict[int, str] = {}
    for numbers in shared.values():
        same = len({_looks(objects[number]) for number in numbers}) == 1
        against |= dict.fromkeys(numbers[same:], COPY if same else SAME_ID)
    return against


def _looks(item: ProjectObject) -> tuple[object, ...]:
    return item.kind, item.class_name, item.centroid, item.points, item.area, item.z, item.t


def _reason_against(item: ProjectObject, wanted: Selection) -> str | None:
    """Return why an object is none of the wanted cells, or None if it is one."""
    is_annotation = item.kind == "annotation"
    asked_for = wanted.objects == "all" or is_annotation == (wanted.objects == "annotations")
    no_nucleus = item.kind == "cell" and item.nucleus_centroid is None
    gets_class = not is_annotation and not wanted.classified_detections
    takes_class = wanted.classified_detections and not wanted.any_class
    decided = gets_class and not item.undecided
    # The first that applies is the one that is counted.
    against = {
        TILE: item.kind in ("tile", "tmaCore"),
        NOT_ASKED_FOR: not asked_for,
        # A prediction must never become a label, or the next model learns from itself.
        OURS: item.made_by_pycyto,
        OUR_CLASS: takes_class and item.classified_by_pycyto,
        TISSUE: item.area > wanted.largest_outline * PATCH_SIZE**2,
        NO_NUCLEUS: wanted.centroid == "nucleus" and no_nucleus,
        CLASSIFIED: decided,
        # They are several cells, and the detection can be given one class.
        SEVERAL_POINTS: gets_class and len(item.points) > 1,
    }
    reasons = (reason for reason, applies in against.items() if applies)
    return next(reasons, None) or _reason_against_class(item.class_name, wanted)


def _reason_against_class(class_name: str | None, wanted: Selection) -> str | None:
    if wanted.any_class:
        return None
    if class_name is None:
        return None if wanted.unclassified else NO_CLASS
    if wanted.classes is None:
        return None if wanted.scheme.find(class_name) else OUTSIDE_SCHEME
    return None if label_of(class_name, wanted.scheme) in wanted.classes else OTHER_CLASS


def _cells(
    item: ProjectObject, centroid: Centroid, project_id: str, entry_id: str
) -> Iterator[Cell]:
    if not item.points and not _is_point_annotation(item):
        nucleus = item.nucleus_centroid if centroid == "nucleus" else None
        key = CellKey(project_id, entry_id, item.object_id)
        yield _cell(item, key, *(nucleus or item.centroid))
    for index, (x, y) in enumerate(item.points):
        yield _cell(item, CellKey(project_id, entry_id, item.object_id, index), x, y)


def _is_point_annotation(item: ProjectObject) -> bool:
    return item.geometry.get("type") in ("Point", "MultiPoint")


def _cell(item: ProjectObject, key: CellKey, x: float, y: float) -> Cell:
    return Cell(
        key=key,
        kind=item.kind,
        class_name=item.class_name,
        x=x,
        y=y,
        bounds=item.bounds,
        area=item.area,
        z=item.z,
        t=item.t,
    )
