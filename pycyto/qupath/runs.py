"""A run and its folder: what was predicted, and how far it has come into QuPath.

The form of ``run.json`` is in docs/formats.md: the Groovy scripts read and write it
too. The tables beside it are for `run_tables`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

from pycyto import files
from pycyto.errors import BadInputError
from pycyto.labels import Colour

SCHEMA = 1

State = Literal["staged", "partly written", "written", "overwritten", "undone"]


@dataclass(frozen=True, slots=True)
class ImageState:
    """How far one image of a run has come.

    Attributes
    ----------
    data_sha256
        State of ``data.qpdata`` that was read for the prediction.
    new, updates
        Staged objects: new = created + gone, updates = updated + gone + decided, where
        *decided* counts those that somebody classified since.
    read_back
        How many of them a fresh look at the file found.
    snapshot_sha256, written_sha256
        State before and after the write.
    undone_from_sha256, undone_sha256
        State before and after the run was taken back.
    pending_sha256
        State that a save under way started from; empty when none is.
    taken_back, left
        How many objects were taken back one by one; and those that were not, by
        their UUID, with the reason: they are a person's, or a later run's, now.
    """

    state: Literal["staged", "written", "overwritten", "undone"]
    data_sha256: str
    new: int
    updates: int
    snapshot_sha256: str = ""
    written_sha256: str = ""
    written_at: str = ""
    written_by: str = ""
    created: int = 0
    updated: int = 0
    gone: int = 0
    decided: int = 0
    read_back: int = 0
    undone_from_sha256: str = ""
    undone_sha256: str = ""
    pending_sha256: str = ""
    taken_back: int = 0
    left: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One prediction run and its ``run.json``."""

    folder: Path
    run_id: str
    created_at: str
    project_id: str
    state: State
    objects: str
    model: Mapping[str, Any]
    scheme: str
    colours: Mapping[str, Colour]
    counts: Mapping[str, Any]
    images: Mapping[str, ImageState] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its folder: date and a random part."""
        return self.folder.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of the model, the least severe first."""
        return tuple(self.model["labels"])

    def with_image(self, entry_id: str, state: ImageState) -> Run:
        """Return the run with another state of one image, and the whole's that follows."""
        images = {**self.images, entry_id: state}
        return dataclasses.replace(self, images=images, state=_whole(images.values()))

    @property
    def kept(self) -> tuple[Path, Path]:
        """The folders that keep QuPath's data as it was before the write, and before an undo."""
        return self.folder / "snapshots", self.folder / "undone"

    def snapshot(self, entry_id: str) -> Path:
        """Return the folder that keeps an image's files as they were before the write."""
        return self.kept[0] / entry_id


def folder_name(run_id: str, created_at: str) -> str:
    """Return a run's folder name, e.g. ``2026-01-31_120000_1f9c2a``."""
    stamp = created_at[:19].replace("T", "_").replace(":", "")
    return f"{stamp}_{run_id.replace('-', '')[:6]}"


def save(run: Run) -> None:
    """Write ``run.json``."""
    content = dataclasses.asdict(run)
    del content["folder"]
    files.write_json(run.folder / "run.json", {"schema": SCHEMA, **content})


def load(folder: Path) -> Run:
    """Read ``run.json``.

    Raises
    ------
    BadInputError
        When it is missing or not what this version writes.
    """
    path = folder / "run.json"
    content = files.read_json(path)
    try:
        return _run_from(folder, content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"This run cannot be read ({error!r}).",
            where=path,
            remedy="It was made by another version of pycyto, or changed by hand.",
        ) from error


def all_runs(workspace: Path) -> list[Run]:
    """Return the runs of a project that can be read, the oldest first."""
    found = [run for run in map(_load_or_error, _folders(workspace)) if isinstance(run, Run)]
    return sorted(found, key=lambda run: (run.created_at, run.name))


