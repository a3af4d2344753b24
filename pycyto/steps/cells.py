"""From a project to cells, and from a cell to its patch: what export and predict share."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pycyto.errors import BadInputError, PartlyDoneError, StaleError, UsageError
from pycyto.images.crop import Pixels, Region, Square, cut, square_around
from pycyto.images.reading import FieldImage, SlideImage, opened
from pycyto.images.resolution import Resolution, check_downsample
from pycyto.labels import counted, listed
from pycyto.qupath.backend import Backend
from pycyto.qupath.project import ImageEntry, Project, local_path
from pycyto.qupath.selection import Selection, label_of, select
from pycyto.records import Cell, CellKey, Reporter
from pycyto.steps.failures import Failures

OTHER_PLANE = "z or t plane"
OUTSIDE = "outside the image"
NO_PIXEL_SIZE = "no pixel size"
OTHER_SCALE = "another pixel size than in training"
UNKNOWN_SCALE = "no pixel size: whether nuclei look as large as in training cannot be told"
EXTREME_SCALE = "pixel size too far from what is asked for"

# Classes outside the scheme that are named.
_NAMED = 8


@dataclass(slots=True)
class Tally:
    """Counts of one command: given = used + skipped + failed, always.

    Attributes
    ----------
    skipped, failed
        By reason. What failed could have been used and was not.
    notes
        What is worth knowing of cells that were used.
    failures
        Images that failed, by cause.
    unread
        Images of which not even the objects could be read.
    classes
        Labels of all objects that were read, also of those that are not wanted.
    foreign
        How many cells have which class outside the scheme: it may be a misspelt one.
    found
        UUIDs of those that were asked for by UUID and are there.
    profiles
        Name of the colour profile that was applied, by entry ID; empty where the image has none.
    """

    given: int = 0
    used: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    failures: Failures = field(default_factory=Failures)
    unread: int = 0
    classes: set[str] = field(default_factory=set)
    foreign: Counter[str] = field(default_factory=Counter)
    found: set[str] = field(default_factory=set)
    profiles: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Make sure that the counts add up."""
        total = self.used + self.skipped.total() + self.failed.total()
        if total != self.given:
            raise AssertionError(f"{self.given} given, but {total} accounted for")

    def to_json(self, used: str) -> dict[str, object]:
        """Return the counts as they are recorded, the used ones under their own name."""
        return {
            "given": self.given,
            used: self.used,
            "skipped": dict(self.skipped),
            "failed": dict(self.failed),
            "notes": dict(self.notes),
        }

    def say(self, used: str, by_label: Mapping[str, int], reporter: Reporter) -> None:
        """Tell the counts, with every reason.

        Parameters
        ----------
        used
            What became of the used ones, as a word.
        by_label
            How many of them per class, under the words to print.
        """
        reporter.say(
            f"{counted(self.given, 'object')} given: {self.used} {used}, "
            f"{self.skipped.total()} skipped, {self.failed.total()} failed."
        )
        for text, count in [*(self.skipped + self.failed).most_common(), *by_label.items()]:
            reporter.say(f"  {count:>6}  {text}")
        for note, count in self.notes.items():
            reporter.warn(f"{counted(count, 'cell')}: {note}.")
        if self.foreign:
            named = (f"{name!r} ({count})" for name, count in self.foreign.most_common(_NAMED))
            more = ", …" if len(self.foreign) > _NAMED else ""
            reporter.warn(
                f"Classes outside the scheme, whose cells are left out: {listed(named)}{more}. If "
                "one is misspelt, correct it in QuPath and start again."
            )

    def refuse_failures(self, what: str, where: Path, remedy: str) -> None:
        """Raise `PartlyDoneError` if something failed, naming the images."""
        if self.failures:
            raise PartlyDoneError(
                f"{counted(len(self.failures), 'image')} could not be {what} "
                f"({self.failed.total()} of {self.given} objects):\n{self.failures}",
                where=where,
                remedy=remedy,
            )

    def refuse_nothing(self, what: str, wanted: Selection | None, where: Path) -> None:
        """Raise an error if no cell was found, or none of a class that was asked for.

        Raises
        ------
        UsageError
            A class outside the scheme was named that no object has: it may be misspelt. Or
            none of the objects that were asked for by UUID is there.
        BadInputError
            There is no cell; the reasons are named.
        """
        asked = wanted.classes or () if wanted else ()
        known = {*self.classes, *(wanted.scheme.names if wanted else ())}
        missing = [name for name in asked if name not in known]
        if missing and not self.unread:
            raise UsageError(
                f"No object has the class {listed(missing)}.",
                where=where,
                remedy=f"Classes there are: {listed(sorted(self.classes))}.",
            )
        if wanted and wanted.only is not None and not self.found and not self.unread:
            raise UsageError(
                f"None of the {counted(len(wanted.only), 'object')} asked for is there.",
                where=where,
                remedy="Save the image, write its file of cells anew (export_cells.groovy), and "
                "give UUIDs of objects in the images that are read.",
            )
        if not self.used and not self.failures:
            counts = (self.skipped + self.failed).most_common()
            reasons = listed(f"{count} {reason}" for reason, count in counts)
            raise BadInputError(
                f"There is no cell to {what} (objects: {reasons}).",
                where=where,
                remedy="See --objects, --classes and --images for what is taken.",
            )


@dataclass(frozen=True, slots=True)
class ImageCells:
    """The cells of one image, and the state of the data that they were read from."""

    image: ImageEntry
    data_sha256: str
    cells: Sequence[Cell]


