"""A QuPath project as it lies on disk, read without Java."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from pycyto import files, locks
from pycyto.errors import BadInputError, NotWritableError, RefusedError
from pycyto.qupath import places
from pycyto.records import path_from

FILE_NAME = "project.qpproj"
# Below a folder: the cells of fields that are to become a project.
FIELDS = "pycyto/fields"
# Width and height of a pixel may differ by this share before it counts as
# anisotropic: scanners report both, rounded apart in the last digit.
_ISOTROPY = 0.01
# Entry IDs become names of files and folders; QuPath counts, and a link to elsewhere would have
# a dot or a slash.
_ENTRY_ID = re.compile(r"[\w-]{1,64}")
# QuPath's import makes up smaller levels of every large image that has none, unless told
# otherwise: what it shows at full resolution is the file's.
_PYRAMID = "pyramidize"
# The text "EOF" as Java serialises it: the last thing that every QuPath writes.
_END = b"t\x00\x03EOF"
# Java counts pixels in 32 bits.
_LARGEST_SIDE = 1 << 31


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One image of a project.

    Attributes
    ----------
    entry_id
        Its key: names repeat.
    uri, image_key
        Of the image file as the project has it, and the digest that stands for it.
    builder
        ``uri`` for an image as it is on disk, also where QuPath makes up smaller
        levels of it; ``rotated``, ``cropped``, … for one whose coordinates or
        colours are not those of the file.
    pixel_size
        Width and height of a pixel in micrometres, or None without calibration.
    moved_along
        Where its file is if it was moved together with the project.
    """

    entry_id: str
    name: str
    uri: str
    builder: str
    provider: str
    arguments: tuple[str, ...]
    width: int
    height: int
    rgb: bool
    pixel_size: tuple[float, float] | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    moved_along: Path | None = None

    @property
    def image_key(self) -> str:
        """16 hexadecimal digits that two entries of one image file share."""
        uri = re.sub(r"^file:/+", "file:///", self.uri)
        return hashlib.sha256(uri.encode()).hexdigest()[:16]

    @property
    def opened_by_openslide(self) -> bool:
        """Whether QuPath crops this image to the scanner's bounding box."""
        return "openslide" in self.provider.casefold() and "--no-crop" not in self.arguments

    @property
    def mpp(self) -> float | None:
        """Micrometres per pixel, or None where the image has no pixel size."""
        return None if self.pixel_size is None else sum(self.pixel_size) / 2

    @property
    def obstacle(self) -> str | None:
        """Why no patch can be cut from this image, or None."""
        options = _options(self.arguments)
        if self.builder != "uri" or options.keys() & {"--rotate", "--dims"}:
            return "rotated, cropped or altered in QuPath"
        if options.get("--series", "0") != "0" or "--name" in options:
            return "not the first image of its file"
        if not (self.width and self.height):
            return "image of unknown size"
        if not self.rgb:
            return "image not RGB"
        if self.pixel_size is not None:
            width, height = self.pixel_size
            if abs(width - height) > _ISOTROPY * max(width, height):
                return "anisotropic pixels"
        return None


