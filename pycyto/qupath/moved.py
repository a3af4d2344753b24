"""Finding the image files of a project that was moved, without ever guessing.

A file that is not where the project has it is looked for, in this order: where
the user's mappings have it; at the same place as seen from the project's
folder; by its name in and around that folder. What is found counts only if it
is an image of the size that the project knows. By name it counts only if it is
the one such file, and no other image's.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, Literal

from pycyto.errors import BadInputError
from pycyto.images.reading import size_of
from pycyto.qupath import places
from pycyto.qupath.project import ImageEntry, Project, content_of

# As deep as QuPath itself looks for the images of a project.
SEARCH_DEPTH = 4
SEARCH_NAMES = 50_000

How = Literal["mapped", "moved along", "by name"]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file that images of a project are made of.

    Attributes
    ----------
    path
        Where the project has it, as a path of the system that saved the project.
    images
        The images that need it.
    sizes
        Width and height that the file may have in pixels; empty where unknown.
    crop_to_bounds
        Whether QuPath shows only the scanner's bounding box of it.
    """

    path: PurePath
    images: tuple[ImageEntry, ...]
    sizes: frozenset[tuple[int, int]]
    crop_to_bounds: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A file that is not where the project has it, and what was found instead.

    Attributes
    ----------
    place, how
        The one file that it must be, and how that was found; None without one.
    candidates
        Files that it could be as well as any other of them.
    others
        Files that were looked at and are not it, with the reason.
    """

    file: ImageFile
    place: Path | None = None
    how: How | None = None
    candidates: tuple[Path, ...] = ()
    others: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Search:
    """Where files were looked for by name.

    Attributes
    ----------
    folders
        Each was searched to `SEARCH_DEPTH` folders below it, links not followed.
    complete
        False where it stopped after `SEARCH_NAMES` names: a second file of the
        same name may lie where nobody looked.
    found
        The files, by a form of their name.
    """

    folders: tuple[Path, ...]
    complete: bool
    found: Mapping[str, Sequence[Path]]


def saved_at(project: Project) -> str:
    """Return the URI at which QuPath saved the project file last; empty where it says none."""
    return str(content_of(project.file).get("uri") or "")


def image_files(project: Project) -> list[ImageFile]:
    """Return the files that the project's images are made of, as the project has them.

    What is no file on a disk, such as an image on a server, is left out.
    """
    content = content_of(project.file)
    known: dict[PurePath, ImageFile] = {}
    for image in content["images"]:
        entry = project.image(str(image["entryID"]))
        for builder in _file_builders(image["serverBuilder"]):
            new = _image_file(builder, image["serverBuilder"], entry)
            if new is not None:
                known[new.path] = _joined(known[new.path], new) if new.path in known else new
    return list(known.values())


def lost_files(
    project: Project, mappings: Mapping[str, str], all_files: Sequence[ImageFile]
) -> tuple[list[Lost], Search | None]:
    """Return the files that are not where the project has them, and how they were searched for.

    Parameters
    ----------
    mappings
        The user's: folders as the project has them → folders here.
    all_files
        What `image_files` returned.
    """
    uri = saved_at(project)
    lost, taken = [], {}
    for file in all_files:
        there = places.found(file.path)
        if there is None:
            known = _known_place(file, mappings, uri, project.folder)
            lost.append(known)
            there = known.place
        if there is not None:
            taken[_real(there)] = file
    nowhere = {one.file.path.name for one in lost if one.place is None}
    if not nowhere:
        return lost, None
    search = _search(project.folder, nowhere)
    named = [one if one.place else _by_name(one, search, taken) for one in lost]
    return _without_rivals(named), search


def _file_builders(builder: object) -> Iterator[dict[str, Any]]:
    """Yield the builders that open a file, however they are wrapped and joined."""
    waiting = [builder]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            if isinstance(item.get("uri"), str):
                yield item
            waiting += [value for key, value in item.items() if key != "metadata"]


def _image_file(
    builder: dict[str, Any], outer: dict[str, Any], entry: ImageEntry
) -> ImageFile | None:
    try:
        path = places.path_in(builder["uri"])
    except ValueError:
        return None
    cropped = "openslide" in str(builder.get("providerClassName")).casefold()
    return ImageFile(
        path=path,
        images=(entry,),
        sizes=_sizes(builder, outer),
        crop_to_bounds=cropped and "--no-crop" not in (builder.get("args") or ()),
    )


def _sizes(builder: dict[str, Any], outer: dict[str, Any]) -> frozenset[tuple[int, int]]:
    """Return the sizes that a file may have; what wraps it may only know it turned."""
    turned = "--rotate" in str(builder.get("args"))
    size = _size(builder.get("metadata"))
    if size is None:
        size, turned = _size(outer.get("metadata")), True
    if size is None:
        return frozenset()
    return frozenset([size, size[::-1]] if turned else [size])


def _size(metadata: Any) -> tuple[int, int] | None:
    try:
        width, height = int(metadata["width"]), int(metadata["height"])
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return (width, height) if width > 0 and height > 0 else None


def _joined(one: ImageFile, other: ImageFile) -> ImageFile:
    images = one.images if other.images[0] in one.images else one.images + other.images
    both = one.sizes & other.sizes if one.sizes and other.sizes else one.sizes | other.sizes
    return replace(one, images=images, sizes=both)


def _known_place(
    file: ImageFile, mappings: Mapping[str, str], project_uri: str, folder: Path
) -> Lost:
    """Return a lost file with the place that a mapping or the project's own move gives it."""
    along = places.moved_along(file.path, project_uri, folder)
    ways: list[tuple[How, Path | None]] = [
        ("mapped", places.mapped(file.path, mappings)),
        ("moved along", along),
    ]
    others: dict[Path, str] = {}
    for how, way in ways:
        place = places.found(way)
        if place is not None:
            objection = _objection(place, file)
            if not objection:
                return Lost(file, place, how, others=others)
            others[place] = objection
    return Lost(file, others=others)


