"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pycyto.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pycyto.steps.context import Access

Command = Callable[..., Any]

project_argument = click.argument("project", type=click.Path())
objects_option = click.option(
    "--objects",
    type=click.Choice(["annotations", "detections", "all"]),
    default="annotations",
    show_default=True,
    help="Which objects stand for cells.",
)
classes_option = click.option(
    "--classes", metavar="A,B", help="Only these classes.  [default: all of the label scheme]"
)
images_option = click.option(
    "--images",
    "images",
    multiple=True,
    metavar="ID|NAME",
    help="Only this image, by entry ID or name; may be given more than once.",
)
centroid_option = click.option(
    "--centroid",
    type=click.Choice(["cell", "nucleus"]),
    default="cell",
    show_default=True,
    help="Centre of the patch for QuPath cell objects.",
)
icc_option = click.option(
    "--icc", is_flag=True, help="Bring pixels to sRGB by the colour profile in each image."
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")
fold_option = click.option(
    "--fold", type=int, metavar="N", help="Use fold N of pycyto split --folds, not the split."
)
yes_option = click.option(
    "--yes", is_flag=True, help="Go on although QuPath is running, with another project open."
)

_QUPATH = (
    click.option(
        "--backend",
        type=click.Choice(["auto", "paquo", "geojson"]),
        default="auto",
        show_default=True,
        help="Through QuPath's own classes, or through the files that its scripts keep.",
    ),
    click.option("--qupath", type=click.Path(), help="Folder of the QuPath to use."),
)
_ACCESS = (
    *_QUPATH,
    click.option(
        "--stale-ok", is_flag=True, help="Read files of cells older than the image's data."
    ),
    click.option(
        "--map",
        "mappings",
        multiple=True,
        metavar="OLD=NEW",
        help="A folder of images has another name here, e.g. D:/slides=/data/slides; remembered.",
    ),
    click.option("--settings", type=click.Path(), help="A further settings file (TOML)."),
    click.option("--project-id", default="", help="For a project that cannot be written to."),
)


def access_options(command: Command) -> Command:
    """Give a command the options by which a project and its images are reached."""
    return _with(_ACCESS, command)


def qupath_options(command: Command) -> Command:
    """Give a command that opens no image the options by which QuPath is reached."""
    return _with(_QUPATH, command)


def _with(options: Sequence[Command], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def access_from(options: dict[str, Any]) -> Access:
    """Take those options out of a command's and return what they say."""
    from pycyto.records import path_from
    from pycyto.steps.context import Access

    qupath, settings = options.pop("qupath"), options.pop("settings", None)
    return Access(
        backend=options.pop("backend"),
        qupath=path_from(qupath) if qupath else None,
        stale_ok=options.pop("stale_ok", False),
        mappings=dict(map(_mapping, options.pop("mappings", ()))),
        settings=path_from(settings) if settings else None,
        project_id=options.pop("project_id", ""),
    )


def listed(text: str | None) -> list[str] | None:
    """Return the parts of a list separated by commas."""
    return None if text is None else text.split(",")


def words_in(file: Path) -> list[str]:
    """Return the words in a text file: one per line, or several."""
    try:
        return file.read_text("utf-8-sig").split()
    except UnicodeDecodeError as error:
        raise UsageError("This is no text file in UTF-8.", where=file) from error


def _mapping(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise UsageError(
            f"--map {text} is not of the form OLD=NEW.", remedy="--map D:/slides=/data/slides"
        )
    return old, new


def shares(text: str) -> tuple[float, ...]:
    """Return fractions that add up to 1 from numbers such as ``80,10,10``."""
    try:
        numbers = [float(part) for part in text.replace("/", ",").split(",")]
    except ValueError:
        numbers = []
    fits = len(numbers) == 3 and min(numbers) >= 0
    if not fits or not any(abs(sum(numbers) - whole) < 0.01 * whole for whole in (1, 100)):
        raise UsageError(
            f"--fractions {text} are not three shares that add up to 100 (or to 1).",
            remedy="--fractions 80,10,10",
        )
    return tuple(number / sum(numbers) for number in numbers)
