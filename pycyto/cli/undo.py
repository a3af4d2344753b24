"""``pycyto undo``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("undo")
@options.project_argument
@click.argument("run", required=False)
@options.qupath_options
@click.pass_obj
def command(console: Console, /, project: str, run: str | None, **rest: Any) -> None:
    """Take a RUN back out of PROJECT; by default the newest written one.

    Where nothing was saved since, QuPath's data becomes byte for byte what it
    was. Otherwise exactly the run's own objects are removed.
    """
    from pycyto.steps.undo import undo

    undo(project, run, access=options.access_from(rest), reporter=console)
