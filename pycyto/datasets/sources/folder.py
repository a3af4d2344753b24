"""A plain folder per class: whatever is not published in a layout of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pycyto.datasets.outlines import Outlines
from pycyto.datasets.sources.cells import Notes, SourceCell
from pycyto.datasets.sources.folders import images_in
from pycyto.errors import BadInputError, UsageError
from pycyto.labels import LabelScheme, counted
from pycyto.manifest import UNKNOWN

# So many files are named.
_NAMED = 20


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
        if not folder.is_dir():
            raise BadInputError("There is no such folder.", where=folder)
        classes = [path for path in sorted(folder.iterdir()) if path.is_dir()]
        images = {
            path: images_in(path) for path in classes if not path.name.startswith((".", "__"))
        }
        if not any(images.values()):
            raise BadInputError(
                "There is no image in a folder of a class.",
                where=folder,
                remedy="Put the images into folders named after their classes, e.g. HSIL/1.png.",
            )
        _tell_others(folder, images, notes)
        for path, own in images.items():
            for image in own:
                place = image.relative_to(folder).as_posix()
                yield SourceCell(
                    name=place,
                    image=image,
                    image_name=place,
                    original_label=path.name,
                    slide=self._slide(place, notes),
                    mpp=self._mpp,
                )

    def _slide(self, place: str, notes: Notes) -> str:
        if self._group is None:
            return UNKNOWN
        found = self._group.search(place)
        group = found[min(self._group.groups, 1)] if found else None
        if not group:
            notes.problems.append(f"--group-regex finds no group in {place}.")
        return group or UNKNOWN

    def outlines(self, cell: SourceCell) -> Outlines | None:
        """Return nothing: a plain folder has none."""
        return None


def _tell_others(folder: Path, images: Mapping[Path, Sequence[Path]], notes: Notes) -> None:
    """Tell of files that are no images of a class: some may be meant to be."""
    read = {image for own in images.values() for image in own}
    others = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path not in read and not path.name.startswith(".")
    ]
    if others:
        told = ", ".join(others[:_NAMED]) + (", …" if len(others) > _NAMED else "")
        notes.warnings.append(
            f"{counted(len(others), 'file')} left alone, not in a folder of a class or of no type "
            f"that is read (PNG, BMP, JPEG, TIFF): {told}."
        )
