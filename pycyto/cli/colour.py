"""``pycyto colour``."""

from __future__ import annotations

from typing import Any

import click

from pycyto.cli import options
from pycyto.cli.console import Console


@click.command("colour")
@click.argument("data", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Folder of the page.")
@click.option(
    "--reference",
    type=click.Path(),
    help="Image whose tissue is the target.  [default: the source with most training patches]",
)
@click.option(
    "--stats",
    type=click.Choice(["patch", "slide", "source"]),
    help="Whose colours are brought there.  [default: slide]",
)
@click.option(
    "--cells",
    type=click.IntRange(1),
    default=6,
    show_default=True,
    help="How many of each source and class are shown.",
)
@options.seed_option
@click.option(
    "--identifiers",
    is_flag=True,
    help="Name sources and people instead of pseudonyms; the page is then confidential.",
)
@click.option(
    "--verdict",
    type=click.Choice(["acceptable", "not-acceptable"]),
    help="Record what a pathologist says about the page in FOLDER.",
)
@click.option("--by", metavar="NAME", help="Who gives the verdict.")
@click.option("--note", metavar="TEXT", help="What they say about it.")
@click.pass_obj
def command(console: Console, /, data: str, **rest: Any) -> None:
    """Show the cells of DATA before and after their colours are brought to one stain.

    The page has the colours of each source in figures, the same cells before and after, and
    the verdict that a pathologist gave on them. Nothing in DATA is changed.
    """
    from pycyto.steps.colour import colour

    colour(data, reporter=console, **rest)
