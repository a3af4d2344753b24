"""``pycyto predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("predict")
@options.project_argument
@click.option("--model", required=True, type=click.Path(), help="Folder of the model bundle.")
@options.objects_option
@options.classes_option
@options.images_option
@click.option(
    "--cells",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only the objects whose UUIDs are in this file, one per line.",
)
@options.centroid_option
@click.option(
    "--any-resolution",
    is_flag=True,
    help="Go on although cells are larger or smaller in pixels than in training.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "keras", "openvino"]),
    default="auto",
    show_default=True,
    help="What computes: OpenVINO is quicker on CPUs, and optional.",
)
@click.option(
    "--similar",
    type=click.Path(),
    metavar="DATA_SET",
    help="Keep beside each cell the six most similar of a reviewed data set.",
)
@options.access_options
@click.pass_obj
def command(
    console: Console,
    /,
    project: str,
    classes: str | None,
    images: tuple[str, ...],
    cells: Path | None,
    **rest: Any,
) -> None:
    """Classify the cells of PROJECT and stage the result as a run.

    Nothing of yours is changed: 'pycyto write-back' or import_predictions.groovy
    brings the run into QuPath. PROJECT may also be a folder of exported patches.
    """
    from pycyto.steps.predict import predict

    access = options.access_from(rest)
    predict(
        project,
        classes=options.listed(classes),
        images=images or None,
        cells=None if cells is None else options.words_in(cells),
        access=access,
        reporter=console,
        **rest,
    )
