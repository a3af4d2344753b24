"""``pycyto undo``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("undo")
@options.project_argument
@click.argument("run", required=False)
@options.yes_option
@options.qupath_options
@click.pass_obj
def command(console: Console, /, project: str, run: str | None, *, yes: bool, **rest: Any) -> None:
    """Take a RUN back out of PROJECT; by default the newest written one.

    Where nothing was saved since, QuPath's data becomes byte for byte what it
    was. Otherwise exactly what the run did is undone, and what a person has
    made his own since is left and listed. To undo an undo: write-back RUN.
    """
    from pycyto.steps.undo import undo

    undo(project, run, yes=yes, access=options.access_from(rest), reporter=console)
