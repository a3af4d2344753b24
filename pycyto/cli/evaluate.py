"""``pycyto evaluate``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("evaluate")
@click.argument("data", type=click.Path())
@click.option("--model", required=True, type=click.Path(), help="Folder of the model bundle.")
@click.option("--out", required=True, type=click.Path(), help="Folder of the report.")
@click.option("--run", type=click.Path(), help="Folder of a run whose counts the report shows too.")
@options.fold_option
@options.seed_option
@click.option(
    "--identifiers",
    is_flag=True,
    help="Name images, sources and sites instead of pseudonyms; the report is then confidential.",
)
@click.pass_obj
def command(console: Console, /, data: str, **rest: Any) -> None:
    """Measure a model on the test part of DATA and write a report."""
    from pycyto.steps.evaluate import evaluate

    evaluate(data, reporter=console, **rest)