def _by_name(lost: Lost, search: Search, taken: Mapping[Path, ImageFile]) -> Lost:
    """Return a lost file with what bears its name."""
    good: dict[Path, Path] = {}  # a link to a file is no second file
    others = dict(lost.others)
    for path in search.found[_key(lost.file.path.name)]:
        owner = taken.get(_real(path))
        objection = f"it is image {owner.images[0].name}" if owner else _objection(path, lost.file)
        if objection:
            others.setdefault(path, objection)
        else:
            good.setdefault(_real(path), path)
    candidates = tuple(good.values())
    if len(candidates) == 1 and search.complete:
        return replace(
            lost, place=candidates[0], how="by name", candidates=candidates, others=others
        )
    return replace(lost, candidates=candidates, others=others)


def _without_rivals(all_lost: Iterable[Lost]) -> list[Lost]:
    """Return the same, but with no file taken for two."""
    lost = list(all_lost)
    wanted = Counter(_real(one.place) for one in lost if one.place)
    return [
        replace(
            one,
            place=None,
            how=None,
            candidates=(),
            others={**one.others, one.place: "another image of the project may be it as well"},
        )
        if one.place and one.how == "by name" and wanted[_real(one.place)] > 1
        else one
        for one in lost
    ]


def _objection(path: Path, file: ImageFile) -> str:
    """Return why this is not the file, or nothing."""
    if places.path_in(path.as_uri()) != path:  # bytes that are no Unicode text
        return "QuPath cannot open a file of this name"
    if not file.sizes:
        return "the project does not say how large the image is"
    try:
        width, height = size_of(path, crop_to_bounds=file.crop_to_bounds)
    except BadInputError:
        return "it cannot be read as an image here"
    if (width, height) in file.sizes:
        return ""
    known = " or ".join(f"{width} x {height}" for width, height in sorted(file.sizes))
    return f"it is {width} x {height} pixels, not {known}"


def _search(project: Path, names: Iterable[str]) -> Search:
    """Look for files of these names in the project's folder and in the one around it."""
    found: dict[str, list[Path]] = {_key(name): [] for name in names}
    folders = [project]
    if project.parent.parent != project.parent:  # the root of a disk is around everything
        folders.append(project.parent)
    names_seen = 0
    for child in _below(folders, leave_out={project / "pycyto", project / "data"}):
        names_seen += 1
        if names_seen > SEARCH_NAMES:
            break
        if _key(child.name) in found and not child.is_dir():
            found[_key(child.name)].append(Path(child.path))
    return Search(tuple(folders), names_seen <= SEARCH_NAMES, found)


def _below(folders: Sequence[Path], leave_out: set[Path]) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in and below some folders, each thing once, the nearest first."""
    seen = set(leave_out)
    for folder in folders:
        waiting = deque([(folder, 0)])
        while waiting:
            here, depth = waiting.popleft()
            if here in seen:
                continue
            seen.add(here)
            for child in _children(here):
                yield child
                deeper = depth < SEARCH_DEPTH and not child.name.startswith(".")
                if deeper and child.is_dir(follow_symlinks=False):
                    waiting.append((Path(child.path), depth + 1))


def _children(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as children:
            return sorted(children, key=lambda child: child.name)
    except OSError:  # no right to look into it
        return []


def _key(name: str) -> str:
    return places.same_name(name).casefold()


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
