"""``pycyto evaluate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console
from pycyto.errors import UsageError


@click.command("evaluate")
@click.argument("data", type=click.Path())
@click.option("--model", required=True, type=click.Path(), help="Folder of the model bundle.")
@click.option("--out", required=True, type=click.Path(), help="Folder of the report.")
@click.option("--run", type=click.Path(), help="Folder of a run whose counts the report shows too.")
@options.fold_option
@click.option(
    "--heat-maps", is_flag=True, help="Show where the network looked in wrongly called cells."
)
@click.option(
    "--cell",
    "cells",
    multiple=True,
    metavar="ENTRY/OBJECT[#POINT]",
    help="Show this tested cell too; may be given more than once.",
)
@click.option(
    "--leaking",
    is_flag=True,
    help="Train anew on splits that leak, and show what they would have claimed. Slow.",
)
@click.option(
    "--weights", type=click.Path(), help="For --leaking: the file that the network started from."
)
@click.option(
    "--at-least",
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="Fail unless a figure reaches this, e.g. hsil_sensitivity=0.90 or, for the lower end of "
    "its interval, hsil_sensitivity.low=0.85; may be given more than once.",
)
@click.option(
    "--at-most",
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="Fail if a figure exceeds this, e.g. hsil_to_nilm=0.10 or hsil_to_nilm.high=0.2.",
)
@click.option(
    "--prevalence",
    multiple=True,
    metavar="[CLASS=]SHARE",
    help="Predictive values where this share of the cells is of a class or worse, e.g. 0.02, or "
    "hsil=0.01 for one class.",
)
@click.option(
    "--with-assisted", is_flag=True, help="Count cells whose labels a model had a part in."
)
@click.option(
    "--scores",
    type=click.Path(),
    help="Probabilities that a study has kept (answers/…/scores.csv): these cells are not "
    "classified again. With --fold 0 they are those of models that had not seen the cell's fold.",
)
@options.seed_option
@click.option(
    "--identifiers",
    is_flag=True,
    help="Name images, sources and sites instead of pseudonyms; the report is then confidential.",
)
@click.pass_obj
def command(console: Console, /, data: str, **rest: Any) -> None:
    """Measure a model on the test part of DATA and write a report."""
    from pycyto.steps.evaluate import ALL, evaluate

    for name in ("at_least", "at_most"):
        rest[name] = _numbers(name, rest[name])
    shares = [text if "=" in text else f"{ALL}={text}" for text in rest["prevalence"]]
    rest["prevalence"] = _numbers("prevalence", shares) or None
    evaluate(data, reporter=console, **rest)


def _numbers(option: str, texts: Sequence[str]) -> dict[str, float]:
    """Return the numbers of ``NAME=NUMBER``, by name."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        written = f"--{option.replace('_', '-')} {text}"
        try:
            value = float(number)
        except ValueError:
            raise UsageError(
                f"{written} is not of the form NAME=NUMBER.",
                remedy="--at-least hsil_sensitivity=0.90",
            ) from None
        if name in found:
            raise UsageError(f"{written}: {name} was given before.", remedy="Give it once.")
        found[name] = value
    return found
