"""``pycyto assign``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("assign")
@options.project_argument
@click.option("--cells", required=True, type=int, metavar="N", help="How many cells.")
@click.option("--readers", required=True, metavar="A,B", help="Who reads them: letters, initials.")
@click.option("--per-class", is_flag=True, help="Equally many of each class, as far as there are.")
@click.option(
    "--repeat",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="Show each reader this share of the cells twice.",
)
@options.seed_option
@click.option("--run", metavar="RUN", help="Choose among the cells of a run, by predicted class.")
@click.option(
    "--proficiency",
    is_flag=True,
    help="For readers in training: choose among cells that a double read has given a label.",
)
@options.objects_option
@options.images_option
@click.option("--unclassified", is_flag=True, help="Cells without a class too.")
@options.access_options
@click.pass_obj
def command(
    console: Console, /, project: str, readers: str, images: tuple[str, ...], **rest: Any
) -> None:
    """Choose cells of PROJECT for blinded reading, in an order of each reader's own.

    The assignment is a file in PROJECT/pycyto/reads and holds no label. The
    readers read it in QuPath with read_cells.groovy; then pycyto agreement
    compares them.
    """
    from pycyto.steps.assign import assign

    access = options.access_from(rest)
    assign(
        project,
        readers=readers.split(","),
        images=images or None,
        access=access,
        reporter=console,
        **rest,
    )
