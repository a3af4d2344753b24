"""``pycyto agreement``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("agreement")
@options.project_argument
@click.option("--out", required=True, type=click.Path(), help="Folder of the report.")
@click.option("--assignment", metavar="NAME", help="Which one.  [default: the newest]")
@click.option(
    "--run",
    metavar="RUN",
    help="The run that stands for the model.  [default: the newest that has these cells]",
)
@click.option(
    "--reads",
    multiple=True,
    type=click.Path(),
    metavar="FOLDER|FILE",
    help="Copy reads from another computer into the project first; may be given more than once.",
)
@options.seed_option
@options.access_options
@click.pass_obj
def command(console: Console, /, project: str, **rest: Any) -> None:
    """Compare what readers said of the cells of PROJECT that pycyto assign gave them.

    The report says how far they agree with each other, with themselves and with
    a model, and shows the cells on which they differ. Of a proficiency set it
    says how readers in training do.
    """
    from pycyto.steps.agreement import agreement

    access = options.access_from(rest)
    agreement(project, access=access, reporter=console, **rest)
