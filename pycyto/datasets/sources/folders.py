"""Folders with one class each: what several layouts have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pycyto import files
from pycyto.datasets.sources.cells import Notes
from pycyto.errors import BadInputError, itemised
from pycyto.labels import counted, did_you_mean, listed

_IMAGES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


def is_image(path: Path) -> bool:
    """Whether a file is to be read as an image; hidden files, as macOS adds them, are not."""
    return path.suffix.lower() in _IMAGES and not path.name.startswith(".") and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """Return the images in a folder and below, also behind links, in the order of their paths."""
    return [path for path in files.files_below(folder) if is_image(path)]


def refuse_dead_links(folder: Path) -> None:
    """Raise `BadInputError` if links below a folder lead to nothing: cells would be missing.

    Hidden ones, as editors make them, are left alone.
    """
    dead = [
        f"{path.relative_to(folder).as_posix()} → {path.readlink()}"
        for path in files.files_below(folder)
        if path.is_symlink() and not path.exists() and not path.name.startswith(".")
    ]
    if dead:
        raise BadInputError(
            f"{counted(len(dead), 'link')} in this source to what is not there:\n{itemised(dead)}",
            where=folder,
            remedy="Mount the disk or bring back the folder that they lead to, or remove them.",
        )


def demand_folder(folder: Path) -> None:
    """Raise `BadInputError` if there is no such folder."""
    if folder.is_file():
        raise BadInputError(
            "This is a file, not a folder.",
            where=folder,
            remedy="Unpack it if it is an archive, and give the folder.",
        )
    if not folder.is_dir():
        raise BadInputError(
            "There is no such folder.", where=folder, remedy="Check how it is spelt."
        )


def class_folders(
    folder: Path, classes: Collection[str], layout: str, notes: Notes
) -> Iterator[tuple[str, Path]]:
    """Yield each class of a layout with its folder.

    A class that is missing is warned of: a part of a set can be all that somebody has. A further
    folder with images is a problem: its cells would be left out without a word.

    Parameters
    ----------
    classes
        The published names; upper and lower case do not matter.
    layout
        What the source is called, for messages.

    Raises
    ------
    BadInputError
        When there is no folder, or none of a class.
    """
    demand_folder(folder)
    named = _top_of(folder, {_plain(name) for name in classes})
    found = {name: named.pop(_plain(name)) for name in classes if _plain(name) in named}
    if not found:
        raise BadInputError(
            f"This is not {layout} as published: there is no folder of any class.",
            where=folder,
            remedy=f"Give the folder that holds {listed(classes)}.",
        )
    missing = [name for name in classes if name not in found]
    if missing:
        notes.warnings.append(f"There is no folder {listed(missing)} in {folder.name}.")
    notes.problems += _unknown(named, missing or classes)
    yield from found.items()


def _top_of(folder: Path, wanted: Collection[str]) -> dict[str, Path]:
    """Return the folders beside each other of which some are wanted: here, or one or two below.

    What is downloaded is often packed in a folder of its own.
    """
    below = sorted(path for depth in ("*", "*/*") for path in folder.glob(depth) if path.is_dir())
    for top in (folder, *below):
        named = {_plain(path.name): path for path in sorted(top.iterdir()) if path.is_dir()}
        if named.keys() & wanted:
            return named
    return {}


def _unknown(folders: Mapping[str, Path], classes: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each folder with images that is none of a class."""
    for name, path in folders.items():
        number = len(images_in(path))
        if number and not name.startswith((".", "__")):
            hint = did_you_mean(name, classes)
            yield f"The folder {path.name!r} ({counted(number, 'image')}) is of no class.{hint}"


def _plain(name: str) -> str:
    return name.casefold().removeprefix("im_")
