"""``pycyto write-back``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("write-back")
@options.project_argument
@click.argument("run", required=False)
@click.option(
    "--stale-ok",
    is_flag=True,
    help="Also into images saved since they were predicted; cells that moved or are gone are "
    "left out.",
)
@click.option(
    "--snapshots",
    type=click.IntRange(min=1),
    help="How many runs keep the state before them, for undo.  [default: all]",
)
@options.yes_option
@options.qupath_options
@click.pass_obj
def command(
    console: Console,
    /,
    project: str,
    run: str | None,
    *,
    stale_ok: bool,
    snapshots: int | None,
    yes: bool,
    **rest: Any,
) -> None:
    """Write a staged RUN into PROJECT as classified detections.

    RUN is the name of a run, or the folder of one that was made elsewhere; by
    default the newest, if it is not written yet. A run that was taken back, or
    that QuPath overwrote, is written again if it is named.

    Close the project in QuPath first: QuPath would overwrite what is written
    here with its next save. With the project open, run import_predictions.groovy.
    """
    from pycyto.steps.write_back import write_back

    write_back(
        project,
        run,
        stale_ok=stale_ok,
        snapshots=snapshots,
        yes=yes,
        access=options.access_from(rest),
        reporter=console,
    )
