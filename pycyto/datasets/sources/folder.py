"""A plain folder per class: whatever is not published in a layout of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pycyto import files
from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import demand_folder, images_in, left_alone
from pycyto.errors import BadInputError, UsageError
from pycyto.labels import LabelScheme, counted
from pycyto.manifest import UNKNOWN


class Folder:
    """Reads ``<class>/**/<image>``.

    Parameters
    ----------
    group
        What finds the group in an image's path below the source, with ``/``: its first bracket,
        or all that it matches. Without it groups are unknown.
    mpp
        Micrometres per pixel of the images, where that is known.

    Raises
    ------
    UsageError
        When `group` is no regular expression.
    """

    single = True
    outlined = False
    published = False

    def __init__(
        self, name: str, scheme: LabelScheme, *, group: str | None = None, mpp: float | None = None
    ) -> None:
        self.name = name
        self.scheme = scheme
        self._mpp = mpp
        try:
            self._group = re.compile(group) if group else None
        except re.error as error:
            raise UsageError(
                f"--group-regex {group} is no regular expression ({error})."
            ) from error

    def cells(self, folder: Path, notes: Notes) -> Iterator[SourceCell]:
        """Yield the images in the folders of classes.

        Raises
        ------
        BadInputError
            When there is none.
        """
        demand_folder(folder)
        classes = [path for path in sorted(folder.iterdir()) if path.is_dir()]
        images = {
            path: images_in(path) for path in classes if not path.name.startswith((".", "__"))
        }
        found = [image for own in images.values() for image in own]
        others = _others(folder, found)
        if not found:
            raise BadInputError(
                f"There is no image in a folder of a class.{others}",
                where=folder,
                remedy="Put the images into folders named after their classes, e.g. HSIL/1.png.",
            )
        if others:
            notes.warnings.append(others.strip())
        groups = self._groups([image.relative_to(folder).as_posix() for image in found], notes)
        for path, own in images.items():
            for image in own:
                place = image.relative_to(folder).as_posix()
                yield SourceCell(
                    name=place,
                    image=image,
                    image_name=place,
                    original_label=path.name,
                    slide=groups.get(place, UNKNOWN),
                    mpp=self._mpp,
                )

    def _groups(self, places: Sequence[str], notes: Notes) -> dict[str, str]:
        """Return the group of each image, by its path below the source."""
        if self._group is None:
            return {}
        found = {place: self._group.search(place) for place in places}
        first = min(self._group.groups, 1)
        groups = {place: match[first] for place, match in found.items() if match and match[first]}
        if not groups:
            notes.problems.append(
                f"--group-regex {self._group.pattern} finds no group in any of "
                f"{counted(len(places), 'path')}, such as {places[0]}. Mend the expression, or "
                "leave it out."
            )
            return {}
        notes.problems += [
            f"--group-regex finds no group in {place}." for place in places if place not in groups
        ]
        return groups

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return nothing: a plain folder has none."""
        return None


def _others(folder: Path, images: Iterable[Path]) -> str:
    """Return a sentence about files that are no images of a class: some may be meant to be."""
    # A link may give a file two paths.
    read = {image.resolve() for image in images}
    others = [
        path
        for path in files.files_below(folder)
        if path.is_file() and not path.name.startswith(".") and path.resolve() not in read
    ]
    why = "not in a folder of a class or of no type that is read (PNG, BMP, JPEG, TIFF)"
    return f" {left_alone(others, folder, 'file', why)}" if others else ""
