"""``pycyto split``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("split")
@click.argument("data", type=click.Path())
@click.option(
    "--fractions",
    metavar="A,B,C",
    help="Of train, validation and test, in patients.  [default: 80,10,10]",
)
@click.option(
    "--folds",
    type=int,
    metavar="K",
    help="K folds for cross-validation instead, each tested once: see --fold of train and "
    "evaluate.",
)
@click.option(
    "--test-slides-per-diagnosis",
    type=int,
    metavar="N",
    help="Test a cohort: N slides, or patients where they are known, of each diagnosis.",
)
@options.seed_option
@click.option("--reshuffle", is_flag=True, help="Forget the split so far and start anew.")
@click.pass_obj
def command(console: Console, /, data: str, fractions: str | None, **others: Any) -> None:
    """Divide the cells of DATA into train, validation and test, patient by patient.

    Cells that have their part already keep it.
    """
    from pycyto.steps.split import split

    split(
        data, fractions=options.shares(fractions) if fractions else None, reporter=console, **others
    )
