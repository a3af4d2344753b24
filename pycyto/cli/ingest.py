"""``pycyto ingest``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("ingest")
@click.argument("layout", type=click.Choice(["herlev", "sipakmed", "cric", "ps3c", "folder"]))
@click.argument("src", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the data set; a new one.")
@click.option(
    "--scale",
    type=click.Choice(["native", "fit"]),
    default="native",
    show_default=True,
    help="Images of single cells: pixels as they are, or brought to the size of the patch.",
)
@click.option("--table", type=click.Path(), help="A table of classes of your own (TOML).")
@click.option(
    "--alternative",
    multiple=True,
    metavar="CLASS=LABEL",
    help="Another choice for a contested class, e.g. ASC-H=HSIL; may be given more than once.",
)
@click.option(
    "--name", help="Of a folder: what the source is called.  [default: the folder's name]"
)
@click.option(
    "--group-regex",
    metavar="REGEX",
    help="Of a folder: what finds patient or slide in the path of an image.",
)
@click.option(
    "--mpp", type=float, help="Of cric and folder: micrometres per pixel, if you know it."
)
@options.icc_option
@click.option(
    "--to-project",
    type=click.Path(),
    help="Of cric: make a QuPath project too, with all cells as points; a new folder.",
)
@click.option("--qupath", type=click.Path(), help="Folder of the QuPath to make it with.")
@click.pass_obj
def command(console: Console, /, layout: Any, src: str, **rest: Any) -> None:
    """Make patches and a manifest of a public set, as it was downloaded to SRC.

    LAYOUT is herlev, sipakmed, cric, ps3c, or folder: one folder of images per class. SRC is only
    read.
    """
    from pycyto.steps.ingest import ingest

    ingest(layout, src, reporter=console, **rest)
