"""``pycyto export``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("export")
@options.project_argument
@click.option("--out", required=True, type=click.Path(), help="Folder of the data set.")
@click.option(
    "--objects",
    type=click.Choice(["annotations", "detections", "all"]),
    help="Which objects stand for cells.  [default: annotations; all with --reviewed]",
)
@options.classes_option
@options.images_option
@click.option("--unclassified", is_flag=True, help="Cells without a class too.")
@click.option(
    "--reviewed", is_flag=True, help="Only cells that people decided on, with the decided label."
)
@options.centroid_option
@click.option("--mpp", type=float, help="Micrometres per patch pixel.  [default: full resolution]")
@options.icc_option
@options.access_options
@click.pass_obj
def command(
    console: Console, /, project: str, classes: str | None, images: tuple[str, ...], **rest: Any
) -> None:
    """Cut a 224 x 224 patch for every annotated cell of PROJECT.

    A second export into the same folder does only what has changed. Nothing of
    yours in the project is touched.
    """
    from pycyto.steps.export import export

    access = options.access_from(rest)
    export(
        project,
        classes=options.listed(classes),
        images=images or None,
        access=access,
        reporter=console,
        **rest,
    )
