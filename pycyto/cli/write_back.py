"""``pycyto write-back``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("write-back")
@options.project_argument
@click.argument("run", required=False)
@options.qupath_options
@click.pass_obj
def command(console: Console, /, project: str, run: str | None, **rest: Any) -> None:
    """Write a staged RUN into PROJECT as classified detections.

    RUN is the name of a run, or the folder of one that was made elsewhere; by
    default the newest, if it is not written yet. Close the project in QuPath first: QuPath
    would overwrite what is written here with its next save.
    """
    from pycyto.steps.write_back import write_back

    write_back(project, run, access=options.access_from(rest), reporter=console)