@dataclass(frozen=True, slots=True)
class Project:
    """A QuPath project folder.

    Attributes
    ----------
    folder
        The folder that holds ``project.qpproj``.
    project_id
        Empty until a command that writes has given the project one.
    """

    folder: Path
    images: tuple[ImageEntry, ...]
    project_id: str

    @property
    def name(self) -> str:
        """The folder's name, as QuPath shows it; bytes that are no UTF-8 are replaced."""
        return os.fsencode(self.folder.name).decode(errors="replace")

    @property
    def file(self) -> Path:
        """The project file."""
        return self.folder / FILE_NAME

    @property
    def workspace(self) -> Path:
        """The folder that holds everything pycyto keeps in a project."""
        return self.folder / "pycyto"

    def data_file(self, entry_id: str) -> Path:
        """Return where QuPath keeps the objects of an image.

        Raises
        ------
        BadInputError
            When the entry ID, which a run from elsewhere may have brought, is no name of a folder.
        """
        if not _ENTRY_ID.fullmatch(entry_id):
            raise BadInputError(
                f"{entry_id[:80]!r} is no entry ID of an image.",
                where=self.file,
                remedy="Take a run that pycyto predict has made for this project.",
            )
        return self.folder / "data" / entry_id / "data.qpdata"

    def backup_file(self, entry_id: str) -> Path:
        """Return where QuPath keeps an image's data while it saves."""
        path = self.data_file(entry_id)
        return path.with_name(path.name + ".bkp")

    def data_sha256(self, entry_id: str) -> str:
        """Return the SHA-256 of an image's ``data.qpdata``; empty where there is none.

        Raises
        ------
        RefusedError
            When QuPath's backup lies beside it: a save broke off, and which of
            the two is whole only a person can tell.
        """
        path, backup = self.data_file(entry_id), self.backup_file(entry_id)
        if backup.exists():
            raise RefusedError(
                "QuPath's backup lies beside this image's data: a save was interrupted.",
                where=backup,
                remedy="If a pycyto command or script was interrupted, start it again: it puts "
                "back what it had begun. Else open the image in QuPath, check that all objects are "
                "there, and save it.",
            )
        return files.sha256_of(path) if path.exists() else ""

    def is_cut_off(self, entry_id: str) -> bool:
        """Whether an image's ``data.qpdata`` does not end as QuPath ends it."""
        path = self.data_file(entry_id)
        if not path.exists():
            return False
        with files.readable(path), path.open("rb") as stream:
            stream.seek(-min(len(_END), path.stat().st_size), os.SEEK_END)
            return stream.read() != _END

    def image(self, entry_id: str) -> ImageEntry:
        """Return an image by its entry ID."""
        for entry in self.images:
            if entry.entry_id == entry_id:
                return entry
        raise BadInputError(f"The project has no image with entry ID {entry_id}.", where=self.file)


def open_project(path: str | Path, *, project_id: str = "") -> Project:
    """Read a project.

    Parameters
    ----------
    path
        The folder, or the ``project.qpproj`` in it.
    project_id
        Used instead of the one in ``pycyto/project.json``.

    Raises
    ------
    BadInputError
        When there is no project, or the file is not one.
    """
    found = path_from(path)
    folder = found.parent if found.name == FILE_NAME else found
    file = folder / FILE_NAME
    if not file.is_file():
        raise _no_project(folder)
    content = content_of(file)
    try:
        uri = str(content.get("uri"))
        images = tuple(_moved_along(_entry(image), uri, folder) for image in content["images"])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise BadInputError(
            f"This is not a project file that pycyto understands ({error!r}).",
            where=file,
            remedy="Open and save the project in QuPath 0.5.1 or newer.",
        ) from error
    return Project(folder, images, project_id or _stored_id(folder))


def _no_project(folder: Path) -> BadInputError:
    """Return what to say of a folder without a project file."""
    if not folder.exists():
        return BadInputError(
            "There is no such folder.", where=folder, remedy="Check how it is spelt."
        )
    fields = folder / FIELDS
    if fields.is_dir():
        return BadInputError(
            "There is no QuPath project here yet, only cells of fields.",
            where=folder,
            remedy="In QuPath make a project in an empty folder, add the images, and run "
            "import_cells.groovy (pycyto scripts install) with Run for project (without saving); "
            f"its setting 'folder' is {fields}. Then give that project.",
        )
    is_data = (folder / "manifest.csv").is_file()
    return BadInputError(
        "This is a data set, not a QuPath project."
        if is_data
        else "There is no QuPath project here.",
        where=folder,
        remedy=f"Give the folder that holds {FILE_NAME}. Ingested cells are in no project.",
    )


def content_of(file: Path) -> Any:
    """Return what a project file holds, as QuPath wrote it."""
    return files.read_json(file, special_numbers=True)


def ensure_project_id(project: Project) -> Project:
    """Return the project with an ID, giving it one if it has none.

    Raises
    ------
    LockedError
        When another pycyto is at work in the project.
    NotWritableError
        When the folder cannot be written to; the remedy names ``--project-id``.
    """
    if project.project_id:
        return project
    try:
        with locks.locked(project.workspace):
            # Of two commands that start at once one makes the ID, and both use it.
            made = _stored_id(project.folder) or _new_id(project.workspace)
    except NotWritableError as error:
        raise NotWritableError(
            "This project has no ID yet, and its folder cannot be written to.",
            where=project.workspace,
            remedy="Make it writable once, or give an ID of your own: --project-id UUID.",
        ) from error
    return Project(project.folder, project.images, made)