def damaged_runs(workspace: Path) -> list[BadInputError]:
    """Return why each of the other runs cannot be read."""
    found = map(_load_or_error, _folders(workspace))
    return [error for error in found if isinstance(error, BadInputError)]


def pick(workspace: Path, name: str | None, states: Iterable[State]) -> Run:
    """Return the run of a name, or the newest in one of the given states.

    Raises
    ------
    BadInputError
        When there is none, or it cannot be read.
    """
    wanted, found = tuple(states), all_runs(workspace)
    for run in reversed(found):
        if run.name == name or (name is None and run.state in wanted):
            return run
    if name is not None and workspace / "runs" / name in _folders(workspace):
        return load(workspace / "runs" / name)  # tells what is wrong with it
    known = ", ".join(run.name for run in found) or "none"
    raise BadInputError(
        f"There is no run {name!r} here." if name else f"No run here is {' or '.join(wanted)}.",
        where=workspace / "runs",
        remedy=f"Known runs: {known}. pycyto runs lists them; pycyto predict makes one.",
    )


def prune_snapshots(workspace: Path, keep: int) -> int:
    """Delete what older runs keep for undo; return how many bytes that was.

    A run without its snapshot can still be taken back, object by object.

    Parameters
    ----------
    keep
        How many runs, the newest, keep theirs. One with a save under way does in any case.
    """
    with_snapshots = [run for run in all_runs(workspace) if any(map(Path.exists, run.kept))]
    freed = 0
    for run in with_snapshots[: max(0, len(with_snapshots) - keep)]:
        if not any(image.pending_sha256 for image in run.images.values()):
            freed += sum(map(files.remove_folder, run.kept))
    return freed


def _run_from(folder: Path, content: dict[str, Any]) -> Run:
    if content.pop("schema") != SCHEMA:
        raise ValueError("another schema")
    images = {entry_id: _image_from(state) for entry_id, state in content.pop("images").items()}
    if not all(re.fullmatch(r"[\w-]+", entry_id) for entry_id in images):
        raise ValueError("entry IDs")  # they become names of files
    colours = {name: _colour(rgb) for name, rgb in content.pop("colours").items()}
    run = Run(folder=folder, images=images, colours=colours, **content)
    UUID(run.run_id)
    texts = (run.created_at, run.project_id, run.objects, run.scheme, *run.labels)
    named = (run.model["network"], run.model["bundle_id"])
    if not all(isinstance(text, str) for text in (*texts, *named)):
        raise ValueError("no text where one should be")
    if run.state not in get_args(State) or not isinstance(run.counts, dict):
        raise ValueError("its state or its counts")
    return run


def _image_from(content: Mapping[str, Any]) -> ImageState:
    image = ImageState(**content)
    for member in dataclasses.fields(image):
        value = getattr(image, member.name)
        if not _HOLDS.get(str(member.type), _is_text)(value):
            raise ValueError(f"{member.name} {str(value)[:40]!r}")
    if image.state not in get_args(State):
        raise ValueError(f"state {image.state!r}")
    return image


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_HOLDS: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int and value >= 0,
    "Mapping[str, str]": lambda value: (
        isinstance(value, dict) and all(map(_is_text, value.values()))
    ),
}


def _colour(rgb: Sequence[int]) -> Colour:
    red, green, blue = rgb
    if not all(type(part) is int and 0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"colour {str(rgb)[:40]}")
    return red, green, blue


def _whole(images: Iterable[ImageState]) -> State:
    states: set[State] = {image.state for image in images}
    if len(states) == 1:
        return states.pop()
    if "written" in states:
        return "partly written"
    order: tuple[State, ...] = ("staged", "overwritten", "undone")
    return next(state for state in order if state in states)


def _folders(workspace: Path) -> list[Path]:
    return sorted(path.parent for path in (workspace / "runs").glob("*/run.json"))


def _load_or_error(folder: Path) -> Run | BadInputError:
    try:
        return load(folder)
    except BadInputError as error:
        return error
