"""``pycyto merge``."""

from __future__ import annotations

import click

from pycyto.cli.console import Console


@click.command("merge")
@click.argument("data", type=click.Path(), nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(), help="Folder of the data set; a new one.")
@click.pass_obj
def command(console: Console, /, data: tuple[str, ...], out: str) -> None:
    """Join the data sets DATA, of sources and of projects, into one.

    Refused are cells that are there twice, different classes, and different resolutions. The
    joined data set is split anew.
    """
    from pycyto.steps.merge import merge

    merge(data, out=out, reporter=console)
