"""``pycyto study``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli.console import Console


@click.command("study")
@click.argument("file", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the study.")
@click.option(
    "--from",
    "folders",
    multiple=True,
    type=click.Path(),
    help="Look for relative paths here before looking beside FILE; may be given more than once.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.pass_obj
def command(console: Console, /, **rest: Any) -> None:
    """Carry out the study that FILE describes: from sources to one report.

    What was done before is kept, unless what it was made from has changed. After Ctrl-C the
    same command goes on.
    """
    from pycyto.steps.study import study

    study(reporter=console, **rest)
