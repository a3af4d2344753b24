"""Folders with one class each: what several layouts have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pycyto import files
from pycyto.datasets.sources.cells import Notes
from pycyto.errors import BadInputError, itemised
from pycyto.labels import counted, did_you_mean, listed

_IMAGES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
# So many files are named.
_NAMED = 20


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
    folder: Path,
    classes: Collection[str],
    layout: str,
    notes: Notes,
    *,
    apart: Collection[str] = (),
) -> Iterator[tuple[str, Path]]:
    """Yield each class of a layout with its folder.

    They lie beside each other, in the folder or anywhere below it: what is downloaded is often
    packed in a folder of its own. A class that is missing is warned of: a part of a set can be all
    that somebody has, and so is an image in no folder of a class. A further folder with images
    beside those of classes is a problem: it may be one that is misspelt.

    Parameters
    ----------
    classes
        The published names; upper and lower case do not matter.
    layout
        What the source is called, for messages.
    apart
        Names of folders that hold no class.

    Raises
    ------
    BadInputError
        When there is no folder, none of a class with an image, or several places or folders of a
        class, of which one would be read and the others not.
    """
    demand_folder(folder)
    found, others = _sorted_out(folder, {_plain(name): name for name in classes}, apart)
    if not found:
        raise BadInputError(
            f"This is not {layout} as published: there is no folder of any class with an image.",
            where=folder,
            remedy=f"Give the folder that holds {listed(classes)}.",
        )
    _refuse_several(folder, found, layout)
    named = {name: path for path, name in found.items()}
    missing = [name for name in classes if name not in named]
    top = next(iter(found)).parent
    if top != folder:
        notes.remarks.append(f"The folders of classes are in {top.relative_to(folder).as_posix()}.")
    if missing:
        notes.warnings.append(
            f"{len(missing)} of {len(classes)} classes have no image in {top.name}: "
            f"{listed(missing)}."
        )
    beside, loose = _beside(top, others)
    if loose:
        notes.warnings.append(left_alone(loose, folder, "image", "not in the folder of a class"))
    notes.problems += _unknown(beside, missing or classes)
    notes.problems += _nested(folder, found, classes)
    yield from ((name, named[name]) for name in classes if name in named)


def _sorted_out(
    folder: Path, classes: Mapping[str, str], apart: Collection[str]
) -> tuple[dict[Path, str], list[Path]]:
    """Return the folders of classes that hold images, and the images that are in none."""
    found: dict[Path, str] = {}
    others = []
    for image in images_in(folder):
        inside = image.relative_to(folder).parts[:-1]
        depth = next((n for n, part in enumerate(inside, 1) if _plain(part) in classes), 0)
        above = inside[: depth or None]
        if any(part.startswith((".", "__")) or part in apart for part in above):
            continue
        if depth:
            found[folder.joinpath(*above)] = classes[_plain(above[-1])]
        else:
            others.append(image)
    return found, others


def _refuse_several(folder: Path, found: Mapping[Path, str], layout: str) -> None:
    """Raise `BadInputError` if the classes are in several places, or one has several folders."""
    places = Counter(path.parent.relative_to(folder).as_posix() for path in found)
    if len(places) > 1:
        told = [
            f"{'this folder itself' if place == '.' else place} ({counted(number, 'class folder')})"
            for place, number in sorted(places.items())
        ]
        raise BadInputError(
            f"Folders of {layout}'s classes are in {len(places)} places, and only one can be read:"
            f"\n{itemised(told)}",
            where=folder,
            remedy="Give one of these places, or bring the images of each class together in one "
            "folder.",
        )
    for name, number in Counter(found.values()).items():
        if number > 1:
            told = [path.relative_to(folder).as_posix() for path in found if found[path] == name]
            raise BadInputError(
                f"The class {name} of {layout} has {number} folders: {listed(told)}.",
                where=folder,
                remedy="Bring its images together in one folder.",
            )


def _beside(top: Path, images: Sequence[Path]) -> tuple[Counter[str], list[Path]]:
    """Return how many images are in which folder beside those of classes, and all other images."""
    beside: Counter[str] = Counter()
    loose = []
    for image in images:
        inside = image.relative_to(top).parts if image.is_relative_to(top) else ()
        if len(inside) > 1:
            beside[inside[0]] += 1
        else:
            loose.append(image)
    return beside, loose


def _unknown(folders: Mapping[str, int], classes: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each folder with so many images that is none of a class."""
    for name, number in folders.items():
        hint = did_you_mean(name, classes)
        yield f"The folder {name!r} ({counted(number, 'image')}) is of no class.{hint}"


def tell_lossy(images: Mapping[str, Sequence[Path]], notes: Notes) -> None:
    """Warn of JPEGs in a set that is published without loss, whatever they are called.

    Parameters
    ----------
    images
        Of each class.
    """
    found = {name: sum(map(_is_jpeg, own)) for name, own in images.items()}
    number = sum(found.values())
    if number:
        told = listed(f"{name} {n} of {len(images[name])}" for name, n in found.items() if n)
        notes.warnings.append(
            f"{number} of {sum(map(len, images.values()))} images are JPEGs, where the set is "
            f"published as BMP: {told}. Compression of some classes only is something that a "
            "network can tell them by."
        )


def _is_jpeg(path: Path) -> bool:
    with files.readable(path), path.open("rb") as stream:
        return stream.read(3) == b"\xff\xd8\xff"


def left_alone(paths: Sequence[Path], folder: Path, noun: str, why: str) -> str:
    """Return a sentence about files below a folder that are not read: they may be meant to be."""
    told = ", ".join(path.relative_to(folder).as_posix() for path in paths[:_NAMED])
    more = ", …" if len(paths) > _NAMED else ""
    return f"{counted(len(paths), noun)} left alone, {why}: {told}{more}."


def _nested(folder: Path, found: Mapping[Path, str], classes: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each folder of a class that is inside the folder of another."""
    known = {_plain(name): name for name in classes}
    for path, name in found.items():
        inner = {one for image in images_in(path) for one in image.relative_to(path).parents}
        for one in sorted(inner):
            if known.get(_plain(one.name), name) != name:
                place = (path / one).relative_to(folder).as_posix()
                yield f"The folder {place} is inside that of the class {name}."


def _plain(name: str) -> str:
    return name.casefold().removeprefix("im_")