def chosen_images(project: Project, wanted: Sequence[str] | None) -> list[ImageEntry]:
    """Return the images of a project that were asked for, by entry ID or by name.

    Raises
    ------
    UsageError
        When one of them is not in the project.
    """
    if wanted is None:
        return list(project.images)
    found = []
    for text in wanted:
        # An image may be named as another's entry ID.
        matches = [image for image in project.images if image.entry_id == text]
        matches = matches or [image for image in project.images if image.name == text]
        if not matches:
            known = ", ".join(f"{image.entry_id} ({image.name})" for image in project.images[:20])
            raise UsageError(
                f"The project has no image {text!r}.",
                where=project.file,
                remedy=f"Give an entry ID or a name. There are: {known}.",
            )
        found += [image for image in matches if image not in found]
    return found


def read_cells(
    project: Project,
    backend: Backend,
    images: Sequence[ImageEntry],
    wanted: Selection,
    tally: Tally,
) -> Iterator[ImageCells]:
    """Yield the cells of each image; what is none of them is counted with its reason."""
    for image in images:
        try:
            found = backend.read(image.entry_id)
        except StaleError:
            raise  # every image may be as old: stop before an older state is taken for the present
        except BadInputError as error:
            tally.failures.add_error(_named(image), error)
            tally.unread += 1
            continue
        labels = (label_of(item.class_name, wanted.scheme) for item in found.objects)
        tally.classes.update(filter(None, labels))
        tally.found.update({item.object_id for item in found.objects} & (wanted.only or set()))
        selected = select(
            found.objects, wanted, project_id=project.project_id, entry_id=image.entry_id
        )
        tally.given += len(selected.cells) + selected.skipped.total()
        tally.skipped += selected.skipped
        tally.foreign += selected.foreign
        if found.stale:
            tally.notes["read in an older state than the image's, as told"] += len(selected.cells)
        yield ImageCells(image, found.data_sha256, selected.cells)


def cut_patches(
    found: ImageCells,
    *,
    resolution: Resolution,
    mappings: Mapping[str, str],
    tally: Tally,
    known: Mapping[CellKey, Square] | None = None,
    icc: bool = False,
) -> Iterator[tuple[Cell, Square, Pixels | None]]:
    """Yield the patch of every cell of one image, (224, 224, 3) uint8.

    An image that cannot be used is counted and told, not raised: the others go on.

    Parameters
    ----------
    resolution
        At which scale to cut.
    known
        Cells whose patch is there, with the square it was cut from: where that
        is the same again they come back with None instead of pixels.
    icc
        Whether colour profiles in the images are applied; the tally says which.
    """
    planned = _planned(found, resolution, tally)
    done = 0
    try:
        with contextlib.ExitStack() as stack:
            image: Region | None = None
            for cell, square in planned:
                if known and known.get(cell.key) == square:
                    pixels = None
                else:
                    if image is None:
                        opening = _open(found.image, mappings, tally, icc=icc)
                        image = stack.enter_context(opening)
                    pixels = cut(image, square)
                done += 1
                yield cell, square, pixels
    except BadInputError as error:
        _fail(found.image, len(planned) - done, "image not readable", error, tally)


def _planned(found: ImageCells, resolution: Resolution, tally: Tally) -> list[tuple[Cell, Square]]:
    """Return the square of each cell, or count why none can be cut."""
    image = found.image
    reason = NO_PIXEL_SIZE if image.mpp is None else OTHER_SCALE
    try:
        downsample = resolution.downsample_for(image.mpp)
        reason = EXTREME_SCALE
        check_downsample(downsample)
    except BadInputError as error:
        _fail(image, len(found.cells), reason, error, tally)
        return []
    if image.obstacle is not None:
        refusal = BadInputError(f"{image.obstacle}: no patch can be cut.")
        _fail(image, len(found.cells), image.obstacle, refusal, tally)
        return []
    if resolution.trained_mpp and image.mpp is None:
        tally.notes[UNKNOWN_SCALE] += len(found.cells)
    planned = []
    for cell in found.cells:
        square = square_around(cell.x, cell.y, downsample)
        if cell.z or cell.t:
            tally.skipped[OTHER_PLANE] += 1
        elif not square.touches(image.width, image.height):
            tally.skipped[OUTSIDE] += 1
        else:
            planned.append((cell, square))
    return planned


@contextlib.contextmanager
def _open(
    image: ImageEntry, mappings: Mapping[str, str], tally: Tally, *, icc: bool
) -> Iterator[FieldImage | SlideImage]:
    """Open an image, and make sure that it is as large as the one that was annotated."""
    path = local_path(image, mappings)
    with opened(path, crop_to_bounds=image.opened_by_openslide, icc=icc) as found:
        if (found.width, found.height) != (image.width, image.height):
            raise BadInputError(
                f"This image is {found.width} x {found.height} pixels; the project has it as "
                f"{image.width} x {image.height}.",
                where=path,
                remedy="Put the annotated image back: on another one the cells are elsewhere.",
            )
        if icc:
            tally.profiles[image.entry_id] = found.profile.name if found.profile else ""
        yield found


def _fail(image: ImageEntry, cells: int, reason: str, error: BadInputError, tally: Tally) -> None:
    if cells:
        tally.failed[reason] += cells
        tally.failures.add_error(_named(image), error)


def _named(image: ImageEntry) -> str:
    return f"{image.name} (entry ID {image.entry_id})"