def _new_id(workspace: Path) -> str:
    files.remove_parts(workspace)
    made = str(uuid4())
    content = {"schema": 1, "project_id": made, "created_at": files.now()}
    files.write_json(workspace / "project.json", content)
    return made


def local_path(entry: ImageEntry, mappings: Mapping[str, str]) -> Path:
    """Return where an image file is on this machine.

    That is, of these the first where there is a file: where the project has it;
    where the user's mappings have it; and the same place as seen from the
    project's folder, for a project that was moved together with its images.
    Where there is none, it is the mapped or else the original place.

    Parameters
    ----------
    mappings
        Folders as the project has them → folders here, e.g.
        ``{"D:/slides": "/data/slides"}``; the longest that fits wins.

    Raises
    ------
    BadInputError
        When the URI is not that of a file.
    """
    try:
        original = places.path_in(entry.uri)
    except ValueError as error:
        raise BadInputError(
            f"The image is not a file on a disk ({error}).",
            where=f"{entry.name} (entry ID {entry.entry_id})",
            remedy="Download it and add the file to the project.",
        ) from error
    mapped = places.mapped(original, mappings)
    candidates = (original, mapped, entry.moved_along)
    there = next(filter(None, map(places.found, candidates)), None)
    return there or mapped or Path(original)


def _stored_id(folder: Path) -> str:
    path = folder / "pycyto" / "project.json"
    if not path.exists():
        return ""
    content = files.read_json(path)
    found = content.get("project_id") if isinstance(content, dict) else None
    if not found:
        raise BadInputError(
            "This file holds no project ID.",
            where=path,
            remedy="Restore it from a backup; data sets and runs know the project by it.",
        )
    return str(found)


def _entry(image: Mapping[str, Any]) -> ImageEntry:
    builder = image["serverBuilder"]
    outer = builder
    while outer.get("builderType") == _PYRAMID:
        outer = outer["builder"]
    kind, inner = outer.get("builderType", "uri"), outer
    while "builder" in inner:  # rotated, cropped, … wrap the builder of the file
        inner = inner["builder"]
    metadata = builder.get("metadata") or inner.get("metadata") or {}
    entry_id = str(image["entryID"])
    if not _ENTRY_ID.fullmatch(entry_id):
        raise ValueError(f"entry ID {entry_id[:80]!r}")
    return ImageEntry(
        entry_id=entry_id,
        name=_text(image.get("imageName")),
        uri=_text(inner.get("uri")),
        builder=_text(kind),
        provider=_text(inner.get("providerClassName")),
        arguments=tuple(map(_text, inner.get("args") or ())),
        width=_length(metadata.get("width")),
        height=_length(metadata.get("height")),
        rgb=_is_rgb(metadata),
        pixel_size=_pixel_size(metadata.get("pixelCalibration") or {}),
        metadata={str(key): str(value) for key, value in (image.get("metadata") or {}).items()},
    )


def _moved_along(entry: ImageEntry, project_uri: str, folder: Path) -> ImageEntry:
    with contextlib.suppress(ValueError):
        path = places.path_in(entry.uri)
        return replace(entry, moved_along=places.moved_along(path, project_uri, folder))
    return entry


def _options(arguments: tuple[str, ...]) -> dict[str, str]:
    """Return each word of an image's arguments with the one that follows it."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    return dict(pairwise([*words, ""]))


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise TypeError(f"{str(value)[:80]!r} where a text should be")


def _length(value: Any) -> int:
    """Return a width or height in pixels, 0 where it is unknown."""
    length = int(value or 0)
    if not 0 <= length < _LARGEST_SIDE:
        raise ValueError(f"an image side of {length} px")
    return length


def _is_rgb(metadata: Mapping[str, Any]) -> bool:
    if "isRGB" in metadata:
        return bool(metadata["isRGB"])
    channels = metadata.get("channels") or ()
    return not channels or [channel.get("name") for channel in channels] == ["Red", "Green", "Blue"]


def _pixel_size(calibration: Mapping[str, Any]) -> tuple[float, float] | None:
    sizes = []
    for side in ("pixelWidth", "pixelHeight"):
        length = calibration.get(side) or {}
        if str(length.get("unit")) not in ("µm", "μm", "um", "MICROMETER"):
            return None
        size = float(length["value"])
        if not 0 < size < math.inf:
            return None
        sizes.append(size)
    return sizes[0], sizes[1]
